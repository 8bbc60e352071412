package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/graph/operator"
)

func newGraphCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "Look at networks as graphs of work, and optimize them",
		Args:  verbRequired,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newGraphShowCommand(), newGraphOptimizeCommand(), newGraphPassesCommand(), newGraphZooCommand())
	return cmd
}

func newGraphShowCommand() *cobra.Command {
	var (
		shapes                          []string
		asJSON, asDot, asTuned, kernels bool
		table                           string
		threads                         int
	)
	cmd := &cobra.Command{
		Use:   "show MODEL.onnx",
		Short: "Show the nodes of a model: workloads, shapes, multiply-accumulates, parameters, memory",
		Long: `Shows the nodes of a model: workloads, shapes, multiply-accumulates, parameters,
memory.

With --kernels it also shows, of what is left to run after all passes, which
kernel computes each convolution on this machine, and why: because the rule
expects it to be the fastest, or by the rows of a table (--lut) that
'hwprofd profile --kernels all' made.`,
		Example: `  hwprofd graph show resnet.onnx
  hwprofd graph show resnet.onnx --optimized
  hwprofd graph show resnet.onnx --kernels --lut here.lut.parquet
  hwprofd graph show resnet.onnx --dot | dot -Tsvg > resnet.svg`,
		Args: exactArgs(1, "one model"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON && asDot {
				return usagef("--json and --dot exclude each other")
			}
			if !kernels && (table != "" || cmd.Flags().Changed("threads")) {
				return usagef("--lut and --threads go with --kernels")
			}
			g, err := readModel(args[0], shapes)
			if err != nil {
				return err
			}
			if asTuned || kernels {
				if g, err = graph.Fuse(g); err != nil {
					return err
				}
			}
			s := summarizeGraph(args[0], g)
			if kernels {
				if err := s.addKernels(g, table, threads); err != nil {
					return err
				}
			}
			switch {
			case asJSON:
				return writeJSON(cmd.OutOrStdout(), s)
			case asDot:
				return s.dot(cmd.OutOrStdout(), g)
			}
			if err := s.print(cmd.OutOrStdout()); err != nil || !kernels {
				return err
			}
			return s.printKernels(cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	addShapeFlag(cmd, &shapes)
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	flags.BoolVar(&asDot, "dot", false, "print the graph for Graphviz")
	flags.BoolVar(&asTuned, "optimized", false, "show what is left to run after all passes")
	flags.BoolVar(&kernels, "kernels", false, "also show which kernel computes each convolution of the optimized graph, and why")
	flags.StringVar(&table, "lut", "", "latency table of this machine by which to pick kernels")
	flags.IntVar(&threads, "threads", 1, "threads that kernels are picked for")
	return cmd
}

func newGraphOptimizeCommand() *cobra.Command {
	var (
		out     string
		shapes  []string
		without []string
		source  predictorFlags
	)
	cmd := &cobra.Command{
		Use:   "optimize -o OUT.onnx MODEL.onnx",
		Short: "Write a model as it is after the passes: constants folded, nodes fused",
		Long: `Writes a model as it is after the passes: constants folded, nodes fused. With a
table of a device, or a predictor, the file's metadata also say what the model is
predicted to cost there, with the interval; 'hwprofd graph show' prints them.`,
		Example: `  hwprofd graph optimize -o faster.onnx model.onnx
  hwprofd graph optimize -o faster.onnx model.onnx --without attention,gelu
  hwprofd graph optimize -o faster.onnx model.onnx --lut pi4.lut.parquet`,
		Args: exactArgs(1, "one model"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("-o is missing: name the file to write")
			}
			for _, name := range without {
				if !slices.Contains(graph.Passes(), name) {
					return usagef("--without %s: there is no such pass; there are %s", name, strings.Join(graph.Passes(), ", "))
				}
			}
			costs, err := source.openIfNamed(cmd)
			if err != nil {
				return err
			}
			g, err := readModel(args[0], shapes)
			if err != nil {
				return err
			}
			optimized, err := graph.Optimize(g, graph.Without(without...))
			if err != nil {
				return err
			}
			if costs != nil {
				if err := addCost(optimized, costs); err != nil {
					return err
				}
			}
			if err := onnx.Write(out, optimized); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d nodes, %d before\n", out, len(optimized.Nodes), len(g.Nodes))
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&out, "output", "o", "", "file to write")
	addShapeFlag(cmd, &shapes)
	source.add(cmd)
	flags.StringSliceVar(&without, "without", nil, "passes to leave out; hwprofd graph passes lists them")
	return cmd
}

func newGraphPassesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "passes",
		Short: "List the passes that optimize a graph, in their order",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range graph.Passes() {
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), name); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// graphSummary is what graph show says.
type graphSummary struct {
	Model           string            `json:"model"`
	Inputs          []tensorShape     `json:"inputs"`
	Outputs         []tensorShape     `json:"outputs"`
	Metadata        map[string]string `json:"metadata,omitempty"`
	MACs            int64             `json:"macs"`
	Parameters      int64             `json:"parameters"`
	ParameterBytes  int64             `json:"parameter_bytes"`
	ActivationBytes int64             `json:"activation_bytes"` // all tensors that are computed or given
	Nodes           []nodeSummary     `json:"nodes"`
}

type tensorShape struct {
	Name  string         `json:"name"`
	DType operator.DType `json:"dtype"`
	Shape []int          `json:"shape"`
}

type nodeSummary struct {
	Name       string        `json:"name"`
	Operator   string        `json:"operator"`
	Workload   string        `json:"workload,omitempty"` // empty where there is no work
	Outputs    []tensorShape `json:"outputs"`
	MACs       int64         `json:"macs"`
	Parameters int64         `json:"parameters"`
	Bytes      int64         `json:"bytes"` // read and written at least
	Kernel     string        `json:"kernel,omitempty"`
	Why        string        `json:"why,omitempty"`
}

func summarizeGraph(model string, g *graph.Graph) *graphSummary {
	s := &graphSummary{Model: model, Metadata: g.Metadata, Nodes: []nodeSummary{}}
	for _, v := range g.Inputs {
		s.Inputs = append(s.Inputs, shapeOf(v))
		s.ActivationBytes += bytesOf(v)
	}
	for _, v := range g.Outputs {
		s.Outputs = append(s.Outputs, shapeOf(v))
	}
	counted := make(map[*graph.Value]bool)
	for _, n := range g.Nodes {
		row := nodeSummary{Name: n.Name, Operator: string(n.Kind), Outputs: []tensorShape{}}
		if e := n.Attributes.Epilogue; e != (graph.Epilogue{}) {
			row.Operator += " + " + e.String()
		}
		if w, ok := n.Workload(); ok {
			row.Workload, row.MACs, row.Bytes = w.String(), w.MACs(), w.Bytes()
		}
		for _, v := range n.Inputs {
			if v != nil && v.Role != graph.RoleNone && !counted[v] {
				counted[v] = true
				row.Parameters += int64(v.Elements())
				s.ParameterBytes += bytesOf(v)
			}
		}
		for _, v := range n.Outputs {
			if v != nil {
				row.Outputs = append(row.Outputs, shapeOf(v))
				s.ActivationBytes += bytesOf(v)
			}
		}
		s.MACs += row.MACs
		s.Parameters += row.Parameters
		s.Nodes = append(s.Nodes, row)
	}
	return s
}

func shapeOf(v *graph.Value) tensorShape {
	return tensorShape{v.Name, v.DType, append([]int{}, v.Shape...)}
}

func bytesOf(v *graph.Value) int64 { return int64(v.Elements()) * v.DType.Size() }

// String is a shape such as f32 1x64x56x56.
func (t tensorShape) String() string {
	if len(t.Shape) == 0 {
		return string(t.DType) + " scalar"
	}
	return string(t.DType) + " " + strings.Trim(strings.ReplaceAll(fmt.Sprint(t.Shape), " ", "x"), "[]")
}

func (s *graphSummary) print(w io.Writer) error {
	for _, t := range s.Inputs {
		fmt.Fprintf(w, "input   %s  %s\n", t.Name, t)
	}
	for _, t := range s.Outputs {
		fmt.Fprintf(w, "output  %s  %s\n", t.Name, t)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Metadata)) {
		fmt.Fprintf(w, "%s  %s\n", short(key), short(s.Metadata[key]))
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NODE\tOPERATOR\tOUTPUT\tMACS\tPARAMETERS\tMEMORY\tWORKLOAD")
	for _, n := range s.Nodes {
		var shapes []string
		for _, t := range n.Outputs {
			shapes = append(shapes, t.String())
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", n.Name, n.Operator, strings.Join(shapes, ", "), count(n.MACs), count(n.Parameters), byteSize(n.Bytes), orDash(n.Workload))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d nodes, %s multiply-accumulates, %s parameters (%s), tensors of %s\n",
		len(s.Nodes), count(s.MACs), count(s.Parameters), byteSize(s.ParameterBytes), byteSize(s.ActivationBytes))
	return err
}

// short is a text of a file, which may be anything, as fits in a line.
func short(s string) string {
	const most = 120
	if quoted := strconv.Quote(s); quoted != `"`+s+`"` {
		s = quoted
	}
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "..."
	}
	return s
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// count writes a number with a suffix for thousands.
func count(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.3gG", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.3gM", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.3gk", float64(n)/1e3)
	}
	return fmt.Sprint(n)
}

// dot writes the graph in the language of Graphviz.
func (s *graphSummary) dot(w io.Writer, g *graph.Graph) error {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %q {\n  node [shape=box, fontname=\"sans-serif\"];\n", g.Name)
	from := make(map[*graph.Value]string)
	for i, v := range g.Inputs {
		id := fmt.Sprintf("input%d", i)
		from[v] = id
		fmt.Fprintf(&b, "  %s [shape=oval, label=%q];\n", id, v.Name+"\n"+s.Inputs[i].String())
	}
	for i, n := range g.Nodes {
		id := fmt.Sprintf("n%d", i)
		label := s.Nodes[i].Operator + "\n" + n.Name
		if m := s.Nodes[i].MACs; m > 0 {
			label += "\n" + count(m) + " MACs"
		}
		fmt.Fprintf(&b, "  %s [label=%q];\n", id, label)
		for _, v := range n.Inputs {
			if source := from[v]; v != nil && source != "" {
				fmt.Fprintf(&b, "  %s -> %s [label=%q];\n", source, id, shapeOf(v).String())
			}
		}
		for _, v := range n.Outputs {
			if v != nil {
				from[v] = id
			}
		}
	}
	for i, v := range g.Outputs {
		fmt.Fprintf(&b, "  output%d [shape=oval, label=%q];\n", i, v.Name+"\n"+s.Outputs[i].String())
		if source := from[v]; source != "" {
			fmt.Fprintf(&b, "  %s -> output%d;\n", source, i)
		}
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}
