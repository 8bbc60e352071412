package profiler

import (
	"math"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/profiler/counters"
)

// counting is how a profiler stands with the processor's counters.
type counting struct {
	set *counters.Set // nil where there are none, or none is open
}

// openCounters opens the counters for the calling thread, and returns what
// closes them. What cannot be counted is said once.
func (p *Profiler) openCounters() (close func()) {
	if !p.worksHere() {
		return func() {}
	}
	set, err := counters.Open()
	if err != nil {
		p.warn("cycles, instructions and cache misses are not counted: " + err.Error())
		return func() {}
	}
	if set.Lacks(counters.Cycles, counters.Instructions, counters.CacheMisses) {
		p.warn("not counted: " + set.Reasons())
	}
	p.counting.set = set
	return func() {
		p.counting.set = nil
		_ = set.Close()
	}
}

// firstRunner is a session that timed its first run.
type firstRunner interface{ firstRun() time.Duration }

// memoryUser is a session that knows the memory in bytes that it takes.
type memoryUser interface{ memoryBytes() float64 }

// countedTime is about how long the runs last over which events are counted.
const countedTime = time.Millisecond

// observe fills in what is known of row beside its times; a run of session does
// the row's work times times.
func (p *Profiler) observe(row *lut.Row, session Session, times float64) {
	if s, ok := session.(memoryUser); ok {
		if bytes := s.memoryBytes(); bytes > 0 {
			row.PeakMemoryBytes = &bytes
		}
	} else if s, ok := session.(*planSession); ok { // the process holds much else
		bytes := float64(s.plan.ArenaBytes())
		if w, err := row.Workload(); err == nil {
			bytes += float64(w.Params() * elementBytes(w.DType))
		}
		row.PeakMemoryBytes = &bytes
	}
	s, ok := session.(*planSession)
	if !ok || p.counting.set == nil {
		return
	}
	runs := max(1, int(float64(countedTime)/(row.LatencyMedianNS*times)))
	counts, err := p.counting.set.Measure(func() {
		for range runs {
			_ = s.plan.Run()
		}
	})
	if err != nil {
		return
	}
	for name, column := range map[string]**float64{
		counters.Cycles: &row.Cycles, counters.Instructions: &row.Instructions, counters.CacheMisses: &row.CacheMisses,
	} {
		if n, ok := counts.Value(name); ok && (n > 0 || name == counters.CacheMisses) {
			each := math.Max(float64(n), 0) / float64(runs) / times
			*column = &each
		}
	}
}

func elementBytes(d graph.DType) int64 {
	switch d {
	case graph.F16, graph.BF16:
		return 2
	case graph.I8, graph.U8:
		return 1
	}
	return 4
}
