package predictor

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// machine is a device whose true costs are known. Workloads follow a soft
// roofline with vector remainders, a cache that ends, and a price for
// activations; networks cost their sum times a factor, plus dispatch.
type machine struct {
	rng          *rand.Rand
	rowNoise     float64 // standard deviation of the logarithm
	networkNoise float64
	factor       float64 // of the sum
	dispatch     float64 // ns a workload
	fixed        float64 // ns a network
}

func newMachine(seed uint64) *machine {
	return &machine{
		rng: rand.New(rand.NewPCG(seed, 99)), rowNoise: 0.01, networkNoise: 0.01,
		factor: 1.08, dispatch: 400, fixed: 5000,
	}
}

// latency is the true one in ns.
func (m *machine) latency(w graph.Workload) float64 {
	perMAC := map[string]float64{"conv2d": 0.05, "pointwise": 0.03, "depthwise": 0.15, "linear": 0.12}[w.Family()]
	macs := float64(w.MACs())
	if w.Family() == "depthwise" {
		macs *= roundUp(w.OutW(), 16) / float64(w.OutW())
		macs *= 1 + 2/float64(w.R)
	} else if macs > 0 {
		macs *= roundUp(w.K, 16) / float64(w.K)
		macs *= 1 + 8/window(w) // short inner loops
	}
	compute := macs * perMAC
	bytes := float64(w.Bytes())
	memory := bytes * 0.05
	if bytes > 1<<18 {
		memory += (bytes - 1<<18) * 0.1
	}
	ns := 300 + math.Cbrt(compute*compute*compute+memory*memory*memory)
	if w.Epilogue == "hswish" {
		ns += 0.3 * float64(w.BytesWritten()) / 4
	}
	return ns
}

func (m *machine) networkLatency(workloads []graph.Workload) float64 {
	ns := m.fixed
	for _, w := range workloads {
		ns += m.factor*m.latency(w) + m.dispatch
	}
	return ns
}

func (m *machine) row(w graph.Workload) lut.Row {
	r := lut.NewRow(w)
	r.LatencyMedianNS = m.latency(w) * math.Exp(m.rng.NormFloat64()*m.rowNoise)
	r.LatencyMeanNS, r.LatencyP10NS, r.LatencyP90NS, r.RawMedianNS = r.LatencyMedianNS, r.LatencyMedianNS, r.LatencyMedianNS, r.LatencyMedianNS
	r.LatencyCI95NS = 1.96 * m.rowNoise * r.LatencyMedianNS
	r.Samples, r.Stable, r.MeasuredAt = 100, true, time.Unix(0, 0)
	return r
}

func (m *machine) network(use string) lut.Network {
	workloads := m.draw()
	ns := m.networkLatency(workloads) * math.Exp(m.rng.NormFloat64()*m.networkNoise)
	n := lut.Network{
		Name: fmt.Sprintf("%s%d", use, m.rng.Uint64()), Use: use, Samples: 10,
		LatencyMedianNS: ns, LatencyP10NS: ns, LatencyP90NS: ns, LatencyCI95NS: 1.96 * m.networkNoise * ns,
	}
	for _, w := range workloads {
		n.Workloads = append(n.Workloads, w.String())
	}
	return n
}

func (m *machine) networks(use string, n int) []lut.Network {
	list := make([]lut.Network, n)
	for i := range list {
		list[i] = m.network(use)
	}
	return list
}

// table measures some of the workloads of random networks.
func (m *machine) table(rows, fit, calibrate int) *lut.Table {
	t := &lut.Table{}
	seen := map[graph.Workload]bool{}
	for len(t.Rows) < rows {
		for _, w := range m.draw() {
			if !seen[w] && m.rng.IntN(4) == 0 && len(t.Rows) < rows {
				seen[w] = true
				t.Rows = append(t.Rows, m.row(w))
			}
		}
	}
	t.Networks = append(m.networks("fit", fit), m.networks("calibrate", calibrate)...)
	return t
}

// draw is a random network in the manner of MobileNetV2.
func (m *machine) draw() []graph.Workload {
	pick := func(choices ...int) int { return choices[m.rng.IntN(len(choices))] }
	size := pick(16, 20, 24, 28)
	c := pick(8, 12, 16)
	activation := []string{"relu", "hswish"}[m.rng.IntN(2)]
	workloads := []graph.Workload{conv(1, c, size, 3, 1, 1, activation)}
	for stage := range 4 {
		out := (stage + 2) * pick(8, 12, 16)
		kernel, expand := pick(3, 5, 7), pick(2, 3, 4, 6)
		for block := range pick(1, 2, 3) {
			stride := 1
			if block == 0 && stage%2 == 1 {
				stride = 2
			}
			residual := "none"
			if stride == 1 && c == out {
				residual = "add"
			}
			workloads = append(workloads,
				conv(c, c*expand, size, 1, 1, 1, activation),
				conv(c*expand, c*expand, size, kernel, stride, c*expand, activation))
			size = (size + stride - 1) / stride
			workloads = append(workloads, conv(c*expand, out, size, 1, 1, 1, residual))
			c = out
		}
	}
	return append(workloads,
		graph.Workload{Op: graph.OpGlobalAvgPool, DType: graph.F32, N: 1, C: c, H: size, W: size},
		graph.Workload{Op: graph.OpLinear, DType: graph.F32, N: 1, C: c, K: 10, Epilogue: "none"})
}

func conv(c, k, size, kernel, stride, group int, epilogue string) graph.Workload {
	p := kernel / 2
	return graph.Workload{
		Op: graph.OpConv2D, DType: graph.F32, N: 1, C: c, H: size, W: size, K: k, R: kernel, S: kernel,
		StrideH: stride, StrideW: stride, PadTop: p, PadLeft: p, PadBottom: p, PadRight: p,
		DilationH: 1, DilationW: 1, Group: group, Epilogue: epilogue,
	}
}

func mustFit(t testing.TB, table *lut.Table) *Predictor {
	t.Helper()
	p, err := Fit(table)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
