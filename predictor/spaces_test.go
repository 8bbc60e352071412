package predictor

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/nas/space"
)

func compileSpace(t testing.TB, p *Predictor, name string) (nas.Space, *Compiled) {
	t.Helper()
	s, err := space.Published(name)
	if err != nil {
		t.Fatal(err)
	}
	var choices []int
	for _, d := range s.Decisions() {
		choices = append(choices, len(d.Choices))
	}
	begin := time.Now()
	c, err := p.Compile(choices, func(a []int) (*graph.Graph, error) { return s.Lower(a) })
	if err != nil {
		t.Fatal(err)
	}
	entries, largest := 0, 0
	for _, table := range c.tables {
		entries += table.entries(choices)
		largest = max(largest, table.entries(choices))
	}
	t.Logf("%s: %d decisions, %d tables with %d entries, at most %d, %v", name, len(choices), len(c.tables), entries, largest, time.Since(begin))
	return s, c
}

// TestCompiledSpaces compares on the search spaces there are.
func TestCompiledSpaces(t *testing.T) {
	names := space.Names()
	if testing.Short() {
		names = []string{"mobile28"}
	}
	m := newMachine(3)
	p := mustFit(t, m.table(60, 6, 12))
	for _, name := range names {
		s, c := compileSpace(t, p, name)
		rng := rand.New(rand.NewPCG(11, 0))
		for range 50 {
			a := nas.RandomSized(s, rng)
			g, err := s.Lower(a)
			if err != nil {
				t.Fatal(err)
			}
			want, err := p.PredictGraph(g)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Predict(a)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(got.LatencyNS/want.LatencyNS-1) > 1e-9 || math.Abs(got.HighNS/want.HighNS-1) > 1e-9 {
				t.Fatalf("%s %s: compiled %g ns up to %g, predicted %g up to %g", name, a, got.LatencyNS, got.HighNS, want.LatencyNS, want.HighNS)
			}
		}
	}
}

// BenchmarkSpace predicts a batch of Once-for-All's networks.
func BenchmarkSpace(b *testing.B) {
	m := newMachine(3)
	p := mustFit(b, m.table(60, 6, 12))
	for _, name := range []string{"mobile28", "ofa-mobilenetv3"} {
		s, c := compileSpace(b, p, name)
		rng := rand.New(rand.NewPCG(11, 0))
		architectures := make([]nas.Architecture, 10000)
		for i := range architectures {
			architectures[i] = nas.Random(s, rng)
		}
		into := make([]Prediction, len(architectures))
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := PredictAll(c, architectures, into); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(architectures))*float64(b.N)/b.Elapsed().Seconds(), "predictions/s")
		})
	}
}

// BenchmarkGraph predicts a network of MobileNetV3's size from its graph.
func BenchmarkGraph(b *testing.B) {
	m := newMachine(3)
	p := mustFit(b, m.table(60, 6, 12))
	s, err := space.Published("ofa-mobilenetv3")
	if err != nil {
		b.Fatal(err)
	}
	g, err := s.Lower(s.Largest())
	if err != nil {
		b.Fatal(err)
	}
	workloads, err := new(Predictor).Workloads(g)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("graph", func(b *testing.B) {
		for b.Loop() {
			if _, err := p.PredictGraph(g); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "predictions/s")
	})
	b.Run("graphs", func(b *testing.B) { // on all processors
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := p.PredictGraph(g); err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "predictions/s")
	})
	b.Run("workloads", func(b *testing.B) {
		for b.Loop() {
			if _, err := p.Predict(workloads); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "predictions/s")
	})
}
