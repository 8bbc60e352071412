package main

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/hwprofd/hwprofd/predictor"
)

// partJSON, suggestionJSON and predictedJSON are what scripts read.
type partJSON struct {
	Workload    string  `json:"workload"`
	LatencyNS   float64 `json:"latency_ns"`
	Source      string  `json:"source"`
	Uncertainty float64 `json:"uncertainty"` // standard deviation of the logarithm
}

type suggestionJSON struct {
	Workload  string  `json:"workload"`
	Times     int     `json:"times"`
	LatencyNS float64 `json:"latency_ns"`
	Source    string  `json:"source"`
	HalfWidth float64 `json:"half_width"` // of the interval, relative, once this and those before are measured
}

type predictedJSON struct {
	Network      string           `json:"network"`
	LatencyNS    float64          `json:"latency_ns"`
	LowNS        float64          `json:"latency_low_ns"`
	HighNS       float64          `json:"latency_high_ns"`
	Coverage     float64          `json:"coverage"`
	Interval     string           `json:"interval"`
	EnergyMJ     *float64         `json:"energy_mj"`
	EnergyLow    *float64         `json:"energy_low_mj,omitempty"`
	EnergyHigh   *float64         `json:"energy_high_mj,omitempty"`
	EnergySource string           `json:"energy_source,omitempty"`
	OverheadNS   float64          `json:"overhead_ns"`
	Parts        []partJSON       `json:"parts"`
	Suggestions  []suggestionJSON `json:"suggestions,omitempty"`
}

func predictionJSON(name string, p predictor.Prediction, suggestions []predictor.Suggestion) predictedJSON {
	out := predictedJSON{
		Network: name, LatencyNS: p.LatencyNS, LowNS: p.LowNS, HighNS: p.HighNS, Coverage: p.Coverage, Interval: p.Interval,
		EnergySource: p.EnergySource, OverheadNS: p.OverheadNS,
	}
	if p.EnergySource != "" {
		out.EnergyMJ, out.EnergyLow, out.EnergyHigh = &p.EnergyMJ, &p.EnergyLow, &p.EnergyHigh
	}
	for _, part := range p.Parts {
		out.Parts = append(out.Parts, partJSON{part.Workload.String(), part.LatencyNS, part.Source, part.Uncertainty})
	}
	for _, s := range suggestions {
		out.Suggestions = append(out.Suggestions, suggestionJSON{s.Workload.String(), s.Times, s.LatencyNS, s.Source, math.Expm1(s.Width)})
	}
	return out
}

func printPrediction(w io.Writer, name string, p *predictor.Predictor, prediction predictor.Prediction, explain bool) error {
	fmt.Fprintf(w, "%s on device %s\n", name, p.Meta().Fingerprint)
	fmt.Fprintf(w, "latency  %s, %.4g%% interval %s to %s (%s)\n", nanoseconds(prediction.LatencyNS), 100*prediction.Coverage,
		nanoseconds(prediction.LowNS), nanoseconds(prediction.HighNS), prediction.Interval)
	if prediction.EnergySource != "" {
		fmt.Fprintf(w, "energy   %.4g mJ, %.4g to %.4g mJ (%s)\n", prediction.EnergyMJ, prediction.EnergyLow, prediction.EnergyHigh, prediction.EnergySource)
	} else {
		fmt.Fprintln(w, "energy   not in the table")
	}
	sources := map[string]float64{}
	sum := 0.0
	for _, part := range prediction.Parts {
		sources[part.Source] += part.LatencyNS
		sum += part.LatencyNS
	}
	share := func(source string) float64 { return 100 * sources[source] / sum }
	if transferred := share(predictor.SourceTransfer); transferred > 0 {
		fmt.Fprintf(w, "predicted   %.0f%% of the workloads' time from other devices' tables and a few rows of this one\n", transferred)
	}
	fmt.Fprintf(w, "comes from  networks %.0f%%, table %.0f%%, interpolation %.0f%%, regression %.0f%%, roofline %.0f%% of the workloads' time; overhead %s\n\n",
		share(predictor.SourceNetwork), share(predictor.SourceTable), share(predictor.SourceInterpolation), share(predictor.SourceRegression), share(predictor.SourceRoofline), nanoseconds(prediction.OverheadNS))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tw, "WORKLOAD\tLATENCY\tSHARE\tFROM")
	if explain {
		fmt.Fprint(tw, "\tUNCERTAINTY\tBY")
	}
	fmt.Fprintln(tw)
	models := map[string]predictor.Model{}
	for _, m := range p.Models() {
		models[m.Family] = m
	}
	for _, part := range prediction.Parts {
		fmt.Fprintf(tw, "%s\t%s\t%.1f%%\t%s", part.Workload, nanoseconds(part.LatencyNS), 100*part.LatencyNS/sum, part.Source)
		if explain {
			fmt.Fprintf(tw, "\t%.1f%%\t%s", 100*part.Uncertainty, reason(part, models))
		}
		fmt.Fprintln(tw)
	}
	if err := tw.Flush(); err != nil || !explain {
		return err
	}
	for _, rule := range p.Fusion() {
		verb := "are not fused"
		if rule.Fused {
			verb = "are fused"
		}
		fmt.Fprintf(w, "%s and %s after it %s by the runtime\n", rule.First, rule.Second, verb)
	}
	return nil
}

// reason says what a part comes from.
func reason(part predictor.Part, models map[string]predictor.Model) string {
	switch part.Source {
	case predictor.SourceNetwork:
		return "its part in networks of the table"
	case predictor.SourceTable:
		return "a row of its own"
	case predictor.SourceTransfer:
		return "other devices' tables and a few rows of this one"
	case predictor.SourceInterpolation:
		return "rows of other channels and resolutions"
	case predictor.SourceRegression:
		m := models[part.Workload.Family()+"/"+string(part.Workload.DType)]
		return fmt.Sprintf("%s over %d rows of %s", m.Kind, m.Rows, m.Family)
	}
	return "its amount of work; the table has too few rows of its family"
}

func printSuggestions(w io.Writer, suggestions []predictor.Suggestion) error {
	if len(suggestions) == 0 {
		_, err := fmt.Fprintln(w, "\nno measurement of a workload would narrow the interval; more whole networks in the table would")
		return err
	}
	fmt.Fprintln(w, "\nto narrow the interval, measure in this order:")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "WORKLOAD\tTIMES\tLATENCY\tFROM\tTHEN ±")
	for _, s := range suggestions {
		fmt.Fprintf(tw, "%s\t%d\t%s\t%s\t%.1f%%\n", s.Workload, s.Times, nanoseconds(s.LatencyNS), s.Source, 100*math.Expm1(s.Width))
	}
	return tw.Flush()
}
