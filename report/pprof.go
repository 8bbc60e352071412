package report

import (
	"bytes"
	"fmt"
	"math"

	"github.com/google/pprof/profile"
	"github.com/google/renameio/v2/maybe"

	"github.com/hwprofd/hwprofd/predictor"
)

// WritePprof writes a prediction as a gzipped pprof profile for go tool pprof:
// a sample a workload with its latency in ns and, where the prediction has
// energy, its energy in nJ, on the stack network, family, workload (canonical
// name). What the network costs beyond its workloads is a sample of its own,
// which is negative where they cost more alone. A network's energy is
// predicted as a whole and divided here by the workloads' latency.
//
// Comments, such as the device and the table, appear with pprof -comments.
func WritePprof(path, network string, p predictor.Prediction, comments ...string) error {
	data, err := encodePprof(network, p, comments)
	if err == nil {
		err = maybe.WriteFile(path, data, 0o644)
	}
	if err != nil {
		return fmt.Errorf("report: %s: %w", path, err)
	}
	return nil
}

func encodePprof(network string, p predictor.Prediction, comments []string) ([]byte, error) {
	out := &profile.Profile{
		SampleType:        []*profile.ValueType{{Type: "latency", Unit: "nanoseconds"}},
		DefaultSampleType: "latency",
		DurationNanos:     int64(math.Round(p.LatencyNS)),
		Comments:          comments,
	}
	metered := p.EnergySource != ""
	if metered {
		out.SampleType = append(out.SampleType, &profile.ValueType{Type: "energy", Unit: "nanojoules"})
		out.Comments = append(out.Comments[:len(comments):len(comments)], "energy: "+p.EnergySource+", divided by latency")
	}
	locations := map[string]*profile.Location{}
	frame := func(name string) *profile.Location {
		if l, ok := locations[name]; ok {
			return l
		}
		id := uint64(len(locations) + 1)
		f := &profile.Function{ID: id, Name: name, SystemName: name}
		l := &profile.Location{ID: id, Line: []profile.Line{{Function: f}}}
		locations[name] = l
		out.Function = append(out.Function, f)
		out.Location = append(out.Location, l)
		return l
	}
	sum := 0.0
	for _, part := range p.Parts {
		sum += part.LatencyNS
	}
	add := func(ns, mj float64, source string, stack ...*profile.Location) {
		s := &profile.Sample{Location: stack, Value: []int64{int64(math.Round(ns))}, Label: map[string][]string{"source": {source}}}
		if metered {
			s.Value = append(s.Value, int64(math.Round(mj*1e6)))
		}
		out.Sample = append(out.Sample, s)
	}
	root := frame(network)
	for _, part := range p.Parts {
		if math.IsNaN(part.LatencyNS) || part.LatencyNS < 0 {
			return nil, fmt.Errorf("%s: latency is %v ns", part.Workload, part.LatencyNS)
		}
		add(part.LatencyNS, p.EnergyMJ*part.LatencyNS/sum, part.Source, frame(part.Workload.String()), frame(part.Workload.Family()), root)
	}
	if p.OverheadNS != 0 {
		add(p.OverheadNS, 0, "overhead", frame("overhead"), root)
	}
	if err := out.CheckValid(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := out.Write(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
