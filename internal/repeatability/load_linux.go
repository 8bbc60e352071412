package main

import "golang.org/x/sys/unix"

// useFirstCPU pins the calling thread to the first CPU that it may use; the
// profiler takes the last.
func useFirstCPU() error {
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return err
	}
	for cpu := range len(allowed) * 64 {
		if allowed.IsSet(cpu) {
			one.Set(cpu)
			break
		}
	}
	return unix.SchedSetaffinity(0, &one)
}
