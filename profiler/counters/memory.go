package counters

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// PeakMemory returns the most memory in bytes that the process had resident
// while run ran, whatever of it was run's own. Linux keeps the peak and lets a
// process reset its own; elsewhere the error is [errors.ErrUnsupported].
func PeakMemory(run func()) (int64, error) {
	// 5 resets VmHWM (the kernel's Documentation/filesystems/proc.rst).
	reset := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	run()
	if errors.Is(reset, os.ErrNotExist) {
		return 0, fmt.Errorf("counters: peak memory: %w: %w", errors.ErrUnsupported, reset)
	}
	if reset != nil {
		return 0, fmt.Errorf("counters: peak memory: %w", reset)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("counters: peak memory: %w", err)
	}
	return parsePeak(string(status))
}

// parsePeak finds VmHWM in /proc/self/status, which has it in kB of 1024 bytes.
func parsePeak(status string) (int64, error) {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			if err != nil || kb < 0 || kb > 1<<50 {
				return 0, fmt.Errorf("counters: peak memory: /proc/self/status has %q", strings.TrimSpace(line))
			}
			return kb << 10, nil
		}
	}
	return 0, errors.New("counters: peak memory: /proc/self/status has no VmHWM")
}
