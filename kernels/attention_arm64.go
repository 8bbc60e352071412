package kernels

func attentionImplementation(name string) attentionKernels {
	if name == neon {
		return attentionKernels{scoreRowsNEON, transposeRowsNEON, 4, dotRowsNEON, nil}
	}
	return portableAttention
}

// scoreRowsNEON is scoreRowsPortable.
func scoreRowsNEON(t *scoreRows) {
	for i := range t.rows {
		x := t.row(i)
		shift := t.shift(i, largestNEON(x))
		*elementAt(t.sum, i) = scoreExpNEON(x, x, t.scale, shift)
	}
}

// transposeRowsNEON is transposeRowsPortable.
//
//go:noescape
func transposeRowsNEON(t *transposeRows)

// dotRowsNEON is dotRowsPortable.
//
//go:noescape
func dotRowsNEON(t *dotRows)
