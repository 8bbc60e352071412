package space

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
	"github.com/hwprofd/hwprofd/nas"
)

// NASBench201 is the space of Dong and Yang, "NAS-Bench-201: Extending the
// Scope of Reproducible Neural Architecture Search", 2020, section 2.1: a cell
// of four nodes, in which each of the six edges is none, skip_connect,
// avg_pool_3x3, nor_conv_1x1 or nor_conv_3x3; three stages of five cells of 16,
// 32 and 64 channels, with residual blocks of stride 2 between.
//
// The input is [N, channels, 32, 32], the output the logits [N, classes].
type NASBench201 struct {
	channels, classes int
	decisions         []nas.Decision
}

// The choices of an edge.
const (
	edgeNone = iota
	edgeSkip
	edgePool
	edgeConv1
	edgeConv3
)

var (
	nasbench201Names = []string{"none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1", "nor_conv_3x3"}
	// nasbench201Edges are the edges in the order of the published strings:
	// by the node they lead to, then by the one they come from.
	nasbench201Edges = [][2]int{{0, 1}, {0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}}
)

// NewNASBench201 makes the space for images of the given number of channels and
// classes.
func NewNASBench201(channels, classes int) (*NASBench201, error) {
	if err := checkImages("nasbench201", channels, classes); err != nil {
		return nil, err
	}
	s := &NASBench201{channels: channels, classes: classes}
	for _, e := range nasbench201Edges {
		s.decisions = append(s.decisions, nas.Decision{Name: fmt.Sprintf("edge%d-%d", e[0], e[1]), Choices: nasbench201Names})
	}
	return s, nil
}

// Name is "nasbench201".
func (s *NASBench201) Name() string { return "nasbench201" }

// Decisions lists the edges of the cell.
func (s *NASBench201) Decisions() []nas.Decision { return s.decisions }

// Canonical sets to none the edges that nothing flows through: those from a
// node without input, and those to a node without output.
func (s *NASBench201) Canonical(a nas.Architecture) nas.Architecture {
	var fed, used [4]bool
	fed[0], used[3] = true, true
	for i, e := range nasbench201Edges { // ordered by where they lead
		fed[e[1]] = fed[e[1]] || a[i] != edgeNone && fed[e[0]]
	}
	for from := 2; from >= 0; from-- {
		for i, e := range nasbench201Edges {
			used[from] = used[from] || e[0] == from && a[i] != edgeNone && used[e[1]]
		}
	}
	c := slices.Clone(a)
	for i, e := range nasbench201Edges {
		if !fed[e[0]] || !used[e[1]] {
			c[i] = edgeNone
		}
	}
	return c
}

// Largest takes the last choice of every decision.
func (s *NASBench201) Largest() nas.Architecture { return last(s.decisions) }

// Smallest takes the first choice of every decision: cells of which nothing
// but zeros comes.
func (s *NASBench201) Smallest() nas.Architecture { return make(nas.Architecture, len(s.decisions)) }

// Lower builds the network with input "image" and output "logits". Parameters
// are named by stage, cell and edge, such as "stage1.cell2.edge0-1.weight"; a
// 1x1 convolution is the centre of a 3x3. Operators that do not contribute to
// the output are left out.
func (s *NASBench201) Lower(a nas.Architecture) (*graph.Graph, error) {
	if err := nas.Validate(s, a); err != nil {
		return nil, err
	}
	a = s.Canonical(a)
	b := graph.NewBuilder(s.Name())
	x := b.Input("image", 1, s.channels, 32, 32)
	x = b.BatchNorm("stem.norm", b.Conv("stem", x, 16, 3, 3, 1, 1, 1, false))
	for stage, width := range []int{16, 32, 64} {
		if stage > 0 {
			x = reduction(b, stageName(stage)+".reduction", x, width)
		}
		for cell := range 5 {
			x = nasbench201Cell(b, fmt.Sprintf("%s.cell%d", stageName(stage), cell+1), x, a)
		}
	}
	x = b.Activation(graph.OpRelu, b.BatchNorm("last.norm", x))
	return classify(b, s.Name(), a, b.Flatten(b.GlobalAveragePool(x)), s.classes)
}

// nasbench201Cell appends a cell; the last of its nodes is its output.
func nasbench201Cell(b *graph.Builder, name string, x *graph.Value, a nas.Architecture) *graph.Value {
	nodes := [4]*graph.Value{x} // nil where nothing flows in
	for i, e := range nasbench201Edges {
		from := nodes[e[0]]
		if a[i] == edgeNone || from == nil {
			continue
		}
		y := from
		switch a[i] {
		case edgePool:
			y = b.AvgPool(from, 3, 1, 1)
		case edgeConv1, edgeConv3:
			kernel := 1
			if a[i] == edgeConv3 {
				kernel = 3
			}
			y = reluConvNorm(b, fmt.Sprintf("%s.edge%d-%d", name, e[0], e[1]), from, x.Shape[1], kernel, 1)
		}
		if to := nodes[e[1]]; to != nil {
			y = b.Add(to, y)
		}
		nodes[e[1]] = y
	}
	if nodes[3] == nil {
		zero := b.Constant(name+".none", &operator.Tensor{DType: operator.F32, Shape: []int{1, 1, 1, 1}, Data: []float32{0}})
		return b.Mul(x, zero)
	}
	return nodes[3]
}

// reduction appends the residual block between two stages: half the resolution.
func reduction(b *graph.Builder, name string, x *graph.Value, width int) *graph.Value {
	y := reluConvNorm(b, name+".conv1", x, width, 3, 2)
	y = reluConvNorm(b, name+".conv2", y, width, 3, 1)
	short := b.Conv(name+".shortcut", b.AvgPool(x, 2, 2, 0), width, 1, 1, 1, 0, 1, false)
	return b.Add(y, short)
}

func reluConvNorm(b *graph.Builder, name string, x *graph.Value, width, kernel, stride int) *graph.Value {
	x = b.Activation(graph.OpRelu, x)
	return b.BatchNorm(name+".norm", b.Conv(name, x, width, kernel, kernel, stride, kernel/2, 1, false))
}

// ParseNASBench201 reads the form that the benchmark writes architectures in:
// |op~0|+|op~0|op~1|+|op~0|op~1|op~2|, each op with the node that it reads.
func ParseNASBench201(text string) (nas.Architecture, error) {
	a := make(nas.Architecture, 0, len(nasbench201Edges))
	rest := text
	for node := 1; node <= 3; node++ {
		here, after, more := strings.Cut(rest, "+")
		rest = after
		edges := strings.Split(here, "|")
		if more != (node < 3) || len(edges) != node+2 || edges[0] != "" || edges[node+1] != "" {
			return nil, notNASBench201(text)
		}
		for from, edge := range edges[1 : node+1] {
			name, source, _ := strings.Cut(edge, "~")
			choice := slices.Index(nasbench201Names, name)
			if choice < 0 || source != strconv.Itoa(from) {
				return nil, notNASBench201(text)
			}
			a = append(a, choice)
		}
	}
	return a, nil
}

func notNASBench201(text string) error {
	return fmt.Errorf("space: architecture %q is not of the form |op~0|+|op~0|op~1|+|op~0|op~1|op~2| with op one of %s", text, strings.Join(nasbench201Names, ", "))
}
