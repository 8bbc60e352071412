package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// kernelChoice is a line of "device --kernels".
type kernelChoice struct {
	Work           string `json:"work"`
	Layout         string `json:"layout,omitempty"` // of images, where the choice depends on it
	Implementation string `json:"implementation"`
	Kernel         string `json:"kernel"`
	Why            string `json:"why"`
}

func newKernelChoice(name string, work kernels.Work) kernelChoice {
	c := kernels.Choose(work)
	return kernelChoice{Work: name, Implementation: c.Implementation, Kernel: c.Kernel, Why: c.Why}
}

// kernelChoices says what runs for each of names, which are workloads, or,
// without any, for every family of work.
func kernelChoices(names []string) ([]kernelChoice, error) {
	var list []kernelChoice
	for _, name := range names {
		w, err := graph.ParseWorkload(name)
		if err != nil {
			return nil, usageError{err}
		}
		for _, work := range workOf(w) {
			choice := newKernelChoice(name, work)
			if c, ok := work.(kernels.Convolution); ok {
				choice.Layout = c.In.String()
			}
			list = append(list, choice)
		}
	}
	if len(names) > 0 {
		return list, nil
	}
	for _, f := range kernels.Families() {
		list = append(list, newKernelChoice(f.Name, f.Work))
	}
	return list, nil
}

// workOf is what package kernels does for a workload: convolutions for images
// in either layout.
func workOf(w graph.Workload) []kernels.Work {
	switch w.Op {
	case graph.OpConv2D:
		shape := kernels.Conv2D{
			N: w.N, C: w.C, H: w.H, W: w.W, K: w.K, R: w.R, S: w.S, StrideH: w.StrideH, StrideW: w.StrideW,
			PadTop: w.PadTop, PadLeft: w.PadLeft, PadBottom: w.PadBottom, PadRight: w.PadRight,
			DilationH: w.DilationH, DilationW: w.DilationW, Groups: w.Group,
		}
		return []kernels.Work{
			kernels.Convolution{Shape: shape, In: kernels.Planar, Out: kernels.Planar},
			kernels.Convolution{Shape: shape, In: kernels.Blocked, Out: kernels.Blocked},
		}
	case graph.OpLinear:
		return []kernels.Work{kernels.Product{M: w.N, N: w.K, K: w.C, Packed: true}}
	case graph.OpMaxPool, graph.OpAvgPool:
		return []kernels.Work{kernels.Pool2D{
			N: w.N, C: w.C, H: w.H, W: w.W, R: w.R, S: w.S, StrideH: w.StrideH, StrideW: w.StrideW,
			PadTop: w.PadTop, PadLeft: w.PadLeft, PadBottom: w.PadBottom, PadRight: w.PadRight,
		}}
	case graph.OpSoftmax, graph.OpGlobalAvgPool:
		return []kernels.Work{kernels.Rows(w.Op)}
	}
	return []kernels.Work{kernels.Elementwise(w.Op)}
}

func printKernelChoices(w io.Writer, list []kernelChoice) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "WORK\tRUNS ON\tKERNEL\tWHY")
	for _, c := range list {
		if c.Layout != "" {
			c.Work += " in " + c.Layout
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", c.Work, c.Implementation, c.Kernel, c.Why)
	}
	return tw.Flush()
}
