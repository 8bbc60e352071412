package kernels

// Conv1D is the shape of a one-dimensional convolution of a batch of sequences
// [N, C, L] with weights [K, C/Groups, S] to [N, K, OutL]. A convolution is
// causal, so that no output depends on later input, with
// PadLeft = (S-1)*Dilation and no PadRight: see [Conv1D.Causal].
type Conv1D struct {
	N, C, L, K, S     int
	Stride            int
	PadLeft, PadRight int
	Dilation          int
	Groups            int
}

// Causal returns s with the padding that makes it causal.
func (s Conv1D) Causal() Conv1D {
	s.PadLeft, s.PadRight = (s.S-1)*s.Dilation, 0
	return s
}

// OutL returns the length of the output.
func (s Conv1D) OutL() int { return s.Conv2D().OutW() }

// Conv2D returns the same work as a convolution of images of one row.
func (s Conv1D) Conv2D() Conv2D {
	return Conv2D{
		N: s.N, C: s.C, H: 1, W: s.L, K: s.K, R: 1, S: s.S,
		StrideH: 1, StrideW: s.Stride, PadLeft: s.PadLeft, PadRight: s.PadRight,
		DilationH: 1, DilationW: s.Dilation, Groups: s.Groups,
	}
}

// PackConv1D copies weight [K, C/Groups, S] and bias [K], which may be nil,
// for input and output in the given layouts: a sequence is an image of one
// row. It fails if the shape is invalid or a slice has not its size.
func PackConv1D(s Conv1D, in, out Layout, weight, bias []float32) (*PackedConv2D, error) {
	return PackConv2DLayouts(s.Conv2D(), in, out, weight, bias)
}
