package energy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Found is a meter that this machine has, or a kind of meter that it does not.
type Found struct {
	Description
	// Problem is why it cannot be read, or "".
	Problem string `json:"problem,omitempty"`
	// Processor is set where what the meter covers is known to have the
	// processor in it and little else that changes; such a meter is used
	// unless another is asked for.
	Processor bool `json:"processor"`

	open func() (Meter, error) // nil where there is a problem
}

// Open readies the meter.
func (f Found) Open() (Meter, error) {
	if f.Problem != "" {
		return nil, fmt.Errorf("energy: meter %s cannot be read: %s", f.Name, f.Problem)
	}
	return f.open()
}

// Find looks for meters, the better ones first. For each kind of meter that the
// machine has none of there is one entry that says so.
func Find() []Found { return find(os.DirFS("/"), system()) }

// host is what a machine offers beside its files.
type host struct {
	os    string
	root  bool
	which func(program string) error
	// output runs a program to its end.
	output func(program string, args ...string) ([]byte, error)
	// perfOpen opens an event of a PMU on one CPU for all processes.
	perfOpen func(pmu uint32, config uint64, cpu int) (perfEvent, error)
}

func find(root fs.FS, h host) []Found {
	var found []Found
	switch h.os {
	case "linux":
		found = slices.Concat(
			findRAPL(root),
			findPerf(root, h),
			findPMIC(h),
			findHwmon(root),
			findIIO(root),
			findPowerSupply(root),
		)
	case "darwin":
		found = findPowermetrics(h)
	default:
		found = absent("meter", "none is known for "+h.os+"; see --meter-command and --meter-file")
	}
	// Two chips of one kind have the same names; the order of their numbers
	// tells them apart.
	seen := map[string]int{}
	for i := range found {
		f := &found[i]
		if seen[f.Name]++; seen[f.Name] > 1 {
			f.Name = fmt.Sprintf("%s#%d", f.Name, seen[f.Name])
		}
		name, open := f.Name, f.open
		f.open = func() (Meter, error) {
			m, err := open()
			switch m := m.(type) {
			case *counter:
				m.about.Name = name
			case *sampled:
				m.about.Name = name
			}
			return m, err
		}
	}
	return found
}

// absent is the entry of a kind of meter that the machine has none of.
func absent(kind, why string) []Found {
	return []Found{{Description: Description{Name: kind}, Problem: why}}
}

// Open opens the meter of that name, or for "" the first that covers the
// processor. The error says what there is instead; where there is nothing to
// read and none was asked for, it is [errors.ErrUnsupported].
func Open(name string) (Meter, error) { return choose(Find(), name) }

func choose(found []Found, name string) (Meter, error) {
	var readable []string
	for _, f := range found {
		if f.Problem == "" {
			readable = append(readable, f.Name)
		}
		if f.Name == name {
			return f.Open()
		}
	}
	if name != "" {
		others := "none can be read here"
		if len(readable) > 0 {
			others = "there are " + strings.Join(readable, ", ")
		}
		return nil, fmt.Errorf("energy: no meter %q: %s", name, others)
	}
	var problems []string
	for _, f := range found {
		if !f.Processor {
			continue
		}
		m, err := f.Open()
		if err == nil {
			return m, nil
		}
		problems = append(problems, err.Error())
	}
	why := "no meter of the processor"
	if len(problems) > 0 {
		why = strings.TrimPrefix(problems[0], "energy: ")
	} else if len(readable) > 0 {
		why += " (of others there are " + strings.Join(readable, ", ") + ")"
	}
	return nil, fmt.Errorf("energy: %s: %w", why, errors.ErrUnsupported)
}

// glob returns the matching names in natural order: hwmon2 before hwmon10.
func glob(root fs.FS, pattern string) []string {
	names, err := fs.Glob(root, pattern)
	if err != nil { // only a malformed pattern, and all are constants
		panic(err)
	}
	slices.SortFunc(names, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return names
}

// problem says why a meter cannot be read, by the error of trying; "" if it can.
func problem(err error, permission string) string {
	if err == nil {
		return ""
	}
	text := strings.TrimPrefix(err.Error(), "energy: ")
	if errors.Is(err, fs.ErrPermission) {
		text += "; " + permission
	}
	return text
}
