package kernels_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// BenchmarkKernels runs typical workloads, each under its canonical name, and
// reports GFLOP/s, or GB/s where nothing is multiplied, and which share of the
// machine's peak that is: of the multiply-adds that its instructions can do, or
// of the rate of a copy of as many bytes, whichever share is larger.
func BenchmarkKernels(b *testing.B) {
	for _, w := range graph.Typical() {
		b.Run(w.String(), func(b *testing.B) {
			benchmark(b, 2*w.MACs(), w.Bytes(), workload(w))
		})
	}
	for _, p := range [][3]int{{64, 64, 64}, {256, 256, 256}, {1024, 1024, 1024}, {8, 1024, 1024}, {1, 4096, 4096}, {3136, 64, 24}, {512, 49, 4608}} {
		m, n, k := p[0], p[1], p[2]
		b.Run(fmt.Sprintf("gemm/f32/m%dn%dk%d", m, n, k), func(b *testing.B) {
			x, y, z := random(m*k), random(k*n), random(m*n)
			var ws kernels.Workspace
			benchmark(b, int64(2*m*n*k), int64(4*(m*k+k*n+m*n)), func() {
				kernels.Gemm(&ws, false, false, m, n, k, 1, x, k, y, n, 0, z, n)
			})
		})
	}
}

// benchmark runs run and reports its rates, given its operations and bytes.
func benchmark(b *testing.B, flop, bytes int64, run func()) {
	run()
	for b.Loop() {
		run()
	}
	seconds := b.Elapsed().Seconds() / float64(b.N)
	share := float64(bytes) / seconds / copyRate(bytes)
	if flop > 0 {
		b.ReportMetric(float64(flop)/seconds/1e9, "GFLOP/s")
		share = max(share, float64(flop)/seconds/peak().FMA)
	} else {
		b.ReportMetric(float64(bytes)/seconds/1e9, "GB/s")
	}
	b.ReportMetric(share, "of-peak")
}

// peak is measured when it is first asked for.
var peak = sync.OnceValue(kernels.MeasurePeak)

var copyRates = make(map[int64]float64)

// copyRate is the rate of a copy of so many bytes.
func copyRate(bytes int64) float64 {
	rate, ok := copyRates[bytes]
	if !ok {
		rate = kernels.MeasureCopy(int(bytes))
		copyRates[bytes] = rate
	}
	return rate
}

// random returns n numbers between -1 and 1.
func random(n int) []float32 {
	r := rand.New(rand.NewPCG(1, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = 2*r.Float32() - 1
	}
	return x
}

// activations are the kernels' activations by their names in an epilogue.
var activations = map[string]kernels.Activation{
	"": kernels.NoActivation, "none": kernels.NoActivation, "add": kernels.NoActivation,
	"relu": kernels.ReLU, "relu6": kernels.ReLU6, "hswish": kernels.HardSwish,
	"hsigmoid": kernels.HardSigmoid, "sigmoid": kernels.Sigmoid,
}

// workload returns what does w, with operands in place.
func workload(w graph.Workload) func() {
	ws := new(kernels.Workspace)
	epilogue := w.Epilogue
	if epilogue == "" {
		epilogue = string(w.Op)
	}
	activation := activations[strings.TrimPrefix(epilogue, "add.")]
	src := random(w.N * w.C * max(w.H*w.W, 1))
	dst := random(int(w.BytesWritten() / w.DType.Size()))
	switch w.Op {
	case graph.OpConv2D:
		shape := kernels.Conv2D{
			N: w.N, C: w.C, H: w.H, W: w.W, K: w.K, R: w.R, S: w.S, StrideH: w.StrideH, StrideW: w.StrideW,
			PadTop: w.PadTop, PadLeft: w.PadLeft, PadBottom: w.PadBottom, PadRight: w.PadRight,
			DilationH: w.DilationH, DilationW: w.DilationW, Groups: w.Group,
		}
		// The first convolution of a network finds its image in planes; from
		// then on images are in blocks of channels.
		in, out := kernels.Blocked, kernels.Blocked
		if w.C <= 4 {
			in = kernels.Planar
		}
		packed, err := kernels.PackConv2DLayouts(shape, in, out, random(w.K*w.C/w.Group*w.R*w.S), random(w.K))
		if err != nil {
			panic(err)
		}
		src := random(in.Size(w.N, w.C, w.H*w.W))
		dst := random(out.Size(w.N, w.K, w.OutH()*w.OutW()))
		var residual []float32
		if strings.HasPrefix(w.Epilogue, "add") {
			residual = random(len(dst))
		}
		return func() { packed.Forward(ws, dst, src, residual, activation) }
	case graph.OpLinear:
		packed := kernels.PackLinear(w.C, w.K, random(w.C*w.K), random(w.K))
		return func() { packed.Forward(ws, w.N, dst, src, activation) }
	case graph.OpAdd:
		other := random(len(src))
		return func() {
			kernels.Add(dst, src, other)
			if activation != kernels.NoActivation {
				kernels.Activate(activation, dst, dst)
			}
		}
	case graph.OpMul: // of channels by numbers
		scale := random(w.N * w.C)
		return func() { kernels.ScaleChannels(w.N, w.C, w.H*w.W, dst, src, scale) }
	case graph.OpMaxPool:
		shape := kernels.Pool2D{
			N: w.N, C: w.C, H: w.H, W: w.W, R: w.R, S: w.S, StrideH: w.StrideH, StrideW: w.StrideW,
			PadTop: w.PadTop, PadLeft: w.PadLeft, PadBottom: w.PadBottom, PadRight: w.PadRight,
		}
		var ws kernels.Workspace
		return func() { kernels.MaxPool(&ws, shape, dst, src) }
	case graph.OpGlobalAvgPool:
		return func() { kernels.GlobalAvgPool(w.N, w.C, w.H*w.W, dst, src) }
	case graph.OpSoftmax:
		return func() { kernels.Softmax(w.N, w.C, dst, src) }
	case graph.OpRelu, graph.OpHardSwish, graph.OpHardSigmoid, graph.OpSigmoid:
		return func() { kernels.Activate(activation, dst, src) }
	}
	panic("no benchmark of " + w.String())
}
