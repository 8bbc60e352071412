package zoo

import (
	"fmt"

	"github.com/hwprofd/hwprofd/graph"
)

// mobilenetV1 is of depthwise separable convolutions on images [N, 3, H, W]:
// Howard et al., MobileNets, 2017, table 1.
func (m *maker) mobilenetV1() []*graph.Value {
	x := m.convBN("stem", m.image(), m.channels(32), 3, 2, 1, graph.OpRelu)
	c := m.channels(32)
	for i, l := range []struct{ out, stride int }{
		{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}, {512, 2}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1},
	} {
		name := fmt.Sprintf("block%d", i)
		x = m.convBN(name+".depthwise", x, c, 3, l.stride, c, graph.OpRelu)
		c = m.channels(l.out)
		x = m.convBN(name+".pointwise", x, c, 1, 1, 1, graph.OpRelu)
	}
	return m.classify(x)
}

// inverted is an inverted residual: 1x1 to expanded channels, depthwise, a
// squeeze-and-excitation if squeeze > 0, 1x1 back.
func (m *maker) inverted(name string, x *graph.Value, in, expanded, out, kernel, stride, squeeze int, activation, squeezed, gate graph.Op) *graph.Value {
	y := x
	if expanded != in {
		y = m.convBN(name+".expand", y, expanded, 1, 1, 1, activation)
	}
	y = m.convBN(name+".depthwise", y, expanded, kernel, stride, expanded, activation)
	if squeeze > 0 {
		s := m.Conv(name+".reduce", m.GlobalAveragePool(y), squeeze, 1, 1, 1, 0, 1, true)
		s = m.Conv(name+".excite", m.activate(s, squeezed), expanded, 1, 1, 1, 0, 1, true)
		y = m.Mul(y, m.activate(s, gate))
	}
	y = m.convBN(name+".project", y, out, 1, 1, 1, "")
	if stride == 1 && in == out {
		y = m.Add(y, x)
	}
	return y
}

// mobilenetV2 is of inverted residuals on images [N, 3, H, W]: Sandler et al.,
// MobileNetV2, 2018, table 2.
func (m *maker) mobilenetV2() []*graph.Value {
	c := m.channels(32)
	x := m.convBN("stem", m.image(), c, 3, 2, 1, graph.OpRelu6)
	for stage, s := range []struct{ expansion, out, repeats, stride int }{
		{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
	} {
		for i := range m.depth(s.repeats) {
			stride := 1
			if i == 0 {
				stride = s.stride
			}
			out := m.channels(s.out)
			x = m.inverted(fmt.Sprintf("block%d.%d", stage, i), x, c, c*s.expansion, out, 3, stride, 0, graph.OpRelu6, "", "")
			c = out
		}
	}
	return m.classify(m.convBN("head", x, max(1280, m.channels(1280)), 1, 1, 1, graph.OpRelu6))
}

// mobilenetV3 is MobileNetV3-large on images [N, 3, H, W]: Howard et al.,
// Searching for MobileNetV3, 2019, table 1.
func (m *maker) mobilenetV3() []*graph.Value {
	c := m.channels(16)
	x := m.convBN("stem", m.image(), c, 3, 2, 1, graph.OpHardSwish)
	for i, b := range []struct {
		kernel, expanded, out int
		squeeze               bool
		activation            graph.Op
		stride                int
	}{
		{3, 16, 16, false, graph.OpRelu, 1}, {3, 64, 24, false, graph.OpRelu, 2}, {3, 72, 24, false, graph.OpRelu, 1},
		{5, 72, 40, true, graph.OpRelu, 2}, {5, 120, 40, true, graph.OpRelu, 1}, {5, 120, 40, true, graph.OpRelu, 1},
		{3, 240, 80, false, graph.OpHardSwish, 2}, {3, 200, 80, false, graph.OpHardSwish, 1},
		{3, 184, 80, false, graph.OpHardSwish, 1}, {3, 184, 80, false, graph.OpHardSwish, 1},
		{3, 480, 112, true, graph.OpHardSwish, 1}, {3, 672, 112, true, graph.OpHardSwish, 1},
		{5, 672, 160, true, graph.OpHardSwish, 2}, {5, 960, 160, true, graph.OpHardSwish, 1}, {5, 960, 160, true, graph.OpHardSwish, 1},
	} {
		expanded, out, squeeze := m.channels(b.expanded), m.channels(b.out), 0
		if b.squeeze {
			squeeze = max(8, (expanded/4+4)/8*8)
		}
		x = m.inverted(fmt.Sprintf("block%d", i), x, c, expanded, out, b.kernel, b.stride, squeeze, b.activation, graph.OpRelu, graph.OpHardSigmoid)
		c = out
	}
	x = m.convBN("head", x, m.channels(960), 1, 1, 1, graph.OpHardSwish)
	x = m.Activation(graph.OpHardSwish, m.Linear("features", m.Flatten(m.GlobalAveragePool(x)), m.channels(1280)))
	return []*graph.Value{m.Linear("classifier", x, m.o.Classes)}
}

// efficientnetB0 is of inverted residuals with SiLU on images [N, 3, H, W]: Tan
// and Le, EfficientNet, 2019, table 1.
func (m *maker) efficientnetB0() []*graph.Value {
	c := m.channels(32)
	x := m.convBN("stem", m.image(), c, 3, 2, 1, silu)
	for stage, s := range []struct{ expansion, out, repeats, stride, kernel int }{
		{1, 16, 1, 1, 3}, {6, 24, 2, 2, 3}, {6, 40, 2, 2, 5}, {6, 80, 3, 2, 3}, {6, 112, 3, 1, 5}, {6, 192, 4, 2, 5}, {6, 320, 1, 1, 3},
	} {
		for i := range m.depth(s.repeats) {
			stride := 1
			if i == 0 {
				stride = s.stride
			}
			out := m.channels(s.out)
			x = m.inverted(fmt.Sprintf("block%d.%d", stage, i), x, c, c*s.expansion, out, s.kernel, stride, max(1, c/4), silu, silu, graph.OpSigmoid)
			c = out
		}
	}
	return m.classify(m.convBN("head", x, m.channels(1280), 1, 1, 1, silu))
}
