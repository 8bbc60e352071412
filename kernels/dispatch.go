package kernels

import (
	"fmt"
	"slices"
	"strings"
)

// Names of the implementations.
const (
	avx512   = "avx512"
	avx2     = "avx2"
	neon     = "neon"
	portable = "portable"
)

// forced, when set at link time, takes the place of the best implementation:
//
//	go test -ldflags "-X github.com/hwprofd/hwprofd/kernels.forced=avx2" ./...
var forced string

// selected is the name of the implementation in use.
var selected string

func init() {
	name := forced
	if name == "" {
		name = Implementations()[0]
	}
	if err := Use(name); err != nil {
		panic(err)
	}
}

// Implementations returns the names of the implementations that this
// processor and operating system can run, best first. The last is always
// "portable", which is plain Go.
func Implementations() []string {
	return append(vectorImplementations(), portable)
}

// Implementation returns the name of the implementation in use.
func Implementation() string { return selected }

// Use makes every function of the package use the named implementation from
// now on. It is meant for tests and must not run beside other calls into the
// package. Operands that were packed before keep the implementation that they
// were packed for.
func Use(name string) error {
	available := Implementations()
	if !slices.Contains(available, name) {
		return fmt.Errorf("kernels: implementation %q is not available on this processor: use one of %s",
			name, strings.Join(available, ", "))
	}
	selected = name
	setGemmKernels(name)
	setVectorKernels(name)
	setDepthwiseKernels(name)
	return nil
}
