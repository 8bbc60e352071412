// Package supernet trains one set of weights that serves every architecture of
// a search space, and judges and exports single architectures out of it.
//
// A method is put together from a Sharing (how a subnet gets its weights from
// what is stored), a Sampler (which subnets a training step sees, and in what
// role) and an Objective (what each of them learns from). Train runs them, an
// Evaluator gives accuracies to a search, and Export makes a graph that runs
// anywhere. None of them knows the space beyond the graphs it lowers to.
package supernet

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/hwprofd/hwprofd/autograd"
	"github.com/hwprofd/hwprofd/dataset"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/nas"
)

// Supernet is a space with shared weights. It is safe for concurrent use as
// long as nothing trains it.
type Supernet struct {
	space      nas.Space
	sharing    Sharing
	stored     map[string]*autograd.Tensor
	parameters []*autograd.Tensor // stored, in a fixed order
	decays     map[*autograd.Tensor]bool
	mean, std  []float32 // of the channels of the images it is for, [C]
	classes    []string
	training   Training
}

// New makes a supernet with initial weights drawn from the seed (He et al.,
// "Delving Deep into Rectifiers", 2015; the scale of the last batch
// normalisation of every residual branch starts at 0, as in Goyal et al.,
// "Accurate, Large Minibatch SGD", 2017, section 5.1, so that blocks start as
// identities). It is for images such as the given ones: it normalises by their
// mean and deviation and tells their classes apart.
func New(space nas.Space, sharing Sharing, images *dataset.Images, seed uint64) (*Supernet, error) {
	mean, std := images.Moments()
	s := &Supernet{space: space, sharing: sharing, mean: mean, std: std, classes: images.Classes}
	if err := s.initialize(seed); err != nil {
		return nil, fmt.Errorf("supernet: space %s for %s: %w", space.Name(), images.Name, err)
	}
	return s, nil
}

// initialize makes the stored tensors.
func (s *Supernet) initialize(seed uint64) error {
	s.stored, s.decays = map[string]*autograd.Tensor{}, map[*autograd.Tensor]bool{}
	g, err := s.space.Lower(s.space.Largest())
	if err != nil {
		return fmt.Errorf("the largest architecture: %w", err)
	}
	if len(g.Inputs) != 1 || len(g.Inputs[0].Shape) != 4 || len(g.Outputs) != 1 || len(g.Outputs[0].Shape) != 2 {
		return errors.New("want one input [N, C, H, W] and one output [N, classes]")
	}
	if c := g.Inputs[0].Shape[1]; c != len(s.mean) {
		return fmt.Errorf("the space is for %d channels, the images have %d", c, len(s.mean))
	}
	if n := g.Outputs[0].Shape[1]; n != len(s.classes) {
		return fmt.Errorf("the space is for %d classes, the images have %d", n, len(s.classes))
	}
	stored, err := s.sharing.Store(s.space)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(seed, initializeStream))
	closing := residualScales(g)
	for _, p := range stored {
		x := autograd.NewParameter(p.Name, p.Shape...)
		switch p.Role {
		case graph.RoleWeight:
			autograd.HeNormal(x, p.Groups, rng)
			s.decays[x] = true
		case graph.RoleScale:
			if !closing[p.Name] {
				autograd.Fill(x, 1)
			}
		case graph.RoleBias, graph.RoleShift:
		default:
			return fmt.Errorf("parameter %s has role %q, which cannot be trained", p.Name, p.Role)
		}
		s.stored[p.Name] = x
		s.parameters = append(s.parameters, x)
	}
	return nil
}

// Streams of random numbers that one seed gives.
const (
	initializeStream = iota
	sampleStream
)

// residualScales names the scales of batch normalisations whose result goes
// straight into an addition.
func residualScales(g *graph.Graph) map[string]bool {
	scales := map[string]bool{}
	producer := map[*graph.Value]*graph.Node{}
	for _, n := range g.Nodes {
		if n.Kind == graph.Add {
			if p := producer[n.Inputs[0]]; p != nil && p.Kind == graph.BatchNormalization {
				scales[p.Inputs[1].Name] = true
			}
		}
		producer[n.Outputs[0]] = n
	}
	return scales
}

// Space is the space whose architectures share the weights.
func (s *Supernet) Space() nas.Space { return s.space }

// Training is the record of the training that the weights come from.
func (s *Supernet) Training() Training { return s.training }

// Parameters is the number of shared weights.
func (s *Supernet) Parameters() int {
	n := 0
	for _, p := range s.parameters {
		n += p.Len()
	}
	return n
}

// network lowers an architecture and prepares it to be run.
func (s *Supernet) network(a nas.Architecture) (*network, error) {
	g, err := s.space.Lower(a)
	if err != nil {
		return nil, fmt.Errorf("supernet: %w", err)
	}
	net, err := newNetwork(a, g)
	if err != nil {
		return nil, fmt.Errorf("supernet: %s %s: %w", s.space.Name(), a, err)
	}
	return net, nil
}
