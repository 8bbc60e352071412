package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
	"github.com/hwprofd/hwprofd/kernels"
	"github.com/hwprofd/hwprofd/predictor"
	"github.com/hwprofd/hwprofd/profiler"
	"github.com/hwprofd/hwprofd/report"
)

// maxThreads bounds --threads: far more than any machine has.
const maxThreads = 1024

func newMeasureCommand() *cobra.Command {
	var (
		model, spaceName, architecture string
		shapes                         []string
		budget                         time.Duration
		threads                        int
		asJSON                         bool
		tracePath, pprofPath, table    string
		outside                        runtimeFlags
	)
	cmd := &cobra.Command{
		Use:   "measure (--model MODEL.onnx | --space SPACE --arch ARCHITECTURE) [--runtime RUNTIME [-- ARGUMENTS]]",
		Short: "Run a network for real and say how long it takes, and where",
		Long: `Runs a network for real and says how long it takes, and where the time goes.

The time is the median over many runs with its 95% interval, corrected for
drift as in a LUT; the table below it has the median time of each workload
within whole runs. Weights that a model lacks are random; so are its inputs,
uniform in -1..1, integers being 1.

With --lut, a table of this machine that 'hwprofd profile --kernels all' made,
convolutions are computed by the kernel that is the fastest by its rows, where the
intervals tell, and images lie in memory as is the fastest by them; --json and the
trace say which kernel, and why.

The trace opens in Perfetto (https://ui.perfetto.dev) and chrome://tracing, the
profile in go tool pprof.

With --runtime another runtime measures, by an adapter, which gets the arguments
after "--", also for its threads; the table then has its own nodes.`,
		Example: `  hwprofd measure --model resnet.onnx
  hwprofd measure --model detector.onnx --shape image=1x3x640x640 --threads 4
  hwprofd measure --model resnet.onnx --trace trace.json
  hwprofd measure --model resnet.onnx --pprof time.pb.gz && go tool pprof -top time.pb.gz
  hwprofd measure --model resnet.onnx --lut here.lut.parquet
  hwprofd measure --model resnet.onnx --runtime onnxruntime -- --threads 4`,
		Args: outside.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case budget <= 0:
				return usagef("--budget %v is not a time to measure for", budget)
			case threads < 1 || threads > maxThreads:
				return usagef("--threads %d is outside 1..%d", threads, maxThreads)
			}
			if outside.name != "" {
				if tracePath != "" || pprofPath != "" || table != "" || cmd.Flags().Changed("threads") {
					return usagef("--trace, --pprof, --lut and --threads are for this program's own runtime; an adapter's threads are set after --")
				}
				other, err := outside.open(cmd.Context(), args)
				if err != nil {
					return err
				}
				defer other.Close()
				g, name, err := shapedGraph(model, shapes, spaceName, architecture)
				if err != nil {
					return err
				}
				m, err := measureOutside(cmd.Context(), other, profiler.NamedGraph{Name: name, Graph: g, File: model}, budget)
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), m)
				}
				return m.print(cmd.OutOrStdout())
			}
			options, err := byTable(table, threads)
			if err != nil {
				return err
			}
			begin := time.Now()
			g, name, err := shapedGraph(model, shapes, spaceName, architecture)
			if err != nil {
				return err
			}
			m, err := measureNetwork(cmd.Context(), name, g, threads, budget, begin, options...)
			if err != nil {
				return err
			}
			if tracePath != "" {
				if err := writeTrace(tracePath, name, m.trace.Steps); err != nil {
					return err
				}
			}
			if pprofPath != "" {
				if err := report.WritePprof(pprofPath, name, m.prediction()); err != nil {
					return err
				}
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), m)
			}
			return m.print(cmd.OutOrStdout())
		},
	}
	addGraphFlags(cmd, &model, &spaceName, &architecture)
	flags := cmd.Flags()
	addShapeFlag(cmd, &shapes)
	flags.DurationVar(&budget, "budget", 2*time.Second, "longest time to measure for")
	flags.IntVar(&threads, "threads", 1, "threads to run on")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	flags.StringVar(&tracePath, "trace", "", "also write one run as trace events, for Perfetto")
	flags.StringVar(&pprofPath, "pprof", "", "also write a profile for go tool pprof")
	flags.StringVar(&table, "lut", "", "latency table of this machine by which to pick kernels and layouts")
	outside.add(flags)
	return cmd
}

// networkMeasurement is what measure says about a network.
type networkMeasurement struct {
	Network      string  `json:"network"`
	Threads      int     `json:"threads"`
	MedianNS     float64 `json:"median_ns"`
	CI95NS       float64 `json:"ci95_ns"` // half-width of the 95% interval of the median
	Stable       bool    `json:"stable"`  // the interval is as narrow as asked, 2% of the median
	P10NS        float64 `json:"p10_ns"`
	P90NS        float64 `json:"p90_ns"`
	Runs         int64   `json:"runs"`          // timed samples that the median is over
	LoadNS       int64   `json:"load_ns"`       // reading, compiling and the first run
	ArenaBytes   int64   `json:"arena_bytes"`   // memory of all tensors but the weights
	NaiveBytes   int64   `json:"naive_bytes"`   // the same without sharing
	MACs         int64   `json:"macs"`          // multiply-accumulates of one run
	TracedRuns   int     `json:"traced_runs"`   // runs that the workloads' times are over
	TracedNS     float64 `json:"traced_ns"`     // sum of the workloads' median times
	TracedSumNS  float64 `json:"traced_sum_ns"` // median over the traced runs of the sum of their workloads' times
	TracedWallNS float64 `json:"traced_run_ns"` // median time of whole runs between the traced ones
	// Workloads are in order of execution.
	Workloads []measuredWorkload `json:"workloads"`

	trace *profiler.Trace
}

type measuredWorkload struct {
	Node     string  `json:"node"`
	Workload string  `json:"workload"`
	MedianNS float64 `json:"median_ns"`
	MACs     int64   `json:"macs"`
	Bytes    int64   `json:"bytes"`
	Kernel   string  `json:"kernel,omitempty"` // of a convolution that is computed by itself
	Why      string  `json:"why,omitempty"`
}

// measureNetwork measures g, of which loading began at begin.
func measureNetwork(ctx context.Context, name string, g *graph.Graph, threads int, budget time.Duration, begin time.Time, options ...inference.Option) (*networkMeasurement, error) {
	defer kernels.Threads(kernels.Threads(threads))
	g = profiler.WithWeights(g, 1)
	plan, err := inference.Compile(g, options...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := plan.FillInputs(1); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := plan.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	load := time.Since(begin)
	p := profiler.New(profiler.Options{MaxPerItem: budget})
	measured, stable, err := p.Plan(ctx, name, plan)
	if err != nil {
		return nil, err
	}
	trace, err := p.Trace(ctx, plan, budget/4)
	if err != nil {
		return nil, err
	}
	m := &networkMeasurement{
		Network: name, Threads: threads,
		MedianNS: measured.LatencyMedianNS, CI95NS: measured.LatencyCI95NS, P10NS: measured.LatencyP10NS, P90NS: measured.LatencyP90NS,
		Stable: stable, Runs: measured.Samples, LoadNS: load.Nanoseconds(), ArenaBytes: plan.ArenaBytes(), NaiveBytes: plan.NaiveBytes(),
		TracedRuns: trace.Runs, TracedNS: trace.StepsNS(), TracedSumNS: trace.SumNS, TracedWallNS: trace.RunNS,
		trace: trace,
	}
	for i, s := range trace.Steps {
		m.MACs += s.MACs
		m.Workloads = append(m.Workloads, measuredWorkload{s.Name, stepName(s), trace.MedianNS[i], s.MACs, s.Bytes, s.Algorithm, s.Why})
	}
	return m, nil
}

// stepName is the canonical name of a step's work, or its operator's where it
// has none.
func stepName(s inference.Step) string {
	if s.Workload == (graph.Workload{}) {
		return string(s.Kind)
	}
	return s.Workload.String()
}

// prediction is the measurement in the form that is written as a profile.
func (m *networkMeasurement) prediction() predictor.Prediction {
	p := predictor.Prediction{LatencyNS: m.TracedNS}
	for i, s := range m.trace.Steps {
		p.Parts = append(p.Parts, predictor.Part{Workload: s.Workload, LatencyNS: m.trace.MedianNS[i], Source: "measured"})
	}
	return p
}

// fewestForInterval is the number of samples below which no two of them
// enclose the median with 95% confidence: 2 * 0.5^n > 5%.
const fewestForInterval = 6

// interval describes the interval of the median.
func (m *networkMeasurement) interval() string {
	if m.Runs < fewestForInterval {
		return "too few samples for an interval: raise --budget"
	}
	text := fmt.Sprintf("95%% interval of the median ±%.1f%%", 100*m.CI95NS/m.MedianNS)
	if !m.Stable {
		text += ", wider than asked: a longer --budget or a quieter machine narrows it"
	}
	return text
}

func (m *networkMeasurement) print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s (%s), p10 %s, p90 %s, %d samples, %d threads\n", m.Network,
		nanoseconds(m.MedianNS), m.interval(), nanoseconds(m.P10NS), nanoseconds(m.P90NS), m.Runs, m.Threads)
	fmt.Fprintf(w, "%.3g GMAC, %.3g GFLOP/s; %s of memory beside the weights, %.0f%% of what tensors of their own would take; first result after %s\n\n",
		float64(m.MACs)/1e9, 2*float64(m.MACs)/m.MedianNS, byteSize(m.ArenaBytes), 100*float64(m.ArenaBytes)/float64(max(m.NaiveBytes, 1)), nanoseconds(float64(m.LoadNS)))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NODE\tWORKLOAD\tTIME\tSHARE\tGFLOP/S\tGB/S")
	for _, t := range m.Workloads {
		rate := "-"
		if t.MACs > 0 {
			rate = fmt.Sprintf("%.1f", 2*float64(t.MACs)/t.MedianNS)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%.1f%%\t%s\t%.1f\n", t.Node, t.Workload, nanoseconds(t.MedianNS), 100*t.MedianNS/m.TracedNS, rate, float64(t.Bytes)/t.MedianNS)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nworkloads together %s, whole runs beside them %s (%+.1f%%), medians of %d\n",
		nanoseconds(m.TracedSumNS), nanoseconds(m.TracedWallNS), 100*(m.TracedWallNS/m.TracedSumNS-1), m.TracedRuns)
	return err
}
