package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/nas/space"
	"github.com/hwprofd/hwprofd/predictor"
	"github.com/hwprofd/hwprofd/report"
)

func newPredictCommand() *cobra.Command {
	var (
		tablePath, model, spaceName, architecture, pprofPath string
		asJSON                                               bool
	)
	cmd := &cobra.Command{
		Use:   "predict --lut FILE (--model MODEL.onnx | --space SPACE --arch ARCHITECTURE)",
		Short: "Predict what a network costs on the device of a table",
		Example: `  hwprofd predict --lut pi4.lut.parquet --model resnet.onnx
  hwprofd predict --lut pi4.lut.parquet --space mobile28 --arch 2.2.0.2.2.0.0.2.0.2.2.0.0.2.0.2.2.0.0.2.0.1.2.0.0.2.2.1.2.1.0
  hwprofd predict --lut pi4.lut.parquet --model resnet.onnx --pprof cost.pb.gz && go tool pprof -top cost.pb.gz`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if tablePath == "" {
				return usagef("--lut is missing: name a table; hwprofd profile makes one")
			}
			g, name, err := namedGraph(model, spaceName, architecture)
			if err != nil {
				return err
			}
			table, err := lut.Read(tablePath)
			if err != nil {
				return err
			}
			p, err := predictor.Fit(table)
			if err != nil {
				return fmt.Errorf("%s: %w", tablePath, err)
			}
			prediction, err := p.PredictGraph(g)
			if err != nil {
				return err
			}
			if pprofPath != "" {
				if err := report.WritePprof(pprofPath, name, prediction); err != nil {
					return err
				}
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), predictionJSON(name, prediction))
			}
			return printPrediction(cmd.OutOrStdout(), name, table, prediction)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&tablePath, "lut", "", "latency table of the device")
	addGraphFlags(cmd, &model, &spaceName, &architecture)
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	flags.StringVar(&pprofPath, "pprof", "", "also write a profile for go tool pprof")
	return cmd
}

func addGraphFlags(cmd *cobra.Command, model, spaceName, architecture *string) {
	flags := cmd.Flags()
	flags.StringVar(model, "model", "", "ONNX file")
	flags.StringVar(spaceName, "space", "", "search space")
	flags.StringVar(architecture, "arch", "", "architecture of the space, such as 2.0.1")
}

// namedGraph is the network that the flags name.
func namedGraph(model, spaceName, architecture string) (*graph.Graph, string, error) {
	switch {
	case model != "" && spaceName == "" && architecture == "":
		g, err := onnx.Read(model)
		return g, model, err
	case model == "" && spaceName != "" && architecture != "":
		s, a, err := namedArchitecture(spaceName, architecture)
		if err != nil {
			return nil, "", err
		}
		g, err := s.Lower(a)
		return g, networkName(s, a), err
	}
	return nil, "", usagef("name a network: either --model, or --space and --arch")
}

func namedArchitecture(spaceName, architecture string) (nas.Space, nas.Architecture, error) {
	s, err := space.Published(spaceName)
	if err != nil {
		return nil, nil, usageError{err}
	}
	a, err := nas.ParseArchitecture(architecture)
	if err != nil {
		return nil, nil, usageError{err}
	}
	if err := nas.Validate(s, a); err != nil {
		return nil, nil, usageError{err}
	}
	return s, a, nil
}

// partJSON and predictedJSON are what scripts read.
type partJSON struct {
	Workload  string  `json:"workload"`
	LatencyNS float64 `json:"latency_ns"`
	Source    string  `json:"source"`
}

type predictedJSON struct {
	Network      string     `json:"network"`
	LatencyNS    float64    `json:"latency_ns"`
	LowNS        float64    `json:"latency_low_ns"`
	HighNS       float64    `json:"latency_high_ns"`
	Coverage     float64    `json:"coverage"`
	Interval     string     `json:"interval"`
	EnergyMJ     *float64   `json:"energy_mj"`
	EnergySource string     `json:"energy_source,omitempty"`
	OverheadNS   float64    `json:"overhead_ns"`
	Parts        []partJSON `json:"parts"`
}

func predictionJSON(name string, p predictor.Prediction) predictedJSON {
	out := predictedJSON{
		Network: name, LatencyNS: p.LatencyNS, LowNS: p.LowNS, HighNS: p.HighNS, Coverage: p.Coverage, Interval: p.Interval,
		EnergySource: p.EnergySource, OverheadNS: p.OverheadNS,
	}
	if p.EnergySource != "" {
		out.EnergyMJ = &p.EnergyMJ
	}
	for _, part := range p.Parts {
		out.Parts = append(out.Parts, partJSON{part.Workload.String(), part.LatencyNS, part.Source})
	}
	return out
}

func printPrediction(w io.Writer, name string, table *lut.Table, p predictor.Prediction) error {
	fmt.Fprintf(w, "%s on device %s\n", name, table.Meta.Fingerprint)
	fmt.Fprintf(w, "latency  %s, %.0f%% interval %s to %s (%s)\n", nanoseconds(p.LatencyNS), 100*p.Coverage, nanoseconds(p.LowNS), nanoseconds(p.HighNS), p.Interval)
	if p.EnergySource != "" {
		fmt.Fprintf(w, "energy   %.4g mJ, %.4g to %.4g mJ (%s)\n", p.EnergyMJ, p.EnergyLow, p.EnergyHigh, p.EnergySource)
	} else {
		fmt.Fprintln(w, "energy   not in the table")
	}
	sources := map[string]float64{}
	sum := 0.0
	for _, part := range p.Parts {
		sources[part.Source] += part.LatencyNS
		sum += part.LatencyNS
	}
	fmt.Fprintf(w, "comes from  table %.0f%%, regression %.0f%%, roofline %.0f%% of the workloads' time; overhead %s\n\n",
		100*sources[predictor.SourceTable]/sum, 100*sources[predictor.SourceRegression]/sum, 100*sources[predictor.SourceRoofline]/sum, nanoseconds(p.OverheadNS))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "WORKLOAD\tLATENCY\tSHARE\tFROM")
	for _, part := range p.Parts {
		fmt.Fprintf(tw, "%s\t%s\t%.1f%%\t%s\n", part.Workload, nanoseconds(part.LatencyNS), 100*part.LatencyNS/sum, part.Source)
	}
	return tw.Flush()
}
