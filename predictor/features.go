package predictor

import (
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
)

// describer turns workloads into numbers that their latency depends on.
type describer struct {
	hardware hardware
	roofline []float64 // ns: constant, a MAC, a byte
}

// positions is the number of output positions over which a filter is applied.
func positions(w graph.Workload) float64 {
	return float64(w.N) * float64(max(w.OutH(), 1)) * float64(max(w.OutW(), 1))
}

// window is the number of multiply-accumulates of one output element.
func window(w graph.Workload) float64 {
	return float64(w.C/max(w.Group, 1)) * float64(max(w.R, 1)) * float64(max(w.S, 1))
}

// work lists the quantities that latency is additive in: a start-up cost,
// multiply-accumulates, the same with the output rounded up to whole vectors,
// bytes read, bytes written, and the elements of the unrolled input.
func (d describer) work(w graph.Workload) []float64 {
	macs, lanes := float64(w.MACs()), d.hardware.lanes(w.DType)
	var tiled, unrolled float64
	switch {
	case w.Family() == "depthwise":
		tiled = macs / float64(max(w.OutW(), 1)) * roundUp(w.OutW(), lanes)
	case macs > 0 && (w.Op == graph.OpConv2D || w.Op == graph.OpLinear || w.Op == graph.OpMatMul) && w.K > 0:
		tiled = macs / float64(w.K) * roundUp(w.K, lanes)
		if w.Op != graph.OpMatMul {
			unrolled = positions(w) * window(w) * float64(max(w.Group, 1))
		}
	default:
		tiled = macs
	}
	return []float64{1, macs, tiled, float64(w.BytesRead()), float64(w.BytesWritten()), unrolled}
}

// logFeatures describes a workload by logarithms of its shapes, of its cost
// figures and its time by the roofline, of how full its vectors are, and of how
// much its data exceed each cache.
func (d describer) logFeatures(w graph.Workload) []float64 {
	lanes := d.hardware.lanes(w.DType)
	log := func(v float64) float64 { return math.Log(max(v, 1)) }
	fill := func(n int) float64 { return math.Log(float64(max(n, 1)) / roundUp(max(n, 1), lanes)) }
	macs, bytes := float64(w.MACs()), float64(w.Bytes())
	features := []float64{
		log(macs),
		log(float64(w.BytesRead())),
		log(float64(w.BytesWritten())),
		log(float64(w.Params())),
		math.Log((macs + 1) / bytes), // arithmetic intensity
		log(positions(w)),
		log(float64(w.OutW())),
		log(float64(w.C)),
		log(float64(w.K)),
		log(float64(w.Group)),
		log(float64(w.R) * float64(w.S)),
		log(float64(max(w.StrideH, 1)) * float64(max(w.StrideW, 1))),
		fill(w.C),
		fill(w.K),
		fill(w.OutW()),
		fill(int(min(positions(w), math.MaxInt32/2))),
		log(float64(w.H)),
		log(float64(w.W)),
		log(dot(d.roofline, amounts(w))),
	}
	for _, size := range d.hardware.CacheBytes {
		features = append(features, log(bytes/size))
	}
	return features
}

// encoder turns the workloads of one family into vectors of mean 0 and
// variance 1 over the rows that it was made from: the log features and one
// indicator an epilogue. What is constant over these rows is left out.
type encoder struct {
	describer   describer
	epilogues   []string
	kept        []int // of the raw features
	mean, scale []float64
}

func newEncoder(samples []sample, d describer) *encoder {
	e := &encoder{describer: d}
	for _, s := range samples {
		if !slices.Contains(e.epilogues, s.workload.Epilogue) {
			e.epilogues = append(e.epilogues, s.workload.Epilogue)
		}
	}
	slices.Sort(e.epilogues)
	raw := make([][]float64, len(samples))
	for i, s := range samples {
		raw[i] = e.raw(s.workload)
	}
	for j := range raw[0] {
		var mean, square float64
		for _, r := range raw {
			mean += r[j] / float64(len(raw))
		}
		for _, r := range raw {
			square += (r[j] - mean) * (r[j] - mean) / float64(len(raw))
		}
		if square > 1e-12 {
			e.kept = append(e.kept, j)
			e.mean = append(e.mean, mean)
			e.scale = append(e.scale, math.Sqrt(square))
		}
	}
	return e
}

func (e *encoder) raw(w graph.Workload) []float64 {
	raw := e.describer.logFeatures(w)
	for _, epilogue := range e.epilogues {
		var indicator float64
		if w.Epilogue == epilogue {
			indicator = 1
		}
		raw = append(raw, indicator)
	}
	return raw
}

func (e *encoder) encode(w graph.Workload) []float64 {
	raw := e.raw(w)
	x := make([]float64, len(e.kept))
	for i, j := range e.kept {
		x[i] = (raw[j] - e.mean[i]) / e.scale[i]
	}
	return x
}
