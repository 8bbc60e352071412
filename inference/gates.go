package inference

import (
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// joinGates has the factors of squeeze-and-excite blocks multiplied with the
// weights of the pointwise convolution that follows, where these are few beside
// the image: the step of the multiplication makes weights, and its result is
// the image as it was.
func joinGates(g *graph.Graph, l layouts, steps []*step) error {
	uses, maker := usesOf(g)
	for i, n := range g.Nodes {
		k, ok := maker[n.Inputs[0]]
		if n.Kind != graph.Conv || !ok || g.Nodes[k].Kind != graph.Mul || uses[n.Inputs[0]] != 1 {
			continue
		}
		multiply, convolve, err := bindGate(g.Nodes[k], n, l)
		if err != nil {
			return err
		}
		if multiply != nil {
			steps[k], steps[i] = multiply, convolve
		}
	}
	return nil
}

// bindGate returns the work of a multiplication and of the convolution after
// it, nil if they are not for each other.
func bindGate(mul, conv *graph.Node, l layouts) (multiply, convolve *step, err error) {
	x, factors, gated, out := mul.Inputs[0], mul.Inputs[1], mul.Outputs[0], conv.Outputs[0]
	weight, bias := conv.Inputs[1], conv.Bias()
	w, ok := conv.Workload()
	if !ok || mul.Plain() || mul.Attributes.Epilogue != (graph.Epilogue{}) || !channelFactors(mul) || factors.Role != graph.RoleNone || x.Role != graph.RoleNone ||
		weight.Role == graph.RoleNone || bias != nil && bias.Role == graph.RoleNone ||
		l[x] != kernels.Blocked || l[gated] != kernels.Blocked || l[out] != kernels.Blocked || l[factors] != kernels.Planar || !kernels.GateFits(convolutionShape(w)) {
		return nil, nil, nil
	}
	act, err := activation(conv.Attributes.Epilogue.Activation)
	if err != nil {
		return nil, nil, err
	}
	var packed *kernels.PackedConv2D
	multiply = &step{views: []int{0}, kernel: func(m *memory) call {
		weights := make([]float32, packed.GatedSize())
		m.gated[conv] = weights
		by := m.floats(factors)
		return always(func(*kernels.Workspace) { packed.Gate(weights, by) })
	}}
	convolve = &step{pack: func() (err error) {
		packed, err = kernels.PackConv2DLayouts(convolutionShape(w), kernels.Blocked, kernels.Blocked, weight.Data, data(bias))
		return err
	}, kernel: func(m *memory) call {
		dst, src, residual, weights := m.floats(out), m.floats(gated), m.floats(conv.Residual()), m.gated[conv]
		return always(func(ws *kernels.Workspace) { packed.ForwardGated(ws, dst, src, residual, weights, act) })
	}}
	if conv.Residual() != nil {
		convolve.inPlace = []int{len(conv.Inputs) - 1}
	}
	return multiply, convolve, nil
}
