//go:build !linux

package device

import (
	"runtime"

	"github.com/klauspost/cpuid/v2"
)

// native is what the Go runtime and CPUID tell on any system; the platform's
// own file adds to it.
func native() Info {
	cpu := cpuFromCPUID(cpuid.CPU)
	cpu.Threads = runtime.NumCPU()
	info := Info{
		OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: []CPU{cpu},
		Cores: cpuid.CPU.PhysicalCores, Threads: runtime.NumCPU(), ISA: isaFromCPUID(cpuid.CPU),
		Caches:  append([]Cache{}, cachesFromCPUID(cpuid.CPU)...),
		Virtual: cpuid.CPU.VM(), EnergyMeters: []Meter{}, Unseen: []string{},
	}
	if cpuid.CPU.HypervisorVendorID != cpuid.VendorUnknown {
		info.Hypervisor = cpuid.CPU.HypervisorVendorString
	}
	if len(info.Caches) == 0 {
		info.unseen("caches: CPUID does not tell them")
	}
	return info
}

// coresUnknown settles for a core a thread where neither CPUID nor the system counted.
func (i *Info) coresUnknown() {
	if i.Cores == 0 {
		i.Cores = i.Threads
		i.unseen("physical cores: not shown, each thread counted as a core")
	}
}
