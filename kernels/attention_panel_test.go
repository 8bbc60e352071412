package kernels

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// eachPanels runs test with each implementation that does attention by panels.
func eachPanels(t *testing.T, test func(t *testing.T)) {
	eachBase(t, func(t *testing.T) {
		if attentions.panels == nil {
			t.Skip("has no kernels of attention by panels")
		}
		test(t)
	})
}

func TestAttentionPanelTwins(t *testing.T) {
	eachPanels(t, func(t *testing.T) {
		k := attentions.panels
		rapid.Check(t, func(t *rapid.T) {
			draw := func(name string, from, to int) int { return rapid.IntRange(from, to).Draw(t, name) }
			rows, vectors, count := draw("rows", panelRowsLow, panelRowsHigh), draw("vectors", 1, panelVectors), draw("count", 1, 3)
			n := draw("dim or keys", 1, 70)
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			stride := max(n, count*rows) + r.IntN(3)
			lanes := vectors * panelWidth
			same := func(name string, got, want []float32, width int) {
				t.Helper()
				for i, w := range want {
					g := got[i]
					if i%panelQueries >= width {
						if math.Float32bits(g) != math.Float32bits(w) {
							t.Fatalf("%s: wrote element %d", name, i)
						}
					} else if g != w && !(g != g && w != w) && !(math.Abs(float64(g-w)) <= 1e-4*(1+math.Abs(float64(w)))) {
						t.Fatalf("%s: element %d is %v, want %v", name, i, g, w)
					}
				}
			}

			queries, keys := randomSlice(r, n*panelQueries), randomSlice(r, (count*rows-1)*stride+n)
			for i := range queries {
				queries[i] /= float32(math.Sqrt(float64(n)))
			}
			first := r.IntN(2)
			before, sums := randomSlice(r, panelQueries), randomSlice(r, panelQueries)
			if first != 0 {
				clear(before)
			}
			if rapid.Bool().Draw(t, "special") {
				poison(r, queries)
				poison(r, keys)
			}
			scores := func(f func(*panelScores)) (weights, shift, sum []float32) {
				weights, check := guarded(make([]float32, count*rows*panelQueries))
				shift, checkShift := guarded(before)
				sum, checkSum := guarded(sums)
				f(&panelScores{
					rows: rows, vectors: vectors, count: count, queries: &queries[0], dim: n, keys: &keys[0], keyRow: 4 * stride,
					weights: &weights[0], shift: &shift[0], sum: &sum[0], first: first,
				})
				check(t, "weights")
				checkShift(t, "shift")
				checkSum(t, "sum")
				return weights, shift, sum
			}
			weights, shift, sum := scores(k.scores[rows-panelRowsLow][vectors-1])
			wantWeights, wantShift, wantSum := scores(panelScoresPortable)
			for i, w := range wantSum { // a sum that is out of range tells all
				if !(w < panelLimit) && !(sum[i] < panelLimit) {
					for j := i; j < len(weights); j += panelQueries {
						weights[j], wantWeights[j] = 0, 0
					}
					sum[i], wantSum[i], shift[i], wantShift[i] = 0, 0, 0, 0
				}
			}
			same("weights", weights, wantWeights, lanes)
			same("shift", shift, wantShift, lanes)
			same("sum", sum, wantSum, lanes)

			w, v := randomSlice(r, n*panelQueries), randomSlice(r, n*stride)
			if rapid.Bool().Draw(t, "special values") {
				poison(r, w)
				poison(r, v)
			}
			old, factor := randomSlice(r, count*rows*panelQueries), randomSlice(r, panelQueries)
			work := panelValues{
				rows: rows, vectors: vectors, count: count, weights: &w[0], keys: n, values: &v[0], valueRow: 4 * stride,
				accumulate: r.IntN(2),
			}
			if r.IntN(2) == 0 {
				work.factor = &factor[0]
			}
			values := func(f func(*panelValues)) []float32 {
				out, check := guarded(old)
				work := work
				work.out = &out[0]
				f(&work)
				check(t, "out")
				return out
			}
			same("values", values(k.values[rows-panelRowsLow][vectors-1]), values(panelValuesPortable), lanes)
		})
	})
}

// Where the first keys do not show how large scores get, results are right all
// the same.
func TestAttentionPanelRange(t *testing.T) {
	eachPanels(t, func(t *testing.T) {
		var ws Workspace
		for _, s := range []Attention{
			{Batch: 1, Heads: 2, QueryLen: 40, KVLen: 100, KeyDim: 8, ValueDim: 16},
			{Batch: 1, Heads: 4, KVHeads: 2, QueryLen: 33, KVLen: 1100, KeyDim: 6, ValueDim: 9},
		} {
			s.resolve("", nil)
			r := newRand(2)
			q, k, v := randomSlice(r, s.Heads*s.QueryLen*s.KeyDim), randomSlice(r, s.KVHeads*s.KVLen*s.KeyDim), randomSlice(r, s.KVHeads*s.KVLen*s.ValueDim)
			for i := range s.KeyDim { // the last key of the last head
				k[len(k)-1-i] *= 60
			}
			if j := (&attentionJob{Attention: s}); !j.suitsPanels() {
				t.Fatalf("%+v is not done by panels", s)
			}
			checkAttention(t, &ws, s, q, k, v, nil)
		}
	})
}
