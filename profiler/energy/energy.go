// Package energy finds out how much energy an operator uses: from a meter
// where the machine has one that can be read, else from a model of the
// operator's activity. A modelled figure ranks operators and networks by
// energy; it is not what a wattmeter would show, and whoever stores it marks
// it with [ModelSource].
//
// Each kind of meter has a file of this package. A meter either counts energy,
// then its counter is read before and after what is measured, or it tells
// power, then that is sampled meanwhile and integrated by the trapezoidal rule.
// A meter that cannot be read is an error and never a zero.
package energy

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Meter measures the energy that a machine or a part of it uses: all that goes
// on there, not one process. It is not safe for concurrent use.
type Meter interface {
	Description() Description
	// Measure returns the energy used while run ran. Where it returns an
	// error, run has been called nonetheless.
	Measure(run func()) (Energy, error)
	Close() error
}

// Description is what is known of a meter before it is read.
type Description struct {
	Name   string `json:"name"`   // as it is asked for, such as "rapl/package"
	Covers string `json:"covers"` // what part of the machine
	// Resolution is the smallest step of a counter, in J. 0 for a meter of power.
	Resolution float64 `json:"resolution_j,omitempty"`
	// Wrap is where a counter begins again at zero, in J; 0 if that is not known.
	Wrap float64 `json:"wrap_j,omitempty"`
	// Period is the time between two values: that in which a counter is
	// brought up to date, or that in which power is sampled.
	Period time.Duration `json:"period_ns"`
}

// Shortest is the time below which the meter's period alone makes a figure wrong
// by more than [Tolerance].
func (d Description) Shortest() time.Duration { return time.Duration(1.1/Tolerance) * d.Period }

// Energy is what a meter measured.
type Energy struct {
	Joules     float64
	Start, End time.Time
	// Bound is how wrong Joules may be because of the meter's resolution in
	// energy and in time, in J. The meter's own calibration is not in it.
	Bound float64
	// Samples is the number of power samples; 0 of an energy counter.
	Samples int
}

// Seconds is how long was measured.
func (e Energy) Seconds() float64 { return e.End.Sub(e.Start).Seconds() }

// Watts is the mean power.
func (e Energy) Watts() float64 { return e.Joules / e.Seconds() }

// WorkEnergy is the energy of one run of some work.
type WorkEnergy struct {
	GrossJoules float64 // all that was used meanwhile
	NetJoules   float64 // without what the idle machine would have used
	BoundJoules float64 // how wrong NetJoules may be, see [Energy]
	IdleWatts   float64
	Runs        int
	Seconds     float64 // of all runs
}

// Tolerance is the part of the net energy that the meter's resolution may make
// it wrong by.
const Tolerance = 0.02

// ErrResolution is the error of [PerRun] where the meter works, but is too
// coarse for the work and the time given.
var ErrResolution = errors.New("too coarse a meter")

// The idle power is subtracted from all that is measured later, and has to be
// the more exact: to idleTolerance where the limit allows it.
const (
	idleTime      = 2 * time.Second
	idleTolerance = Tolerance / 4
)

// Idle returns what the meter shows while the process sleeps, in no more than
// limit.
func Idle(ctx context.Context, m Meter, limit time.Duration) (Energy, error) {
	d := m.Description()
	wait := min(max(2*d.Shortest(), idleTime), limit)
	for {
		idle, err := m.Measure(func() {
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		})
		if err := ctx.Err(); err != nil {
			return Energy{}, err
		}
		if err != nil {
			return Energy{}, err
		}
		if !(idle.Seconds() > 0) {
			return Energy{}, fmt.Errorf("energy: %s: no time passed while the idle power was measured", d.Name)
		}
		limit -= wait
		longer := limit
		if want := idleTolerance * idle.Joules; idle.Bound <= want {
			return idle, nil
		} else if want > 0 {
			longer = min(limit, time.Duration(float64(wait)*1.1*idle.Bound/want))
		}
		if longer <= wait { // no more than that is had
			return idle, nil
		}
		wait = longer
	}
}

// PerRun repeats run until the meter's resolution makes the net energy of one
// run wrong by at most [Tolerance], but no longer than limit. Idle is what
// [Idle] returned. Where limit is too short for that, or the machine uses hardly
// more than while idle, the error is [ErrResolution].
func PerRun(ctx context.Context, m Meter, idle Energy, limit time.Duration, run func()) (WorkEnergy, error) {
	d := m.Description()
	total := d.Shortest()
	if total > limit {
		return WorkEnergy{}, fmt.Errorf("energy: %w: %s has a value every %v and needs %v to be right to %g%%; there are %v", ErrResolution, d.Name, d.Period, total, 100*Tolerance, limit.Round(time.Millisecond))
	}
	begin := time.Now()
	for {
		runs := 0
		e, err := m.Measure(func() {
			for start := time.Now(); runs == 0 || time.Since(start) < total && ctx.Err() == nil; runs++ {
				run()
			}
		})
		if err := ctx.Err(); err != nil {
			return WorkEnergy{}, err
		}
		if err != nil {
			return WorkEnergy{}, err
		}
		n := float64(runs)
		bound := e.Bound + idle.Bound*e.Seconds()/idle.Seconds()
		net := e.Joules - idle.Watts()*e.Seconds()
		if bound <= Tolerance*net {
			return WorkEnergy{
				GrossJoules: e.Joules / n, NetJoules: net / n, BoundJoules: bound / n,
				IdleWatts: idle.Watts(), Runs: runs, Seconds: e.Seconds(),
			}, nil
		}
		// The part that idling makes uncertain does not shrink with time.
		need := 4 * total
		if rest := net/e.Seconds()*Tolerance - idle.Bound/idle.Seconds(); rest > 0 {
			need = time.Duration(1.2 * e.Bound / rest * float64(time.Second))
		}
		left := limit - time.Since(begin)
		if total*5/4 > left {
			return WorkEnergy{}, fmt.Errorf("energy: %w: %s shows %.3g W under load and %.3g W idle, which is ±%.3g J of %.3g J net after %v", ErrResolution, d.Name, e.Watts(), idle.Watts(), bound, net, time.Since(begin).Round(time.Millisecond))
		}
		total = min(max(need, total*5/4), left)
	}
}
