package profiler

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
)

// borderName begins the names of nodes that surround what is measured with what
// it has around it in a network. The time that another runtime tells of them is
// not that of the workload.
const borderName = "border"

// withBorders surrounds a workload or pair by what runtimes make their choices
// by. What is added to a convolution comes from another convolution, in whatever
// layout the runtime has for their results; that of a model's input would keep
// it from adding both in one go. And some runtimes do not fuse the activation
// that makes the output of a model, so that something follows it here, too.
func withBorders(g *graph.Graph) *graph.Graph {
	out := *g
	out.Nodes = nil
	inputs := map[*graph.Value]bool{}
	for _, v := range g.Inputs {
		inputs[v] = true
	}
	for _, n := range g.Nodes {
		n := *n
		if v := addend(&n, inputs); v != nil && len(v.Shape) == 4 && v.DType == graph.F32 {
			source := sourceOf(v, &n, strconv.Itoa(len(out.Nodes)))
			if n.Residual() != nil { // which may be what is convolved, too
				last := len(n.Inputs) - 1
				n.Inputs = append(append([]*graph.Value{}, n.Inputs[:last]...), source.Outputs[0])
			} else {
				n.Inputs = replaced(n.Inputs, v, source.Outputs[0])
			}
			out.Nodes = append(out.Nodes, source)
			out.Inputs = append(append([]*graph.Value{}, out.Inputs...), source.Inputs[0])
			out.Outputs = append(append([]*graph.Value{}, out.Outputs...), source.Outputs[0]) // or else it might add
		}
		out.Nodes = append(out.Nodes, &n)
	}
	used := map[*graph.Value]bool{}
	for _, n := range out.Nodes {
		for _, v := range n.Inputs {
			used[v] = true
		}
	}
	out.Inputs = slices.DeleteFunc(slices.Clone(out.Inputs), func(v *graph.Value) bool { return !used[v] })
	last := out.Nodes[len(out.Nodes)-1]
	if !endsInActivation(last) || len(last.Outputs) != 1 {
		return &out
	}
	y := last.Outputs[0]
	tail := &graph.Value{Name: borderName + ".output", DType: y.DType, Shape: []int{y.Shape[0], y.Elements() / y.Shape[0]}}
	if len(y.Shape) == 2 {
		tail.Shape = []int{1, y.Shape[0], y.Shape[1]}
	}
	out.Nodes = append(out.Nodes, &graph.Node{
		Name: borderName + ".tail", Kind: graph.Reshape, Inputs: []*graph.Value{y}, Outputs: []*graph.Value{tail},
		Attributes: graph.Attributes{Shape: tail.Shape},
	})
	out.Outputs = replaced(out.Outputs, y, tail)
	return &out
}

// addend is the input of the model that n adds to the result of a convolution or
// product, in n itself or before it; nil where it adds none.
func addend(n *graph.Node, inputs map[*graph.Value]bool) *graph.Value {
	if n.Plain() {
		return nil
	}
	if v := n.Residual(); v != nil && inputs[v] && n.Kind == graph.Conv {
		return v
	}
	if n.Kind == graph.Add && len(n.Inputs) == 2 && inputs[n.Inputs[0]] != inputs[n.Inputs[1]] {
		for _, v := range n.Inputs {
			if inputs[v] {
				return v
			}
		}
	}
	return nil
}

// sourceOf is a convolution of one pixel that makes v: of each channel alone,
// where one of all channels would do more than n does.
// Runtimes name nodes after themselves or after what they make.
func sourceOf(v *graph.Value, n *graph.Node, number string) *graph.Node {
	channels, group := v.Shape[1], 1
	if n.Kind == graph.Conv && channels > n.Inputs[1].Elements()/channels {
		group = channels
	}
	x := &graph.Value{Name: borderName + ".input" + number, DType: v.DType, Shape: v.Shape}
	weight := &graph.Value{Name: borderName + ".weight" + number, DType: v.DType, Shape: []int{channels, channels / group, 1, 1}, Role: graph.RoleWeight}
	bias := &graph.Value{Name: borderName + ".bias" + number, DType: v.DType, Shape: []int{channels}, Role: graph.RoleBias}
	y := &graph.Value{Name: borderName + ".source" + number, DType: v.DType, Shape: v.Shape}
	return &graph.Node{
		Name: y.Name, Kind: graph.Conv, Inputs: []*graph.Value{x, weight, bias}, Outputs: []*graph.Value{y},
		Attributes: graph.Attributes{Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Group: group},
	}
}

func endsInActivation(n *graph.Node) bool {
	if n.Attributes.Epilogue.Activation != "" {
		return true
	}
	of, err := (&graph.Graph{Name: "last", Nodes: []*graph.Node{n}, Inputs: n.Inputs, Outputs: n.Outputs}).Workloads()
	return err == nil && len(of) == 1 && of[0].Op.IsActivation()
}

func replaced(list []*graph.Value, old, by *graph.Value) []*graph.Value {
	out := make([]*graph.Value, len(list))
	for i, v := range list {
		out[i] = v
		if v == old {
			out[i] = by
		}
	}
	return out
}

// isBorder reports whether a node of a runtime's account is one of a border.
func isBorder(n NodeTime) bool { return strings.HasPrefix(n.Name, borderName+".") }
