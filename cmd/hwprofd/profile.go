package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/nas/space"
	"github.com/hwprofd/hwprofd/profiler"
)

func newProfileCommand() *cobra.Command {
	var (
		output, spaceName string
		on                string
		models            []string
		budget            time.Duration
		seed              uint64
		resume            bool
		meter             meterFlags
		outside           runtimeFlags
	)
	cmd := &cobra.Command{
		Use:   "profile -o FILE (--space SPACE | --model MODEL.onnx ...) [--runtime RUNTIME [-- ARGUMENTS]]",
		Short: "Measure this device into a latency table (a LUT file)",
		Long: `Measures workloads on this device and writes them as a latency table, a Parquet
file. With --space they are those that matter most to the networks of a search
space, with --model those of ONNX files. Some whole networks are measured too,
from which the predictor learns what a sum of workloads misses.

Every measurement is kept in a journal beside the file at once. An interrupted
run goes on with --resume.

Energy is that above the idle machine, by a meter where the processor's can be
read ('hwprofd device' lists them) or --meter names another, else it is modelled
and marked so.

With --on another machine is measured, which needs nothing installed: the program
is copied there and removed at the end. A lost connection does not stop the run;
the same command goes on with one that was cut off. See docs/devices.md.

With --runtime another runtime than this program's own is measured, by an
adapter, which gets the arguments after "--". What it fails at is named in the
table with the reason.`,
		Example: `  hwprofd profile -o pi4.lut.parquet --space mobile28 --budget 5m
  hwprofd profile -o pi4.lut.parquet --model resnet.onnx --model vit.onnx
  hwprofd profile -o kitchen.lut.parquet --space mobile28 --on ssh://pi@kitchen
  hwprofd profile -o server.lut.parquet --model resnet.onnx --runtime onnxruntime -- --lib /opt/onnxruntime/lib/libonnxruntime.so`,
		Args: outside.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case output == "":
				return usagef("-o FILE is missing: name the table to write, such as -o pi4.lut.parquet")
			case (spaceName == "") == (len(models) == 0):
				return usagef("name what to measure: either --space or --model")
			case budget <= 0:
				return usagef("--budget %v is not a time to measure for", budget)
			}
			if on != "" {
				return profileOn(cmd, on, output)
			}
			if !resume {
				if err := refuseExisting(output); err != nil {
					return err
				}
			}
			workloads, networks, err := profileItems(spaceName, models, seed, budget)
			if err != nil {
				return err
			}
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
				meta.Runtime, meta.RuntimeVersion, meta.RuntimeOptions, meta.Threads = of.Name, of.Version, of.Options, of.Threads
			}
			p := newProgress(cmd.ErrOrStderr())
			m, err := meter.open(p.say)
			if err != nil {
				return err
			}
			if m != nil {
				defer m.Close()
			}
			p.begin("profile: %d workloads, %d networks", len(workloads), len(networks))
			prof := profiler.New(profiler.Options{
				Budget: budget, Seed: seed, Runtime: measured,
				Meter: m, MaxEnergyPerItem: meter.time, Warn: func(message string) { p.say("%s", message) },
				Progress: func(done, total int, current string, left time.Duration) {
					p.report(float64(done)/float64(total), left, current)
				},
			})
			table, err := prof.Run(cmd.Context(), output, meta, workloads, networks)
			if err != nil {
				if cmd.Context().Err() != nil {
					return fmt.Errorf("interrupted; nothing measured is lost, go on with the same command and --resume")
				}
				return err
			}
			p.say("%s: %d workloads and %d networks; energy of %s", output, len(table.Rows), len(table.Networks), energySources(table))
			if n := len(table.Failures); n > 0 {
				p.say("%d could not be measured; 'hwprofd lut show %s' names them with the reasons", n, output)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&output, "output", "o", "", "table to write")
	flags.StringVar(&spaceName, "space", "", "search space whose workloads to measure")
	flags.StringArrayVar(&models, "model", nil, "ONNX file whose workloads to measure; may be repeated")
	flags.DurationVar(&budget, "budget", 5*time.Minute, "time to measure for")
	flags.Uint64Var(&seed, "seed", 1, "seed of the choice and order of workloads")
	flags.BoolVar(&resume, "resume", false, "go on with an interrupted run of the same file")
	flags.StringVar(&on, "on", "", onUsage)
	meter.add(flags)
	outside.add(flags)
	return cmd
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

// profileItems are the workloads and networks to measure within a budget.
func profileItems(spaceName string, models []string, seed uint64, budget time.Duration) ([]graph.Workload, []profiler.NamedGraph, error) {
	if spaceName != "" {
		s, err := space.Published(spaceName)
		if err != nil {
			return nil, nil, usageError{err}
		}
		return spaceItems(s, seed, budget)
	}
	var workloads []graph.Workload
	var networks []profiler.NamedGraph
	for _, path := range models {
		g, err := onnx.Read(path)
		if err != nil {
			return nil, nil, err
		}
		fused, err := graph.Fuse(g)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		of, err := fused.Workloads()
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		workloads = append(workloads, of...)
		networks = append(networks, profiler.NamedGraph{Name: path, Use: "fit", Graph: g, File: path})
	}
	return workloads, networks, nil
}

func tableMeta(info device.Info) lut.Meta {
	return lut.Meta{
		Schema: lut.Schema, Device: info, Fingerprint: info.Fingerprint(),
		Runtime: "hwprofd", RuntimeVersion: version(), Threads: 1,
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
