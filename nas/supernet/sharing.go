package supernet

import (
	"fmt"

	"github.com/hwprofd/hwprofd/autograd"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/nas"
)

// Sharing decides which tensors a supernet stores and how an architecture's
// parameters are made of them.
type Sharing interface {
	// Store lists the tensors to be stored, in an order that is always the
	// same. Batch-norm means and variances are not stored: they belong to an
	// architecture.
	Store(space nas.Space) ([]Parameter, error)

	// View makes parameter p of architecture a, of p's name and shape, out
	// of the stored tensors with operators of the tape, so that gradients
	// find their way back.
	View(t *autograd.Tape, stored map[string]*autograd.Tensor, a nas.Architecture, p *graph.Value) (*autograd.Tensor, error)
}

// Parameter is a tensor to be stored and initialised.
type Parameter struct {
	Name   string
	Shape  []int
	Role   graph.Role
	Groups int // of the convolution it is the weight of, else 1
}

// Slices stores each parameter once, as large as in the largest architecture.
// Smaller ones use its first channels and the centre of its kernels (Cai et
// al., "Once-for-All", 2020, section 3.2, without the kernel transformations;
// Yu et al., "BigNAS", 2020).
type Slices struct{}

// Store lists the parameters of the largest architecture.
func (Slices) Store(space nas.Space) ([]Parameter, error) {
	g, err := space.Lower(space.Largest())
	if err != nil {
		return nil, fmt.Errorf("the largest architecture: %w", err)
	}
	var stored []Parameter
	seen := map[string]bool{}
	for _, n := range g.Nodes {
		for _, p := range n.Inputs {
			if p.Role == graph.RoleNone || p.Role == graph.RoleMean || p.Role == graph.RoleVariance || seen[p.Name] {
				continue
			}
			seen[p.Name] = true
			stored = append(stored, Parameter{Name: p.Name, Shape: p.Shape, Role: p.Role, Groups: max(n.Attributes.Group, 1)})
		}
	}
	return stored, nil
}

// View slices the stored tensor of p's name.
func (Slices) View(t *autograd.Tape, stored map[string]*autograd.Tensor, _ nas.Architecture, p *graph.Value) (*autograd.Tensor, error) {
	x, ok := stored[p.Name]
	if !ok {
		return nil, fmt.Errorf("parameter %s is not stored: the largest architecture does not have it", p.Name)
	}
	if len(x.Shape) != len(p.Shape) {
		return nil, fmt.Errorf("parameter %s is %v, stored as %v", p.Name, p.Shape, x.Shape)
	}
	offset := make([]int, len(p.Shape))
	for i, n := range p.Shape {
		if n > x.Shape[i] {
			return nil, fmt.Errorf("parameter %s is %v, stored as only %v", p.Name, p.Shape, x.Shape)
		}
		if i >= 2 { // kernel height and width
			offset[i] = (x.Shape[i] - n) / 2
		}
	}
	return t.Slice(x, offset, p.Shape), nil
}
