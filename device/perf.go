package device

import (
	"path"
	"strings"
)

// collectPerf lists the energy events of the power PMU. Reading one needs
// perf_event_open on all processes, so its file alone does not tell whether
// this process may: the kernel's perf_event_paranoid does (below 1).
func collectPerf(t tree, info *Info) {
	level, ok := t.number("proc/sys/kernel/perf_event_paranoid")
	for _, event := range t.glob("sys/bus/event_source/devices/power/events/energy-*") {
		name := path.Base(event)
		if strings.Contains(name, ".") { // energy-pkg.scale and .unit describe energy-pkg
			continue
		}
		info.EnergyMeters = append(info.EnergyMeters, Meter{Source: "perf", Name: name, Quantity: "energy", Path: "/" + event, Readable: ok && level < 1})
	}
}
