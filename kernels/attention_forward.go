package kernels

import (
	"math"
	"unsafe"
)

// Blocks of the forward pass: a block of keys is packed once for a part's
// queries, whose scores of that block stay in the second-level cache between
// the two products.
const (
	attentionKeys    = 512
	attentionQueries = 48  // queries whose scores are worked on together, rounded up to tiles
	attentionParts   = 8   // parts that a call is cut into at least, if it has many queries
	attentionPart    = 512 // queries of a part, over all heads that share keys
)

// attentionJob is one call of attention. Its parts are ranges of queries of
// each sequence and head of keys.
type attentionJob struct {
	Attention
	dst, q, k, v operand
	mask, logs   []float32

	group     int // heads that share keys
	blockRows int // queries whose scores are worked on together
	queries   int // of a part, of each head
	ranges    int // of queries
	keys      int // of a block
	panels    int // of keys in a block, two vectors wide
	scoreRow  int // elements from one row of scores to the next
	keyDim    int // KeyDim rounded up for transposing
	outRow    int // elements from one row of results to the next
	packValue bool

	decode   attentionDecode
	panel    panelJob
	backward attentionBackward
	scratch  []attentionScratch // of each thread
}

// attentionScratch is the scratch memory of a thread.
type attentionScratch struct {
	memory []float32 // of those below

	keys, values, scores, out, edge       []float32
	largest, next, sum, total, difference []float32

	backward backwardScratch
	panel    panelScratch

	// Work for kernels: what a function value is given would be allocated.
	tile      tile
	score     scoreRows
	transpose transposeRows
	dot       dotRows
}

// carve cuts n elements off the front of s, and skips to a cache line.
func carve(s *[]float32, n int) []float32 {
	x := (*s)[:n:n]
	*s = (*s)[roundUp(n, cacheLine/4):]
	return x
}

func (j *attentionJob) sizes() [10]int {
	states := j.group * j.queries
	panel := 2 * tiles.width
	values := 0
	if j.packValue {
		values = j.keys * j.outRow
	}
	return [...]int{j.panels * panel * j.keyDim, values, j.blockRows * j.scoreRow, states * j.outRow,
		attentions.together * j.keyDim, states, j.blockRows, j.blockRows, states, j.blockRows}
}

// growScratch makes room for buffers of the sizes given for each thread.
func (j *attentionJob) growScratch(sizes []int) {
	total := 0
	for _, n := range sizes {
		total += roundUp(n, cacheLine/4)
	}
	for len(j.scratch) < threadCount() {
		j.scratch = append(j.scratch, attentionScratch{})
	}
	for i := range j.scratch {
		if len(j.scratch[i].memory) < total {
			j.scratch[i].memory = grow(j.scratch[i].memory, total)
		}
	}
}

func (j *attentionJob) forward() {
	j.group = j.Heads / j.KVHeads
	if j.group*j.QueryLen <= decodeQueries {
		j.decode.run(j)
		return
	}
	panel := 2 * tiles.width
	blocks := max((j.KVLen+attentionKeys-1)/attentionKeys, 1)
	j.keys = roundUp((j.KVLen+blocks-1)/blocks, panel)
	j.panels = j.keys / panel
	j.scoreRow = j.keys + cacheLine/4 // so that rows do not share sets of the cache
	j.keyDim = roundUp(j.KeyDim, 4)
	j.outRow = roundUp(j.ValueDim, tiles.width)
	j.blockRows = roundUp(attentionQueries, tiles.rows)
	// Ranges go by the shape alone, not by the number of threads: where tiles
	// have no masks, a row that is the last of its range may round differently.
	j.queries = min(j.QueryLen, max(attentionPart/j.group, j.blockRows))
	for j.queries > 2*j.blockRows && j.Batch*j.KVHeads*((j.QueryLen+j.queries-1)/j.queries) < attentionParts {
		j.queries = (j.queries + 1) / 2
	}
	// Vectors that lie across cache lines cost more than copies, for many queries.
	apart := j.v.row*4%cacheLine != 0 || len(j.v.data) > 0 && uintptr(unsafe.Pointer(&j.v.data[0]))%cacheLine != 0
	j.packValue = j.outRow != j.ValueDim && !tiles.masked || apart && j.group*j.queries > 2*j.blockRows
	j.ranges = (j.QueryLen + j.queries - 1) / j.queries
	sizes := j.sizes()
	j.growScratch(sizes[:])
	if j.suitsPanels() {
		j.panel.run(j)
		return
	}
	shareOut(j.Batch*j.KVHeads*j.ranges, j.Multiplications(), j)
}

func (j *attentionJob) part(i, worker int) {
	span, kv, b := i%j.ranges, i/j.ranges%j.KVHeads, i/j.ranges/j.KVHeads
	from := span * j.queries
	j.general(b, kv, from, min(from+j.queries, j.QueryLen), worker)
}

// general computes the results of queries from from up to to of the heads that
// share keys and values kv.
func (j *attentionJob) general(b, kv, from, to, worker int) {
	w := &j.scratch[worker]
	memory, sizes := w.memory, j.sizes()
	for i, s := range []*[]float32{&w.keys, &w.values, &w.scores, &w.out, &w.edge, &w.largest, &w.next, &w.sum, &w.total, &w.difference} {
		*s = carve(&memory, sizes[i])
	}
	states := j.group * j.queries
	for i := range states {
		w.largest[i], w.total[i] = -infinity, 0
	}
	if j.visible(to-1) == 0 {
		clear(w.out)
	}
	for key := 0; key < j.visible(to-1); key += j.keys {
		keys := min(j.keys, j.visible(to-1)-key)
		at := j.k.at(b, kv, key)
		j.packKeys(w, w.keys, j.k.data[at:], j.k.row, j.KeyDim, keys)
		j.packValues(w, b, kv, key, keys)
		for g := range j.group {
			for q := from; q < to; q += j.blockRows {
				n := min(j.blockRows, to-q)
				seen := min(keys, j.visible(q+n-1)-key)
				if seen > 0 {
					j.block(w, b, kv, kv*j.group+g, q, n, key, seen, g*j.queries+q-from)
				} else if key == 0 {
					clear(w.out[(g*j.queries+q-from)*j.outRow:][:n*j.outRow])
				}
			}
		}
	}
	for g := range j.group {
		h := kv*j.group + g
		state, n := g*j.queries, to-from
		j.finish(b, h, from, n, w.out[state*j.outRow:], w.largest[state:][:n], w.total[state:][:n])
	}
}

// packValues copies keys rows of values from key on, and fills their last
// vector with 0, if tiles cannot read them where they are.
func (j *attentionJob) packValues(w *attentionScratch, b, kv, key, keys int) {
	if !j.packValue {
		return
	}
	at := j.v.at(b, kv, key)
	for i := range keys {
		row := w.values[i*j.outRow:][:j.outRow]
		copy(row, j.v.data[at+i*j.v.row:][:j.ValueDim])
		clear(row[j.ValueDim:])
	}
}

// finish writes the results of n queries from q on, given their sums of
// weighted values, largest scores and sums of weights, and changes the latter
// two.
func (j *attentionJob) finish(b, h, q, n int, out, largest, total []float32) {
	if j.logs != nil {
		logs := j.logs[(b*j.Heads+h)*j.QueryLen+q:][:n]
		transcendental.log(logs, total)
		vector.axpy(j.scoreScale(), largest, logs) // both are -Inf of no key
	}
	for i, x := range total {
		if total[i] = 1 / x; x == 0 {
			total[i] = 0
		}
	}
	if j.ValueDim == 0 {
		return
	}
	if j.dst.row == j.outRow {
		clear(largest)
		vector.rowAffine(&j.dst.data[j.dst.at(b, h, q)], &out[0], &total[0], &largest[0], n, j.ValueDim, 4*j.outRow)
		return
	}
	for i, f := range total {
		vector.affine(j.dst.data[j.dst.at(b, h, q+i):][:j.ValueDim], out[i*j.outRow:], 1, j.ValueDim, j.ValueDim, f, 0)
	}
}

// scoreScale is the factor of scores on the way to exponents of e: the scale,
// which tiles apply already if there is a mask.
func (j *attentionJob) scoreScale() float32 {
	if j.mask != nil {
		return 1
	}
	return j.Scale
}

// packKeys transposes n rows of dim elements into panels of two vectors of
// columns. Columns that fill the last vector are 0, as are rows up to a
// multiple of 4.
func (j *attentionJob) packKeys(w *attentionScratch, dst, src []float32, row, dim, n int) {
	k, panel, fours := &attentions, 2*tiles.width, (dim+3)/4
	edge := w.edge[:k.together*4*fours]
	t := &w.transpose
	for i := 0; i < roundUp(n, tiles.width); i += k.together {
		*t = transposeRows{dst: &dst[i/panel*panel*4*fours+i%panel], width: 4 * panel, stride: 4 * row, fours: fours}
		if i+k.together > n || dim%4 != 0 {
			clear(edge)
			for r := i; r < min(i+k.together, n); r++ {
				copy(edge[(r-i)*4*fours:], src[r*row:][:dim])
			}
			t.src, t.stride = &edge[0], 16*fours
		} else {
			t.src = &src[i*row]
		}
		k.transposeRows(t)
	}
}

// block adds a block of keys to the results of n queries of head h, from q on,
// whose states start at state.
func (j *attentionJob) block(w *attentionScratch, b, kv, h, q, n, key, keys, state int) {
	j.setScores(w, b, h, q, n, key, keys)
	largest, total := w.largest[state:][:n], w.total[state:][:n]
	scale := j.scoreScale() * math.Log2E
	j.weights(w, n, keys, scale, largest)
	if key > 0 {
		j.rescale(w, n, scale, largest, total, w.out[state*j.outRow:])
	} else {
		copy(total, w.sum)
	}
	copy(largest, w.next[:n])
	j.weigh(w, n, keys, b, kv, key, w.out[state*j.outRow:], key > 0)
}

// setScores sets the scores of n queries of head h, from q on, and a block of
// keys, which are packed.
func (j *attentionJob) setScores(w *attentionScratch, b, h, q, n, key, keys int) {
	alpha := float32(1)
	if j.mask != nil {
		alpha = j.Scale
	}
	j.scoreTiles(w, w.scores, w.keys, j.keyDim, j.q.data[j.q.at(b, h, q):], j.q.row, j.KeyDim, n, keys, alpha)
	if j.mask != nil {
		from := 0
		if j.MaskPerHead {
			from = h * j.QueryLen * j.KVLen
		}
		for i := range n {
			row := w.scores[i*j.scoreRow:][:keys]
			Add(row, row, j.mask[from+(q+i)*j.KVLen+key:][:keys])
		}
	}
	if j.Causal {
		for i := range n {
			row := w.scores[i*j.scoreRow:][:keys]
			for c := max(j.visible(q+i)-key, 0); c < keys; c++ {
				row[c] = -infinity
			}
		}
	}
}

// scoreTiles sets n rows of scores to alpha times the products of n rows of dim
// elements of a, aRow apart, and keys packed columns, depth rows a panel.
func (j *attentionJob) scoreTiles(w *attentionScratch, scores, packed []float32, depth int, a []float32, aRow, dim, n, keys int, alpha float32) {
	width, t := tiles.width, &w.tile
	*t = tile{
		a: &a[0], aRow: 4 * aRow, offsets: &noOffsets[0], segments: 1, k: dim,
		bRow: 8 * width, cRow: 4 * j.scoreRow, cVector: 4 * width, mask: 1<<width - 1, alpha: alpha,
	}
	for c := 0; c < keys; c += 2 * width {
		t.vectors = min(2, (keys-c+width-1)/width)
		t.b, t.c = &packed[c*depth], &scores[c]
		t.multiplyRows(n)
	}
}

// weights turns the scores of n queries into weights.
func (j *attentionJob) weights(w *attentionScratch, n, keys int, scale float32, largest []float32) {
	w.score = scoreRows{
		rows: n, cols: keys, scores: &w.scores[0], stride: 4 * j.scoreRow, scale: scale,
		largest: &largest[0], next: &w.next[0], sum: &w.sum[0],
	}
	attentions.scoreRows(&w.score)
}

// rescale makes sums of n queries relative to new largest scores.
func (j *attentionJob) rescale(w *attentionScratch, n int, scale float32, largest, total, out []float32) {
	d := w.difference[:n]
	for i, x := range largest {
		d[i] = x - w.next[i]
		if w.next[i] == -infinity {
			d[i] = 0
		}
	}
	transcendental.scoreExp(d, d, scale, 0)
	for i, f := range d {
		total[i] = total[i]*f + w.sum[i]
		if f != 1 {
			Scale(f, out[i*j.outRow:][:j.outRow])
		}
	}
}

// weigh sets out, or adds to it, n rows of weights times values.
func (j *attentionJob) weigh(w *attentionScratch, n, keys, b, kv, key int, out []float32, accumulate bool) {
	values, row := j.v.data[j.v.at(b, kv, key):], j.v.row
	if j.packValue {
		values, row = w.values, j.outRow
	}
	j.product(w, accumulate, out, j.outRow, w.scores, j.scoreRow, n, keys, values, row, j.ValueDim)
}

// product sets c [rows, columns], or adds to it, the product of a [rows, k]
// and b [k, columns]; the rows of each are the distance given apart. Where
// tiles are not masked the rows of b and c have room for whole vectors.
func (j *attentionJob) product(w *attentionScratch, accumulate bool, c []float32, cRow int, a []float32, aRow, rows, k int, b []float32, bRow, columns int) {
	width, t := tiles.width, &w.tile
	*t = tile{
		a: &a[0], aRow: 4 * aRow, offsets: &noOffsets[0], segments: 1, k: k,
		bRow: 4 * bRow, cRow: 4 * cRow, cVector: 4 * width, alpha: 1,
	}
	if accumulate {
		t.accumulate = 1
	}
	for i := 0; i < columns; i += 2 * width {
		n := min(2*width, columns-i)
		t.vectors = (n + width - 1) / width
		t.mask = 1<<width - 1
		if last := n - (t.vectors-1)*width; last < width && tiles.masked {
			t.mask, t.bEdge = 1<<last-1, 1
		}
		t.b, t.c = &b[i], &c[i]
		t.multiplyRows(rows)
	}
}

// multiplyRows runs t for n rows, in tiles of about the same height.
func (t *tile) multiplyRows(n int) {
	k := tiles
	t.aGroup, t.cGroup = k.rows/2*t.aRow, k.rows/2*t.cRow
	count := (n + k.rows - 1) / k.rows
	low, high := n/count, n%count
	a, c := t.a, t.c
	if high > 0 {
		t.rows, t.count = low+1, high
		t.aStep, t.cStep = t.rows*t.aRow, t.rows*t.cRow
		k.multiply(t)
		t.a, t.c = elementAtByte(a, high*t.aStep), elementAtByte(c, high*t.cStep)
	}
	t.rows, t.count = low, count-high
	t.aStep, t.cStep = t.rows*t.aRow, t.rows*t.cRow
	k.multiply(t)
	t.a, t.c = a, c
}
