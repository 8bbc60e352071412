package kernels

import "github.com/klauspost/cpuid/v2"

// vectorImplementations lists the vector instruction sets that processor and
// operating system support. cpuid reports the AVX and AVX-512 features only
// where the system saves their registers (XGETBV).
func vectorImplementations() []instructions {
	cpu := &cpuid.CPU
	var list []instructions
	if !cpu.Supports(cpuid.AVX2, cpuid.FMA3, cpuid.F16C) {
		return list
	}
	if cpu.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL) {
		vnni := cpu.Supports(cpuid.AVX512VNNI)
		if vnni && cpu.Supports(cpuid.AVX512BF16) {
			list = append(list, instructions{name: "avx512bf16", base: avx512, dot8: true, bf16: true})
		}
		if vnni {
			list = append(list, instructions{name: "avx512vnni", base: avx512, dot8: true})
		}
		list = append(list, instructions{name: avx512, base: avx512})
	}
	if cpu.Supports(cpuid.AVXVNNI) {
		list = append(list, instructions{name: "avxvnni", base: avx2, dot8: true})
	}
	return append(list, instructions{name: avx2, base: avx2})
}
