package device

import (
	"strconv"
	"strings"
)

// collectMemory reads the memory that the kernel manages.
func collectMemory(t tree, info *Info) {
	text, _ := t.text("proc/meminfo")
	for line := range strings.SplitSeq(text, "\n") {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 48)
			if err == nil {
				info.MemoryBytes = kib << 10
			}
		}
	}
	if info.MemoryBytes == 0 {
		info.unseen("memory: /proc/meminfo has no MemTotal")
	}
}
