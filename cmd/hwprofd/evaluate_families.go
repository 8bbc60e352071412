package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/nas/space"
	"github.com/hwprofd/hwprofd/predictor"
)

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
		p, _ = e.drifted(p, f.Name)
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
			workloads, err := measured[at].ParseWorkloads()
			if err != nil {
				return nil // it was predicted before
			}
			prediction, err := p.Predict(workloads)
			if err != nil {
				return nil
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
