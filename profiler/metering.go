package profiler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/profiler/energy"
)

const (
	// The idle power changes with temperature and with what else runs, and is
	// measured anew when it is this old.
	idleLasts = 5 * time.Minute
	// A meter that fails so often in a row has vanished.
	failuresToGiveUp = 3
	// Runs are metered in batches that last about this long, so that asking an
	// outside runtime for one is a small part of it.
	meteredBatch = time.Millisecond
)

// metering is how a profiler stands with its meter.
type metering struct {
	meter    energy.Meter // nil where there is none, or none any more
	idle     energy.Energy
	limit    time.Duration // for an item, of its share of the budget
	failures int           // in a row
	coarse   bool          // it was said that the meter is too coarse for some rows
}

// timingShare is the part of an item's share of the budget in which it is
// timed. The rest, what a meter usually needs and at most half, is for energy.
func (p *Profiler) timingShare(share time.Duration) time.Duration {
	if p.metering.meter == nil {
		return share
	}
	return share - min(share/2, 2*p.metering.meter.Description().Shortest())
}

// meterRow replaces the modelled energy of row, of which a run of session does
// the work times times, by a measured one: the net energy, without what the idle machine
// would have used. Where the meter does not tell it the row stays modelled. It
// fails only where ctx ended.
func (p *Profiler) meterRow(ctx context.Context, row *lut.Row, w graph.Workload, session Session, times int) error {
	if p.metering.meter == nil {
		return nil
	}
	batch := max(1, int(meteredBatch/time.Duration(max(row.LatencyMedianNS*float64(times), 1))))
	e, err := p.energyOf(ctx, session, batch, p.metering.limit)
	if err := ctx.Err(); err != nil {
		return err
	}
	if err != nil {
		p.meterFailed(w, err)
		return nil
	}
	p.metering.failures = 0
	times *= batch
	e.GrossJoules /= float64(times)
	e.NetJoules /= float64(times)
	e.BoundJoules /= float64(times)
	e.Runs *= times
	gross, idle := e.GrossJoules*1e3, (e.GrossJoules-e.NetJoules)*1e3
	*row.EnergyMJ = e.NetJoules * 1e3
	row.EnergyGrossMJ, row.EnergyIdleMJ = &gross, &idle
	row.EnergySource = p.metering.meter.Description().Name
	if p.options.Metered != nil {
		p.options.Metered(w, e)
	}
	return nil
}

// energyOf returns the energy of batch runs of session.
func (p *Profiler) energyOf(ctx context.Context, session Session, batch int, limit time.Duration) (energy.WorkEnergy, error) {
	m := &p.metering
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	if m.idle.End.IsZero() || time.Since(m.idle.End) > idleLasts {
		var err error
		if m.idle, err = energy.Idle(ctx, m.meter, p.options.MaxEnergyPerItem); err != nil {
			m.idle = energy.Energy{}
			return energy.WorkEnergy{}, err
		}
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	e, err := energy.PerRun(ctx, m.meter, m.idle, limit, func() {
		if _, err := session.Run(ctx, batch); err != nil {
			stop(err)
		}
	})
	if failed := context.Cause(ctx); failed != nil {
		return energy.WorkEnergy{}, failed
	}
	return e, err
}

// meterFailed says why w has a modelled energy, and gives up a meter that does
// not recover.
func (p *Profiler) meterFailed(w graph.Workload, err error) {
	m := &p.metering
	if errors.Is(err, energy.ErrResolution) {
		if !m.coarse {
			p.warn(fmt.Sprintf("%s: energy is modelled, as in other rows like it, which are marked and not named again: %v", w, err))
		}
		m.coarse = true
		return
	}
	m.failures++
	p.warn(fmt.Sprintf("%s: energy is modelled: %v", w, err))
	if m.failures == failuresToGiveUp {
		p.warn(fmt.Sprintf("meter %s failed %d times in a row and is given up: all further energies are modelled", m.meter.Description().Name, m.failures))
		m.meter = nil
	}
}

// leastMetered is the number of rows with metered energies from which on a model
// of three coefficients is fitted to them.
const leastMetered = 12

func activityOf(row *lut.Row) energy.Activity {
	return energy.Activity{MACs: row.MACs, Bytes: row.Bytes, LatencyNS: row.LatencyMedianNS}
}

// modelEnergy gives row the energy that a model says.
func modelEnergy(row *lut.Row, model energy.Coefficients) {
	mj := model.Millijoules(activityOf(row))
	row.EnergyMJ, row.EnergySource = &mj, energy.ModelSource
}

// refitEnergy models the energies that no meter told anew, by a model that is
// fitted to those that one did, where these are enough. It returns the model, or
// nil where the rows stay as they are.
func (p *Profiler) refitEnergy(rows ...*lut.Row) *lut.EnergyModel {
	bySource := map[string][]*lut.Row{}
	for _, row := range rows {
		if row.EnergyMJ != nil {
			bySource[row.EnergySource] = append(bySource[row.EnergySource], row)
		}
	}
	modelled := bySource[energy.ModelSource]
	delete(bySource, energy.ModelSource)
	meter := ""
	for _, name := range slices.Sorted(maps.Keys(bySource)) {
		if meter == "" || len(bySource[name]) > len(bySource[meter]) {
			meter = name
		}
	}
	metered := bySource[meter]
	if len(modelled) == 0 || len(metered) < leastMetered {
		return nil
	}
	var work []energy.Activity
	var mj []float64
	for _, row := range metered {
		work, mj = append(work, activityOf(row)), append(mj, *row.EnergyMJ)
	}
	model, err := energy.Fit(work, mj)
	if err != nil {
		p.warn(fmt.Sprintf("the energies that %s told give no model for the other rows: %v", meter, err))
		return nil
	}
	off := make([]float64, len(work))
	for i, a := range work {
		off[i] = math.Abs(model.Millijoules(a)/mj[i] - 1)
	}
	slices.Sort(off)
	for _, row := range modelled {
		modelEnergy(row, model)
	}
	m := &lut.EnergyModel{
		PicojoulePerMAC: model.PicojoulePerMAC, PicojoulePerByte: model.PicojoulePerByte, StaticWatt: model.StaticWatt,
		FittedTo: meter, Rows: len(work), MedianError: off[len(off)/2],
	}
	p.warn(fmt.Sprintf("energy of %d rows is modelled by what %s told of %d others, which the model misses by %.1f%% in the median", len(modelled), meter, m.Rows, 100*m.MedianError))
	return m
}

func (p *Profiler) warn(message string) {
	if p.options.Warn != nil {
		p.options.Warn(message)
	}
}
