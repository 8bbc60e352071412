package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/renameio/v2/maybe"
	"github.com/spf13/cobra"
	"golang.org/x/perf/benchunit"

	"github.com/hwprofd/hwprofd/benchmark"
	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/profiler"
)

// benchFlags are those of the verb bench.
type benchFlags struct {
	oldPath, newPath, output string
	threshold                share
	alpha                    float64
	filter, workloads, goPkg string
	count                    int
	sample                   time.Duration
	anyDevice, asJSON        bool
}

func newBenchCommand() *cobra.Command {
	f := benchFlags{threshold: .05}
	cmd := &cobra.Command{
		Use:   "bench [--old FILE] [--new FILE]",
		Short: "Measure typical workloads, and find out which became slower",
		Long: `Measures typical workloads of networks with the kernels of this program, and
prints the times as "go test -bench" prints its own, or compares times. Files
are output of "go test -bench", of this command, or latency tables; in all of
them a workload has the same name.

A workload is slower if the Mann-Whitney U test tells its new times from the old
ones, and their median is larger by more than --threshold. If one is, the exit
code is 1. Beside a latency table, which holds no single times, the 95%
intervals of the medians have to be apart.

Times compare on one device only: files carry its fingerprint in a line
"fingerprint: ...".`,
		Example: `  hwprofd bench -o before.txt
  hwprofd bench --old before.txt
  hwprofd bench --old before.txt --new after.txt --threshold 3%
  hwprofd bench --old before.txt --package ./kernels
  hwprofd bench --old device.lut.parquet`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runBench(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.oldPath, "old", "", "times to compare with: the baseline of this device")
	flags.StringVar(&f.newPath, "new", "", "times to compare; without it they are measured now; - is standard input")
	flags.StringVarP(&f.output, "output", "o", "", "file to write the times that were measured to")
	flags.Var(&f.threshold, "threshold", "share by which a workload may be slower, such as 5%")
	flags.Float64Var(&f.alpha, "alpha", .05, "level of significance")
	flags.StringVar(&f.filter, "filter", "", "benchmarks of files to look at, in the syntax of benchstat, such as .name:Kernels")
	flags.StringVar(&f.workloads, "workloads", "", "regular expression of the workloads to measure; all typical ones by default")
	flags.StringVar(&f.goPkg, "package", "", "Go package whose benchmarks to run with go test, in place of the kernels of this program")
	flags.IntVar(&f.count, "count", 10, "times that each workload is measured")
	flags.DurationVar(&f.sample, "sample", 20*time.Millisecond, "time of one measurement")
	flags.BoolVar(&f.anyDevice, "any-device", false, "compare times of different devices")
	flags.BoolVar(&f.asJSON, "json", false, "print the comparison as JSON")
	return cmd
}

// share is a flag such as 5% or 0.05.
type share float64

func (s *share) String() string { return strconv.FormatFloat(100*float64(*s), 'g', -1, 64) + "%" }
func (s *share) Type() string   { return "share" }

func (s *share) Set(text string) error {
	number, percent := strings.CutSuffix(text, "%")
	x, err := strconv.ParseFloat(number, 64)
	if err != nil || !(x >= 0) || math.IsInf(x, 0) {
		return errors.New("want a share such as 5% or 0.05")
	}
	if percent {
		x /= 100
	}
	*s = share(x)
	return nil
}

func runBench(cmd *cobra.Command, f benchFlags) error {
	switch {
	case f.newPath != "" && f.oldPath == "":
		return usagef("--new is nothing to compare with by itself: name the times before in --old")
	case f.newPath != "" && (f.output != "" || f.goPkg != "" || f.workloads != ""):
		return usagef("-o, --package and --workloads are for measuring, but --new names times that were measured")
	case f.count < 1 || f.sample <= 0:
		return usagef("--count %d --sample %v measures nothing", f.count, f.sample)
	case f.alpha <= 0 || f.alpha >= 1:
		return usagef("--alpha %v is outside 0 to 1", f.alpha)
	case f.asJSON && f.oldPath == "":
		return usagef("--json is for comparisons: name the times before in --old")
	}
	var before, after *benchmark.Results
	var err error
	if f.oldPath != "" {
		if before, err = benchmark.Read(f.oldPath, f.filter); err != nil {
			return err
		}
	}
	if f.newPath != "" {
		after, err = benchmark.Read(f.newPath, f.filter)
	} else {
		after, err = measureBench(cmd, f, before)
	}
	if err != nil {
		return deviceUsage(err)
	}
	if before == nil {
		if f.output != "" {
			return nil
		}
		return after.Write(cmd.OutOrStdout())
	}
	report, err := benchmark.Compare(before, after, benchmark.Options{Threshold: float64(f.threshold), Alpha: f.alpha, AnyDevice: f.anyDevice})
	if err != nil {
		return deviceUsage(err)
	}
	return reportBench(cmd, f, report)
}

// deviceUsage makes a usage error of one that says that devices differ.
func deviceUsage(err error) error {
	var other *benchmark.DeviceError
	if errors.As(err, &other) {
		return usagef("%w; --any-device compares them all the same", err)
	}
	return err
}

// measureBench measures, with this program or with go test, and writes the
// times to the output. Where there are times to compare with, it first looks
// whether they are of this device.
func measureBench(cmd *cobra.Command, f benchFlags, before *benchmark.Results) (*benchmark.Results, error) {
	info, err := device.Detect()
	if err != nil {
		return nil, err
	}
	config := map[string]string{benchmark.FingerprintKey: info.Fingerprint(), "goos": info.OS, "goarch": info.Arch, "version": version()}
	if len(info.CPUs) > 0 {
		config["cpu"] = info.CPUs[0].Model
	}
	if before != nil && !f.anyDevice {
		if _, err := benchmark.SameDevice(before, &benchmark.Results{Source: "this run", Config: config}); err != nil {
			return nil, err
		}
	}
	var r *benchmark.Results
	if f.goPkg != "" {
		r, err = goBenchmarks(cmd.Context(), cmd.ErrOrStderr(), f)
	} else {
		r, err = ownBenchmarks(cmd.Context(), cmd.ErrOrStderr(), f)
	}
	if err != nil {
		if cmd.Context().Err() != nil {
			return nil, errors.New("interrupted")
		}
		return nil, err
	}
	maps.Copy(config, r.Config)
	r.Config = config
	if f.output != "" {
		var text strings.Builder
		if err := r.Write(&text); err != nil {
			return nil, err
		}
		if err := maybe.WriteFile(f.output, []byte(text.String()), 0o666); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// ownBenchmarks measures the typical workloads with the kernels of this program.
func ownBenchmarks(ctx context.Context, stderr io.Writer, f benchFlags) (*benchmark.Results, error) {
	match, err := regexp.Compile(f.workloads)
	if err != nil {
		return nil, usagef("--workloads: %w", err)
	}
	list := slices.DeleteFunc(graph.Typical(), func(w graph.Workload) bool { return !match.MatchString(w.String()) })
	if len(list) == 0 {
		return nil, usagef("--workloads %q leaves no workload; hwprofd bench measures those of graph.Typical", f.workloads)
	}
	p := newProgress(stderr)
	p.begin("bench: %d workloads, %d times each", len(list), f.count)
	prof := profiler.New(profiler.Options{Seed: 1, Progress: p.items})
	samples, err := prof.Samples(ctx, list, f.count, f.sample)
	if err != nil {
		return nil, err
	}
	p.say("bench: %d workloads measured", len(list))
	r := &benchmark.Results{Source: "this run"}
	for i, w := range list {
		r.Times = append(r.Times, benchmark.Times{Name: w.String(), Samples: samples[i]})
	}
	return r, nil
}

// goBenchmarks runs the benchmarks of a Go package.
func goBenchmarks(ctx context.Context, stderr io.Writer, f benchFlags) (*benchmark.Results, error) {
	args := []string{"test", "-run", "^$", "-bench", cmp.Or(f.workloads, "."), "-count", strconv.Itoa(f.count), "-benchtime", f.sample.String(), f.goPkg}
	command := exec.CommandContext(ctx, "go", args...)
	command.Stderr = stderr
	out, err := command.Output()
	if err != nil {
		if detail := strings.TrimSpace(string(out)); detail != "" {
			fmt.Fprintln(stderr, detail)
		}
		return nil, fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return benchmark.Parse("go test "+f.goPkg, strings.NewReader(string(out)), f.filter)
}

// reportBench prints a comparison, and fails where a workload is slower.
func reportBench(cmd *cobra.Command, f benchFlags, r *benchmark.Report) error {
	stderr := cmd.ErrOrStderr()
	if r.Warning != "" {
		fmt.Fprintln(stderr, "warning: "+r.Warning)
	}
	if n := len(r.Undecided); n > 0 {
		fmt.Fprintf(stderr, "warning: %d of %d workloads have too few times for any difference to be significant, such as %s; measure with --count 10\n", n, len(r.Changes), r.Undecided[0])
	}
	if f.asJSON {
		if err := writeJSON(cmd.OutOrStdout(), r); err != nil {
			return err
		}
	} else if err := printBench(cmd.OutOrStdout(), r); err != nil {
		return err
	}
	slower := r.Slower()
	if len(slower) == 0 {
		return nil
	}
	worst := slices.MaxFunc(slower, func(a, b benchmark.Change) int { return cmp.Compare(a.Ratio, b.Ratio) })
	return fmt.Errorf("%d of %d workloads are slower by more than %s, most of all %s by %.1f%%", len(slower), len(r.Changes), f.threshold.String(), worst.Name, 100*(worst.Ratio-1))
}

func printBench(w io.Writer, r *benchmark.Report) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "WORKLOAD\tOLD\t\tNEW\t\tCHANGE\t")
	seconds := func(ns float64) string { return benchunit.Scale(ns*1e-9, benchunit.Decimal) + "s" }
	for _, c := range r.Changes {
		change, verdict := "~", ""
		if c.Significant {
			change = fmt.Sprintf("%+.1f%%", 100*(c.Ratio-1))
		}
		if c.P >= 0 {
			change += fmt.Sprintf(" (p=%.3f n=%d+%d)", c.P, c.Samples[0], c.Samples[1])
		}
		switch {
		case c.Slower:
			verdict = "slower"
		case c.Faster:
			verdict = "faster"
		}
		fmt.Fprintf(tw, "%s\t%s\t±%s\t%s\t±%s\t%s\t%s\n", c.Name, seconds(c.OldNS), c.Old.PctRangeString(), seconds(c.NewNS), c.New.PctRangeString(), change, verdict)
	}
	fmt.Fprintf(tw, "geometric mean of %d\t\t\t\t\t%+.1f%%\t\n", len(r.Changes), 100*(r.Mean-1))
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, side := range []struct {
		name string
		list []string
	}{{"old", r.OnlyOld}, {"new", r.OnlyNew}} {
		if len(side.list) > 0 {
			fmt.Fprintf(w, "only in the %s times: %s\n", side.name, strings.Join(side.list, ", "))
		}
	}
	return nil
}
