package profiler

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// cores are some of the machine's.
type cores struct{ set unix.CPUSet }

// allowedCores are those that the calling thread may use, none where the
// system does not tell.
func allowedCores() (c cores) {
	_ = unix.SchedGetaffinity(0, &c.set)
	return c
}

// last is the last core, the one that pin takes.
func (c cores) last() (one cores) {
	for core := len(c.set)*64 - 1; core >= 0; core-- {
		if c.set.IsSet(core) {
			one.set.Set(core)
			break
		}
	}
	return one
}

// holdProcess ties the threads of another process, and those that it will
// start, to cores.
func (c cores) holdProcess(pid int) error {
	threads, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "task"))
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &c.set); err != nil {
			return err
		}
	}
	return nil
}
