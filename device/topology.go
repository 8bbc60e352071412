package device

import "github.com/klauspost/cpuid/v2"

// collectTopology counts physical cores by their lists of sibling threads, and
// hardware threads by the kernel's list of present CPUs, which unlike the list
// of online ones does not change while the machine runs.
func collectTopology(t tree, cpu cpuid.CPUInfo, info *Info) {
	if present, ok := t.text("sys/devices/system/cpu/present"); ok {
		info.Threads = listSize(present)
	}
	if info.Threads == 0 {
		for _, c := range info.CPUs {
			info.Threads += c.Threads
		}
	}
	cores := map[string]bool{}
	for _, name := range t.glob("sys/devices/system/cpu/cpu[0-9]*/topology/thread_siblings_list") {
		if list, ok := t.text(name); ok {
			cores[list] = true
		}
	}
	info.Cores = len(cores)
	if info.Cores > 0 {
		return
	}
	if cpu.PhysicalCores > 0 {
		info.Cores = cpu.PhysicalCores
		return
	}
	info.Cores = info.Threads
	info.unseen("physical cores: /sys/devices/system/cpu/cpu*/topology is absent, each thread counted as a core")
}
