package device

import (
	"errors"
	"io/fs"

	"github.com/klauspost/cpuid/v2"
)

// collect describes a Linux machine from its /proc and /sys below root. What
// the kernel hides is taken from cpu, the answer of the CPUID instruction.
func collect(root fs.FS, arch string, cpu cpuid.CPUInfo) (Info, error) {
	t := tree{root}
	info := Info{OS: "linux", Arch: arch, CPUs: []CPU{}, ISA: []string{}, Caches: []Cache{}, EnergyMeters: []Meter{}, Unseen: []string{}}
	collectCPU(t, cpu, &info)
	if len(info.CPUs) == 0 {
		return Info{}, errors.New("device: /proc/cpuinfo does not tell the processor: is /proc mounted and readable?")
	}
	collectTopology(t, cpu, &info)
	collectCaches(t, cpu, &info)
	collectMemory(t, &info)
	collectKernel(t, &info)
	info.IsolatedCores, _ = t.text("sys/devices/system/cpu/isolated")
	collectFrequency(t, &info)
	collectBoard(t, &info)
	collectHypervisor(t, cpu, &info)
	collectPowercap(t, &info)
	collectHwmon(t, &info)
	collectPowerSupply(t, &info)
	collectIIO(t, &info)
	collectPerf(t, &info)
	if len(info.EnergyMeters) == 0 {
		info.unseen("energy: no meter below /sys (powercap, hwmon, power_supply, iio, perf)")
	}
	return info, nil
}
