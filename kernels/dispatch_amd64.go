package kernels

import "github.com/klauspost/cpuid/v2"

// vectorImplementations lists the vector instruction sets that processor and
// operating system support. cpuid reports the AVX and AVX-512 features only
// where the system saves their registers (XGETBV).
func vectorImplementations() []string {
	var names []string
	if !cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3) {
		return names
	}
	if cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL) {
		names = append(names, avx512)
	}
	return append(names, avx2)
}
