package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
	"github.com/hwprofd/hwprofd/profiler"
)

// addKernels says in a summary of the optimized graph g which kernel computes
// each convolution that is computed by itself, and why: by the rows of a table of
// this machine, if one is named.
func (s *graphSummary) addKernels(g *graph.Graph, table string, threads int) error {
	options, err := byTable(table, threads)
	if err != nil {
		return err
	}
	plan, err := inference.Compile(profiler.WithWeights(g, 1), options...)
	if err != nil {
		return err
	}
	kernels := make(map[string]inference.Step)
	for _, step := range plan.Steps() {
		kernels[step.Name] = step
	}
	for i := range s.Nodes {
		step := kernels[s.Nodes[i].Name]
		s.Nodes[i].Kernel, s.Nodes[i].Why = step.Algorithm, step.Why
	}
	return nil
}

// printKernels prints a line for each node whose kernel is known.
func (s *graphSummary) printKernels(w io.Writer) error {
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NODE\tKERNEL\tWHY\tWORKLOAD")
	for _, n := range s.Nodes {
		if n.Kernel != "" {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", n.Name, n.Kernel, n.Why, n.Workload)
		}
	}
	return tw.Flush()
}
