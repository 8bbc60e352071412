package energy

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// perfEvent is an open event of the performance counters.
type perfEvent interface {
	Read() (uint64, error)
	Close() error
}

const powerPMU = "sys/bus/event_source/devices/power"

// perfCovers tells what the events of the power PMU cover.
var perfCovers = map[string]string{
	"energy-pkg":   "processor packages: cores, caches, memory controller",
	"energy-cores": "cores, a part of the packages",
	"energy-core":  "one core, a part of the package",
	"energy-gpu":   "integrated graphics, a part of the packages",
	"energy-ram":   "memory",
	"energy-psys":  "whole platform, as its maker wired it",
}

// findPerf finds the energy events of the power PMU, the same counters as
// RAPL's (the kernel's arch/x86/events/rapl.c). They are 64 bits wide and do
// not wrap around. One CPU of each package, which cpumask lists, reads them.
func findPerf(root fs.FS, h host) []Found {
	if !exists(root, powerPMU+"/type") {
		return absent("perf", "no power PMU in /sys/bus/event_source/devices: the module intel_rapl_perf (rapl) is not loaded, or no x86 processor")
	}
	var found []Found
	for _, file := range glob(root, powerPMU+"/events/energy-*") {
		name := path.Base(file)
		if strings.Contains(name, ".") { // energy-pkg.scale and .unit describe energy-pkg
			continue
		}
		found = append(found, perfMeter(root, h, name))
	}
	if len(found) == 0 {
		return absent("perf", "the power PMU has no energy events, as in a virtual machine")
	}
	return found
}

func perfMeter(root fs.FS, h host, name string) Found {
	about := Description{Name: "perf/" + name, Covers: perfCovers[name], Period: raplPeriod}
	f := Found{Processor: name == "energy-pkg"}
	attr, err := readPerfEvent(root, name)
	f.Problem = problem(err, "it needs root")
	// The scale is the step of perf's fixed point, finer than the hardware's.
	about.Resolution = max(attr.scale, raplResolution)
	f.Description = about
	open := func() (*counter, error) {
		c := &counter{about: about}
		var events []perfEvent
		c.close = func() error {
			var err error
			for _, e := range events {
				err = errors.Join(err, e.Close())
			}
			return err
		}
		for _, cpu := range attr.cpus {
			e, err := h.perfOpen(attr.pmu, attr.config, cpu)
			if err != nil {
				return nil, errors.Join(perfProblem(root, name, err), c.close())
			}
			events = append(events, e)
			c.domains = append(c.domains, domain{name: fmt.Sprintf("%s on CPU %d", name, cpu), unit: attr.scale, read: e.Read})
		}
		return c, nil
	}
	if f.Problem == "" { // only opening tells whether it is allowed
		c, err := open()
		if err != nil {
			f.Problem = strings.TrimPrefix(err.Error(), "energy: ")
		} else if err := c.Close(); err != nil {
			f.Problem = err.Error()
		}
	}
	f.open = func() (Meter, error) {
		c, err := open()
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	return f
}

func perfProblem(root fs.FS, name string, err error) error {
	advice := ""
	if errors.Is(err, fs.ErrPermission) {
		advice = "; it needs root or CAP_PERFMON"
		if level, err := readText(root, "proc/sys/kernel/perf_event_paranoid"); err == nil {
			advice += ", or kernel.perf_event_paranoid below 1, which is " + level
		}
	}
	return fmt.Errorf("energy: perf_event_open of %s: %w%s", name, err, advice)
}

// perfAttr is what perf_event_open needs for an event.
type perfAttr struct {
	pmu    uint32
	config uint64
	cpus   []int
	scale  float64 // J of a count
}

func readPerfEvent(root fs.FS, name string) (perfAttr, error) {
	var a perfAttr
	pmu, err := readCounter(root, powerPMU+"/type")
	if err != nil {
		return a, err
	}
	a.pmu = uint32(pmu)
	text, err := readText(root, powerPMU+"/events/"+name)
	if err != nil {
		return a, err
	}
	if a.config, err = parsePerfConfig(text); err != nil {
		return a, fmt.Errorf("energy: /%s/events/%s: %w", powerPMU, name, err)
	}
	unit, err := readText(root, powerPMU+"/events/"+name+".unit")
	if err != nil {
		return a, err
	}
	if unit != "Joules" {
		return a, fmt.Errorf("energy: /%s/events/%s.unit: %q, want Joules", powerPMU, name, unit)
	}
	if a.scale, err = readNumber(root, powerPMU+"/events/"+name+".scale"); err != nil {
		return a, err
	}
	if a.scale <= 0 {
		return a, fmt.Errorf("energy: /%s/events/%s.scale: %g is not above 0", powerPMU, name, a.scale)
	}
	if text, err = readText(root, powerPMU+"/cpumask"); err != nil {
		return a, err
	}
	if a.cpus, err = parseCPUs(text); err != nil {
		return a, fmt.Errorf("energy: /%s/cpumask: %w", powerPMU, err)
	}
	return a, nil
}

// parsePerfConfig reads an event's terms, such as "event=0x02": the power PMU
// has the event in the low 8 bits of config, and no other terms.
func parsePerfConfig(text string) (uint64, error) {
	value, ok := strings.CutPrefix(text, "event=")
	if !ok {
		return 0, fmt.Errorf("%q, want event=NUMBER", text)
	}
	n, err := strconv.ParseUint(value, 0, 8)
	if err != nil {
		return 0, fmt.Errorf("%q, want event=NUMBER with a number below 256", text)
	}
	return n, nil
}

// maxCPU is above the number of any CPU that Linux is built for.
const maxCPU = 8192

// parseCPUs reads a kernel list such as "0,8-9".
func parseCPUs(text string) ([]int, error) {
	var cpus []int
	for part := range strings.SplitSeq(text, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		lo, err := strconv.Atoi(first)
		hi, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil || lo < 0 || hi < lo || hi > maxCPU {
			return nil, fmt.Errorf("%q is no list of CPUs", text)
		}
		for cpu := lo; cpu <= hi; cpu++ {
			cpus = append(cpus, cpu)
		}
		if len(cpus) > maxCPU {
			return nil, fmt.Errorf("%.40q lists more than %d CPUs", text, maxCPU)
		}
	}
	return cpus, nil
}

// exists reports whether the file is there, readable or not.
func exists(root fs.FS, name string) bool {
	_, err := fs.Stat(root, name)
	return err == nil || errors.Is(err, fs.ErrPermission)
}
