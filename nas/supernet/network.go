package supernet

import (
	"fmt"

	"github.com/hwprofd/hwprofd/autograd"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
	"github.com/hwprofd/hwprofd/nas"
)

// Statistics are an architecture's batch-norm means and variances by the name
// of the parameter, such as "stem.norm.mean".
type Statistics map[string][]float32

// network is an architecture ready to be run on a tape.
type network struct {
	architecture nas.Architecture
	graph        *graph.Graph
	resolution   int // height and width of the input, in pixels
	steps        []step
}

// step is a node, with the activation behind it where that can be computed in
// the same pass over memory.
type step struct {
	node       *graph.Node
	activation kernels.Activation
	out        *graph.Value
	last       []*graph.Value // not needed after this step
}

const maxInputs = 5 // of a node: BatchNormalization's

var activations = map[graph.Kind]kernels.Activation{
	graph.Relu:        kernels.ReLU,
	graph.Relu6:       kernels.ReLU6,
	graph.HardSwish:   kernels.HardSwish,
	graph.HardSigmoid: kernels.HardSigmoid,
	graph.Sigmoid:     kernels.Sigmoid,
}

func newNetwork(a nas.Architecture, g *graph.Graph) (*network, error) {
	net := &network{architecture: a, graph: g, resolution: g.Inputs[0].Shape[2]}
	if width := g.Inputs[0].Shape[3]; width != net.resolution {
		return nil, fmt.Errorf("input of %dx%d pixels; want it square", net.resolution, width)
	}
	uses := map[*graph.Value]int{g.Outputs[0]: 1}
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			uses[v]++
		}
	}
	for _, n := range g.Nodes {
		if act, ok := activations[n.Kind]; ok && len(net.steps) > 0 {
			before := &net.steps[len(net.steps)-1]
			if before.node.Kind == graph.BatchNormalization && before.out == n.Inputs[0] && uses[n.Inputs[0]] == 1 {
				before.activation, before.out = act, n.Outputs[0]
				continue
			}
		}
		net.steps = append(net.steps, step{node: n, out: n.Outputs[0]})
	}
	needed := map[*graph.Value]bool{g.Inputs[0]: true, g.Outputs[0]: true}
	for i := len(net.steps) - 1; i >= 0; i-- {
		s := &net.steps[i]
		if len(s.node.Inputs) > maxInputs {
			return nil, fmt.Errorf("node %s (%s) has %d inputs", s.node.Name, s.node.Kind, len(s.node.Inputs))
		}
		switch s.node.Kind {
		case graph.Conv, graph.BatchNormalization, graph.Linear, graph.Add, graph.Mul, graph.GlobalAveragePool, graph.Flatten:
		default:
			if _, ok := activations[s.node.Kind]; !ok {
				return nil, fmt.Errorf("node %s: %s cannot be trained", s.node.Name, s.node.Kind)
			}
		}
		if e := s.node.Attributes.Epilogue; e.Add || e.Activation != "" {
			return nil, fmt.Errorf("node %s is fused; a space must lower to an unfused graph", s.node.Name)
		}
		for _, v := range s.node.Inputs {
			if v.Role == graph.RoleNone && !needed[v] {
				needed[v] = true
				s.last = append(s.last, v)
			}
		}
	}
	return net, nil
}

// forward runs the network on images x [N, C, H, W] and returns the logits [N,
// classes]. Batch norms use the given statistics, or those of the batch where
// given is nil; the ones used are handed to used unless it is nil, valid until
// the tape's Reset.
func (s *Supernet) forward(t *autograd.Tape, net *network, x *autograd.Tensor, given Statistics, used func(mean, variance string, of autograd.Statistics)) (*autograd.Tensor, error) {
	values := make(map[*graph.Value]*autograd.Tensor, len(net.steps)+1)
	values[net.graph.Inputs[0]] = x
	for _, step := range net.steps {
		n := step.node
		in := [maxInputs]*autograd.Tensor{} // what a node lacks, such as a bias, stays nil
		for i, v := range n.Inputs {
			switch v.Role {
			case graph.RoleNone:
				in[i] = values[v]
			case graph.RoleMean, graph.RoleVariance:
			default:
				view, err := s.sharing.View(t, s.stored, net.architecture, v)
				if err != nil {
					return nil, fmt.Errorf("supernet: %s %s: %w", s.space.Name(), net.architecture, err)
				}
				in[i] = view
			}
		}
		var y *autograd.Tensor
		switch n.Kind {
		case graph.Conv:
			y = t.Conv2D(in[0], in[1], in[2], autograd.Conv2DOptions{
				Stride: n.Attributes.Stride, Pad: n.Attributes.Pad, Dilation: n.Attributes.Dilation, Groups: n.Attributes.Group,
			})
		case graph.BatchNormalization:
			options := autograd.BatchNormOptions{Epsilon: n.Attributes.Epsilon, Activation: step.activation}
			mean, variance := n.Inputs[3].Name, n.Inputs[4].Name
			if given != nil {
				options.Statistics = &autograd.Statistics{Mean: given[mean], Variance: given[variance]}
				if c := len(in[1].Data); len(given[mean]) != c || len(given[variance]) != c {
					return nil, fmt.Errorf("supernet: %s %s: statistics of %s are for another architecture", s.space.Name(), net.architecture, n.Name)
				}
			}
			var statistics autograd.Statistics
			y, statistics = t.BatchNorm(in[0], in[1], in[2], options)
			if used != nil {
				used(mean, variance, statistics)
			}
		case graph.Linear:
			y = t.Linear(in[0], in[1], in[2])
		case graph.Add:
			y = t.Add(in[0], in[1])
		case graph.Mul:
			y = t.Mul(in[0], in[1])
		case graph.GlobalAveragePool:
			y = t.GlobalAvgPool(in[0])
		case graph.Flatten:
			y = t.Flatten(in[0])
		default:
			y = t.Activation(activations[n.Kind], in[0])
		}
		values[step.out] = y
		for _, v := range step.last {
			t.Free(values[v])
		}
	}
	return values[net.graph.Outputs[0]], nil
}
