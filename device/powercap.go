package device

import (
	"path"
	"strings"
)

// collectPowercap lists the energy counters of the powercap framework: RAPL's
// package, core, uncore and dram zones (the kernel's Documentation/power/powercap).
func collectPowercap(t tree, info *Info) {
	for _, counter := range t.glob("sys/class/powercap/*/energy_uj") {
		dir := path.Dir(counter)
		name, ok := t.text(dir + "/name")
		if !ok {
			name = path.Base(dir)
		}
		// Zone intel-rapl:0:1 is a part of intel-rapl:0, whose name tells the
		// core of one package from that of another.
		parent := dir[:strings.LastIndexByte(dir, ':')+1]
		if outer, ok := t.text(strings.TrimSuffix(parent, ":") + "/name"); ok {
			name = outer + " " + name
		}
		info.EnergyMeters = append(info.EnergyMeters, Meter{Source: "powercap", Name: name, Quantity: "energy", Path: "/" + counter, Readable: t.readable(counter)})
	}
}
