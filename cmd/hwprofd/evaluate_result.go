package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/predictor"
)

// evaluated is what evaluate says.
type evaluated struct {
	Device   string  `json:"device"`
	Runtime  string  `json:"runtime"`
	Threads  int     `json:"threads"`
	Coverage float64 `json:"coverage"` // asked for
	Clock    clock   `json:"clock"`
	// Drift is what became of the device since the table was measured, as some of the
	// table's networks measured again tell, and AsOfTable what would have been
	// predicted without it; both are missing where too few were.
	Drift     *predictor.Drift `json:"drift,omitempty"`
	AsOfTable *accuracyJSON    `json:"as_of_table,omitempty"`
	All       accuracyJSON     `json:"all"`
	Families  []accuracyJSON   `json:"families"`
	LeftOut   []accuracyJSON   `json:"left_out,omitempty"` // families, by a table without their networks
	// Picked is how often the interval held of networks that looked fastest.
	Picked   *pickedJSON            `json:"picked,omitempty"`
	Base     []accuracyJSON         `json:"baselines"`
	Networks []evaluatedNetworkJSON `json:"networks"`
}

type accuracyJSON struct {
	Name        string   `json:"name"`
	Networks    int      `json:"networks"`
	MAPE        float64  `json:"mape"`
	MedianError float64  `json:"median_error"`
	MaxError    float64  `json:"max_error"`
	Within5     float64  `json:"within5"`
	Within10    float64  `json:"within10"`
	Spearman    float64  `json:"spearman"`
	Kendall     float64  `json:"kendall"`
	Coverage    *float64 `json:"coverage,omitempty"`
	HalfWidth   *float64 `json:"median_half_width,omitempty"`
}

type evaluatedNetworkJSON struct {
	Name        string  `json:"name"`
	Family      string  `json:"family"`
	PredictedNS float64 `json:"predicted_ns"`
	LowNS       float64 `json:"low_ns"`
	HighNS      float64 `json:"high_ns"`
	MeasuredNS  float64 `json:"measured_ns"`
	CI95NS      float64 `json:"ci95_ns"`
}

func (n *evaluatedNetworkJSON) inside() bool {
	return n.LowNS <= n.MeasuredNS && n.MeasuredNS <= n.HighNS
}

func accuracyOf(name string, a predictor.Accuracy, intervals bool) accuracyJSON {
	out := accuracyJSON{
		Name: name, Networks: a.N, MAPE: a.MAPE, MedianError: a.MedianError, MaxError: a.MaxError,
		Within5: a.Within5, Within10: a.Within10, Spearman: a.Spearman, Kendall: a.Kendall,
	}
	if intervals {
		out.Coverage, out.HalfWidth = &a.Coverage, &a.MedianWidth
	}
	return out
}

// compare puts predictions beside measurements.
func (e *evaluation) compare(networks []evaluatedNetwork, measured []lut.Network, c clock) (*evaluated, error) {
	meta := e.table.Meta
	result := &evaluated{Device: meta.Fingerprint, Runtime: meta.Runtime, Threads: meta.Threads, Clock: c}
	for i := range e.again {
		e.again[i].LatencyMedianNS /= c.Factor
	}
	asOfTable := e.predictor
	e.predictor, result.Drift = e.drifted(asOfTable, "")
	var names []string
	families := map[string][]lut.Network{}
	for i, n := range networks {
		m := measured[i]
		workloads, err := m.ParseWorkloads()
		if err != nil {
			return nil, err
		}
		prediction, err := e.predictor.Predict(workloads)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.name, err)
		}
		prediction = prediction.Scaled(c.Factor)
		result.Coverage = prediction.Coverage
		result.Networks = append(result.Networks, evaluatedNetworkJSON{
			n.name, n.family, prediction.LatencyNS, prediction.LowNS, prediction.HighNS, m.LatencyMedianNS, m.LatencyCI95NS,
		})
		// The predictor knows the table's clock only.
		m.LatencyMedianNS /= c.Factor
		m.LatencyCI95NS /= c.Factor
		measured[i] = m
		if families[n.family] == nil {
			names = append(names, n.family)
		}
		families[n.family] = append(families[n.family], m)
	}
	all, err := e.predictor.Evaluate(measured)
	if err != nil {
		return nil, err
	}
	result.All = accuracyOf("all", all, true)
	if result.Drift != nil {
		a, err := asOfTable.Evaluate(measured)
		if err != nil {
			return nil, err
		}
		before := accuracyOf("as of the table", a, true)
		result.AsOfTable = &before
	}
	for _, name := range names {
		a, err := e.predictor.Evaluate(families[name])
		if err != nil {
			return nil, err
		}
		result.Families = append(result.Families, accuracyOf(name, a, true))
	}
	e.measured = measured
	result.Picked = pickedCoverage(result.Networks, e.predictor, measured, c.Factor)
	known := slices.DeleteFunc(slices.Clone(e.table.Networks), func(n lut.Network) bool { return n.Use == "test" || n.Use == lut.UsePair })
	baselines, err := e.predictor.Baselines(known)
	if err != nil {
		return nil, err
	}
	for _, b := range baselines {
		a, err := predictor.EvaluateBaseline(b, measured)
		if err != nil {
			return nil, err
		}
		result.Base = append(result.Base, accuracyOf(b.Name, a, false))
	}
	return result, nil
}

func (r *evaluated) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NETWORK\tPREDICTED\tINTERVAL\tMEASURED\tERROR\t")
	for _, n := range r.Networks {
		missed := ""
		if !n.inside() {
			missed = "outside"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s to %s\t%s ±%.1f%%\t%+.1f%%\t%s\n", n.Name, nanoseconds(n.PredictedNS), nanoseconds(n.LowNS), nanoseconds(n.HighNS),
			nanoseconds(n.MeasuredNS), 100*n.CI95NS/n.MeasuredNS, 100*(n.PredictedNS/n.MeasuredNS-1), missed)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	fmt.Fprintln(tw, "PREDICTED BY\tNETWORKS\tMAPE\tMEDIAN\tWORST\tWITHIN 5%\tWITHIN 10%\tSPEARMAN\tKENDALL\tCOVERAGE\tHALF WIDTH")
	row := func(name string, a accuracyJSON) {
		fmt.Fprintf(tw, "%s\t%d\t%.1f%%\t%.1f%%\t%.1f%%\t%.1f%%\t%.1f%%\t%.4f\t%.4f", name, a.Networks, 100*a.MAPE, 100*a.MedianError, 100*a.MaxError,
			100*a.Within5, 100*a.Within10, a.Spearman, a.Kendall)
		if a.Coverage != nil {
			fmt.Fprintf(tw, "\t%.1f%%\t%.1f%%\n", 100**a.Coverage, 100**a.HalfWidth)
		} else {
			fmt.Fprintln(tw, "\t-\t-")
		}
	}
	row("hwprofd", r.All)
	if len(r.Families) > 1 {
		for _, a := range r.Families {
			row("  "+a.Name, a)
		}
	}
	if r.AsOfTable != nil {
		row("  as of the table", *r.AsOfTable)
	}
	for _, a := range r.LeftOut {
		row("  without "+a.Name, a)
	}
	for _, a := range r.Base {
		row(a.Name, a)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if r.Picked != nil {
		fmt.Fprintf(w, "\nof %d picks, each the fastest by prediction of %d networks of a family, the interval for picks held in %.1f%%\n",
			r.Picked.Picks, r.Picked.Of, 100*r.Picked.Coverage)
	}
	if d := r.Drift; d != nil {
		fmt.Fprintf(w, "\n%d networks of the table, measured again with these, say that since then the device takes %.3f of the time, and %.3f of it for weights that outgrow the caches; predictions are for the device as it is now\n",
			d.Networks, d.Speed, d.Weights)
	}
	fmt.Fprintf(w, "\nintervals are to hold in %.4g%% of cases", 100*r.Coverage)
	if r.Clock.Rescaled {
		fmt.Fprintf(w, "; the device's clock changed since the table was measured: predictions are scaled by %.3f", r.Clock.Factor)
	}
	_, err := fmt.Fprintln(w)
	return err
}
