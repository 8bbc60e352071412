package zoo

import (
	"fmt"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// tdnn is a time-delay network for x-vectors: speech features [N, 24, T] to the
// speaker's class, over dilated convolutions and the mean and deviation of all
// frames: Snyder et al., X-Vectors, 2018, table 1.
func (m *maker) tdnn() []*graph.Value {
	const features = 24
	width := func(c int) int { return max(1, int(float64(c)*m.o.Width)) }
	x := m.Input("features", m.o.Batch, features, m.o.Size)
	c := features
	for i, l := range []struct{ out, kernel, dilation int }{{512, 5, 1}, {512, 3, 2}, {512, 3, 3}, {512, 1, 1}, {1500, 1, 1}} {
		name, out := fmt.Sprintf("frame%d", i+1), width(l.out)
		x = m.Operator("Conv", name, operator.Attributes{
			"kernel_shape": []int64{int64(l.kernel)}, "dilations": []int64{int64(l.dilation)}, "strides": []int64{1}, "pads": []int64{0, 0}, "group": int64(1),
		}, x, m.Parameter(name+".weight", graph.RoleWeight, out, c, l.kernel), m.Parameter(name+".bias", graph.RoleBias, out))
		x = m.BatchNorm(name+".bn", m.Activation(graph.OpRelu, x))
		c = out
	}
	reduce := operator.Attributes{"keepdims": int64(1)}
	mean := m.Operator("ReduceMean", "mean", reduce, x, m.ints("mean.axes", 2))
	away := m.Operator("Sub", "away", nil, x, mean)
	variance := m.Operator("ReduceMean", "variance", reduce, m.Operator("Mul", "squares", nil, away, away), m.ints("variance.axes", 2))
	deviation := m.Operator("Sqrt", "deviation", nil, m.Operator("Add", "floored", nil, variance, m.scalar("floor", 1e-5)))
	x = m.Flatten(m.Operator("Concat", "statistics", operator.Attributes{"axis": int64(1)}, mean, deviation))
	for i := range 2 {
		name := fmt.Sprintf("segment%d", i+6)
		x = m.BatchNorm(name+".bn", m.Activation(graph.OpRelu, m.Linear(name, x, width(512))))
	}
	return []*graph.Value{m.Linear("classifier", x, m.o.Classes)}
}
