package main

import (
	"context"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/profiler"
)

// clock is what became of the device's speed since the table was measured.
type clock struct {
	ThenNS   float64 `json:"lut_ns"` // the calibration kernel
	NowNS    float64 `json:"now_ns"`
	Factor   float64 `json:"factor"` // on all predicted latencies: NowNS / ThenNS, or 1
	Rescaled bool    `json:"rescaled"`
}

// sameClock is how much the calibration kernel may differ from the table's
// before the clock counts as changed. It is what other work on the machine
// makes of two measurements of one clock.
const sameClock = 0.05

// clock measures the calibration kernel once more.
func (e *evaluation) clock(ctx context.Context) (clock, error) {
	then := profiler.Baseline(e.table)
	c := clock{ThenNS: *clockOf(&then, then), Factor: 1}
	if c.ThenNS == 0 {
		e.progress.say("the table has no calibration kernel: a change of the clock would not show")
		return c, nil
	}
	calibration, err := graph.ParseWorkload(e.table.Meta.Protocol.Calibration)
	if err != nil {
		return c, fmt.Errorf("the table's calibration kernel: %w", err)
	}
	// As a whole network, as the baseline was taken: a workload alone is spared
	// the conversions of its layout.
	g, err := graph.FromWorkload(calibration, e.seed)
	if err != nil {
		return c, fmt.Errorf("the table's calibration kernel: %w", err)
	}
	p := profiler.New(profiler.Options{Seed: e.seed})
	if _, err := p.Network(ctx, "calibration", g); err != nil {
		return c, err
	}
	now := p.Speed()
	c.set(*clockOf(&now, then))
	if c.Rescaled {
		e.progress.say("the device's clock changed: the calibration kernel takes %s, when the table was measured %s; predictions are scaled by %.3f",
			nanoseconds(c.NowNS), nanoseconds(c.ThenNS), c.Factor)
	}
	return c, nil
}

// clockOf is what b has of the kernel that tells the clock by a table's baseline: the
// chain of dependent operations, and in tables without it the one that is bound by
// arithmetic, whose time differs by up to a seventh with where its data lie, and of
// which a table has the least of all its time.
func clockOf(b *lut.Baseline, table lut.Baseline) *float64 {
	if table.ClockNS > 0 {
		return &b.ClockNS
	}
	return &b.ComputeNS
}

func (c *clock) set(nowNS float64) {
	c.NowNS = nowNS
	if ratio := nowNS / c.ThenNS; math.Abs(math.Log(ratio)) > sameClock {
		c.Factor, c.Rescaled = ratio, true
	}
}

// evaluateClock measures the calibration kernel of a table, and says by how much
// what is predicted from the table has to be scaled.
func evaluateClock(cmd *cobra.Command, path string, seed uint64, asJSON bool) error {
	table, err := lut.Read(path)
	if err != nil {
		return err
	}
	if err := checkHere(path, table, lut.OwnRuntime); err != nil {
		return err
	}
	defer kernels.Threads(kernels.Threads(table.Meta.Threads))
	e := &evaluation{table: table, progress: newProgress(cmd.ErrOrStderr()), seed: seed}
	c, err := e.clock(cmd.Context())
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), c)
	}
	if c.ThenNS == 0 {
		return nil // which was said
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "calibration kernel  %s, when the table was measured %s\nfactor              %.3f on what is predicted from the table\n",
		nanoseconds(c.NowNS), nanoseconds(c.ThenNS), c.Factor)
	return err
}
