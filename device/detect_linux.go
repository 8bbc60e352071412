package device

import (
	"os"
	"runtime"

	"github.com/klauspost/cpuid/v2"
)

func detect() (Info, error) {
	info, err := collect(os.DirFS("/"), runtime.GOARCH, cpuid.CPU)
	info.Emulator = emulator("/proc/thread-self/exe", runtime.GOARCH)
	return info, err
}
