package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/hwprofd/hwprofd/lut"
)

// recall takes measurements of the networks from the table of an earlier
// evaluation, if there is one.
func (e *evaluation) recall(networks []evaluatedNetwork) ([]lut.Network, clock, bool, error) {
	if e.kept == "" {
		return nil, clock{}, false, nil
	}
	if _, err := os.Stat(e.kept); errors.Is(err, fs.ErrNotExist) {
		return nil, clock{}, false, nil
	}
	t, err := lut.Read(e.kept)
	if err != nil {
		return nil, clock{}, false, err
	}
	if t.Meta.Fingerprint != e.table.Meta.Fingerprint || t.Meta.Runtime != e.table.Meta.Runtime || t.Meta.Threads != e.table.Meta.Threads {
		return nil, clock{}, false, fmt.Errorf("%s is of another device, runtime or number of threads than the table; remove it or name another file", e.kept)
	}
	known := map[string]lut.Network{}
	for _, n := range t.Networks {
		if n.Use == "test" {
			known[n.Name] = n
		} else {
			e.again = append(e.again, n)
		}
	}
	measured := make([]lut.Network, len(networks))
	for i, n := range networks {
		var ok bool
		if measured[i], ok = known[n.name]; !ok {
			return nil, clock{}, false, fmt.Errorf("%s has no measurement of %s; remove it to measure anew", e.kept, n.name)
		}
	}
	// It was measured relative to the table's speed unless the clock had changed.
	c := clock{ThenNS: baselineNS(e.table, e.table), Factor: 1}
	c.set(baselineNS(t, e.table))
	return measured, c, true, nil
}

// baselineNS is what t has of the kernel that tells the clock of a table.
func baselineNS(t, table *lut.Table) float64 {
	if t.Meta.Protocol.Baseline == nil || table.Meta.Protocol.Baseline == nil {
		return 0
	}
	return *clockOf(t.Meta.Protocol.Baseline, *table.Meta.Protocol.Baseline)
}

// keep writes what was measured.
func (e *evaluation) keep(measured []lut.Network, c clock) error {
	if e.kept == "" {
		return nil
	}
	meta := e.table.Meta
	if meta.Protocol.Baseline != nil {
		b := *meta.Protocol.Baseline
		*clockOf(&b, *meta.Protocol.Baseline) = c.NowNS
		meta.Protocol.Baseline = &b
	}
	t := &lut.Table{Meta: meta}
	for _, n := range measured {
		n.Use = "test"
		t.Networks = append(t.Networks, n)
	}
	t.Networks = append(t.Networks, e.again...)
	return t.Write(e.kept)
}
