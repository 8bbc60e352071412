package kernels

func setPeakKernels(in instructions) {
	peaks = portablePeaks
	switch in.base {
	case avx512:
		peaks.fma, peaks.flop = peakFMAAVX512, 24*16*2
	case avx2:
		peaks.fma, peaks.flop = peakFMAAVX2, 12*8*2
	}
	if in.base == avx512 && in.dot8 {
		peaks.dot8, peaks.dot8Ops = peakDot8AVX512, 24*64*2
	}
}
