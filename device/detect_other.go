//go:build !linux && !darwin && !windows

package device

import (
	"errors"
	"runtime"
)

func detect() (Info, error) {
	info := native()
	if info.CPUs[0].Model == "" {
		return Info{}, errors.New("device: the processor cannot be told on " + runtime.GOOS + "/" + runtime.GOARCH)
	}
	info.coresUnknown()
	for _, what := range []string{"memory", "kernel", "clock source", "governor and frequency", "energy"} {
		info.unseen(what + ": not read on " + runtime.GOOS)
	}
	return info, nil
}
