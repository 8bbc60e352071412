package predictor

import (
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
)

// lanes is the number of f32 in the widest vector register, the unit in which
// kernels cut up channels and columns. What is left over still costs a vector.
const lanes = 16

func roundUp(n int) float64 { return float64((n + lanes - 1) / lanes * lanes) }

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
func work(w graph.Workload) []float64 {
	macs := float64(w.MACs())
	var tiled, unrolled float64
	switch {
	case w.Family() == "depthwise":
		tiled = macs / float64(max(w.OutW(), 1)) * roundUp(w.OutW())
	case macs > 0 && (w.Op == graph.OpConv2D || w.Op == graph.OpLinear || w.Op == graph.OpMatMul) && w.K > 0:
		tiled = macs / float64(w.K) * roundUp(w.K)
		if w.Op != graph.OpMatMul {
			unrolled = positions(w) * window(w) * float64(max(w.Group, 1))
		}
	default:
		tiled = macs
	}
	return []float64{1, macs, tiled, float64(w.BytesRead()), float64(w.BytesWritten()), unrolled}
}

// logFeatures describes a workload by logarithms of its shapes, of its cost
// figures, and of how full its vectors are.
func logFeatures(w graph.Workload) []float64 {
	log := func(v float64) float64 { return math.Log(max(v, 1)) }
	fill := func(n int) float64 { return math.Log(float64(max(n, 1)) / roundUp(max(n, 1))) }
	macs, bytes := float64(w.MACs()), float64(w.Bytes())
	return []float64{
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
	}
}

// encoder turns the workloads of one family into vectors of mean 0 and
// variance 1 over the rows that it was made from: the log features and one
// indicator an epilogue. What is constant over these rows is left out.
type encoder struct {
	epilogues   []string
	kept        []int // of the raw features
	mean, scale []float64
}

func newEncoder(samples []sample) *encoder {
	e := &encoder{}
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
	raw := logFeatures(w)
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
