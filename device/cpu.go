package device

import (
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// collectCPU reads the kinds of cores and the instruction sets from /proc/cpuinfo.
func collectCPU(t tree, cpu cpuid.CPUInfo, info *Info) {
	text, _ := t.text("proc/cpuinfo")
	var flags []string
	for block := range strings.SplitSeq(text, "\n\n") {
		fields := cpuinfoFields(block)
		if _, ok := fields["processor"]; !ok {
			continue
		}
		c := cpuFromFields(fields)
		if c == (CPU{}) {
			continue
		}
		if i := slices.IndexFunc(info.CPUs, func(o CPU) bool { o.Threads = 0; return o == c }); i >= 0 {
			info.CPUs[i].Threads++
		} else {
			c.Threads = 1
			info.CPUs = append(info.CPUs, c)
		}
		if flags == nil {
			flags = strings.Fields(fields["flags"] + " " + fields["Features"])
		}
	}
	info.ISA = isaFromFlags(info.Arch, flags)
	if len(info.CPUs) == 0 && (cpu.BrandName != "" || cpu.VendorString != "") {
		info.unseen("processor: /proc/cpuinfo does not tell it, CPUID was asked instead")
		info.CPUs = []CPU{cpuFromCPUID(cpu)}
		info.ISA = isaFromCPUID(cpu)
	}
}

// cpuinfoFields splits one processor's block of /proc/cpuinfo.
func cpuinfoFields(block string) map[string]string {
	fields := map[string]string{}
	for line := range strings.SplitSeq(block, "\n") {
		if key, value, ok := strings.Cut(line, ":"); ok {
			fields[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return fields
}

// cpuFromFields reads either form of a block: x86's (vendor_id, cpu family,
// model, stepping) or ARM's (CPU implementer, architecture, part, variant, revision).
func cpuFromFields(f map[string]string) CPU {
	number := func(key string) int {
		n, _ := strconv.ParseInt(f[key], 0, 32) // absent or odd: 0
		return int(n)
	}
	if f["CPU implementer"] == "" {
		return CPU{
			Vendor: f["vendor_id"], Model: strings.Join(strings.Fields(f["model name"]), " "),
			Family: number("cpu family"), ModelID: number("model"), Stepping: number("stepping"),
		}
	}
	vendor, model := armNames(number("CPU implementer"), number("CPU part"))
	return CPU{
		Vendor: vendor, Model: model, Family: number("CPU architecture"),
		ModelID: number("CPU part"), Variant: number("CPU variant"), Stepping: number("CPU revision"),
	}
}

// cpuFromCPUID is the processor as the CPUID instruction tells it.
func cpuFromCPUID(cpu cpuid.CPUInfo) CPU {
	return CPU{
		Vendor: cpu.VendorString, Model: cpu.BrandName,
		Family: cpu.Family, ModelID: cpu.Model, Stepping: cpu.Stepping, Threads: cpu.LogicalCores,
	}
}
