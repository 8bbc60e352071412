package main

import (
	"fmt"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
	"github.com/hwprofd/hwprofd/lut"
)

// byTable has plans for a number of threads use what the table at path has
// measured, if one is named. The table must be of this machine: what is faster on another one says
// nothing here.
func byTable(path string, threads int) ([]inference.Option, error) {
	if path == "" {
		return nil, nil
	}
	table, err := lut.Read(path)
	if err != nil {
		return nil, err
	}
	info, err := device.Detect()
	if err != nil {
		return nil, err
	}
	switch m := table.Meta; {
	case m.Runtime != lut.OwnRuntime:
		return nil, fmt.Errorf("%s: it was measured on %s, whose times say nothing about the kernels of this program: name a table that 'hwprofd profile --kernels all' made", path, m.Runtime)
	case m.Fingerprint != info.Fingerprint():
		return nil, fmt.Errorf("%s: it was measured on another machine (%s, this one is %s): measure this one with 'hwprofd profile --kernels all'", path, m.Fingerprint, info.Fingerprint())
	case len(table.Alternatives) == 0:
		return nil, fmt.Errorf("%s: it has no times of other kernels to choose from: measure with 'hwprofd profile --kernels all'", path)
	case m.Threads != threads:
		return nil, fmt.Errorf("%s: it was measured on %d threads, not %d: measure with 'hwprofd profile --kernels all --threads %d'", path, m.Threads, threads, threads)
	}
	return []inference.Option{inference.ByTimings(func(w graph.Workload) []inference.Timing { return timingsIn(table, w) })}, nil
}

// timingsIn are what a table has measured of w.
func timingsIn(table *lut.Table, w graph.Workload) (list []inference.Timing) {
	if row, ok := table.Lookup(w); ok && !row.Predicted() {
		list = append(list, timingOf(row))
	}
	for _, row := range table.AlternativesOf(w) {
		list = append(list, timingOf(row))
	}
	return list
}

func timingOf(r lut.Row) inference.Timing {
	return inference.Timing{Algorithm: r.Algorithm, NS: r.LatencyMedianNS, CI95NS: r.LatencyCI95NS}
}
