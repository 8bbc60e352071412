package kernels

import (
	"math"
	"unsafe"
)

// Attention by panels is the forward pass without mask where the instruction
// set has kernels for it. A panel is up to two vectors of queries of a head,
// transposed: scores, weights and results lie one vector of queries to a key or
// element, so that keys and values are read where they are, an element at a
// time. Weights are relative to the largest score of the first keys, not of
// all: nothing has to be made relative to a new largest one. Should the sum of a
// query's weights turn out too large, the part is done again in the general way.
const (
	panelVectors = 2
	panelTiles   = 19   // tiles of keys whose weights are added up together
	panelKeys    = 512  // keys that all panels of a part are done with before others
	panelLeast   = 128  // queries of a part, rounded up, that are not split
	panelCopied  = 64   // queries that values are copied for if they lie apart
	panelTokens  = 64   // tokens that are copied together
	panelLimit   = 1e12 // of the sum of weights
	panelWidth   = 16   // queries of a vector
	panelQueries = panelVectors * panelWidth
)

// Rows of a tile. Any number from the first of these on can be cut into such
// tiles.
const (
	panelRowsLow  = 7
	panelRowsHigh = 14
)

// panelScores is the work of turning the products of a panel of queries and
// count*rows keys into weights, 2^(product+shift), and of adding those to sums.
type panelScores struct {
	rows, vectors, count int // of tiles

	queries *float32 // [dim][panelQueries]
	dim     int
	keys    *float32
	keyRow  int      // bytes from one key to the next
	weights *float32 // gets [count*rows][panelQueries]
	shift   *float32 // [panelQueries]
	sum     *float32 // [panelQueries]
	// Not 0: shift is 0 and is set to minus the largest product of the first
	// tile. The kernel changes it to 0.
	first int

	// What is wanted next: after every four steps, a line is brought to the
	// second-level cache. An address may be any number.
	next     uintptr
	nextStep int
}

// panelValues is the work of adding up the values of keys by the weights of a
// panel of queries, for count*rows elements.
type panelValues struct {
	rows, vectors, count int // of tiles

	weights    *float32 // [keys][panelQueries]
	keys       int
	values     *float32
	valueRow   int      // bytes from the values of one key to the next
	out        *float32 // [count*rows][panelQueries]
	accumulate int      // not 0: out is added to
	factor     *float32 // of results [panelQueries]; may be nil

	// What is wanted next: during each tile, a column of lines from next to
	// nextLast. The kernel moves both on by a line for every tile.
	next, nextLast uintptr
	nextStep       int
}

func panelScoresPortable(t *panelScores) {
	queries := unsafe.Slice(t.queries, t.dim*panelQueries)
	weights := unsafe.Slice(t.weights, t.count*t.rows*panelQueries)
	shift, sum := unsafe.Slice(t.shift, panelQueries), unsafe.Slice(t.sum, panelQueries)
	for i := range t.count * t.rows {
		key := unsafe.Slice(elementAtByte(t.keys, i*t.keyRow), t.dim)
		for q := range t.vectors * panelWidth {
			x := shift[q]
			for p, y := range key {
				x += y * queries[p*panelQueries+q]
			}
			weights[i*panelQueries+q] = x
		}
	}
	for q := range t.vectors * panelWidth {
		x := float32(0)
		if t.first != 0 {
			largest := -infinity
			for i := range t.rows {
				largest = max(largest, weights[i*panelQueries+q])
			}
			x, shift[q] = -largest, -largest
		}
		for i := range t.count * t.rows {
			w := &weights[i*panelQueries+q]
			*w = exp2Flushed(*w + x)
			sum[q] += *w
		}
	}
	t.first = 0
}

func panelValuesPortable(t *panelValues) {
	weights := unsafe.Slice(t.weights, t.keys*panelQueries)
	out := unsafe.Slice(t.out, t.count*t.rows*panelQueries)
	for i := range t.count * t.rows {
		for q := range t.vectors * panelWidth {
			x := &out[i*panelQueries+q]
			if t.accumulate == 0 {
				*x = 0
			}
			for k := range t.keys {
				*x += weights[k*panelQueries+q] * *elementAtByte(t.values, k*t.valueRow+4*i)
			}
			if t.factor != nil {
				*x *= *elementAt(t.factor, q)
			}
		}
	}
}

// fetcher deals out what will be wanted: rows of one operand, and then of
// another.
type fetcher struct {
	queue [2]struct {
		base uintptr
		row  int // bytes from one row to the next
		rows int
		size int // bytes of a row
	}
	item, done int // done: bytes of all rows, or of each
}

// want makes the i-th of the two length rows of n elements of sequence b and
// head h of o, from row from on.
func (f *fetcher) want(i int, o *operand, b, h, from, length, n int) {
	x := &f.queue[i]
	f.item, f.done, x.rows = 0, 0, 0
	if length > 0 {
		x.base, x.row, x.rows, x.size = uintptr(unsafe.Pointer(&o.data[o.at(b, h, from)])), 4*o.row, length, 4*n
	}
}

// line is where the next of lines lines are, of rows that are adjacent. If there
// are none it is idle.
func (f *fetcher) line(lines int, idle *float32) (next uintptr, step int) {
	for ; f.item < len(f.queue); f.item++ {
		if x := &f.queue[f.item]; x.row == x.size && f.done < x.rows*x.size {
			next = x.base + uintptr(f.done)
			f.done += lines * cacheLine
			return next, cacheLine
		}
		f.done = 0
	}
	return uintptr(unsafe.Pointer(idle)), 0
}

// column is where the next of columns columns of lines begins and ends.
func (f *fetcher) column(columns int, idle *float32) (next, last uintptr, step int) {
	for ; f.item < len(f.queue); f.item++ {
		if x := &f.queue[f.item]; x.rows > 0 && f.done < x.size {
			next = x.base + uintptr(f.done)
			f.done += columns * cacheLine
			return next, next + uintptr((x.rows-1)*x.row), x.row
		}
		f.done = 0
	}
	next = uintptr(unsafe.Pointer(idle))
	return next, next, 0
}

// panelKernels are the kernels of each number of rows and vectors,
// [rows-panelRowsLow][vectors-1].
type panelKernels struct {
	scores [panelRowsHigh - panelRowsLow + 1][panelVectors]func(t *panelScores)
	values [panelRowsHigh - panelRowsLow + 1][panelVectors]func(t *panelValues)
}

// panelJob is a call of attention by panels. Its parts are ranges of queries of
// each sequence and head of keys.
type panelJob struct {
	*attentionJob
	queries, ranges, keyBlocks int
	slots                      int // panels of a part that are kept at a time
	outRows                    int // ValueDim rounded up for transposing

	values   operand // v, or a copy of a sequence's
	copied   []float32
	copying  bool // parts copy a sequence's values
	from, to int  // parts that are done in this turn
}

// panelScratch is what a thread needs.
type panelScratch struct {
	queries, weights, out, shift, sum, factor, rows []float32

	score panelScores
	weigh panelValues

	part  fetcher // keys and values of the next part
	panel fetcher // results of this panel, queries of the next
}

// suitsPanels tells whether a call can be done by panels, and is worth it.
func (j *attentionJob) suitsPanels() bool {
	return attentions.panels != nil && j.mask == nil && !j.Causal && j.KVLen >= panelRowsLow && j.ValueDim >= panelRowsLow &&
		3*j.QueryLen >= 2*roundUp(j.QueryLen, panelWidth)
}

// plan cuts the call into parts, by its shape alone.
func (p *panelJob) plan(j *attentionJob) {
	p.attentionJob = j
	p.queries = roundUp(min(j.QueryLen, max(attentionPart/j.group, panelQueries)), panelQueries)
	for p.queries > panelLeast && j.Batch*j.KVHeads*((j.QueryLen+p.queries-1)/p.queries) < attentionParts {
		p.queries = roundUp((p.queries+1)/2, panelQueries)
	}
	p.ranges = (j.QueryLen + p.queries - 1) / p.queries
	p.keyBlocks = (j.KVLen + panelKeys - 1) / panelKeys
	p.slots = 1
	if p.keyBlocks > 1 {
		p.slots = j.group * p.queries / panelQueries
	}
	p.outRows = roundUp(j.ValueDim, panelWidth)
}

func (p *panelJob) sizes() [8]int {
	states := p.slots * panelQueries
	return [...]int{states * p.keyDim, panelTiles * panelRowsHigh * panelQueries, states * p.outRows, states, states,
		panelQueries, panelQueries * p.outRows, panelWidth * p.keyDim}
}

func (p *panelJob) run(j *attentionJob) {
	p.plan(j)
	sizes := p.sizes()
	j.growScratch(sizes[:])
	p.values = j.v
	turns := 1
	// Rows far from each other share few sets of the caches, and lie on as many
	// pages as there are: a sequence's values, of which a tile reads a line a
	// row, are put together beforehand. For keys that would cost what it saves.
	copied := j.v.row != j.ValueDim && j.group*j.QueryLen >= panelCopied
	if copied {
		turns = j.Batch
		p.copied = grow(p.copied, j.KVHeads*j.KVLen*j.ValueDim)
		p.values = operand{p.copied, 0, j.KVLen * j.ValueDim, j.ValueDim}
	}
	parts := j.Batch * j.KVHeads * p.ranges / turns
	for turn := range turns {
		p.from, p.to = turn*parts, (turn+1)*parts
		if copied {
			p.copying = true
			shareOut((j.KVLen+panelTokens-1)/panelTokens, p.Multiplications(), p)
			p.copying = false
		}
		shareOut(parts, p.Multiplications(), p)
	}
	for i := range p.scratch {
		x := &p.scratch[i].panel
		x.score, x.weigh = panelScores{}, panelValues{}
	}
	p.attentionJob, p.values = nil, operand{}
}

// copyTokens copies the values of the i-th panelTokens tokens.
func (p *panelJob) copyTokens(i int) {
	b := p.from / (p.KVHeads * p.ranges)
	for t := i * panelTokens; t < min((i+1)*panelTokens, p.KVLen); t++ {
		for h := range p.KVHeads {
			copy(p.values.data[p.values.at(b, h, t):][:p.ValueDim], p.v.data[p.v.at(b, h, t):])
		}
	}
}

// part does part i, in the general way if the first keys do not show how large
// scores get.
func (p *panelJob) part(i, worker int) {
	if p.copying {
		p.copyTokens(i)
		return
	}
	i += p.from
	span, kv, b := i%p.ranges, i/p.ranges%p.KVHeads, i/p.ranges/p.KVHeads
	from := span * p.queries
	to := min(from+p.queries, p.QueryLen)
	if !p.panels(i, b, kv, from, to, worker) {
		for q := from; q < to; q += p.attentionJob.queries {
			p.general(b, kv, q, min(q+p.attentionJob.queries, to), worker)
		}
	}
}

// panels reports whether it succeeded.
func (p *panelJob) panels(i, b, kv, queries, to, worker int) bool {
	w := &p.scratch[worker]
	x := &w.panel
	memory, sizes := w.memory, p.sizes()
	for i, s := range []*[]float32{&x.queries, &x.weights, &x.out, &x.shift, &x.sum, &x.factor, &x.rows, &w.edge} {
		*s = carve(&memory, sizes[i])
	}
	x.part.want(0, &p.k, 0, 0, 0, 0, 0)
	x.part.want(1, &p.values, 0, 0, 0, 0, 0)
	if next := i + threadCount(); next < p.to && next/p.ranges != i/p.ranges {
		b, kv := next/p.ranges/p.KVHeads, next/p.ranges%p.KVHeads
		x.part.want(0, &p.k, b, kv, 0, p.KVLen, p.KeyDim)
		x.part.want(1, &p.values, b, kv, 0, p.KVLen, p.ValueDim)
	}
	tiles := panelCut(p.KVLen)
	for block := range p.keyBlocks {
		// Blocks are whole tiles.
		first, last := tiles.count*block/p.keyBlocks, tiles.count*(block+1)/p.keyBlocks
		panel := 0
		for g := range p.group {
			for q := queries; q < to; q += panelQueries {
				n := min(panelQueries, to-q)
				if !p.panel(w, panel%p.slots, b, kv, kv*p.group+g, q, n, first, last) {
					return false
				}
				panel++
			}
		}
	}
	return true
}

// panel adds tiles of keys to the results of n queries of head h, from q on, and
// reports whether the weights are in range.
func (p *panelJob) panel(w *attentionScratch, slot, b, kv, h, q, n, first, last int) bool {
	x := &w.panel
	queries := x.queries[slot*p.keyDim*panelQueries:][:p.keyDim*panelQueries]
	out := x.out[slot*p.outRows*panelQueries:][:p.outRows*panelQueries]
	shift, sum := x.shift[slot*panelQueries:][:panelQueries], x.sum[slot*panelQueries:][:panelQueries]
	s, v := &x.score, &x.weigh
	vectors := (n + panelWidth - 1) / panelWidth
	*s = panelScores{
		vectors: vectors, queries: &queries[0], dim: p.KeyDim,
		keyRow: 4 * p.k.row, weights: &x.weights[0], shift: &shift[0], sum: &sum[0],
	}
	*v = panelValues{vectors: vectors, weights: &x.weights[0], valueRow: 4 * p.values.row, accumulate: 1}
	if first == 0 {
		if vectors < panelVectors {
			clear(queries)
		}
		p.packKeys(w, queries, p.q.data[p.q.at(b, h, q):], p.q.row, p.KeyDim, n)
		Scale(p.Scale*math.Log2E, queries)
		clear(shift)
		clear(sum)
		s.first, v.accumulate = 1, 0
	}
	x.panel.want(0, &p.q, b, h, q+n, min(panelQueries, p.QueryLen-q-n), p.KeyDim)
	x.panel.want(1, &p.dst, b, h, q, n, p.ValueDim)
	k := attentions.panels
	tiles := panelCut(p.KVLen)
	elements := panelCut(p.ValueDim)
	for from := first; from < last; from += panelTiles {
		to := min(from+panelTiles, last)
		key, end := tiles.start(from), tiles.start(to)
		high := max(min(to, tiles.high)-from, 0)
		for _, part := range [...][2]int{{tiles.rows + 1, high}, {tiles.rows, to - from - high}} {
			if s.rows, s.count = part[0], part[1]; s.count > 0 {
				s.keys = &p.k.data[p.k.at(b, kv, key)]
				s.next, s.nextStep = x.part.line(s.count*(s.dim/4), s.queries)
				k.scores[s.rows-panelRowsLow][vectors-1](s)
				s.weights = elementAt(s.weights, s.count*s.rows*panelQueries)
				key += s.count * s.rows
			}
		}
		s.weights = &x.weights[0]
		if to == tiles.count {
			for i, t := range sum[:n] {
				if !(t < panelLimit) {
					return false
				}
				x.factor[i] = 1 / t
			}
			v.factor = &x.factor[0]
		}
		key = tiles.start(from)
		v.keys = end - key
		v.values, v.out = &p.values.data[p.values.at(b, kv, key)], &out[0]
		for _, part := range [...][2]int{{elements.rows + 1, elements.high}, {elements.rows, elements.count - elements.high}} {
			if v.rows, v.count = part[0], part[1]; v.count > 0 {
				v.next, v.nextLast, v.nextStep = x.panel.column(v.count, s.queries)
				k.values[v.rows-panelRowsLow][vectors-1](v)
				v.values, v.out = elementAt(v.values, v.count*v.rows), elementAt(v.out, v.count*v.rows*panelQueries)
			}
		}
		v.accumulate = 1
	}
	if last == tiles.count {
		p.finishPanel(w, b, h, q, n, out, shift, sum)
	}
	return true
}

// panelTiling is how a number of rows is cut into tiles: high ones with a row
// more, and then others.
type panelTiling struct{ count, rows, high int }

func panelCut(n int) panelTiling {
	count := (n + panelRowsHigh - 1) / panelRowsHigh
	return panelTiling{count, n / count, n % count}
}

// start is the first row of tile i.
func (t panelTiling) start(i int) int { return i*t.rows + min(i, t.high) }

// finishPanel writes the results of n queries.
func (p *panelJob) finishPanel(w *attentionScratch, b, h, q, n int, out, shift, sum []float32) {
	x := &w.panel
	if p.logs != nil {
		logs := p.logs[(b*p.Heads+h)*p.QueryLen+q:][:n]
		transcendental.log(logs, sum)
		vector.axpy(-math.Ln2, shift, logs)
	}
	t := &w.transpose
	whole := n%4 == 0 && p.ValueDim%panelWidth == 0
	for i := 0; i < p.ValueDim; i += panelWidth {
		*t = transposeRows{
			src: &out[i*panelQueries], stride: 4 * panelQueries, fours: (n + 3) / 4,
			dst: &x.rows[i], width: 4 * p.outRows,
		}
		if whole {
			t.dst, t.width = &p.dst.data[p.dst.at(b, h, q)+i], 4*p.dst.row
		}
		attentions.transposeRows(t)
	}
	if !whole {
		for i := range n {
			copy(p.dst.data[p.dst.at(b, h, q+i):][:p.ValueDim], x.rows[i*p.outRows:])
		}
	}
}
