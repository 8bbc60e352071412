package benchmark

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
	"gonum.org/v1/gonum/stat"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// A row of a latency table is a line of benchmark output: its median is the
// time, its samples the iterations, and these values say the rest.
const (
	meanUnit     = "mean-ns/op"
	p10Unit      = "p10-ns/op"
	p90Unit      = "p90-ns/op"
	ci95Unit     = "ci95-ns/op" // half-width
	rawUnit      = "raw-ns/op"
	energyUnit   = "mJ/op"
	stableUnit   = "stable"
	measuredUnit = "measured-at-us"
)

// Configuration keys of a table's metadata.
const (
	deviceKey   = "device"
	protocolKey = "protocol"
	runtimeKey  = "runtime"
	versionKey  = "runtime-version"
	threadsKey  = "threads"
	createdKey  = "created"
	energyKey   = "energy-source"
	cacheKey    = "cache"
)

// FromTable returns the rows of a latency table with warm caches. Its whole
// networks are left out, which are no benchmarks of workloads.
func FromTable(source string, t *lut.Table) (*Results, error) {
	deviceText, err := json.Marshal(t.Meta.Device)
	if err != nil {
		return nil, err
	}
	protocol, err := json.Marshal(t.Meta.Protocol)
	if err != nil {
		return nil, err
	}
	r := &Results{Source: source, Config: map[string]string{
		FingerprintKey: t.Meta.Fingerprint, deviceKey: string(deviceText), protocolKey: string(protocol),
		runtimeKey: t.Meta.Runtime, versionKey: t.Meta.RuntimeVersion, threadsKey: strconv.Itoa(t.Meta.Threads),
		createdKey: t.Meta.Created.UTC().Format(time.RFC3339Nano), cacheKey: lut.CacheWarm,
		"goos": t.Meta.Device.OS, "goarch": t.Meta.Device.Arch,
	}}
	if cpus := t.Meta.Device.CPUs; len(cpus) > 0 {
		r.Config["cpu"] = cpus[0].Model
	}
	for i := range t.Rows {
		if row := &t.Rows[i]; row.Cache == lut.CacheWarm {
			r.Times = append(r.Times, Times{Name: row.Key, Row: row})
		}
	}
	if len(r.Times) == 0 {
		return nil, fmt.Errorf("%s: no workloads with warm caches", source)
	}
	return r, nil
}

// config is the configuration in a fixed order, without the empty values, which
// a file cannot have.
func (r *Results) config() []benchfmt.Config {
	var list []benchfmt.Config
	for _, key := range slices.Sorted(maps.Keys(r.Config)) {
		if r.Config[key] != "" {
			list = append(list, benchfmt.Config{Key: key, Value: []byte(r.Config[key]), File: true})
		}
	}
	return list
}

// rowResult is the line of a row.
func rowResult(name benchfmt.Name, row *lut.Row, config []benchfmt.Config) *benchfmt.Result {
	stable := 0.0
	if row.Stable {
		stable = 1
	}
	result := &benchfmt.Result{Config: config, Name: name, Iters: int(row.Samples), Values: []benchfmt.Value{
		{Value: row.LatencyMedianNS, Unit: "ns/op"}, {Value: row.LatencyMeanNS, Unit: meanUnit},
		{Value: row.LatencyP10NS, Unit: p10Unit}, {Value: row.LatencyP90NS, Unit: p90Unit},
		{Value: row.LatencyCI95NS, Unit: ci95Unit}, {Value: row.RawMedianNS, Unit: rawUnit},
		{Value: stable, Unit: stableUnit}, {Value: float64(row.MeasuredAt.UnixMicro()), Unit: measuredUnit},
	}}
	if row.EnergyMJ != nil {
		result.Values = append(result.Values, benchfmt.Value{Value: *row.EnergyMJ, Unit: energyUnit})
		result.Config = append(slices.Clone(config), benchfmt.Config{Key: energyKey, Value: []byte(row.EnergySource), File: true})
	}
	return result
}

// parseRow reads a line that rowResult wrote; ok is false for other lines.
func parseRow(name string, result *benchfmt.Result) (row lut.Row, ok bool, err error) {
	if _, ok := nanoseconds(result, ci95Unit); !ok {
		return lut.Row{}, false, nil
	}
	w, err := graph.ParseWorkload(name)
	if err != nil {
		return lut.Row{}, false, err
	}
	row = lut.NewRow(w)
	var missing []error
	value := func(unit string) float64 {
		v, ok := nanoseconds(result, unit)
		if !ok {
			missing = append(missing, fmt.Errorf("no value in %s", unit))
		}
		return v
	}
	row.Samples = int64(result.Iters)
	row.LatencyMedianNS, row.LatencyMeanNS = value("ns/op"), value(meanUnit)
	row.LatencyP10NS, row.LatencyP90NS = value(p10Unit), value(p90Unit)
	row.LatencyCI95NS, row.RawMedianNS = value(ci95Unit), value(rawUnit)
	row.Stable = value(stableUnit) != 0
	row.MeasuredAt = time.UnixMicro(int64(value(measuredUnit))).UTC()
	if mj, ok := nanoseconds(result, energyUnit); ok {
		row.EnergyMJ, row.EnergySource = &mj, result.GetConfig(energyKey)
	}
	return row, true, errors.Join(missing...)
}

// Table makes a latency table of the results. What they do not say of the
// device, info says, which must be of the same device. Results that are no
// workloads are left out.
func (r *Results) Table(info device.Info, now time.Time) (*lut.Table, error) {
	if text := r.Config[deviceKey]; text != "" {
		if err := json.Unmarshal([]byte(text), &info); err != nil {
			return nil, fmt.Errorf("%s: device: %w", r.Source, err)
		}
	}
	fingerprint := cmp.Or(r.Fingerprint(), info.Fingerprint())
	if r.Config[deviceKey] == "" && fingerprint != info.Fingerprint() {
		return nil, fmt.Errorf("%s: measured on the device %s, of which it says nothing more; this one is %s", r.Source, fingerprint, info.Fingerprint())
	}
	t := &lut.Table{Meta: lut.Meta{
		Schema: lut.Schema, Device: info, Fingerprint: fingerprint,
		Runtime: cmp.Or(r.Config[runtimeKey], lut.OwnRuntime), RuntimeVersion: r.Config[versionKey], Threads: 1, Created: now.UTC(),
	}}
	if text := r.Config[threadsKey]; text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("%s: threads: %w", r.Source, err)
		}
		t.Meta.Threads = n
	}
	if text := r.Config[createdKey]; text != "" {
		created, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return nil, fmt.Errorf("%s: created: %w", r.Source, err)
		}
		t.Meta.Created = created
	}
	if text := r.Config[protocolKey]; text != "" {
		if err := json.Unmarshal([]byte(text), &t.Meta.Protocol); err != nil {
			return nil, fmt.Errorf("%s: protocol: %w", r.Source, err)
		}
	}
	for _, times := range r.Times {
		switch w, err := graph.ParseWorkload(times.Name); {
		case err != nil:
		case times.Row != nil:
			t.Rows = append(t.Rows, *times.Row)
		default:
			t.Rows = append(t.Rows, summarize(w, times.Samples, t.Meta.Created))
		}
	}
	if len(t.Rows) == 0 {
		return nil, fmt.Errorf("%s: no times of workloads", r.Source)
	}
	return t, t.Verify()
}

// summarize makes a row of samples. A row of so few that their median has no
// 95% interval is not stable.
func summarize(w graph.Workload, samples []float64, at time.Time) lut.Row {
	sorted := slices.Sorted(slices.Values(samples))
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(sorted), &benchmath.DefaultThresholds), .95)
	row := lut.NewRow(w)
	row.LatencyMedianNS, row.RawMedianNS = s.Center, s.Center
	row.LatencyMeanNS = stat.Mean(sorted, nil)
	row.LatencyP10NS = min(stat.Quantile(.1, stat.Empirical, sorted, nil), s.Center)
	row.LatencyP90NS = max(stat.Quantile(.9, stat.Empirical, sorted, nil), s.Center)
	row.LatencyCI95NS = (s.Hi - s.Lo) / 2
	row.Stable = !math.IsInf(row.LatencyCI95NS, 0) && !math.IsNaN(row.LatencyCI95NS)
	if !row.Stable {
		row.LatencyCI95NS = (sorted[len(sorted)-1] - sorted[0]) / 2
	}
	row.Samples = int64(len(samples))
	row.MeasuredAt = at.UTC()
	return row
}
