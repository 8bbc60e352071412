package zoo

import (
	"fmt"

	"github.com/hwprofd/hwprofd/graph"
)

// resnet is a residual network on images [N, 3, H, W]: He et al., Deep Residual
// Learning for Image Recognition, 2016, table 1; bottlenecks have their stride
// in the 3x3 convolution, as in PyTorch's.
func (m *maker) resnet(bottleneck bool, blocks ...int) []*graph.Value {
	width := func(c int) int { return max(1, int(float64(c)*m.o.Width)) }
	x := m.convBN("conv1", m.image(), width(64), 7, 2, 1, graph.OpRelu)
	x = m.MaxPool(x, 3, 2, 1)
	for stage, count := range blocks {
		for block := range m.depth(count) {
			stride := 1
			if stage > 0 && block == 0 {
				stride = 2
			}
			x = m.residual(fmt.Sprintf("layer%d.%d", stage+1, block), x, width(64<<stage), stride, bottleneck)
		}
	}
	return m.classify(x)
}

func (m *maker) residual(name string, x *graph.Value, width, stride int, bottleneck bool) *graph.Value {
	out := width
	var y *graph.Value
	if bottleneck {
		out = 4 * width
		y = m.convBN(name+".conv1", x, width, 1, 1, 1, graph.OpRelu)
		y = m.convBN(name+".conv2", y, width, 3, stride, 1, graph.OpRelu)
		y = m.convBN(name+".conv3", y, out, 1, 1, 1, "")
	} else {
		y = m.convBN(name+".conv1", x, width, 3, stride, 1, graph.OpRelu)
		y = m.convBN(name+".conv2", y, width, 3, 1, 1, "")
	}
	if stride > 1 || len(x.Shape) > 1 && x.Shape[1] != out {
		x = m.convBN(name+".downsample", x, out, 1, stride, 1, "")
	}
	return m.Activation(graph.OpRelu, m.Add(y, x))
}
