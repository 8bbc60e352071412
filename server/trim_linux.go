package server

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// trim gives memory back that an idle daemon does not need: the free part of
// the heap, and the pages of the program itself. Starting touches most of the
// program once, and the kernel maps what lies around what is touched; what is
// needed again comes back from the page cache.
func trim() {
	debug.FreeOSMemory()
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	executable, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to uintptr
		var rights string
		// Only what is read only: written pages have no other copy.
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &rights); err != nil || rights[1] != '-' || !strings.HasSuffix(lines.Text(), " "+executable) {
			continue
		}
		// A kernel that refuses keeps the pages, which harms nobody.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
	}
}
