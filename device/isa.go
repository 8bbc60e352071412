package device

import (
	"slices"

	"github.com/klauspost/cpuid/v2"
)

// isaSet is an instruction set that kernels may be written for: its name here,
// its flag in /proc/cpuinfo and its bit in cpuid. Flags that the kernel makes
// up itself are left out, or a kernel update would change the fingerprint.
type isaSet struct {
	name, flag string
	feature    cpuid.FeatureID
}

var isaX86 = []isaSet{
	{"sse4.2", "sse4_2", cpuid.SSE42},
	{"avx", "avx", cpuid.AVX},
	{"f16c", "f16c", cpuid.F16C},
	{"fma", "fma", cpuid.FMA3},
	{"avx2", "avx2", cpuid.AVX2},
	{"avxvnni", "avx_vnni", cpuid.AVXVNNI},
	{"avx512f", "avx512f", cpuid.AVX512F},
	{"avx512bw", "avx512bw", cpuid.AVX512BW},
	{"avx512dq", "avx512dq", cpuid.AVX512DQ},
	{"avx512vl", "avx512vl", cpuid.AVX512VL},
	{"avx512vnni", "avx512_vnni", cpuid.AVX512VNNI},
	{"avx512bf16", "avx512_bf16", cpuid.AVX512BF16},
	{"avx512fp16", "avx512_fp16", cpuid.AVX512FP16},
	{"amxtile", "amx_tile", cpuid.AMXTILE},
	{"amxbf16", "amx_bf16", cpuid.AMXBF16},
	{"amxint8", "amx_int8", cpuid.AMXINT8},
}

var isaARM64 = []isaSet{
	{"neon", "asimd", cpuid.ASIMD},
	{"fp16", "asimdhp", cpuid.ASIMDHP},
	{"dotprod", "asimddp", cpuid.ASIMDDP},
	{"i8mm", "i8mm", cpuid.I8MM},
	{"bf16", "bf16", cpuid.BF16},
	{"sve", "sve", cpuid.SVE},
	{"sve2", "sve2", cpuid.SVE2},
}

// isaARM has no cpuid bits: 32-bit ARM has no such instruction for programs.
var isaARM = []isaSet{
	{name: "vfpv3", flag: "vfpv3"},
	{name: "vfpv4", flag: "vfpv4"},
	{name: "neon", flag: "neon"},
}

func isaFromFlags(arch string, flags []string) []string {
	sets := map[string][]isaSet{"amd64": isaX86, "386": isaX86, "arm64": isaARM64, "arm": isaARM}[arch]
	names := []string{}
	for _, s := range sets {
		if slices.Contains(flags, s.flag) {
			names = append(names, s.name)
		}
	}
	return names
}

func isaFromCPUID(cpu cpuid.CPUInfo) []string {
	names := []string{}
	for _, s := range slices.Concat(isaX86, isaARM64) {
		if cpu.Has(s.feature) {
			names = append(names, s.name)
		}
	}
	return names
}
