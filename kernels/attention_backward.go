package kernels

import "math"

// Blocks of the backward pass: the scores of a block of queries and of keys,
// their gradients and one of the two transposed stay in the second-level
// cache.
const (
	backwardKeys    = 256
	backwardQueries = 112
)

// attentionBackward is one call of the backward pass. Its parts are the heads
// of keys of each sequence, since the gradients of keys are sums over queries
// and those of queries sums over keys:
//
//	dV += P' dO    with the weights P
//	dS  = P * (dO V' - delta) * scale    with delta the dot products of dO and O
//	dQ += dS K
//	dK += dS' Q
type attentionBackward struct {
	*attentionJob
	ddst, dq, dk, dv operand

	valueDim int  // ValueDim rounded up for transposing
	direct   bool // operands' rows can be read and written as vectors
	turnRow  int  // elements from one row of transposed scores to the next
}

// backwardScratch is what the backward pass needs besides: the weights stand
// where the scores were. Without direct, operands are copied to have rows of
// whole vectors, and gradients copied back.
type backwardScratch struct {
	values, gradients, turned, delta []float32

	q, k, ddst, dq, dk, dv operand // of one head
}

func (x *attentionBackward) sizes() [13]int {
	j := x.attentionJob
	rows := roundUp(min(backwardQueries, j.QueryLen), attentions.together)
	panels := j.panels * 2 * tiles.width
	n := [13]int{panels * j.keyDim, panels * x.valueDim, attentions.together * max(j.keyDim, x.valueDim),
		rows * j.scoreRow, rows * j.scoreRow, roundUp(j.keys, 4) * x.turnRow, j.QueryLen}
	if !x.direct {
		key, value := roundUp(j.KeyDim, tiles.width), roundUp(j.ValueDim, tiles.width)
		n[7], n[8], n[9] = j.QueryLen*key, j.KVLen*key, j.QueryLen*value
		n[10], n[11], n[12] = j.QueryLen*key, j.KVLen*key, j.KVLen*value
	}
	return n
}

func (x *attentionBackward) run(j *attentionJob) {
	x.attentionJob = j
	panel := 2 * tiles.width
	j.group = j.Heads / j.KVHeads
	blocks := (j.KVLen + backwardKeys - 1) / backwardKeys
	j.keys = roundUp((j.KVLen+blocks-1)/blocks, panel)
	j.panels = j.keys / panel
	j.scoreRow = j.keys + cacheLine/4
	j.keyDim, x.valueDim = roundUp(j.KeyDim, 4), roundUp(j.ValueDim, 4)
	x.direct = tiles.masked || j.KeyDim%tiles.width == 0 && j.ValueDim%tiles.width == 0
	x.turnRow = roundUp(min(backwardQueries, j.QueryLen), attentions.together)
	sizes := x.sizes()
	j.growScratch(sizes[:])
	shareOut(j.Batch*j.KVHeads, j.Multiplications(), x)
	x.attentionJob = nil
}

// part works on the queries of all heads that share keys.
func (x *attentionBackward) part(i, worker int) {
	kv, b := i%x.KVHeads, i/x.KVHeads
	w := &x.scratch[worker]
	s := &w.backward
	memory, sizes := w.memory, x.sizes()
	for i, p := range []*[]float32{&w.keys, &s.values, &w.edge, &w.scores, &s.gradients, &s.turned, &s.delta,
		&s.q.data, &s.k.data, &s.ddst.data, &s.dq.data, &s.dk.data, &s.dv.data} {
		*p = carve(&memory, sizes[i])
	}
	x.whole(&s.k, &x.k, b, kv, x.KVLen, x.KeyDim)
	x.blank(&s.dk, &x.dk, b, kv, x.KVLen, x.KeyDim)
	x.blank(&s.dv, &x.dv, b, kv, x.KVLen, x.ValueDim)
	for g := range x.group {
		h := kv*x.group + g
		x.whole(&s.q, &x.q, b, h, x.QueryLen, x.KeyDim)
		x.whole(&s.ddst, &x.ddst, b, h, x.QueryLen, x.ValueDim)
		x.blank(&s.dq, &x.dq, b, h, x.QueryLen, x.KeyDim)
		for q := range x.QueryLen {
			s.delta[q] = vector.dot(x.ddst.data[x.ddst.at(b, h, q):][:x.ValueDim], x.dst.data[x.dst.at(b, h, q):][:x.ValueDim])
		}
		for key := 0; key < x.KVLen; key += x.keys {
			n := min(x.keys, x.KVLen-key)
			x.packKeys(w, w.keys, x.k.data[x.k.at(b, kv, key):], x.k.row, x.KeyDim, n)
			x.packKeys(w, s.values, x.v.data[x.v.at(b, kv, key):], x.v.row, x.ValueDim, n)
			for q := 0; q < x.QueryLen; q += backwardQueries {
				rows := min(backwardQueries, x.QueryLen-q)
				if seen := min(n, x.visible(q+rows-1)-key); seen > 0 {
					x.block(w, b, h, q, rows, key, seen)
				}
			}
		}
		x.back(&x.dq, &s.dq, b, h, x.QueryLen, x.KeyDim)
	}
	x.back(&x.dk, &s.dk, b, kv, x.KVLen, x.KeyDim)
	x.back(&x.dv, &s.dv, b, kv, x.KVLen, x.ValueDim)
	s.q, s.k, s.ddst, s.dq, s.dk, s.dv = operand{}, operand{}, operand{}, operand{}, operand{}, operand{}
}

// whole sets head to a head of from, copied if its rows of n elements do not
// fill vectors that must be whole.
func (x *attentionBackward) whole(head, from *operand, b, h, rows, n int) {
	at := from.at(b, h, 0)
	if x.direct {
		head.data, head.row = from.data[at:], from.row
		return
	}
	head.row = roundUp(n, tiles.width)
	for i := range rows {
		row := head.data[i*head.row:][:head.row]
		copy(row, from.data[at+i*from.row:][:n])
		clear(row[n:])
	}
}

// blank sets head to a head of to, or to zeros that back adds to it.
func (x *attentionBackward) blank(head, to *operand, b, h, rows, n int) {
	if x.direct {
		head.data, head.row = to.data[to.at(b, h, 0):], to.row
		return
	}
	head.row = roundUp(n, tiles.width)
	clear(head.data[:rows*head.row])
}

func (x *attentionBackward) back(to, head *operand, b, h, rows, n int) {
	if x.direct {
		return
	}
	for i := range rows {
		row := to.data[to.at(b, h, i):][:n]
		Add(row, row, head.data[i*head.row:][:n])
	}
}

// block adds what n queries of head h, from q on, and a block of keys, from
// key on, contribute to the gradients.
func (x *attentionBackward) block(w *attentionScratch, b, h, q, n, key, keys int) {
	j, s := x.attentionJob, &w.backward
	j.setScores(w, b, h, q, n, key, keys)
	j.scoreTiles(w, s.gradients, s.values, x.valueDim, x.ddst.data[x.ddst.at(b, h, q):], x.ddst.row, j.ValueDim, n, keys, 1)
	scale := j.scoreScale() * math.Log2E
	for i := range n {
		weights, gradients := w.scores[i*j.scoreRow:][:keys], s.gradients[i*j.scoreRow:][:keys]
		shift := -j.logs[(b*j.Heads+h)*j.QueryLen+q+i] * math.Log2E
		if shift == infinity { // sees no key
			shift = -infinity
		}
		transcendental.scoreExp(weights, weights, scale, shift)
		transcendental.scoreGradient(gradients, weights, s.delta[q+i], j.Scale)
	}

	x.product(w, true, s.dq.data[q*s.dq.row:], s.dq.row, s.gradients, j.scoreRow, n, keys, s.k.data[key*s.k.row:], s.k.row, j.KeyDim)
	x.turn(w, w.scores, n, keys)
	x.product(w, true, s.dv.data[key*s.dv.row:], s.dv.row, s.turned, x.turnRow, keys, n, s.ddst.data[q*s.ddst.row:], s.ddst.row, j.ValueDim)
	x.turn(w, s.gradients, n, keys)
	x.product(w, true, s.dk.data[key*s.dk.row:], s.dk.row, s.turned, x.turnRow, keys, n, s.q.data[q*s.q.row:], s.q.row, j.KeyDim)
}

// turn transposes n rows of scores.
func (x *attentionBackward) turn(w *attentionScratch, scores []float32, n, keys int) {
	k, t := &attentions, &w.transpose
	for i := 0; i < n; i += k.together {
		*t = transposeRows{src: &scores[i*x.scoreRow], stride: 4 * x.scoreRow, dst: &w.backward.turned[i], width: 4 * x.turnRow, fours: (keys + 3) / 4}
		k.transposeRows(t)
	}
}
