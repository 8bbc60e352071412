package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/predictor"
	"github.com/hwprofd/hwprofd/profiler"
)

// networkName is how a network of a space is called in tables and reports.
func networkName(s nas.Space, a nas.Architecture) string { return s.Name() + ":" + a.String() }

func namedNetworks(s nas.Space, architectures []nas.Architecture, use string) []profiler.NamedGraph {
	networks := make([]profiler.NamedGraph, len(architectures))
	for i, a := range architectures {
		networks[i] = profiler.NamedGraph{
			Name: networkName(s, a), Use: use, Lower: func() (*graph.Graph, error) { return s.Lower(a) },
		}
	}
	return networks
}

// drawNetworks draws the networks that a quickstart fits and calibrates on, and
// those to check predictions with; none is in two of the sets.
func drawNetworks(s nas.Space, seed uint64) (fit, calibrate, check []nas.Architecture, err error) {
	fit, calibrate, seen, err := drawUsed(s, seed, fitNetworks, calibrateNetworks)
	if err != nil {
		return nil, nil, nil, err
	}
	check, err = drawDistinct(s, seed, streamCheck, checkNetworks, seen)
	return fit, calibrate, check, err
}

// drawUsed draws at least as many networks to fit and to calibrate on as a
// quickstart does.
func drawUsed(s nas.Space, seed uint64, fitted, calibrated int) (fit, calibrate []nas.Architecture, seen map[string]bool, err error) {
	ends := []nas.Architecture{s.Smallest(), s.Largest()}
	seen = map[string]bool{}
	for _, a := range ends {
		seen[a.String()] = true
	}
	if fit, err = drawDistinct(s, seed, streamFit, max(fitted, fitNetworks)-len(ends), seen); err != nil {
		return nil, nil, nil, err
	}
	calibrate, err = drawDistinct(s, seed, streamCalibrate, max(calibrated, calibrateNetworks), seen)
	return append(ends, fit...), calibrate, seen, err
}

// spaceNetworks are the whole networks of a space that a predictor is fitted to
// and calibrated on, of each the first of those that a quickstart takes.
func spaceNetworks(s nas.Space, seed uint64, fit, calibrate int) ([]profiler.NamedGraph, error) {
	fitted, calibrated, _, err := drawUsed(s, seed, fit, calibrate)
	if err != nil {
		return nil, err
	}
	return append(namedNetworks(s, fitted[:fit], "fit"), namedNetworks(s, calibrated[:calibrate], "calibrate")...), nil
}

// profile measures workloads of the space and some of its networks.
func (q *quickstart) profile(ctx context.Context, budget time.Duration) error {
	path := q.folder.table()
	if q.folder.state.Finished["profile"] {
		var err error
		q.table, err = lut.Read(path)
		return err
	}
	whole := time.Duration(profileShare * float64(q.folder.state.Budget))
	// The set of items depends on the budget of the whole run, not on what is
	// left of it, so that a resumed run measures the same ones.
	workloads, err := spaceWorkloads([]nas.Space{q.space}, q.folder.state.Seed, whole, nil)
	if err != nil {
		return err
	}
	networks, err := spaceNetworks(q.space, q.folder.state.Seed, fitNetworks, calibrateNetworks)
	if err != nil {
		return err
	}
	q.progress.say("      %d workloads and %d whole networks of space %s", len(workloads), len(networks), q.space.Name())
	// What is left of the budget may be short after interruptions; what is
	// missing is measured all the same.
	meter, err := (&meterFlags{}).open(q.progress.say)
	if err != nil {
		return err
	}
	if meter != nil {
		defer meter.Close()
	}
	p := profiler.New(profiler.Options{
		Budget: max(budget, whole/4), Seed: q.folder.state.Seed,
		Meter: meter, Warn: func(message string) { q.progress.say("      %s", message) },
		Progress: q.progress.items,
	})
	q.table, err = p.Run(ctx, path, tableMeta(q.device), workloads, networks)
	return err
}

// fit makes the predictor; it takes no time worth keeping its result for.
func (q *quickstart) fit(context.Context, time.Duration) error {
	var err error
	if q.predictor, err = predictor.Fit(q.table); err != nil {
		return err
	}
	stable := 0
	for _, r := range q.table.Rows {
		if r.Stable {
			stable++
		}
	}
	q.progress.say("      %d of %d workloads reached an interval of 2%%; %s", stable, len(q.table.Rows), modelLine(q.predictor.Models()))
	return nil
}

func modelLine(models []predictor.Model) string {
	slices.SortFunc(models, func(a, b predictor.Model) int { return cmp.Compare(b.Rows, a.Rows) })
	line := "regression error in cross-validation"
	for i, m := range models[:min(3, len(models))] {
		if i > 0 {
			line += ","
		}
		line += fmt.Sprintf(" %s %.1f%%", m.Family, 100*m.Error)
	}
	return line
}

// checkResult compares predictions, made first, with measurements.
type checkResult struct {
	Networks []comparison
	Picks    []pickResult
}

// comparison is one network, predicted and measured.
type comparison struct {
	Name      string
	Predicted predictionSummary
	Measured  lut.Network
}

// predictionSummary is a prediction without its parts.
type predictionSummary struct {
	LatencyNS, LowNS, HighNS, Coverage float64
	EnergyMJ, EnergyLow, EnergyHigh    float64 // where EnergySource says from what
	EnergySource                       string
}

func summarize(p predictor.Prediction) predictionSummary {
	s := predictionSummary{LatencyNS: p.LatencyNS, LowNS: p.LowNS, HighNS: p.HighNS, Coverage: p.Coverage}
	if p.EnergySource != "" {
		s.EnergyMJ, s.EnergyLow, s.EnergyHigh, s.EnergySource = p.EnergyMJ, p.EnergyLow, p.EnergyHigh, p.EnergySource
	}
	return s
}

// checkPredictions measures the picks as their ONNX files say, and networks
// that nothing was fitted to.
func (q *quickstart) checkPredictions(ctx context.Context, budget time.Duration) error {
	if q.folder.state.Finished["check"] {
		return nil // export read the result
	}
	_, _, check, err := drawNetworks(q.space, q.folder.state.Seed)
	if err != nil {
		return err
	}
	networks := namedNetworks(q.space, check, "test")
	for _, pick := range q.check.Picks {
		g, err := onnx.Read(q.folder.path(pick.File))
		if err != nil {
			return err
		}
		networks = append(networks, profiler.NamedGraph{Name: pick.File, Use: "test", Graph: g})
	}
	compared := make([]comparison, len(networks))
	for i, n := range networks {
		g, err := n.Lowered()
		if err != nil {
			return err
		}
		prediction, err := q.predictor.PredictGraph(g)
		if err != nil {
			return err
		}
		if i >= len(check) {
			prediction = q.outcome.picked(prediction)
		}
		compared[i] = comparison{Name: n.Name, Predicted: summarize(prediction)}
	}
	measured, err := profiler.New(profiler.Options{
		Seed: q.folder.state.Seed, MaxPerItem: max(budget, 2*time.Second) / time.Duration(len(networks)),
		Baseline: profiler.Baseline(q.table), Progress: q.progress.items,
	}).Networks(ctx, networks)
	if err != nil {
		return err
	}
	for i, n := range measured {
		compared[i].Measured = n
	}
	q.check.Networks = compared[:len(check)]
	for i, c := range compared[len(check):] {
		q.check.Picks[i].comparison = c
	}
	return writeJSONFile(q.folder.check(), q.check)
}

// accuracy of the predictions for networks never measured before.
func (r *checkResult) accuracy(p *predictor.Predictor) (predictor.Accuracy, error) {
	networks := make([]lut.Network, len(r.Networks))
	for i, c := range r.Networks {
		networks[i] = c.Measured
	}
	return p.Evaluate(networks)
}
