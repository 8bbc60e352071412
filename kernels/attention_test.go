package kernels

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// attention64 is attention in double precision, as its definition has it, with
// the magnitudes of the results' terms, and the logarithms of the sums.
func attention64(s Attention, q, k, v, mask []float32) (dst []expectation, logs []float64) {
	s.resolve("attention64", mask)
	qv := s.view("", "", q, s.Heads, s.QueryLen, s.QueryLen, s.KeyDim)
	kv := s.view("", "", k, s.KVHeads, s.KVLen, s.KVCapacity, s.KeyDim)
	vv := s.view("", "", v, s.KVHeads, s.KVLen, s.KVCapacity, s.ValueDim)
	dv := s.view("", "", make([]float32, s.Batch*s.Heads*s.QueryLen*s.ValueDim), s.Heads, s.QueryLen, s.QueryLen, s.ValueDim)
	dst = make([]expectation, len(dv.data))
	for b := range s.Batch {
		for h := range s.Heads {
			kh := h / (s.Heads / s.KVHeads)
			for i := range s.QueryLen {
				weights := make([]float64, s.visible(i))
				largest, sum := math.Inf(-1), 0.0
				for j := range weights {
					x := q[qv.at(b, h, i):][:s.KeyDim]
					y := k[kv.at(b, kh, j):][:s.KeyDim]
					for p := range x {
						weights[j] += float64(x[p]) * float64(y[p])
					}
					weights[j] *= float64(s.Scale)
					if mask != nil {
						m := i*s.KVLen + j
						if s.MaskPerHead {
							m += h * s.QueryLen * s.KVLen
						}
						weights[j] += float64(mask[m])
					}
					largest = math.Max(largest, weights[j])
				}
				for j, x := range weights {
					weights[j] = math.Exp(x - largest)
					if math.IsInf(largest, -1) {
						weights[j] = 0
					}
					sum += weights[j]
				}
				if sum == 0 {
					logs = append(logs, math.Inf(-1))
					continue
				}
				logs = append(logs, largest+math.Log(sum))
				at := dv.at(b, h, i)
				for j, w := range weights {
					for p := range s.ValueDim {
						dst[at+p].add(w / sum * float64(v[vv.at(b, kh, j)+p]))
					}
				}
			}
		}
	}
	return dst, logs
}

// attentionGradient64 is the gradient of the sum of ddst times attention in
// double precision.
func attentionGradient64(s Attention, ddst, q, k, v, mask []float32) (dq, dk, dv []expectation) {
	s.resolve("", mask)
	qv := s.view("", "", q, s.Heads, s.QueryLen, s.QueryLen, s.KeyDim)
	kv := s.view("", "", k, s.KVHeads, s.KVLen, s.KVCapacity, s.KeyDim)
	vv := s.view("", "", v, s.KVHeads, s.KVLen, s.KVCapacity, s.ValueDim)
	dv64 := s.view("", "", ddst, s.Heads, s.QueryLen, s.QueryLen, s.ValueDim)
	dq, dk, dv = make([]expectation, len(q)), make([]expectation, len(k)), make([]expectation, len(v))
	_, logs := attention64(s, q, k, v, mask)
	for b := range s.Batch {
		for h := range s.Heads {
			kh := h / (s.Heads / s.KVHeads)
			for i := range s.QueryLen {
				log := logs[(b*s.Heads+h)*s.QueryLen+i]
				if math.IsInf(log, -1) {
					continue
				}
				p, dp, delta := make([]float64, s.visible(i)), make([]float64, s.visible(i)), 0.0
				for j := range p {
					for c := range s.KeyDim {
						p[j] += float64(q[qv.at(b, h, i)+c]) * float64(k[kv.at(b, kh, j)+c]) * float64(s.Scale)
					}
					if mask != nil {
						m := i*s.KVLen + j
						if s.MaskPerHead {
							m += h * s.QueryLen * s.KVLen
						}
						p[j] += float64(mask[m])
					}
					p[j] = math.Exp(p[j] - log)
					for c := range s.ValueDim {
						g := float64(ddst[dv64.at(b, h, i)+c])
						dp[j] += g * float64(v[vv.at(b, kh, j)+c])
						dv[vv.at(b, kh, j)+c].add(p[j] * g)
					}
					delta += p[j] * dp[j]
				}
				for j := range p {
					ds := p[j] * (dp[j] - delta) * float64(s.Scale)
					for c := range s.KeyDim {
						dq[qv.at(b, h, i)+c].add(ds * float64(k[kv.at(b, kh, j)+c]))
						dk[kv.at(b, kh, j)+c].add(ds * float64(q[qv.at(b, h, i)+c]))
					}
				}
			}
		}
	}
	return dq, dk, dv
}

// drawAttention draws a shape and the slices that go with it.
func drawAttention(t *rapid.T) (s Attention, q, k, v, mask []float32) {
	draw := func(name string, from, to int) int { return rapid.IntRange(from, to).Draw(t, name) }
	s = Attention{
		Batch: draw("batch", 0, 2), KVHeads: draw("kv heads", 1, 3),
		QueryLen: draw("queries", 0, 70), KVLen: draw("keys", 0, 80),
		KeyDim: draw("key dim", 1, 37), ValueDim: draw("value dim", 0, 37),
		Causal: rapid.Bool().Draw(t, "causal"), Interleaved: rapid.Bool().Draw(t, "interleaved"),
		MaskPerHead: rapid.Bool().Draw(t, "mask per head"),
	}
	s.Heads = s.KVHeads * draw("group", 1, 3)
	switch draw("kind", 0, 3) {
	case 0: // decoding
		s.QueryLen = draw("few queries", 1, 3)
	case 1: // several blocks
		s.KVLen = draw("many keys", 513, 1100)
		s.Batch, s.QueryLen = 1, min(s.QueryLen, 5)
	case 2:
		s.Scale = 0.5
	}
	s.KVCapacity = s.KVLen + draw("spare", 0, 3)
	r := newRand(rapid.Uint64().Draw(t, "seed"))
	q = randomSlice(r, s.Batch*s.Heads*s.QueryLen*s.KeyDim)
	k = randomSlice(r, s.Batch*s.KVHeads*s.KVCapacity*s.KeyDim)
	v = randomSlice(r, s.Batch*s.KVHeads*s.KVCapacity*s.ValueDim)
	if rapid.Bool().Draw(t, "masked") {
		n := s.QueryLen * s.KVLen
		if s.MaskPerHead {
			n *= s.Heads
		}
		mask = randomSlice(r, n)
		for i := range mask {
			if r.IntN(4) == 0 {
				mask[i] = -infinity
			}
		}
	}
	return s, q, k, v, mask
}

// checkAttention compares AttentionForward with its definition.
func checkAttention(t rapid.TB, ws *Workspace, s Attention, q, k, v, mask []float32) {
	t.Helper()
	want, wantLogs := attention64(s, q, k, v, mask)
	dst, checkDst := guarded(make([]float32, len(want)))
	logs, checkLogs := guarded(make([]float32, len(wantLogs)))
	AttentionForward(ws, s, dst, q, k, v, mask, logs)
	checkDst(t, "dst")
	checkLogs(t, "logs")
	for i := range want { // exponents have errors of their own
		want[i].magnitude = 3*want[i].magnitude + 0.1
	}
	checkClose(t, fmt.Sprintf("%+v", s), dst, want)
	for i, w := range wantLogs {
		if g := float64(logs[i]); g != w && !(math.Abs(g-w) <= 1e-5*(1+math.Abs(w))) && !(math.IsNaN(g) && math.IsNaN(w)) {
			t.Fatalf("%+v: logarithm %d is %v, want %v", s, i, g, w)
		}
	}
}

func TestAttentionForward(t *testing.T) {
	eachBase(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			s, q, k, v, mask := drawAttention(t)
			checkAttention(t, &ws, s, q, k, v, mask)
		})
	})
}

func TestAttentionBackward(t *testing.T) {
	eachBase(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			s, q, k, v, mask := drawAttention(t)
			checkAttentionGradient(t, &ws, s, q, k, v, mask, 9)
		})
	})
}

// checkAttentionGradient compares AttentionBackward with its definition.
func checkAttentionGradient(t rapid.TB, ws *Workspace, s Attention, q, k, v, mask []float32, seed uint64) {
	t.Helper()
	dst, logs := make([]float32, s.Batch*s.Heads*s.QueryLen*s.ValueDim), make([]float32, s.Batch*s.Heads*s.QueryLen)
	AttentionForward(ws, s, dst, q, k, v, mask, logs)
	ddst := randomSlice(newRand(seed), len(dst))
	dq, checkDq := guarded(slices.Repeat([]float32{1}, len(q)))
	dk, checkDk := guarded(slices.Repeat([]float32{2}, len(k)))
	dv, checkDv := guarded(slices.Repeat([]float32{3}, len(v)))
	AttentionBackward(ws, s, dq, dk, dv, ddst, q, k, v, mask, dst, logs)
	checkDq(t, "dq")
	checkDk(t, "dk")
	checkDv(t, "dv")
	wantQ, wantK, wantV := attentionGradient64(s, ddst, q, k, v, mask)
	for i, want := range [][]expectation{wantQ, wantK, wantV} {
		for k := range want {
			want[k] = expectation{want[k].value + float64(i+1), 10*want[k].magnitude + 4}
		}
		checkClose(t, fmt.Sprintf("gradient %d of %+v", i, s), [][]float32{dq, dk, dv}[i], want)
	}
}

// Gradients agree with finite differences.
func TestAttentionGradient(t *testing.T) {
	eachBase(t, func(t *testing.T) {
		var ws Workspace
		for _, s := range []Attention{
			{Batch: 1, Heads: 2, KVHeads: 1, QueryLen: 3, KVLen: 5, KeyDim: 3, ValueDim: 2, Causal: true},
			{Batch: 2, Heads: 1, QueryLen: 4, KVLen: 3, KeyDim: 2, ValueDim: 3, Interleaved: true, Scale: 0.7},
		} {
			s.resolve("", nil)
			r := newRand(11)
			q := randomSlice(r, s.Batch*s.Heads*s.QueryLen*s.KeyDim)
			k, v := randomSlice(r, s.Batch*s.KVHeads*s.KVLen*s.KeyDim), randomSlice(r, s.Batch*s.KVHeads*s.KVLen*s.ValueDim)
			mask := randomSlice(r, s.QueryLen*s.KVLen)
			dst, logs := make([]float32, s.Batch*s.Heads*s.QueryLen*s.ValueDim), make([]float32, s.Batch*s.Heads*s.QueryLen)
			ddst := randomSlice(r, len(dst))
			loss := func() float64 {
				AttentionForward(&ws, s, dst, q, k, v, mask, logs)
				return inner(dst, ddst)
			}
			loss()
			dq, dk, dv := make([]float32, len(q)), make([]float32, len(k)), make([]float32, len(v))
			AttentionBackward(&ws, s, dq, dk, dv, ddst, q, k, v, mask, dst, logs)
			requireGradient(t, "dq", q, dq, loss)
			requireGradient(t, "dk", k, dk, loss)
			requireGradient(t, "dv", v, dv, loss)
		}
	})
}

// A NaN or an infinity in a query or in a key that it sees makes its result
// NaN, and changes no other; in a value, the same element of results.
func TestAttentionNaN(t *testing.T) {
	eachBase(t, func(t *testing.T) {
		var ws Workspace
		for _, queries := range []int{2, 30} {
			s := Attention{Batch: 1, Heads: 1, QueryLen: queries, KVLen: 40, KeyDim: 9, ValueDim: 7, Causal: true}
			r := newRand(3)
			q, k, v := randomSlice(r, queries*9), randomSlice(r, 40*9), randomSlice(r, 40*7)
			good, bad := make([]float32, queries*7), make([]float32, queries*7)
			AttentionForward(&ws, s, good, q, k, v, nil, nil)
			for what, x := range map[string]*float32{"query": &q[9], "key": &k[39*9+3], "value": &v[39*7]} {
				before := *x
				for _, y := range []float32{float32(math.NaN()), infinity} {
					if *x = y; y == infinity && what != "value" {
						continue // weights may be 1 and 0
					}
					AttentionForward(&ws, s, bad, q, k, v, nil, nil)
					for i, g := range bad {
						row := i / 7
						touched := what == "query" && row == 1 || what == "key" && row == queries-1 || what == "value" && i%7 == 0
						if touched != (g != g || g > math.MaxFloat32) || !touched && g != good[i] {
							t.Errorf("%v in a %s: element %d of row %d of %d is %v, was %v", y, what, i%7, row, queries, g, good[i])
						}
					}
				}
				*x = before
			}
		}
	})
}

// Results do not depend on the number of threads, and calls allocate nothing.
func TestAttentionRepeats(t *testing.T) {
	defer Threads(Threads(1))
	repeats := 5
	if testing.Short() { // emulated, this takes minutes
		repeats = 1
	}
	for _, s := range []Attention{
		{Batch: 1, Heads: 6, KVHeads: 3, QueryLen: 150, KVLen: 600, KeyDim: 20, ValueDim: 24, Causal: true},
		{Batch: 1, Heads: 4, KVHeads: 2, QueryLen: 1, KVLen: 3000, KeyDim: 32, ValueDim: 32},
		{Batch: 2, Heads: 6, KVHeads: 3, QueryLen: 150, KVLen: 600, KeyDim: 20, ValueDim: 24, Interleaved: true},
		{Batch: 1, Heads: 2, QueryLen: 200, KVLen: 100, KeyDim: 32, ValueDim: 32},
	} {
		var ws Workspace
		r := newRand(5)
		s.resolve("", nil)
		q, k := randomSlice(r, s.Batch*s.Heads*s.QueryLen*s.KeyDim), randomSlice(r, s.Batch*s.KVHeads*s.KVLen*s.KeyDim)
		v := randomSlice(r, s.Batch*s.KVHeads*s.KVLen*s.ValueDim)
		var first []float32
		for _, n := range []int{1, 2, 3, 2} {
			Threads(n)
			dst := make([]float32, s.Batch*s.Heads*s.QueryLen*s.ValueDim)
			dq, dk, dv := make([]float32, len(q)), make([]float32, len(k)), make([]float32, len(v))
			logs := make([]float32, s.Batch*s.Heads*s.QueryLen)
			run := func() {
				AttentionForward(&ws, s, dst, q, k, v, nil, logs)
				clear(dq)
				clear(dk)
				clear(dv)
				AttentionBackward(&ws, s, dq, dk, dv, dst, q, k, v, nil, dst, logs)
			}
			for range repeats {
				run()
				all := slices.Concat(dst, dq, dk, dv)
				if first == nil {
					first = all
				}
				if !slices.Equal(all, first) {
					t.Fatalf("%+v: other results with %d threads", s, n)
				}
			}
			if a := testing.AllocsPerRun(repeats+1, run); a != 0 {
				t.Errorf("%+v: %v allocations a call with %d threads", s, a, n)
			}
		}
	}
}

func FuzzAttention(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(uint8(2), uint8(1), uint8(5), uint8(20), uint8(8), uint8(8), uint8(seed*5), seed)
	}
	var ws Workspace
	f.Fuzz(func(t *testing.T, heads, group, queries, keys, keyDim, valueDim, flags uint8, seed uint64) {
		s := Attention{
			Batch: 1, KVHeads: int(heads % 4), QueryLen: int(queries), KVLen: int(keys) * (1 + int(flags>>5)),
			KeyDim: 1 + int(keyDim%80), ValueDim: int(valueDim % 80),
			Causal: flags&1 != 0, Interleaved: flags&2 != 0, MaskPerHead: flags&4 != 0,
		}
		s.Heads = s.KVHeads * (1 + int(group%4))
		r := newRand(seed)
		q := randomSlice(r, s.Heads*s.QueryLen*s.KeyDim)
		k, v := randomSlice(r, s.KVHeads*s.KVLen*s.KeyDim), randomSlice(r, s.KVHeads*s.KVLen*s.ValueDim)
		var mask []float32
		if flags&8 != 0 {
			mask = randomSlice(r, max(s.Heads, 1)*s.QueryLen*s.KVLen)
		}
		checkAttention(t, &ws, s, q, k, v, mask)
		checkAttentionGradient(t, &ws, s, q, k, v, mask, seed+1)
	})
}

func TestAttentionKernelTwins(t *testing.T) {
	eachBase(t, func(t *testing.T) {
		k := attentions
		rapid.Check(t, func(t *rapid.T) {
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			rows, cols := rapid.IntRange(1, 9).Draw(t, "rows"), rapid.IntRange(1, 70).Draw(t, "cols")
			stride := cols + r.IntN(3)
			special := rapid.Bool().Draw(t, "special")
			same := func(name string, got, want []float32) {
				t.Helper()
				for i, w := range want {
					g := got[i]
					if g != w && !(g != g && w != w) && !(math.Abs(float64(g-w)) <= 1e-5*(1+math.Abs(float64(w)))) {
						t.Fatalf("%s: element %d is %v, want %v", name, i, g, w)
					}
				}
			}
			x, largest := randomSlice(r, (rows-1)*stride+cols), randomSlice(r, rows)
			for i := range largest {
				if r.IntN(2) == 0 {
					largest[i] = -infinity
				}
			}
			if special {
				poison(r, x)
			}
			run := func(f func(*scoreRows)) (weights, next, sum []float32) {
				weights, check := guarded(x)
				next, checkNext := guarded(largest)
				sum, checkSum := guarded(largest)
				f(&scoreRows{rows: rows, cols: cols, stride: 4 * stride, scores: &weights[0], scale: 1.5, largest: &largest[0], next: &next[0], sum: &sum[0]})
				check(t, "scores")
				checkNext(t, "next")
				checkSum(t, "sum")
				return weights, next, sum
			}
			weights, next, sum := run(k.scoreRows)
			wantWeights, wantNext, wantSum := run(scoreRowsPortable)
			same("weights", weights, wantWeights)
			same("largest", next, wantNext)
			same("sums", sum, wantSum)

			src := randomSlice(r, 16*stride)
			fours, width := (cols+3)/4, k.together+r.IntN(5)
			if 4*fours <= stride {
				dst, check := guarded(make([]float32, (4*fours-1)*width+k.together))
				k.transposeRows(&transposeRows{src: &src[0], stride: 4 * stride, dst: &dst[0], width: 4 * width, fours: fours})
				check(t, "transposed")
				for i := range k.together {
					for j := range 4 * fours {
						if g, w := dst[j*width+i], src[i*stride+j]; g != w {
							t.Fatalf("element %d of row %d is %v, want %v", j, i, g, w)
						}
					}
				}
			}

			a, b := randomSlice(r, cols), randomSlice(r, (rows-1)*stride+cols)
			dots := func(f func(*dotRows)) []float32 {
				dst, check := guarded(make([]float32, rows))
				f(&dotRows{rows: rows, n: cols, a: &a[0], b: &b[0], bRow: 4 * stride, dst: &dst[0], prefetch: &b[0], prefetchRow: 4 * stride})
				check(t, "dots")
				return dst
			}
			same("dots", dots(k.dotRows), dots(dotRowsPortable))
		})
	})
}

func BenchmarkAttention(b *testing.B) {
	for _, c := range []struct{ heads, queries, keys, dim int }{
		{12, 128, 128, 64}, {12, 196, 196, 64}, {12, 512, 512, 64}, {12, 2048, 2048, 64},
		{3, 196, 196, 64}, {12, 1, 512, 64}, {12, 1, 2048, 64}, {12, 1, 4096, 64},
	} {
		b.Run(fmt.Sprintf("h%dq%dkv%dd%d", c.heads, c.queries, c.keys, c.dim), func(b *testing.B) {
			var ws Workspace
			s := Attention{Batch: 1, Heads: c.heads, QueryLen: c.queries, KVLen: c.keys, KeyDim: c.dim, ValueDim: c.dim}
			r := newRand(1)
			q, k, v := slices.Clone(randomSlice(r, c.heads*c.queries*c.dim)), slices.Clone(randomSlice(r, c.heads*c.keys*c.dim)), slices.Clone(randomSlice(r, c.heads*c.keys*c.dim))
			dst := make([]float32, len(q))
			for b.Loop() {
				AttentionForward(&ws, s, dst, q, k, v, nil, nil)
			}
			reportGFLOPS(b, 2*s.Multiplications())
		})
	}
	b.Run("training/b64h4l49d32", func(b *testing.B) { // forward and backward
		var ws Workspace
		s := Attention{Batch: 64, Heads: 4, QueryLen: 49, KVLen: 49, KeyDim: 32, ValueDim: 32}
		r := newRand(1)
		n := s.Batch * s.Heads * s.QueryLen * s.KeyDim
		q, k, v, ddst := randomSlice(r, n), randomSlice(r, n), randomSlice(r, n), randomSlice(r, n)
		dst, dq, dk, dv, logs := Aligned[float32](n), Aligned[float32](n), Aligned[float32](n), Aligned[float32](n), Aligned[float32](n/s.KeyDim)
		for b.Loop() {
			AttentionForward(&ws, s, dst, q, k, v, nil, logs)
			clear(dq)
			clear(dk)
			clear(dv)
			AttentionBackward(&ws, s, dq, dk, dv, ddst, q, k, v, nil, dst, logs)
		}
		reportGFLOPS(b, 7*s.Multiplications())
	})
}
