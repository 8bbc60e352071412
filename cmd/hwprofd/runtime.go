package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hwprofd/hwprofd/profiler"
)

// adapterPrefix begins the names of adapters that belong to this program.
const adapterPrefix = "hwprofd-"

// ownAdapters are the runtimes whose adapters are, which can be brought to a
// target.
var ownAdapters = []string{"onnxruntime"}

// runtimeFlags name an outside runtime. The arguments after "--" are those of
// its adapter.
type runtimeFlags struct {
	name    string
	timeout time.Duration
}

func (f *runtimeFlags) add(flags *pflag.FlagSet) {
	flags.Var((*given)(&f.name), "runtime", "measure another runtime: a name such as onnxruntime, or an adapter program; arguments after -- are its own")
	flags.DurationVar(&f.timeout, "runtime-timeout", time.Minute, "longest that a reply of the adapter is waited for")
}

// args refuses arguments that are no adapter's.
func (f *runtimeFlags) args(cmd *cobra.Command, args []string) error {
	if f.name != "" && cmd.ArgsLenAtDash() == 0 {
		return nil
	}
	return noArgs(cmd, args)
}

// open starts the adapter, if one is named.
func (f *runtimeFlags) open(ctx context.Context, args []string) (*profiler.Program, error) {
	if f.name == "" {
		return nil, nil
	}
	if f.timeout <= 0 {
		return nil, usagef("--runtime-timeout %v is not a time to wait for", f.timeout)
	}
	program, err := adapterProgram(f.name)
	if err != nil {
		return nil, err
	}
	return profiler.OpenProgram(ctx, append([]string{program}, args...), profiler.ProgramOptions{Timeout: f.timeout})
}

// adapterProgram finds the program of a runtime: a path, or the adapter of that
// name beside this program or on the path, or else a program on the path.
func adapterProgram(name string) (string, error) {
	if strings.ContainsAny(name, `/\`) {
		if _, err := os.Stat(name); err != nil {
			var file *fs.PathError
			if errors.As(err, &file) {
				err = file.Err
			}
			return "", fmt.Errorf("runtime %s: %w", name, err)
		}
		return name, nil
	}
	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), adapterPrefix+name)); err == nil {
			return path, nil
		}
	}
	for _, candidate := range []string{adapterPrefix + name, name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("runtime %s: there is no program %s%s beside this one or on the path: build it, or name an adapter by its path", name, adapterPrefix, name)
}

func newRuntimeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runtime",
		Short: "Try the adapters through which other runtimes are measured, and see what these fuse",
		Args:  verbRequired,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRuntimeCheckCommand(), newRuntimeFusionCommand())
	return cmd
}

func newRuntimeCheckCommand() *cobra.Command {
	var timeout time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check PROGRAM [-- ARGUMENTS]",
		Short: "Try an adapter: its numbers, its clock, and what it does with wrong input",
		Long: `Tries an adapter, a program that speaks the runtime protocol of
docs/runtime-protocol.md: its numbers against this program's own on a panel of
operators, what it does with input that is wrong, its clock, what a run costs
that does nothing, and how it ends. The program is a path or a name, as of
'hwprofd profile --runtime'; the arguments after "--" are its own.

The exit code is 1 if a check failed. A runtime may lack most operators of the
panel, which then are skipped.`,
		Example: "  hwprofd runtime check onnxruntime -- --lib /opt/onnxruntime/lib/libonnxruntime.so\n  hwprofd runtime check ./adapters/pytorch.py",
		Args: func(cmd *cobra.Command, args []string) error {
			if dash := cmd.ArgsLenAtDash(); len(args) == 0 || dash != 1 && len(args) > 1 {
				return usagef("%s takes one program, and its arguments after --; see '%s --help'", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if timeout <= 0 {
				return usagef("--timeout %v is not a time to wait for", timeout)
			}
			program, err := adapterProgram(args[0])
			if err != nil {
				return err
			}
			report, err := profiler.CheckRuntime(cmd.Context(), append([]string{program}, args[1:]...), profiler.ProgramOptions{Timeout: timeout})
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), report)
			} else {
				err = printRuntimeReport(cmd.OutOrStdout(), report)
			}
			if err == nil && report.Failed() > 0 {
				err = fmt.Errorf("runtime %s: %d of %d checks failed", report.Name, report.Failed(), len(report.Checks))
			}
			return err
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "longest that a reply is waited for")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printRuntimeReport(w io.Writer, r *profiler.RuntimeReport) error {
	fmt.Fprintf(w, "%s %s, threads %d, options %s\n", r.Name, r.Version, r.Threads, optionText(r.Options))
	fmt.Fprintf(w, "clock: a step of %s; a run of nothing %s; a reply %s more\n\n", nanoseconds(r.StepNS), nanoseconds(r.OverheadNS), nanoseconds(r.ReplyNS))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	count := map[string]int{}
	for _, c := range r.Checks {
		count[c.Result]++
		fmt.Fprintf(tw, "%s\t%s\t%s\n", c.Result, c.Name, oneLine(errors.New(c.Detail)))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d checks: %d ok, %d failed, %d skipped\n", len(r.Checks), count[profiler.CheckOK], count[profiler.CheckFailed], count[profiler.CheckSkipped])
	return err
}

// optionText is a runtime's options, sorted.
func optionText(options map[string]string) string {
	if len(options) == 0 {
		return "none"
	}
	var list []string
	for _, key := range slices.Sorted(maps.Keys(options)) {
		list = append(list, key+"="+options[key])
	}
	return strings.Join(list, " ")
}

// outsideMeasurement is what measure says of a network in another runtime.
type outsideMeasurement struct {
	Network        string              `json:"network"`
	Runtime        string              `json:"runtime"`
	RuntimeVersion string              `json:"runtime_version"`
	RuntimeOptions map[string]string   `json:"runtime_options"`
	Threads        int                 `json:"threads"`
	MedianNS       float64             `json:"median_ns"`
	CI95NS         float64             `json:"ci95_ns"` // half-width of the 95% interval of the median
	P10NS          float64             `json:"p10_ns"`
	P90NS          float64             `json:"p90_ns"`
	Samples        int64               `json:"samples"`
	Nodes          []profiler.NodeTime `json:"nodes"` // by the runtime's own account; none where it gives none
}

func measureOutside(ctx context.Context, r *profiler.Program, item profiler.NamedGraph, budget time.Duration) (*outsideMeasurement, error) {
	p := profiler.New(profiler.Options{MaxPerItem: budget, Seed: 1, Runtime: r})
	measured, err := p.NetworkOf(ctx, item)
	if err != nil {
		return nil, err
	}
	nodes, err := p.NodeTimes(ctx, item, budget/4)
	if err != nil && !errors.Is(err, profiler.ErrNoNodeTimes) {
		return nil, err
	}
	info := r.Info()
	return &outsideMeasurement{
		Network: item.Name, Runtime: info.Name, RuntimeVersion: info.Version, RuntimeOptions: info.Options, Threads: info.Threads,
		MedianNS: measured.LatencyMedianNS, CI95NS: measured.LatencyCI95NS, P10NS: measured.LatencyP10NS, P90NS: measured.LatencyP90NS,
		Samples: measured.Samples, Nodes: append([]profiler.NodeTime{}, nodes...),
	}, nil
}

func (m *outsideMeasurement) print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s (95%% interval of the median ±%.1f%%), p10 %s, p90 %s, %d samples\n", m.Network,
		nanoseconds(m.MedianNS), 100*m.CI95NS/m.MedianNS, nanoseconds(m.P10NS), nanoseconds(m.P90NS), m.Samples)
	_, err := fmt.Fprintf(w, "%s %s, threads %d, options %s\n", m.Runtime, m.RuntimeVersion, m.Threads, optionText(m.RuntimeOptions))
	if err != nil || len(m.Nodes) == 0 {
		return err
	}
	total := 0.0
	for _, n := range m.Nodes {
		total += n.NS
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\nNODE\tOPERATOR\tTIME\tSHARE")
	for _, n := range m.Nodes {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%.1f%%\n", n.Name, n.Op, nanoseconds(n.NS), 100*n.NS/max(total, 1))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nnodes together %s, by the runtime's own account\n", nanoseconds(total))
	return err
}
