package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/predictor"
	"github.com/hwprofd/hwprofd/profiler"
)

// fusionPairJSON is what the ways to find out say of a pair; empty where one
// says nothing.
type fusionPairJSON struct {
	First      string            `json:"first"`
	Second     string            `json:"second"`
	FirstNS    float64           `json:"first_ns"` // as parts of a network, as the next two
	SecondNS   float64           `json:"second_ns"`
	TogetherNS float64           `json:"together_ns"`
	Times      predictor.Verdict `json:"times"`
	Account    predictor.Verdict `json:"account,omitempty"`
	Graph      predictor.Verdict `json:"graph,omitempty"`
}

func newRuntimeFusionCommand() *cobra.Command {
	var (
		path    string
		plan    profilePlan
		budget  time.Duration
		seed    uint64
		asJSON  bool
		outside runtimeFlags
	)
	cmd := &cobra.Command{
		Use:   "fusion --lut FILE [--runtime RUNTIME (--space SPACE | --model MODEL.onnx ...) [-- ARGUMENTS]]",
		Short: "Say which neighbours a runtime fuses, by each way to find out",
		Long: `Lists the pairs of neighbours that a table of another runtime has, and whether
they are fused: by the times measured together and apart, and by the runtime's own
account of the nodes that it ran. With --runtime the runtime is asked as well what
model it makes of each pair, and the three are compared; the flags are those that
the table was made with. The exit code is 1 if two of them contradict each other.`,
		Example: `  hwprofd runtime fusion --lut ort.lut.parquet
  hwprofd runtime fusion --lut ort.lut.parquet --runtime onnxruntime --space mobile28 -- --lib /opt/onnxruntime/lib/libonnxruntime.so`,
		Args: outside.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			if path == "" {
				return usagef("--lut is missing: name a table; hwprofd profile --runtime makes one")
			}
			table, err := lut.Read(path)
			if err != nil {
				return err
			}
			pairs, err := predictor.FusionPairs(table)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if len(pairs) == 0 {
				return fmt.Errorf("%s has no pairs of neighbours: make it with 'hwprofd profile --runtime'", path)
			}
			graphs := map[string]predictor.Verdict{}
			if outside.name != "" {
				if err := plan.check(true); err != nil {
					return err
				}
				_, _, networks, err := plan.items(seed, budget)
				if err != nil {
					return err
				}
				asked, _, err := plan.pairs(seed, budget, networks)
				if err != nil {
					return err
				}
				runtime, err := outside.open(cmd.Context(), args)
				if err != nil {
					return err
				}
				defer runtime.Close()
				if graphs, err = graphVerdicts(cmd.Context(), runtime, asked, seed); err != nil {
					return err
				}
			}
			var list []fusionPairJSON
			for _, p := range pairs {
				list = append(list, fusionPairJSON{
					p.First.String(), p.Second.String(), p.Alone[0].NS, p.Alone[1].NS, p.Together.NS,
					p.Times, p.Account, graphs[profiler.PairName(p.First, p.Second)],
				})
			}
			wrong, err := printFusion(cmd.OutOrStdout(), list, asJSON)
			if err == nil && wrong > 0 {
				err = fmt.Errorf("%s: %d of %d pairs: one way says fused, another apart", path, wrong, len(list))
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&path, "lut", "", "table of another runtime")
	plan.add(flags)
	flags.DurationVar(&budget, "budget", 5*time.Minute, "that the table was made with")
	flags.Uint64Var(&seed, "seed", 1, "that the table was made with")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	outside.add(flags)
	return cmd
}

// graphVerdicts are what the runtime's own models say, by the names of pairs.
func graphVerdicts(ctx context.Context, r *profiler.Program, pairs []profiler.NamedGraph, seed uint64) (map[string]predictor.Verdict, error) {
	verdicts := map[string]predictor.Verdict{}
	alone := map[graph.Workload]int{}
	for _, pair := range pairs {
		together, err := r.GraphNodesOf(ctx, pair, seed)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pair.Name, err)
		}
		workloads, err := profiler.PairWorkloads(pair)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pair.Name, err)
		}
		apart := 0
		for _, w := range workloads {
			if _, known := alone[w]; !known {
				if alone[w], err = r.GraphNodes(ctx, w, seed); err != nil {
					return nil, fmt.Errorf("%s: %w", w, err)
				}
			}
			apart += alone[w]
		}
		verdicts[pair.Name] = predictor.VerdictApart
		if together < apart {
			verdicts[pair.Name] = predictor.VerdictFused
		}
	}
	return verdicts, nil
}

func printFusion(w io.Writer, list []fusionPairJSON, asJSON bool) (wrong int, err error) {
	undecided, asked := 0, 0
	for _, p := range list {
		said := map[predictor.Verdict]bool{p.Times: true, p.Account: true, p.Graph: true}
		if said[predictor.VerdictFused] && said[predictor.VerdictApart] {
			wrong++
		}
		if p.Times == predictor.VerdictUnclear {
			undecided++
		}
		if p.Graph != "" {
			asked++
		}
	}
	if asJSON {
		return wrong, writeJSON(w, list)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "FIRST\tSECOND\tALONE\t\tTOGETHER\tTIMES\tACCOUNT\tGRAPH")
	for _, p := range list {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.First, p.Second, nanoseconds(p.FirstNS), nanoseconds(p.SecondNS), nanoseconds(p.TogetherNS), p.Times, p.Account, p.Graph)
	}
	if err := tw.Flush(); err != nil {
		return wrong, err
	}
	_, err = fmt.Fprintf(w, "\n%d pairs, of which the times leave %d undecided and the runtime's graph tells %d; %d contradictions\n", len(list), undecided, asked, wrong)
	return wrong, err
}
