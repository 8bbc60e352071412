package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/profiler"
)

func newProfileCommand() *cobra.Command {
	var (
		output  string
		plan    profilePlan
		budget  time.Duration
		seed    uint64
		resume  bool
		meter   meterFlags
		outside runtimeFlags
		on      onFlags
		known   knownFlags
	)
	cmd := &cobra.Command{
		Use:   "profile -o FILE (--space SPACE | --model MODEL.onnx ... | --grid FILE | --known TABLE ...) [--runtime RUNTIME [-- ARGUMENTS]]",
		Short: "Measure this device into a latency table (a LUT file)",
		Long: `Measures workloads on this device and writes them as a latency table, a Parquet
file. With --space they are those that matter most to the networks of a search
space, with --model those of ONNX files, with --grid those that a file names: in
JSON ["softmax/f32/n1c1000", {"op": "conv2d", "c": [16, 32], "h": 56, "k": 64,
"r": {"from": 1, "to": 7, "step": 2}}], or in CSV, see docs/measurement.md.
Some whole networks, and each model, are measured too, from which the predictor
learns what a sum of workloads misses. What comes up twice is measured once.

With --cover instead of --budget, the time goes to those workloads of the space
of which the predictions of its networks gain most: after each batch, what is
measured already tells what comes next. Where further rows would help no more it
says so, and the rest of the time goes to those that are least sure.

With --kernels all, convolutions are measured by each kernel that may be the
fastest on some machine, and not only by the one that the rule picks.
'hwprofd measure --lut' then uses the one that is the fastest on this machine.

With --known, tables of other devices, no more than a few of their workloads are
measured, those that tell most, and the others are predicted from both: they are
marked as predicted, with the interval of the prediction. See docs/transfer.md.

With --cache cold the caches are emptied before each run, as for a workload that
runs once in a while. With several --threads there is a table for each number.

Rows say how the machine was: contended where other work was beside them all the
time, bimodal where a workload has two times. With --baseline the times are those
of the machine as it was at an earlier table, to compare with it.

Every item is measured in several short visits, spread over the whole run, and
each visit is kept in a journal beside the file at once. An interrupted run goes
on with --resume.

Energy is that above the idle machine, by a meter where the processor's can be
read ('hwprofd device' lists them) or --meter names another, else it is modelled
and marked so.

With --on another machine is measured, which needs nothing installed: the program
is copied there and removed at the end. A lost connection does not stop the run;
the same command goes on with one that was cut off. See docs/devices.md.

With --runtime another runtime than this program's own is measured, by an
adapter, which gets the arguments after "--". First neighbours in the networks are
measured together and apart: from that, or the runtime's own account where it
gives one, follows which of them it fuses, and workloads are taken apart as it
does. What it fails at is named in the table with the reason. With --on the adapter is brought along; the runtime's
library is the target's own.`,
		Example: `  hwprofd profile -o pi4.lut.parquet --space mobile28 --budget 5m
  hwprofd profile -o pi4.lut.parquet --space mobile28 --cover 5m
  hwprofd profile -o pi4.lut.parquet --model resnet.onnx --model vit.onnx --batch 1,8
  hwprofd profile -o pi4.lut.parquet --grid shapes.json --cache warm,cold --threads 1,4
  hwprofd profile -o here.lut.parquet --model resnet.onnx --kernels all
  hwprofd profile -o kitchen.lut.parquet --space mobile28 --on ssh://pi@kitchen
  hwprofd profile -o kitchen.lut.parquet --known pi4.lut.parquet --known xeon.lut.parquet --rows 10 --on ssh://pi@kitchen
  hwprofd profile -o server.lut.parquet --model resnet.onnx --runtime onnxruntime -- --lib /opt/onnxruntime/lib/libonnxruntime.so
  hwprofd profile -o kitchen.lut.parquet --space mobile28 --runtime onnxruntime --on ssh://pi@kitchen`,
		Args: outside.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case output == "":
				return usagef("-o FILE is missing: name the table to write, such as -o pi4.lut.parquet")
			case budget <= 0:
				return usagef("--budget %v is not a time to measure for", budget)
			case cmd.Flags().Changed("cover") && plan.cover <= 0:
				return usagef("--cover %v is not a time to measure for", plan.cover)
			}
			if err := known.check(&plan, cmd.Flags().Changed("rows"), on.on); err != nil {
				return err
			}
			if err := plan.check(outside.name != ""); err != nil {
				return err
			}
			if plan.cover > 0 {
				if cmd.Flags().Changed("budget") {
					return usagef("--cover says the time to measure for; leave out --budget")
				}
				budget = plan.cover
			}
			p := newProgress(cmd.ErrOrStderr())
			if !resume && !on.set() {
				for _, n := range plan.threads {
					if err := refuseExisting(plan.output(output, n)); err != nil {
						return err
					}
				}
			}
			finish := func() error { return nil }
			if known.set() {
				c, err := known.begin(cmd, output, seed)
				if err != nil {
					return err
				}
				finish = func() error { return c.finish(output, p) }
			}
			if on.set() {
				if len(plan.threads) > 1 {
					return usagef("--on makes one table: give the command once for each number of --threads")
				}
				if err := profileOn(cmd, &on, output, plan.batch, args); err != nil {
					return err
				}
				return finish()
			}
			p.begin("profile: choosing what to measure")
			info, err := device.Detect()
			if err != nil {
				return err
			}
			meta := tableMeta(info)
			other, err := outside.open(cmd.Context(), args)
			if err != nil {
				return err
			}
			var measured profiler.Runtime
			if other != nil {
				defer other.Close()
				measured = other
				of := other.Info()
				plan.accounts = of.Accounts
				meta.Runtime, meta.RuntimeVersion, meta.RuntimeOptions, meta.Threads = of.Name, of.Version, of.Options, of.Threads
			}
			design, workloads, networks, err := plan.items(seed, budget)
			if err != nil {
				return err
			}
			var later []graph.Workload // what is measured once the pairs are
			if measured != nil {
				pairs, parts, err := plan.pairs(seed, budget, networks)
				if err != nil {
					return err
				}
				later, workloads, networks = workloads, parts, append(pairs, networks...)
			}
			m, err := meter.open(p.say)
			if err != nil {
				return err
			}
			if m != nil {
				defer m.Close()
			}
			reference, err := plan.reference(info.Fingerprint())
			if err != nil {
				return err
			}
			for _, n := range plan.threads {
				path := plan.output(output, n)
				if _, err := os.Stat(path); resume && err == nil && len(plan.threads) > 1 {
					continue // of an interrupted run
				}
				if measured == nil {
					meta.Threads = n
				}
				p.begin("profile: %d workloads, %d networks, %d threads", len(workloads)+len(later), len(networks), meta.Threads)
				options := profiler.Options{
					Budget: budget / time.Duration(len(plan.threads)), Seed: seed, Runtime: measured, Baseline: reference, Caches: plan.caches, Alternatives: plan.kernels == allKernels,
					Meter: m, MaxEnergyPerItem: meter.time, Warn: func(message string) { p.say("%s", message) },
					Progress: p.items,
				}
				if design != nil {
					design.follow(&options, p)
				}
				if measured != nil {
					afterPairs(&options, len(workloads)+len(networks), later, plan.accounts)
				}
				table, err := profileOnce(cmd.Context(), path, meta, workloads, networks, options)
				if err != nil {
					return err
				}
				p.say("%s: %d workloads and %d networks; energy of %s", path, len(table.Rows), len(table.Networks), energySources(table))
				if n := contendedRows(table); n > 0 {
					p.say("%d of them were beside other work all the time, and are marked as contended", n)
				}
				if n := len(table.Alternatives); n > 0 {
					p.say("%d times of convolutions by other kernels", n)
				}
				if n := len(table.Failures); n > 0 {
					p.say("%d could not be measured; 'hwprofd lut show %s' names them with the reasons", n, path)
				}
			}
			return finish()
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&output, "output", "o", "", "table to write")
	plan.add(flags)
	known.add(flags, "complete table of another device; may be repeated: measure some of their workloads and predict the others")
	known.addRows(flags)
	flags.DurationVar(&budget, "budget", 5*time.Minute, "time to measure for")
	flags.Uint64Var(&seed, "seed", 1, "seed of the choice and order of workloads")
	flags.BoolVar(&resume, "resume", false, "go on with an interrupted run of the same file")
	on.add(flags)
	meter.add(flags)
	outside.add(flags)
	return cmd
}

// profileOnce measures with one number of threads.
func profileOnce(ctx context.Context, path string, meta lut.Meta, workloads []graph.Workload, networks []profiler.NamedGraph, options profiler.Options) (*lut.Table, error) {
	if options.Runtime == nil {
		defer kernels.Threads(kernels.Threads(meta.Threads))
	}
	table, err := profiler.New(options).Run(ctx, path, meta, workloads, networks)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("interrupted; nothing measured is lost, go on with the same command and --resume")
	}
	return table, err
}

func contendedRows(t *lut.Table) int {
	n := 0
	for _, r := range t.Rows {
		if r.Contended {
			n++
		}
	}
	return n
}

// refuseExisting keeps what was measured before from being mixed with
// something else, or written over, without having been asked for.
func refuseExisting(path string) error {
	for file, advice := range map[string]string{
		path:              "choose another name, or remove it",
		path + ".journal": "add --resume to go on with it, or remove it",
	} {
		if _, err := os.Stat(file); err == nil {
			return fmt.Errorf("%s exists already; %s", file, advice)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func tableMeta(info device.Info) lut.Meta {
	return lut.Meta{
		Schema: lut.Schema, Device: info, Fingerprint: info.Fingerprint(),
		Runtime: lut.OwnRuntime, RuntimeVersion: version(), Threads: 1,
		Created: time.Now().UTC().Truncate(time.Second),
	}
}

// version is the module's version as the Go toolchain recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
