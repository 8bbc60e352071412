package kernels

import (
	"fmt"
	"slices"
	"strings"
)

// Instruction sets that kernels are written for.
const (
	avx512   = "avx512"
	avx2     = "avx2"
	neon     = "neon"
	portable = "portable"
)

// instructions is what an implementation may use: a vector instruction set and
// what some processors have beyond it.
type instructions struct {
	name string
	base string // avx512, avx2, neon or portable
	dot8 bool   // dot products of bytes: AVX512_VNNI, AVX_VNNI, or SDOT and UDOT
	i8mm bool   // SMMLA and USMMLA
	bf16 bool   // VDPBF16PS
	fp16 bool   // arithmetic on half-precision vectors
}

// forced, when set at link time, takes the place of the best implementation:
//
//	go test -ldflags "-X github.com/hwprofd/hwprofd/kernels.forced=avx2" ./...
var forced string

// selected is the implementation in use.
var selected instructions

func init() {
	name := forced
	if name == "" {
		name = Implementations()[0]
	}
	if err := Use(name); err != nil {
		panic(err)
	}
}

func implementations() []instructions {
	return append(vectorImplementations(), instructions{name: portable, base: portable})
}

// Implementations returns the names of the implementations that this
// processor and operating system can run, best first. The last is always
// "portable", which is plain Go.
func Implementations() []string {
	var names []string
	for _, i := range implementations() {
		names = append(names, i.name)
	}
	return names
}

// Implementation returns the name of the implementation in use.
func Implementation() string { return selected.name }

// Use makes every function of the package use the named implementation from
// now on. It is meant for tests and must not run beside other calls into the
// package. Operands that were packed before keep the implementation that they
// were packed for.
func Use(name string) error {
	available := implementations()
	i := slices.IndexFunc(available, func(i instructions) bool { return i.name == name })
	if i < 0 {
		return fmt.Errorf("kernels: implementation %q is not available on this processor: use one of %s",
			name, strings.Join(Implementations(), ", "))
	}
	selected = available[i]
	setPeakKernels(selected)
	setTileKernels(selected)
	setDotKernels(selected)
	setLayoutKernels(selected)
	setWinogradKernels(selected)
	setGemmKernels(selected)
	setVectorKernels(selected)
	setHalfKernels(selected)
	setOptimizerKernels(selected)
	setDepthwiseKernels(selected)
	setExpKernels(selected)
	setInt8Kernels(selected)
	setQuantizeKernels(selected)
	setAttentionKernels(selected)
	return nil
}
