package space

import (
	"github.com/hwprofd/hwprofd/graph"
)

// inverted describes an inverted residual block: Sandler et al., MobileNetV2,
// 2018, section 3.3; squeeze-excite in it: Howard et al., Searching for
// MobileNetV3, 2019, section 5.3.
type inverted struct {
	hidden, width  int // channels between, and of the output
	kernel, stride int // of the depthwise convolution
	groups         int // of both 1x1 convolutions, with their channels shuffled between; 0 for 1
	activation     graph.Op
	squeezed       int // channels of the squeeze, 0 for a block without
	residual       bool
}

// invertedResidual appends expand 1x1, depthwise kxk, squeeze-excite where
// asked, project 1x1. A residual block's input must have the block's width and
// its stride be 1.
func invertedResidual(b *graph.Builder, name string, x *graph.Value, o inverted) *graph.Value {
	in, groups := x, max(o.groups, 1)
	x = convNorm(b, name+".expand", x, o.hidden, 1, 1, groups, o.activation)
	if groups > 1 {
		x = shuffle(b, name+".shuffle", x, groups)
	}
	x = convNorm(b, name+".depthwise", x, o.hidden, o.kernel, o.stride, o.hidden, o.activation)
	if o.squeezed > 0 {
		s := b.GlobalAveragePool(x)
		s = b.Conv(name+".squeeze", s, o.squeezed, 1, 1, 1, 0, 1, true)
		s = b.Activation(graph.OpRelu, s)
		s = b.Conv(name+".excite", s, o.hidden, 1, 1, 1, 0, 1, true)
		x = b.Mul(x, b.Activation(graph.OpHardSigmoid, s))
	}
	x = b.Conv(name+".project", x, o.width, 1, 1, 1, 0, groups, false)
	x = b.BatchNorm(name+".project.norm", x)
	if o.residual {
		x = b.Add(x, in)
	}
	return x
}

// convNorm appends a convolution that keeps the size but for its stride, batch
// normalisation and an activation.
func convNorm(b *graph.Builder, name string, x *graph.Value, out, kernel, stride, group int, activation graph.Op) *graph.Value {
	x = b.Conv(name, x, out, kernel, kernel, stride, kernel/2, group, false)
	x = b.BatchNorm(name+".norm", x)
	return b.Activation(activation, x)
}

// shuffle deals the channels of x out to the groups in turn: Zhang et al.,
// ShuffleNet, 2018, section 3.1.
func shuffle(b *graph.Builder, name string, x *graph.Value, groups int) *graph.Value {
	n, c, h, w := int64(x.Shape[0]), int64(x.Shape[1]), int64(x.Shape[2]), int64(x.Shape[3])
	x = reshape(b, name+".split", x, n, int64(groups), c/int64(groups), h, w)
	x = transpose(b, name+".turn", x, 0, 2, 1, 3, 4)
	return reshape(b, name, x, n, c, h, w)
}

// divisible is the multiple of 8 nearest to channels that is at most a tenth
// below: how the networks of the MobileNet family round.
func divisible(channels int) int {
	rounded := max(8, (channels+4)/8*8)
	if 10*rounded < 9*channels {
		rounded += 8
	}
	return rounded
}
