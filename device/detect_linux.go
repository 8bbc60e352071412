package device

import (
	"os"
	"runtime"

	"github.com/klauspost/cpuid/v2"
)

func detect() (Info, error) {
	return collect(os.DirFS("/"), runtime.GOARCH, cpuid.CPU)
}
