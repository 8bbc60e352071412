//go:build !linux

package profiler

import (
	"errors"
	"fmt"
	"runtime"
)

// pin ties the calling goroutine to its thread until release is called, and
// reports that it cannot tie the thread to a core: macOS has no call for it,
// and on Windows it is not done.
func pin() (release func(), err error) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread, fmt.Errorf("pinning the thread to a core: %w", errors.ErrUnsupported)
}
