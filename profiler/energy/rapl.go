package energy

import (
	"io/fs"
	"path"
	"strings"
	"time"
)

// RAPL brings its counters up to date once in about a millisecond (Intel's
// Software Developer's Manual, volume 3, 'RAPL Interfaces').
const raplPeriod = time.Millisecond

// raplResolution is the coarsest step of a RAPL counter: 1/2^14 J on most
// processors.
const raplResolution = 1.0 / (1 << 14)

// raplZones are RAPL's kinds of domain with what they cover.
var raplZones = []struct{ name, covers string }{
	{"package", "processor packages: cores, caches, memory controller"},
	{"core", "cores, a part of the packages"},
	{"uncore", "integrated graphics, a part of the packages"},
	{"dram", "memory"},
	{"psys", "whole platform, as its maker wired it"},
}

// findRAPL finds the energy counters of the powercap framework, which Intel's
// and AMD's processors have (the kernel's Documentation/power/powercap). The
// domains of one kind, such as the packages of two sockets, are one meter.
func findRAPL(root fs.FS) []Found {
	// A zone of both drivers, by MSR and by MMIO, would count twice.
	const zones = "sys/class/powercap/intel-rapl:*"
	of := map[string][]string{}
	for _, name := range glob(root, zones+"/name") {
		text, err := readText(root, name)
		if err != nil {
			continue
		}
		kind, _, _ := strings.Cut(text, "-") // package-0
		of[kind] = append(of[kind], path.Dir(name))
	}
	var found []Found
	for _, zone := range raplZones {
		if dirs := of[zone.name]; len(dirs) > 0 {
			found = append(found, raplMeter(root, zone.name, zone.covers, dirs))
		}
	}
	if len(found) == 0 {
		return absent("rapl", "no zone in /sys/class/powercap: the module intel_rapl_msr is not loaded, or this is a virtual machine, or no x86 processor")
	}
	return found
}

func raplMeter(root fs.FS, name, covers string, dirs []string) Found {
	c := &counter{about: Description{Name: "rapl/" + name, Covers: covers, Resolution: raplResolution, Period: raplPeriod}}
	f := Found{Processor: name == "package", open: func() (Meter, error) { return c, nil }}
	for _, dir := range dirs {
		file := dir + "/energy_uj"
		d := domain{name: "/" + file, unit: 1e-6, read: func() (uint64, error) { return readCounter(root, file) }}
		if _, err := d.read(); f.Problem == "" {
			f.Problem = problem(err, "since Linux 5.10 it needs root, or: chmod a+r "+"/"+file)
		}
		var err error
		if d.span, err = readCounter(root, dir+"/max_energy_range_uj"); f.Problem == "" {
			f.Problem = problem(err, "it needs root")
		}
		if wrap := float64(d.span) * 1e-6; c.about.Wrap == 0 || wrap < c.about.Wrap {
			c.about.Wrap = wrap
		}
		c.domains = append(c.domains, d)
	}
	f.Description = c.about
	return f
}
