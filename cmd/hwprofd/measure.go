package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/inference"
	"github.com/hwprofd/hwprofd/profiler"
)

func newMeasureCommand() *cobra.Command {
	var (
		model, spaceName, architecture string
		budget                         time.Duration
		asJSON, trace                  bool
	)
	cmd := &cobra.Command{
		Use:     "measure (--model MODEL.onnx | --space SPACE --arch ARCHITECTURE)",
		Short:   "Run a network for real and say how long it takes",
		Example: "  hwprofd measure --model resnet.onnx\n  hwprofd measure --model resnet.onnx --trace",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if budget <= 0 {
				return usagef("--budget %v is not a time to measure for", budget)
			}
			g, name, err := namedGraph(model, spaceName, architecture)
			if err != nil {
				return err
			}
			if trace && model == "" {
				return usagef("--trace needs the weights of a --model")
			}
			measured, err := profiler.New(profiler.Options{MaxPerItem: budget}).Network(cmd.Context(), name, g)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if asJSON {
				return writeJSON(w, measured)
			}
			fmt.Fprintf(w, "%s: %s (95%% interval of the median ±%.1f%%), p10 %s, p90 %s, %d samples\n", name,
				nanoseconds(measured.LatencyMedianNS), 100*measured.LatencyCI95NS/measured.LatencyMedianNS,
				nanoseconds(measured.LatencyP10NS), nanoseconds(measured.LatencyP90NS), measured.Samples)
			if !trace {
				return nil
			}
			plan, err := inference.Compile(g)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if err := plan.Run(); err != nil { // warm-up
				return fmt.Errorf("%s: %w", name, err)
			}
			steps, err := plan.Trace()
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			fmt.Fprintln(tw, "\nNODE\tWORKLOAD\tONE RUN")
			for _, s := range steps {
				fmt.Fprintf(tw, "%s\t%s\t%s\n", s.Name, s.Workload, nanoseconds(float64(s.NS)))
			}
			return tw.Flush()
		},
	}
	addGraphFlags(cmd, &model, &spaceName, &architecture)
	cmd.Flags().DurationVar(&budget, "budget", 2*time.Second, "longest time to measure for")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&trace, "trace", false, "also print the time of each node in one run")
	return cmd
}
