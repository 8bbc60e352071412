package kernels

// gatedLeast is how many elements the input has for each weight, at least:
// weights come from memory, the input does not.
const gatedLeast = 4

// GateFits reports whether a convolution packed for the layout [Blocked] may
// have the channels of its input multiplied by factors in its weights, with
// [PackedConv2D.Gate], and had better have: whether the weights are few beside
// the input.
func GateFits(s Conv2D) bool {
	if s.N != 1 || s.Groups != 1 || !s.pointwise() || s.single() || gatedLeast*s.K > s.H*s.W {
		return false
	}
	a, _, _ := s.fastest(Blocked, Blocked)
	return a == directTiles
}

// GatedSize is the number of elements of the weights that
// [PackedConv2D.Gate] makes.
func (p *PackedConv2D) GatedSize() int { return len(p.direct.phases[0].packed) }

// Gate sets weights to those of the convolution of an image whose channels are
// multiplied by factors [C].
func (p *PackedConv2D) Gate(weights, factors []float32) {
	channels, c := p.shape.C, tiles.width
	checkLength("Gate", "weights", len(weights), p.GatedSize())
	checkLength("Gate", "factors", len(factors), channels)
	phase := &p.direct.phases[0]
	for i := range phase.panels.count {
		block, vectors := phase.panels.start(i)
		at, row := block*c*channels, vectors*c
		vector.operations[OpMul][vectorScalar](&weights[at], &phase.packed[at], &factors[0], channels, row, 4*row, 4*row, 4)
	}
}

// ForwardGated is [PackedConv2D.Forward] with weights that Gate made.
func (p *PackedConv2D) ForwardGated(ws *Workspace, dst, src, residual, weights []float32, act Activation) {
	checkLength("ForwardGated", "weights", len(weights), p.GatedSize())
	ws.direct.weights = weights
	p.Forward(ws, dst, src, residual, act)
	ws.direct.weights = nil
}
