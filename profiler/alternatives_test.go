package profiler

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
	"github.com/hwprofd/hwprofd/lut"
)

var manyWays = graph.Workload{
	Op: graph.OpConv2D, DType: graph.F32, N: 1, C: 16, H: 14, W: 14, K: 32, R: 3, S: 3, StrideH: 1, StrideW: 1,
	PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, DilationH: 1, DilationW: 1, Group: 1, Epilogue: "relu",
}

// With alternatives, a convolution is measured by each of its algorithms, in
// visits of its own, and has one row that tells what it costs; also where the
// run was stopped between.
func TestRunAlternatives(t *testing.T) {
	algorithms := inference.Alternatives(manyWays)
	if len(algorithms) < 2 {
		t.Fatalf("%s has the alternatives %q", manyWays, algorithms)
	}
	workloads, networks := fakeWork(t)
	path := filepath.Join(t.TempDir(), "fake.lut.parquet")
	ctx, cancel := context.WithCancel(context.Background())
	count := 0
	stopped := fakeProfiler(Options{Alternatives: true, Progress: func(_, total int, current string, _ time.Duration) {
		if want := len(workloads) + 1 + len(algorithms) + len(networks); total != want {
			t.Fatalf("%d items, want %d", total, want)
		}
		if count++; count == 2*total {
			cancel()
		}
	}}, 0.01)
	if _, err := stopped.Run(ctx, path, fakeMeta, append(workloads, manyWays), networks); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	j, err := lut.OpenJournal(path, fakeMeta)
	if err != nil {
		t.Fatal(err)
	}
	visits := map[string]int{}
	for _, v := range j.Visits() {
		if v.Name == manyWays.String() {
			visits[v.Algorithm]++
		}
	}
	resumed, err := fakeProfiler(Options{Alternatives: true}, 0.01).pending(j, []graph.Workload{manyWays}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range resumed {
		if len(it.visits) != visits[it.algorithm] {
			t.Errorf("%s goes on with %d visits, had %d", it.name, len(it.visits), visits[it.algorithm])
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{""}, algorithms...) {
		if visits[name] == 0 {
			t.Errorf("after two rounds, no visit by %q: %v", name, visits)
		}
	}
	if len(resumed) != 1+len(algorithms) {
		t.Errorf("%d items to go on with, want %d", len(resumed), 1+len(algorithms))
	}

	table, err := fakeProfiler(Options{Alternatives: true}, 0.01).Run(context.Background(), path, fakeMeta, append(workloads, manyWays), networks)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != len(workloads)+2 { // the calibration kernel's
		t.Errorf("%d rows, want %d", len(table.Rows), len(workloads)+2)
	}
	var measured []string
	for _, r := range table.AlternativesOf(manyWays) {
		measured = append(measured, r.Algorithm)
		if !(r.LatencyMedianNS > 0) || r.EnergySource != "modelled" || r.PeakMemoryBytes == nil {
			t.Errorf("%+v", r)
		}
	}
	slices.Sort(algorithms)
	if diff := cmp.Diff(algorithms, measured); diff != "" || len(table.Alternatives) != len(measured) {
		t.Errorf("-want +measured:\n%s", diff)
	}
}

// An item of an algorithm is computed by it, in each of its copies.
func TestLoadByAlgorithm(t *testing.T) {
	p := fakeProfiler(Options{}, 0.01)
	for _, cache := range []string{lut.CacheWarm, lut.CacheCold} {
		for _, name := range inference.Alternatives(manyWays) {
			s, times, _, err := p.load(context.Background(), newItem(manyWays, cache, name))
			if err != nil {
				t.Fatal(err)
			}
			convolutions := 0
			for _, step := range s.(*planSession).plan.Steps() {
				if step.Workload.Op == graph.OpConv2D {
					convolutions++
					if step.Algorithm != name {
						t.Errorf("computed by %q, want %q", step.Algorithm, name)
					}
				}
			}
			if convolutions != times || (cache == lut.CacheCold) != (times == 1) {
				t.Errorf("%d convolutions for %d times, with %s caches", convolutions, times, cache)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
