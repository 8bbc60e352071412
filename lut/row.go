package lut

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/hwprofd/hwprofd/graph"
)

// Values of [Row].Cache.
const (
	CacheWarm = "warm" // repeated runs: inputs and weights where the caches keep them
	CacheCold = "cold" // caches evicted before each run
)

// Row is what was measured of one workload in one cache state.
type Row struct {
	Key   string `parquet:"key" json:"key"`
	Op    string `parquet:"op,dict" json:"op"`
	DType string `parquet:"dtype,dict" json:"dtype"`

	N         int32  `parquet:"n,dict" json:"n"`
	C         int32  `parquet:"c,dict" json:"c"`
	H         int32  `parquet:"h,dict" json:"h"`
	W         int32  `parquet:"w,dict" json:"w"`
	K         int32  `parquet:"k,dict" json:"k"`
	R         int32  `parquet:"r,dict" json:"r"`
	S         int32  `parquet:"s,dict" json:"s"`
	StrideH   int32  `parquet:"stride_h,dict" json:"stride_h"`
	StrideW   int32  `parquet:"stride_w,dict" json:"stride_w"`
	PadTop    int32  `parquet:"pad_top,dict" json:"pad_top"`
	PadLeft   int32  `parquet:"pad_left,dict" json:"pad_left"`
	PadBottom int32  `parquet:"pad_bottom,dict" json:"pad_bottom"`
	PadRight  int32  `parquet:"pad_right,dict" json:"pad_right"`
	DilationH int32  `parquet:"dilation_h,dict" json:"dilation_h"`
	DilationW int32  `parquet:"dilation_w,dict" json:"dilation_w"`
	Group     int32  `parquet:"group,dict" json:"group"`
	Epilogue  string `parquet:"epilogue,dict" json:"epilogue"`

	LatencyMedianNS float64 `parquet:"latency_median_ns" json:"latency_median_ns"`
	LatencyMeanNS   float64 `parquet:"latency_mean_ns" json:"latency_mean_ns"`
	LatencyP10NS    float64 `parquet:"latency_p10_ns" json:"latency_p10_ns"`
	LatencyP90NS    float64 `parquet:"latency_p90_ns" json:"latency_p90_ns"`
	LatencyCI95NS   float64 `parquet:"latency_ci95_ns" json:"latency_ci95_ns"` // half-width
	RawMedianNS     float64 `parquet:"raw_median_ns" json:"raw_median_ns"`     // before drift was divided out
	Samples         int64   `parquet:"samples" json:"samples"`                 // 0 of a row that was predicted
	Stable          bool    `parquet:"stable" json:"stable"`                   // the asked interval was reached

	EnergyMJ     *float64 `parquet:"energy_mj,optional" json:"energy_mj"` // of one run; nil where nothing tells it
	EnergySource string   `parquet:"energy_source,optional,dict" json:"energy_source,omitempty"`
	Cache        string   `parquet:"cache_state,dict" json:"cache_state"`
	MACs         int64    `parquet:"macs" json:"macs"`
	Bytes        int64    `parquet:"bytes" json:"bytes"`

	MeasuredAt time.Time `parquet:"measured_at,timestamp(microsecond:utc)" json:"measured_at"`

	// What follows, up to MemorySlowdown, is not in files of schema 1, and reads as null, false or 0.

	Contended          bool  `parquet:"contended" json:"contended" since:"2"`                     // never undisturbed for long enough
	Bimodal            bool  `parquet:"bimodal" json:"bimodal" since:"2"`                         // two times instead of one
	SamplesContended   int64 `parquet:"samples_contended" json:"samples_contended" since:"2"`     // beside Samples: other work slowed the machine down
	SamplesInterrupted int64 `parquet:"samples_interrupted" json:"samples_interrupted" since:"2"` // beside Samples: the thread had to wait

	FirstRunNS      *float64 `parquet:"first_run_ns,optional" json:"first_run_ns,omitempty" since:"2"`           // of the first run after loading
	EnergyGrossMJ   *float64 `parquet:"energy_gross_mj,optional" json:"energy_gross_mj,omitempty" since:"2"`     // of one run, as metered
	EnergyIdleMJ    *float64 `parquet:"energy_idle_mj,optional" json:"energy_idle_mj,omitempty" since:"2"`       // of the idle machine in that time; EnergyMJ is without
	Cycles          *float64 `parquet:"cycles,optional" json:"cycles,omitempty" since:"2"`                       // of one run, as are the next two
	Instructions    *float64 `parquet:"instructions,optional" json:"instructions,omitempty" since:"2"`           //
	CacheMisses     *float64 `parquet:"cache_misses,optional" json:"cache_misses,omitempty" since:"2"`           // of the last level
	PeakMemoryBytes *float64 `parquet:"peak_memory_bytes,optional" json:"peak_memory_bytes,omitempty" since:"2"` // of its tensors and weights, or of another runtime's process
	TemperatureC    *float64 `parquet:"temperature_c,optional" json:"temperature_c,omitempty" since:"2"`
	ClockHz         *float64 `parquet:"clock_hz,optional" json:"clock_hz,omitempty" since:"2"`
	ComputeSlowdown *float64 `parquet:"compute_slowdown,optional" json:"compute_slowdown,omitempty" since:"2"` // of the calibration kernels, over their undisturbed time,
	MemorySlowdown  *float64 `parquet:"memory_slowdown,optional" json:"memory_slowdown,omitempty" since:"2"`   // in the samples that count

	// What follows is not in files of schema 2 either.

	RuntimeNodes *float64 `parquet:"runtime_nodes,optional" json:"runtime_nodes,omitempty" since:"3"` // that another runtime makes of it
	BorderNS     *float64 `parquet:"border_ns,optional" json:"border_ns,omitempty" since:"3"`         // of the median, for layouts at a model's borders
	// Algorithm names the algorithm that the runtime was told to use, in the rows
	// of [Table].Alternatives; in others it is empty: the runtime had its choice.
	Algorithm string `parquet:"algorithm,optional,dict" json:"algorithm,omitempty" since:"3"`
}

// NewRow returns a row of w without measurements, warm.
func NewRow(w graph.Workload) Row {
	r := identify(w)
	r.Cache, r.MACs, r.Bytes = CacheWarm, w.MACs(), w.Bytes()
	return r
}

// identify fills the columns that follow from the workload's name.
func identify(w graph.Workload) Row {
	return Row{
		Key: w.String(), Op: string(w.Op), DType: string(w.DType),
		N: int32(w.N), C: int32(w.C), H: int32(w.H), W: int32(w.W),
		K: int32(w.K), R: int32(w.R), S: int32(w.S),
		StrideH: int32(w.StrideH), StrideW: int32(w.StrideW),
		PadTop: int32(w.PadTop), PadLeft: int32(w.PadLeft), PadBottom: int32(w.PadBottom), PadRight: int32(w.PadRight),
		DilationH: int32(w.DilationH), DilationW: int32(w.DilationW),
		Group: int32(w.Group), Epilogue: w.Epilogue,
	}
}

// workload reads the dimension columns, which are the workload that Key names
// in every row that was validated. Operators without dimensions of their own
// have their detail in the key alone.
func (r *Row) workload() graph.Workload {
	detail := ""
	if r.N == 0 {
		if parts := strings.SplitN(r.Key, "/", 3); len(parts) == 3 {
			detail = parts[2]
		}
	}
	return graph.Workload{
		Op: graph.Op(r.Op), DType: graph.DType(r.DType),
		N: int(r.N), C: int(r.C), H: int(r.H), W: int(r.W),
		K: int(r.K), R: int(r.R), S: int(r.S),
		StrideH: int(r.StrideH), StrideW: int(r.StrideW),
		PadTop: int(r.PadTop), PadLeft: int(r.PadLeft), PadBottom: int(r.PadBottom), PadRight: int(r.PadRight),
		DilationH: int(r.DilationH), DilationW: int(r.DilationW),
		Group: int(r.Group), Epilogue: r.Epilogue, Detail: detail,
	}
}

// Predicted tells a row that other devices' tables and a few measurements of
// this device say, from one that was measured. Its percentiles and interval are
// those of the prediction.
func (r *Row) Predicted() bool { return r.Samples == 0 }

// Workload parses the row's key.
func (r Row) Workload() (graph.Workload, error) {
	w, err := graph.ParseWorkload(r.Key)
	if err != nil {
		return graph.Workload{}, fmt.Errorf("lut: %w", err)
	}
	return w, nil
}

// validate reports what makes the row impossible. MACs and bytes are only
// checked for their sign, so that a later way of counting them does not make
// older files unreadable.
func (r *Row) validate() error {
	if err := r.validateKey(); err != nil {
		return err
	}
	return r.validateValues()
}

// validateValues checks everything but the key.
func (r *Row) validateValues() error {
	if r.Cache != CacheWarm && r.Cache != CacheCold {
		return fmt.Errorf("cache_state is %q, want %s or %s", r.Cache, CacheWarm, CacheCold)
	}
	if err := validateLatencies(r.LatencyMedianNS, r.LatencyP10NS, r.LatencyP90NS, r.LatencyCI95NS); err != nil {
		return err
	}
	if err := validatePositive("latency_mean_ns", r.LatencyMeanNS); err != nil {
		return err
	}
	if err := validatePositive("raw_median_ns", r.RawMedianNS); err != nil {
		return err
	}
	switch {
	case r.Samples < 0:
		return fmt.Errorf("samples is %d", r.Samples)
	case r.Predicted() && r.Stable:
		return errors.New("samples is 0, as of a predicted row, but stable is true")
	case r.MACs < 0:
		return errors.New("macs is negative")
	case r.Bytes < 0:
		return errors.New("bytes is negative")
	case r.MeasuredAt.Unix() <= 0:
		return errors.New("measured_at is missing")
	case r.EnergyMJ == nil && r.EnergySource != "":
		return fmt.Errorf("energy_source is %q, but energy_mj is null", r.EnergySource)
	case r.EnergyMJ != nil && r.EnergySource == "":
		return errors.New("energy_mj has no energy_source")
	case r.SamplesContended < 0:
		return errors.New("samples_contended is negative")
	case r.SamplesInterrupted < 0:
		return errors.New("samples_interrupted is negative")
	case r.EnergyMJ == nil && (r.EnergyGrossMJ != nil || r.EnergyIdleMJ != nil):
		return errors.New("energy_gross_mj and energy_idle_mj need energy_mj")
	case r.BorderNS != nil && *r.BorderNS >= r.LatencyMedianNS:
		return fmt.Errorf("border_ns %g is no part of latency_median_ns %g", *r.BorderNS, r.LatencyMedianNS)
	case r.TemperatureC != nil && !(*r.TemperatureC > -273.15 && *r.TemperatureC < 1000):
		return fmt.Errorf("temperature_c is %g", *r.TemperatureC)
	}
	for i, v := range [len(optionalNames)]*float64{
		r.EnergyMJ, r.EnergyGrossMJ, r.FirstRunNS, r.Cycles, r.Instructions, r.PeakMemoryBytes,
		r.ClockHz, r.ComputeSlowdown, r.MemorySlowdown, r.EnergyIdleMJ, r.CacheMisses, r.RuntimeNodes, r.BorderNS,
	} {
		if v == nil || *v == 0 && i >= mayBeZero {
			continue
		}
		if err := validatePositive(optionalNames[i], *v); err != nil {
			return err
		}
	}
	return nil
}

// optionalNames are those of columns that may be null; from mayBeZero on they
// may well be none.
var optionalNames = [...]string{
	"energy_mj", "energy_gross_mj", "first_run_ns", "cycles", "instructions", "peak_memory_bytes",
	"clock_hz", "compute_slowdown", "memory_slowdown", "energy_idle_mj", "cache_misses", "runtime_nodes", "border_ns",
}

const mayBeZero = 9

// validateKey reports a key that is no canonical name, or that disagrees with
// the dimensions.
func (r *Row) validateKey() error {
	if w := r.workload(); r.N > 0 && w.Validate() == nil && w.String() == r.Key {
		return nil // a valid workload has one name: parsing it says no more, and takes longer
	}
	w, err := graph.ParseWorkload(r.Key)
	if err != nil {
		return fmt.Errorf("key does not parse: %w", err)
	}
	if got := r.workload(); got != w {
		return fmt.Errorf("key %s disagrees with its dimensions, which are those of %s", r.Key, got)
	}
	return nil
}

func validateLatencies(median, p10, p90, ci95 float64) error {
	for _, v := range []struct {
		name  string
		value float64
	}{{"latency_median_ns", median}, {"latency_p10_ns", p10}, {"latency_p90_ns", p90}} {
		if err := validatePositive(v.name, v.value); err != nil {
			return err
		}
	}
	switch {
	case math.IsNaN(ci95) || math.IsInf(ci95, 0):
		return fmt.Errorf("latency_ci95_ns is %v", ci95)
	case ci95 < 0:
		return errors.New("latency_ci95_ns is negative")
	case p10 > median || median > p90:
		return fmt.Errorf("latency_median_ns %g is not between latency_p10_ns %g and latency_p90_ns %g", median, p10, p90)
	}
	return nil
}

// validatePositive refuses what no clock or meter reads: a missing value is
// null, never a zero.
func validatePositive(name string, v float64) error {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return fmt.Errorf("%s is %v", name, v)
	case v < 0:
		return fmt.Errorf("%s is negative", name)
	case v == 0:
		return fmt.Errorf("%s is zero", name)
	}
	return nil
}
