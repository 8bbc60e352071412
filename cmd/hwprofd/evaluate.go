package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/kernels"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/nas/space"
	"github.com/hwprofd/hwprofd/predictor"
	"github.com/hwprofd/hwprofd/profiler"
)

func newEvaluateCommand() *cobra.Command {
	var (
		source         predictorFlags
		models, spaces []string
		sample         int
		seed           uint64
		budget         time.Duration
		asJSON         bool
		plotPath       string
		outside        runtimeFlags
		kept           string
		leaveOut       bool
		clockOnly      bool
	)
	cmd := &cobra.Command{
		Use:   "evaluate --lut FILE (--model MODEL.onnx ... | --space SPACE ... --sample N)",
		Short: "Compare predictions with measurements on this machine",
		Long: `Predicts networks, measures them here, and says how far the two are apart: the
mean error (MAPE), the share within 5% and 10%, rank correlations, how often the
interval held and how wide it is, for each family of networks and for all. What
the field predicts with otherwise stands beside: FLOPs, FLOPs and bytes, the sum
of the table's rows, a roofline. The first two are fitted to the networks of the
table.

The networks of a space are drawn at random; those that the table was made with
are not drawn. They are measured as 'hwprofd profile' does, in short visits to
each, spread over the whole time. --measured keeps the measurements in a file;
where it exists, they are taken from it.

With --leave-out each family is also predicted by a table without its networks.

Where the device's clock is not what it was when the table was measured, as a
measurement of the table's calibration kernel shows, predictions are scaled to
the new one. With --clock this measurement is all that is done.`,
		Example: `  hwprofd evaluate --lut here.lut.parquet --space mobile28 --sample 50
  hwprofd evaluate --lut here.lut.parquet --model resnet.onnx --model vit.onnx --plot errors.svg
  hwprofd evaluate --lut here.lut.parquet --space mobile28 --space fbnet --sample 20 --coverage 0.95 --json
  hwprofd evaluate --lut here.lut.parquet --clock
  hwprofd evaluate --lut ort.lut.parquet --model resnet.onnx --runtime onnxruntime -- --lib /opt/onnxruntime/lib/libonnxruntime.so`,
		Args: outside.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			if source.file != "" {
				return usagef("evaluate needs the table that a predictor was fitted to: name it with --lut")
			}
			if err := source.check(); err != nil {
				return err
			}
			if clockOnly {
				if len(models) > 0 || len(spaces) > 0 || outside.name != "" {
					return usagef("--clock measures no networks: leave out --model, --space and --runtime")
				}
				return evaluateClock(cmd, source.table, seed, asJSON)
			}
			switch {
			case len(models) == 0 && len(spaces) == 0:
				return usagef("name networks to measure: --model, or --space and --sample")
			case len(spaces) > 0 && sample < 1:
				return usagef("--sample %d: want the number of networks to draw of each space", sample)
			case budget <= 0:
				return usagef("--budget %v is not a time to measure for", budget)
			}
			if err := checkPlotPath(plotPath); err != nil {
				return err
			}
			p, table, err := source.open()
			if err != nil {
				return err
			}
			networks, err := evaluatedNetworks(table, models, spaces, sample, seed)
			if err != nil {
				return err
			}
			other, err := outside.open(cmd.Context(), args)
			if err != nil {
				return err
			}
			runtime := tableMeta(device.Info{}).Runtime
			var measured profiler.Runtime
			if other != nil {
				defer other.Close()
				measured, runtime = other, other.Info().Name
			}
			if err := checkHere(source.table, table, runtime); err != nil {
				return err
			}
			progress := newProgress(cmd.ErrOrStderr())
			progress.begin("evaluate: %d networks", len(networks))
			e := &evaluation{predictor: p, table: table, progress: progress, seed: seed, budget: budget, runtime: measured, kept: kept}
			result, err := e.run(cmd.Context(), networks)
			if err != nil {
				return err
			}
			if leaveOut {
				if err := e.leaveOut(result, networks); err != nil {
					return err
				}
			}
			if plotPath != "" {
				if err := writePlot(plotPath, result.Networks); err != nil {
					return err
				}
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), result)
			}
			return result.print(cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	source.add(cmd)
	flags.StringArrayVar(&models, "model", nil, "ONNX file to predict and measure; may be repeated")
	flags.StringArrayVar(&spaces, "space", nil, "search space to draw networks of; may be repeated")
	flags.IntVar(&sample, "sample", 20, "networks to draw of each space")
	flags.Uint64Var(&seed, "seed", 1, "seed of the draw")
	flags.DurationVar(&budget, "budget", time.Second, "longest time to measure a network for")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	outside.add(flags)
	flags.StringVar(&kept, "measured", "", "table to keep the measured networks in, or to take them from where it exists")
	flags.BoolVar(&clockOnly, "clock", false, "only measure how fast the device is beside when the table was measured")
	flags.BoolVar(&leaveOut, "leave-out", false, "also predict each family without its networks in the table")
	flags.StringVar(&plotPath, "plot", "", "also draw predicted over measured latency, as SVG")
	return cmd
}

// evaluatedNetwork is a network to predict and to measure.
type evaluatedNetwork struct {
	name, family string
	graph        func() (*graph.Graph, error)
}

// evaluatedNetworks are the models, and networks of the spaces that the table
// does not have.
func evaluatedNetworks(table *lut.Table, models, spaces []string, sample int, seed uint64) ([]evaluatedNetwork, error) {
	var networks []evaluatedNetwork
	for _, path := range models {
		networks = append(networks, evaluatedNetwork{path, "models", func() (*graph.Graph, error) { return onnx.Read(path) }})
	}
	for _, name := range spaces {
		s, err := space.Published(name)
		if err != nil {
			return nil, usageError{err}
		}
		seen := map[string]bool{}
		for _, n := range table.Networks {
			if len(n.Name) > len(name) && n.Name[:len(name)+1] == name+":" {
				seen[n.Name[len(name)+1:]] = true
			}
		}
		drawn, err := drawDistinct(s, seed, streamEvaluate, sample, seen)
		if err != nil {
			return nil, err
		}
		for _, a := range drawn {
			networks = append(networks, evaluatedNetwork{networkName(s, a), name, func() (*graph.Graph, error) { return s.Lower(a) }})
		}
	}
	return networks, nil
}

// checkHere refuses tables whose predictions cannot be compared with what is
// measured here.
func checkHere(path string, table *lut.Table, runtime string) error {
	info, err := device.Detect()
	if err != nil {
		return err
	}
	if here := info.Fingerprint(); table.Meta.Fingerprint != here {
		return fmt.Errorf("%s is of device %s, this one is %s: measure there, or name a table of this device", path, table.Meta.Fingerprint, here)
	}
	if table.Meta.Runtime != runtime {
		return fmt.Errorf("%s is of runtime %s, measured would be %s: name the table's with --runtime", path, table.Meta.Runtime, runtime)
	}
	return nil
}

// evaluation measures networks against their predictions.
type evaluation struct {
	predictor *predictor.Predictor
	table     *lut.Table
	progress  *progress
	seed      uint64
	budget    time.Duration
	runtime   profiler.Runtime // nil for that of this program
	kept      string           // path of the table of what is measured, or empty
	measured  []lut.Network    // as compared, by the table's clock
	again     []lut.Network    // of the table's networks, measured with them; likewise
}

// run measures the networks in short visits to each, spread over the whole time.
func (e *evaluation) run(ctx context.Context, networks []evaluatedNetwork) (*evaluated, error) {
	if measured, c, ok, err := e.recall(networks); err != nil || ok {
		if err != nil {
			return nil, err
		}
		return e.compare(networks, measured, c)
	}
	defer kernels.Threads(kernels.Threads(e.table.Meta.Threads))
	c, err := e.clock(ctx)
	if err != nil {
		return nil, err
	}
	options := profiler.Options{Seed: e.seed, MaxPerItem: e.budget, RelativeCI: 0.01, Runtime: e.runtime, Progress: e.progress.items}
	if !c.Rescaled {
		options.Baseline = profiler.Baseline(e.table)
	} // else that of now, which it measures
	named := make([]profiler.NamedGraph, len(networks))
	for i, n := range networks {
		named[i] = profiler.NamedGraph{Name: n.name, Lower: n.graph}
		if n.family == "models" { // to read a file takes longer than to lower an architecture
			if named[i].Graph, err = n.graph(); err != nil {
				return nil, err
			}
		}
	}
	again, err := networksAgain(e.table, e.seed, len(networks))
	if err != nil {
		return nil, err
	}
	measured, err := profiler.New(options).Networks(ctx, append(named, again...))
	if err != nil {
		return nil, err
	}
	measured, e.again = measured[:len(networks)], measured[len(networks):]
	if err := e.keep(measured, c); err != nil {
		return nil, err
	}
	return e.compare(networks, measured, c)
}
