package device

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

func detect() (Info, error) {
	info := native()
	cpu := &info.CPUs[0]
	if name, err := unix.Sysctl("machdep.cpu.brand_string"); err == nil {
		cpu.Model = name
	}
	if cpu.Model == "" {
		return Info{}, errors.New("device: sysctl machdep.cpu.brand_string does not tell the processor")
	}
	if cpu.Vendor == "" {
		cpu.Vendor = "Apple"
	}
	if n, err := unix.SysctlUint32("hw.physicalcpu"); err == nil {
		info.Cores = int(n)
	}
	if n, err := unix.SysctlUint32("hw.logicalcpu"); err == nil {
		info.Threads, cpu.Threads = int(n), int(n)
	}
	info.coresUnknown()
	if n, err := unix.SysctlUint32("hw.perflevel1.physicalcpu"); err == nil && n > 0 {
		info.unseen(fmt.Sprintf("kinds of cores: %d of the %d are efficiency cores, shown as one kind", n, info.Cores))
	}
	if n, err := unix.SysctlUint64("hw.memsize"); err == nil {
		info.MemoryBytes = n
	} else {
		info.unseen("memory: sysctl hw.memsize failed")
	}
	if s, err := unix.Sysctl("kern.osrelease"); err == nil {
		info.Kernel = s
	} else {
		info.unseen("kernel: sysctl kern.osrelease failed")
	}
	if s, err := unix.Sysctl("hw.model"); err == nil {
		info.Board = s
	}
	if n, err := unix.SysctlUint32("kern.hv_vmm_present"); err == nil {
		info.Virtual = n != 0
	}
	info.ClockSource = "mach_absolute_time"
	info.unseen("governor and frequency: macOS does not show them to programs")
	info.unseen("energy meters: macOS has no files of them; powermetrics tells power, to root only")
	return info, nil
}
