package zoo

import (
	"fmt"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// unet segments images [N, 3, H, W] into two classes [N, 2, H, W]: Ronneberger
// et al., U-Net, 2015, with padded convolutions and batch norms. H and W are
// multiples of 16.
func (m *maker) unet() []*graph.Value {
	width := func(c int) int { return max(1, int(float64(c)*m.o.Width)) }
	double := func(name string, x *graph.Value, out int) *graph.Value {
		x = m.convBN(name+".conv1", x, out, 3, 1, 1, graph.OpRelu)
		return m.convBN(name+".conv2", x, out, 3, 1, 1, graph.OpRelu)
	}
	levels := m.depth(4)
	x := double("down0", m.image(), width(64))
	skips := []*graph.Value{x}
	for i := 1; i <= levels; i++ {
		x = double(fmt.Sprintf("down%d", i), m.MaxPool(x, 2, 2, 0), width(64<<i))
		skips = append(skips, x)
	}
	for i := levels - 1; i >= 0; i-- {
		name, out := fmt.Sprintf("up%d", i), width(64<<i)
		x = m.Operator("ConvTranspose", name, operator.Attributes{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}}, x,
			m.drawn(name+".weight", 0.05, width(64<<(i+1)), out, 2, 2), m.Parameter(name+".bias", graph.RoleBias, out))
		x = m.Operator("Concat", name+".joined", operator.Attributes{"axis": int64(1)}, skips[i], x)
		x = double(name, x, out)
	}
	return []*graph.Value{m.Conv("head", x, 2, 1, 1, 1, 0, 1, true)}
}
