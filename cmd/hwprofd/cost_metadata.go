package main

import (
	"fmt"
	"maps"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/predictor"
)

// Metadata of a model that say what it is predicted to cost, and where.
const (
	fingerprintKey  = "device.fingerprint"
	predictedPrefix = "predicted."
)

// addCostMetadata writes into a model what it is predicted to cost, in the
// place of what was predicted before, and on which device. Graphs that share
// their metadata with g keep theirs.
func addCostMetadata(g *graph.Graph, p predictor.Prediction, fingerprint string) {
	g.Metadata = maps.Clone(g.Metadata)
	if g.Metadata == nil {
		g.Metadata = make(map[string]string)
	}
	maps.DeleteFunc(g.Metadata, func(key, _ string) bool { return strings.HasPrefix(key, predictedPrefix) })
	g.Metadata[fingerprintKey] = fingerprint
	g.Metadata[predictedPrefix+"latency_ns"] = fmt.Sprintf("%.0f", p.LatencyNS)
	g.Metadata[predictedPrefix+"latency_interval_ns"] = fmt.Sprintf("%.0f..%.0f", p.LowNS, p.HighNS)
	g.Metadata[predictedPrefix+"coverage"] = fmt.Sprintf("%g", p.Coverage)
	if p.EnergySource != "" {
		g.Metadata[predictedPrefix+"energy_mj"] = fmt.Sprintf("%.6g", p.EnergyMJ)
		g.Metadata[predictedPrefix+"energy_source"] = p.EnergySource
	}
}

// addCost predicts what a model costs and writes that into it.
func addCost(g *graph.Graph, p *predictor.Predictor) error {
	prediction, err := p.PredictGraph(g)
	if err != nil {
		return err
	}
	addCostMetadata(g, prediction, p.Meta().Fingerprint)
	return nil
}
