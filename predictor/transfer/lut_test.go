package transfer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// madeUpTable is a device with a rate of arithmetic, a rate of memory and a cost
// of each start, on which a family of convolutions has a rate of its own.
func madeUpTable(rng *rand.Rand) *lut.Table {
	table := &lut.Table{}
	arithmetic, memory, start := math.Exp(rng.NormFloat64())*0.02, math.Exp(rng.NormFloat64())*0.1, 500*math.Exp(0.5*rng.NormFloat64())
	pointwise := math.Exp(0.3 * rng.NormFloat64())
	for _, side := range []int{7, 14, 28, 56} {
		for _, c := range []int{16, 32, 64, 128} {
			for _, k := range []int{16, 64, 160} {
				for _, window := range []int{1, 3} {
					w := graph.Workload{
						Op: graph.OpConv2D, DType: graph.F32, N: 1, C: c, H: side, W: side, K: k, R: window, S: window,
						StrideH: 1, StrideW: 1, PadTop: window / 2, PadLeft: window / 2, PadBottom: window / 2, PadRight: window / 2,
						DilationH: 1, DilationW: 1, Group: 1, Epilogue: "relu",
					}
					row := lut.NewRow(w)
					rate := arithmetic
					if window == 1 {
						rate *= pointwise
					}
					row.Samples = 20
					row.LatencyMedianNS = (start + max(rate*float64(w.MACs()), memory*float64(w.Bytes()))) * math.Exp(0.02*rng.NormFloat64())
					table.Rows = append(table.Rows, row)
				}
			}
		}
	}
	return table
}

func TestCompleteTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	var known []*lut.Table
	for d := range 5 {
		known = append(known, madeUpTable(rng))
		known[d].Meta.Fingerprint = fmt.Sprint(d)
	}
	truth := madeUpTable(rng)
	chosen, err := ChooseRows(known, 10, 3)
	if err != nil {
		t.Fatal(err)
	}
	few := &lut.Table{Meta: lut.Meta{Fingerprint: "new", Threads: 3}}
	for _, w := range chosen {
		r, ok := truth.Lookup(w)
		if !ok {
			t.Fatalf("%s is chosen, but not in the tables", w)
		}
		few.Rows = append(few.Rows, r)
	}
	// Of what is not in all tables, what is measured stays, what is known is no help.
	own := lut.NewRow(mustWorkload(t, "linear/f32/n1c10/k10/none"))
	own.LatencyMedianNS, own.Samples = 77, 20
	few.Rows = append(few.Rows, own)
	own.Algorithm = "abacus"
	few.Alternatives = []lut.Row{own}
	table, err := CompleteTable(known, few, 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != len(truth.Rows)+1 || table.Meta.Threads != 3 {
		t.Fatalf("%d rows with %d threads, want %d with 3", len(table.Rows), table.Meta.Threads, len(truth.Rows)+1)
	}
	if len(table.Alternatives) != 1 || table.Alternatives[0].Algorithm != "abacus" {
		t.Errorf("alternatives %+v, want those that were measured", table.Alternatives)
	}
	scale := 0.0 // of the best single factor to the first known device
	for _, w := range chosen {
		r, _ := few.Lookup(w)
		at, _ := known[0].Lookup(w)
		scale += math.Log(r.LatencyMedianNS/at.LatencyMedianNS) / 10
	}
	var wrong, wrongScaled []float64
	held, within, predicted := 0, 0, 0
	for _, r := range table.Rows {
		if !r.Predicted() {
			if before, ok := few.Lookup(mustWorkload(t, r.Key)); !ok || r != before {
				t.Errorf("measured row %s is not what it was", r.Key)
			}
			continue
		}
		want, ok := truth.Lookup(mustWorkload(t, r.Key))
		if !ok {
			t.Fatalf("%s is not in the table", r.Key)
		}
		predicted++
		if math.Abs(r.LatencyMedianNS-want.LatencyMedianNS) <= r.LatencyCI95NS {
			held++
		}
		if r.LatencyP10NS <= want.LatencyMedianNS && want.LatencyMedianNS <= r.LatencyP90NS {
			within++
		}
		wrong = append(wrong, math.Abs(r.LatencyMedianNS/want.LatencyMedianNS-1))
		at, _ := known[0].Lookup(mustWorkload(t, r.Key))
		wrongScaled = append(wrongScaled, math.Abs(at.LatencyMedianNS*math.Exp(scale)/want.LatencyMedianNS-1))
	}
	t.Logf("median error %.3f, of one factor %.3f; of %d %d within their 95%%, %d within their 80%% interval", median(wrong), median(wrongScaled), predicted, held, within)
	if predicted != len(truth.Rows)-10 {
		t.Errorf("%d rows are predicted, want %d", predicted, len(truth.Rows)-10)
	}
	if median(wrong) > 0.15 || median(wrong) > median(wrongScaled)/2 {
		t.Errorf("median error %.3f, of one factor %.3f", median(wrong), median(wrongScaled))
	}
	if held*10 < predicted*8 || within*10 < predicted*5 || within >= held {
		t.Errorf("of %d rows %d are within their 95%% interval, %d within their 80%% interval", predicted, held, within)
	}

	// Predictions are no evidence: neither of the new device nor of a known one.
	again, err := CompleteTable(known, table, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range again.Rows {
		if r.Key != table.Rows[i].Key || r.LatencyMedianNS != table.Rows[i].LatencyMedianNS {
			t.Fatalf("completed again, row %s is %g, was %g", r.Key, r.LatencyMedianNS, table.Rows[i].LatencyMedianNS)
		}
	}
	only, err := CompleteTable([]*lut.Table{table}, few, 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(only.Rows) != len(few.Rows) {
		t.Errorf("%d rows by a known table with %d measured ones", len(only.Rows), len(few.Rows))
	}
}

func mustWorkload(t *testing.T, key string) graph.Workload {
	t.Helper()
	w, err := graph.ParseWorkload(key)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// What known devices could not measure well is not chosen to be measured, and a
// measurement tells the less the wider its interval is.
func TestNoisyRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var known []*lut.Table
	for range 3 {
		known = append(known, madeUpTable(rng))
	}
	noisy := map[string]bool{}
	for i, r := range known[0].Rows {
		if i/2%2 == 0 { // of both kinds
			noisy[r.Key] = true
			for _, table := range known {
				table.Rows[i].LatencyCI95NS = 2 * table.Rows[i].LatencyMedianNS
			}
		}
	}
	chosen, err := ChooseRows(known, 10, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range chosen {
		if noisy[w.String()] {
			t.Errorf("%s is chosen, which no known device measures to better than 200%%", w)
		}
	}
	truth := madeUpTable(rng)
	few := func(half float64, samples int64) *lut.Table {
		out := &lut.Table{}
		for i, w := range chosen {
			r, _ := truth.Lookup(w)
			if i == 0 {
				r.LatencyMedianNS *= 10
				r.LatencyCI95NS, r.Samples = half*r.LatencyMedianNS, samples
			}
			out.Rows = append(out.Rows, r)
		}
		return out
	}
	wrong := func(few *lut.Table) (sum float64) {
		table, err := CompleteTable(known, few, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range table.Rows {
			if want, _ := truth.Lookup(mustWorkload(t, r.Key)); r.Predicted() {
				sum += math.Abs(math.Log(r.LatencyMedianNS / want.LatencyMedianNS))
			}
		}
		return sum
	}
	sure, unsure, single := wrong(few(0.01, 50)), wrong(few(5, 50)), wrong(few(0, 1))
	if unsure > sure/2 || single > sure {
		t.Errorf("one wrong measurement of ten: errors add up to %g where it is sure, %g where it is not, %g of a single sample", sure, unsure, single)
	}
}

func TestCompleteTableErrors(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	whole := madeUpTable(rng)
	few := &lut.Table{Rows: slices.Clone(whole.Rows[:2])}
	bad := &lut.Table{Rows: slices.Clone(whole.Rows)}
	bad.Rows[3].LatencyMedianNS = math.NaN()
	for _, c := range []struct {
		known    []*lut.Table
		measured *lut.Table
		want     string
	}{
		{nil, few, "no table of a known device"},
		{[]*lut.Table{whole}, few, "shares 2 measured workloads"},
		{[]*lut.Table{bad}, few, "known table 0: row 3: latency_median_ns is NaN"},
		{[]*lut.Table{whole}, bad, "row 3: latency_median_ns is NaN"},
		{[]*lut.Table{whole, few}, few, "share 2 measured workloads"},
	} {
		if _, err := CompleteTable(c.known, c.measured, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	if _, err := ChooseRows([]*lut.Table{whole}, len(whole.Rows), 1); err == nil {
		t.Error("choosing all rows is no error")
	}
}
