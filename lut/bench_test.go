package lut

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
)

// bigTable has convolutions of n different shapes.
func bigTable(n int) *Table {
	t := &Table{Meta: testMeta()}
	for i := range n {
		w := testWorkload(0)
		w.C, w.K, w.H = 8+i%100, 8+i/100%100, 7+i/10000
		r := testRow(i % 1000)
		id := NewRow(w)
		id.LatencyMedianNS, id.LatencyMeanNS, id.RawMedianNS = r.LatencyMedianNS+float64(i), r.LatencyMeanNS+float64(i), r.RawMedianNS+float64(i)
		id.LatencyP10NS, id.LatencyP90NS, id.LatencyCI95NS = r.LatencyP10NS, r.LatencyP90NS+float64(i), r.LatencyCI95NS
		id.Samples, id.Stable, id.MeasuredAt = r.Samples, r.Stable, r.MeasuredAt
		id.EnergyMJ, id.EnergySource = r.EnergyMJ, r.EnergySource
		t.Rows = append(t.Rows, id)
	}
	return t
}

func BenchmarkRead100k(b *testing.B) {
	path := filepath.Join(b.TempDir(), "big.lut.parquet")
	if err := bigTable(100_000).Write(path); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Read(path); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookup100k(b *testing.B) {
	t := bigTable(100_000)
	ws := make([]graph.Workload, len(t.Rows)) // all, in no order: few rows are in the caches
	for i, at := range rand.New(rand.NewPCG(1, 1)).Perm(len(t.Rows)) {
		ws[i] = t.Rows[at].workload()
	}
	t.Lookup(ws[0])
	i := 0
	for b.Loop() {
		if _, ok := t.Lookup(ws[i%len(ws)]); !ok {
			b.Fatal("a row is not found")
		}
		i++
	}
}
