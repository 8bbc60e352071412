// Package counters counts what a processor does while something runs: cycles,
// instructions, cache misses and others, through Linux's perf_event_open.
//
// What the kernel or the machine does not allow is missing, with the reason;
// virtual machines for example often have no hardware counters.
package counters

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Count is what was counted of one event.
type Count struct {
	Name  string
	Value uint64
	// Scaled is set where more events were asked for than the processor has
	// counters, so that they took turns: Value is then an estimate.
	Scaled bool
}

// Missing is an event that cannot be counted here.
type Missing struct {
	Name string
	Err  error
}

// Counts is what was counted in one run.
type Counts []Count

// Value returns the count of an event, and whether it was counted.
func (c Counts) Value(name string) (uint64, bool) {
	for _, count := range c {
		if count.Name == name {
			return count.Value, true
		}
	}
	return 0, false
}

// Names of the events that [Open] looks for.
const (
	Cycles          = "cycles"
	Instructions    = "instructions"
	CacheReferences = "cache-references" // of the last level
	CacheMisses     = "cache-misses"     // of the last level
	L1DMisses       = "L1-dcache-load-misses"
	Branches        = "branches"
	BranchMisses    = "branch-misses"
	TaskClock       = "task-clock" // ns on a CPU
	ContextSwitches = "context-switches"
	Migrations      = "cpu-migrations"
	PageFaults      = "page-faults"
)

// event is how the kernel knows an event.
type event struct {
	name   string
	kind   uint32
	config uint64
}

// counting is an open event.
type counting interface {
	start() error
	// stop returns the count, and for how many ns it was asked for and for how
	// many a counter was given to it.
	stop() (value, enabled, running uint64, err error)
	Close() error
}

// Set is a set of open events. They count what the thread that opened them
// does: hardware events in user space only. That thread has to be locked with
// runtime.LockOSThread.
type Set struct {
	names   []string
	events  []counting
	missing []Missing
}

// Open opens the events that can be counted here, for the calling thread. The
// others are in [Set.Missing]. It fails where there are none at all.
func Open() (*Set, error) { return open(known, openEvent) }

func open(events []event, openEvent func(event) (counting, error)) (*Set, error) {
	s := &Set{}
	for _, e := range events {
		c, err := openEvent(e)
		if err != nil {
			s.missing = append(s.missing, Missing{e.name, err})
			continue
		}
		s.names = append(s.names, e.name)
		s.events = append(s.events, c)
	}
	switch {
	case len(s.events) > 0:
		return s, nil
	case len(s.missing) > 0:
		return nil, fmt.Errorf("counters: %s: %w", s.missing[0].Name, s.missing[0].Err)
	}
	return nil, fmt.Errorf("counters: %w: this needs Linux", errors.ErrUnsupported)
}

// Missing lists the events that cannot be counted here, with the reasons.
func (s *Set) Missing() []Missing { return s.missing }

// Reasons tells why events are missing, those with the same reason together.
func (s *Set) Reasons() string {
	var order []string
	names := map[string][]string{}
	for _, m := range s.missing {
		why := m.Err.Error()
		if names[why] == nil {
			order = append(order, why)
		}
		names[why] = append(names[why], m.Name)
	}
	for i, why := range order {
		order[i] = strings.Join(names[why], ", ") + ": " + why
	}
	return strings.Join(order, "; ")
}

// Measure counts while run runs. An event that got no counter in that time is
// left out.
func (s *Set) Measure(run func()) (Counts, error) {
	var failed error
	before := make([][2]uint64, len(s.events))
	for i, e := range s.events {
		_, enabled, running, err := e.stop()
		if err == nil {
			before[i] = [2]uint64{enabled, running}
			err = e.start()
		}
		if err != nil && failed == nil {
			failed = fmt.Errorf("counters: %s: %w", s.names[i], err)
		}
	}
	run()
	var counts Counts
	for i, e := range s.events {
		value, enabled, running, err := e.stop()
		if err != nil && failed == nil {
			failed = fmt.Errorf("counters: %s: %w", s.names[i], err)
		}
		// The times are since the event was opened: resetting leaves them.
		enabled, running = enabled-before[i][0], running-before[i][1]
		if running == 0 {
			continue
		}
		c := Count{Name: s.names[i], Value: value}
		if running < enabled {
			c.Scaled = true
			c.Value = uint64(float64(value) * float64(enabled) / float64(running))
		}
		counts = append(counts, c)
	}
	if failed != nil {
		return nil, failed
	}
	return counts, nil
}

// Close closes all events.
func (s *Set) Close() error {
	var err error
	for _, e := range s.events {
		err = errors.Join(err, e.Close())
	}
	return err
}

// Lacks reports whether one of the events cannot be counted here.
func (s *Set) Lacks(names ...string) bool {
	for _, name := range names {
		if !slices.Contains(s.names, name) {
			return true
		}
	}
	return false
}
