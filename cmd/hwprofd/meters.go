package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/profiler/energy"
)

// noMeter is the name that stands for modelled energy.
const noMeter = "none"

// meterFlags say which meter measures energy; the zero value is the machine's
// own, where it has one of the processor.
type meterFlags struct {
	name, command, file string
	time                time.Duration
}

func (f *meterFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.name, "meter", "", "energy meter, of those that 'hwprofd device' lists, or none")
	flags.StringVar(&f.command, "meter-command", "", "shell command that prints watts as long as it runs, a line a sample")
	flags.StringVar(&f.file, "meter-file", "", "file to which an external meter logs lines of time and watts meanwhile")
	flags.DurationVar(&f.time, "meter-time", 2*time.Second, "longest time to repeat a workload for its energy")
}

// open opens the meter that is asked for, and returns nil where none is and the
// machine has none, which it says.
func (f *meterFlags) open(say func(format string, args ...any)) (energy.Meter, error) {
	asked := 0
	for _, value := range []string{f.name, f.command, f.file} {
		if value != "" {
			asked++
		}
	}
	switch {
	case asked > 1:
		return nil, usagef("--meter, --meter-command and --meter-file exclude each other")
	case f.time < 0:
		return nil, usagef("--meter-time %v is not a time to measure for", f.time)
	case f.name == noMeter:
		return nil, nil
	}
	m, err := f.asked()
	if errors.Is(err, errors.ErrUnsupported) {
		say("energy is modelled: %s", strings.TrimSuffix(strings.TrimPrefix(err.Error(), "energy: "), ": "+errors.ErrUnsupported.Error()))
		return nil, nil
	}
	if err != nil || asked == 0 {
		return m, err
	}
	if d := m.Description(); d.Shortest() > f.time {
		_ = m.Close()
		return nil, usagef("meter %s has a value every %v, so that a workload takes %v to be right to %g%%: raise --meter-time, which is %v, and --budget", d.Name, d.Period, d.Shortest(), 100*energy.Tolerance, f.time)
	}
	return m, nil
}

// asked opens the meter that is asked for, or the machine's own.
func (f *meterFlags) asked() (energy.Meter, error) {
	switch {
	case f.command != "":
		return energy.OpenCommand(f.command)
	case f.file != "":
		return energy.OpenFile(f.file)
	}
	return energy.Open(f.name)
}

// energySources tells where the energies of a table come from, such as
// "90 rows rapl/package, 10 rows modelled".
func energySources(t *lut.Table) string {
	count := map[string]int{}
	for _, r := range t.Rows {
		count[r.EnergySource]++
	}
	names := slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("%d rows %s", count[name], name)
	}
	return strings.Join(parts, ", ")
}

// printMeters lists the meters that were found, and why others cannot be read.
func printMeters(row func(what, format string, args ...any), found []energy.Found) {
	processor := false
	for _, f := range found {
		if f.Problem != "" {
			row("no energy meter", "%s: %s", f.Name, f.Problem)
			continue
		}
		use := ""
		if f.Processor && !processor {
			processor, use = true, "; used unless another is named"
		}
		detail := fmt.Sprintf("power, read every %v", f.Period)
		if f.Resolution > 0 {
			detail = fmt.Sprintf("energy in steps of %.3g uJ, every %v", f.Resolution*1e6, f.Period)
		}
		row("energy meter", "%s: %s (%s)%s", f.Name, f.Covers, detail, use)
	}
	if !processor {
		row("energy", "modelled and marked so, unless profile has --meter, --meter-command or --meter-file")
	}
}
