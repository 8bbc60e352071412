package device

import (
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// hypervisorVendors maps the DMI vendor of virtual machines to the hypervisor.
var hypervisorVendors = []struct{ vendor, product, name string }{
	{"QEMU", "", "kvm"},
	{"Amazon EC2", "", "kvm"}, // but see collectHypervisor: instances named *.metal are not virtual
	{"Google", "Google Compute Engine", "kvm"},
	{"DigitalOcean", "", "kvm"},
	{"Hetzner", "vServer", "kvm"},
	{"VMware", "", "vmware"},
	{"innotek GmbH", "", "virtualbox"},
	{"Microsoft Corporation", "Virtual Machine", "hyperv"},
	{"Xen", "", "xen"},
	{"Parallels", "", "parallels"},
	{"Apple Inc.", "Apple Virtualization", "apple"},
}

// collectHypervisor tells a virtual machine by CPUID's hypervisor bit on x86,
// elsewhere by the device tree or DMI.
func collectHypervisor(t tree, cpu cpuid.CPUInfo, info *Info) {
	cpuinfo, _ := t.text("proc/cpuinfo")
	for line := range strings.SplitSeq(cpuinfo, "\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "flags" {
			info.Virtual = strings.Contains(value+" ", " hypervisor ")
			break
		}
	}
	if kind, ok := t.text("sys/hypervisor/type"); ok {
		info.Virtual, info.Hypervisor = true, kind
		return
	}
	if compatible, ok := t.text("proc/device-tree/hypervisor/compatible"); ok {
		info.Virtual, info.Hypervisor = true, strings.TrimPrefix(compatible, "linux,")
		return
	}
	vendor, _ := t.text("sys/class/dmi/id/sys_vendor")
	product, _ := t.text("sys/class/dmi/id/product_name")
	for _, h := range hypervisorVendors {
		if vendor != "" && strings.HasPrefix(vendor, h.vendor) && strings.HasPrefix(product, h.product) && !strings.Contains(product, ".metal") {
			info.Virtual, info.Hypervisor = true, h.name
			return
		}
	}
	if info.Virtual && cpu.HypervisorVendorID != cpuid.VendorUnknown {
		info.Hypervisor = strings.ToLower(cpu.HypervisorVendorID.String())
	}
}
