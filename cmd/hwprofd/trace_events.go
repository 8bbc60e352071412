package main

import (
	"encoding/json"
	"fmt"

	"github.com/google/renameio/v2/maybe"

	"github.com/hwprofd/hwprofd/inference"
)

// traceEvent is an event of the trace event format that Perfetto and
// chrome://tracing read; times are in microseconds.
type traceEvent struct {
	Name      string         `json:"name"`
	Category  string         `json:"cat,omitempty"`
	Phase     string         `json:"ph"`
	Start     float64        `json:"ts"`
	Duration  float64        `json:"dur,omitempty"`
	Process   int            `json:"pid"`
	Thread    int            `json:"tid"`
	Arguments map[string]any `json:"args,omitempty"`
}

// writeTrace writes the steps of one run of a network as trace events: a slice
// a workload, one after the other, below a slice for the whole network.
func writeTrace(path, network string, steps []inference.Step) error {
	const process, thread = 1, 1
	var total int64
	events := []traceEvent{
		{Name: "process_name", Phase: "M", Process: process, Thread: thread, Arguments: map[string]any{"name": "hwprofd"}},
		{Name: "thread_name", Phase: "M", Process: process, Thread: thread, Arguments: map[string]any{"name": "inference"}},
		{}, // the network's, once its time is known
	}
	for _, s := range steps {
		arguments := map[string]any{"node": s.Name, "macs": s.MACs, "bytes": s.Bytes}
		if s.Algorithm != "" {
			arguments["kernel"], arguments["why"] = s.Algorithm, s.Why
		}
		if s.NS > 0 {
			arguments["gflops"] = 2 * float64(s.MACs) / float64(s.NS)
			arguments["gbytes_per_second"] = float64(s.Bytes) / float64(s.NS)
		}
		events = append(events, traceEvent{
			Name: stepName(s), Category: string(s.Kind), Phase: "X", Start: float64(total) / 1e3, Duration: float64(s.NS) / 1e3,
			Process: process, Thread: thread, Arguments: arguments,
		})
		total += s.NS
	}
	events[2] = traceEvent{Name: network, Category: "network", Phase: "X", Duration: float64(total) / 1e3, Process: process, Thread: thread}
	data, err := json.Marshal(map[string]any{"traceEvents": events, "displayTimeUnit": "ns"})
	if err == nil {
		err = maybe.WriteFile(path, data, 0o644)
	}
	if err != nil {
		return fmt.Errorf("write trace %s: %w", path, err)
	}
	return nil
}
