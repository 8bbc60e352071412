package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/nas/space"
	"github.com/hwprofd/hwprofd/predictor"
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
		known[n.Name] = n
	}
	measured := make([]lut.Network, len(networks))
	for i, n := range networks {
		var ok bool
		if measured[i], ok = known[n.name]; !ok {
			return nil, clock{}, false, fmt.Errorf("%s has no measurement of %s; remove it to measure anew", e.kept, n.name)
		}
	}
	// It was measured relative to the table's speed unless the clock had changed.
	c := clock{ThenNS: baselineNS(e.table), Factor: 1}
	c.set(baselineNS(t))
	return measured, c, true, nil
}

func baselineNS(t *lut.Table) float64 {
	if t.Meta.Protocol.Baseline == nil {
		return 0
	}
	return t.Meta.Protocol.Baseline.ComputeNS
}

// keep writes what was measured.
func (e *evaluation) keep(measured []lut.Network, c clock) error {
	if e.kept == "" {
		return nil
	}
	meta := e.table.Meta
	if meta.Protocol.Baseline != nil {
		b := *meta.Protocol.Baseline
		b.ComputeNS = c.NowNS
		meta.Protocol.Baseline = &b
	}
	t := &lut.Table{Meta: meta}
	for _, n := range measured {
		n.Use = "test"
		t.Networks = append(t.Networks, n)
	}
	return t.Write(e.kept)
}

// networkFamily is the family of a table's network: its space, or "models".
func networkFamily(name string) string {
	of, _, ok := strings.Cut(name, ":")
	if !ok {
		return "models"
	}
	if _, err := space.Published(of); err != nil {
		return "models"
	}
	return of
}

// leaveOut predicts each family by the table without its networks; its
// workloads keep their rows.
func (e *evaluation) leaveOut(result *evaluated, networks []evaluatedNetwork) error {
	for _, f := range result.Families {
		rest := &lut.Table{Meta: e.table.Meta, Rows: e.table.Rows}
		for _, n := range e.table.Networks {
			if networkFamily(n.Name) != f.Name {
				rest.Networks = append(rest.Networks, n)
			}
		}
		p, err := predictor.Fit(rest)
		if err != nil {
			return fmt.Errorf("without %s: %w", f.Name, err)
		}
		if p, err = p.Within(result.Coverage); err != nil {
			return err
		}
		var of []lut.Network
		for i, n := range networks {
			if n.family == f.Name {
				of = append(of, e.measured[i])
			}
		}
		a, err := p.Evaluate(of)
		if err != nil {
			return err
		}
		result.LeftOut = append(result.LeftOut, accuracyOf(f.Name, a, true))
	}
	return nil
}

type pickedJSON struct {
	Picks    int     `json:"picks"`
	Of       int     `json:"of"`
	Coverage float64 `json:"coverage"`
}

// pickedCoverage draws groups of networks of a family and tells how often the
// one that looks fastest beside the measurements lies in the interval that a
// search would give it. A search picks among networks of about the same cost;
// the pick of a group is the one with the least ratio of predicted to measured
// time, which is the worst that searching can do.
func pickedCoverage(networks []evaluatedNetworkJSON, p *predictor.Predictor, measured []lut.Network, factor float64) *pickedJSON {
	const size, each = 10, 50
	groups := map[string][]int{}
	var names []string
	for i, n := range networks {
		if groups[n.Family] == nil {
			names = append(names, n.Family)
		}
		groups[n.Family] = append(groups[n.Family], i)
	}
	out := &pickedJSON{Of: size}
	held := 0
	rng := rand.New(rand.NewPCG(1, streamCheck))
	for _, name := range names {
		of := groups[name]
		if len(of) < 2*size {
			continue
		}
		for range each {
			rng.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
			at := of[0]
			for _, i := range of[1:size] {
				if networks[i].PredictedNS/networks[i].MeasuredNS < networks[at].PredictedNS/networks[at].MeasuredNS {
					at = i
				}
			}
			prediction, err := predictKeys(p, measured[at].Workloads)
			if err != nil {
				return nil // it was predicted before
			}
			pick := predictor.Picked(prediction.Scaled(factor), size)
			if pick.LowNS <= networks[at].MeasuredNS && networks[at].MeasuredNS <= pick.HighNS {
				held++
			}
			out.Picks++
		}
	}
	if out.Picks == 0 {
		return nil
	}
	out.Coverage = float64(held) / float64(out.Picks)
	return out
}

func predictKeys(p *predictor.Predictor, keys []string) (predictor.Prediction, error) {
	workloads := make([]graph.Workload, len(keys))
	for i, key := range keys {
		var err error
		if workloads[i], err = graph.ParseWorkload(key); err != nil {
			return predictor.Prediction{}, err
		}
	}
	return p.Predict(workloads)
}
