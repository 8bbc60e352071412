package kernels

func setPeakKernels(in instructions) {
	peaks = portablePeaks
	if in.base == neon {
		peaks.fma, peaks.flop = peakFMANEON, 24*4*2
	}
	if in.base == neon && in.dot8 {
		peaks.dot8, peaks.dot8Ops = peakDot8NEON, 24*16*2
	}
}

// peakFMANEON does 24 multiply-adds of vectors in each of loops rounds, as
// peakPortable does of numbers.
//
//go:noescape
func peakFMANEON(loops int)

// peakDot8NEON does 24 dot products of vectors of bytes in each of loops
// rounds, as peakPortable does of numbers.
//
//go:noescape
func peakDot8NEON(loops int)
