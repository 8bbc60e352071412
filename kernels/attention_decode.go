package kernels

import "math"

// decodeQueries is the number of queries, over the heads that share keys, up
// to which keys and values are streamed rather than packed.
const decodeQueries = 8

// Blocks of decoding: scores of a block of keys are worked on together while
// its values arrive, and a cache is cut into pieces if there are few heads.
const (
	decodeKeys  = 128
	decodePiece = 1024
	decodeHeads = 16 // sequences times heads of keys that need no cutting
)

// attentionDecode is attention of a few queries, bound by the memory that keys
// and values are read from. Its parts are pieces of the cache of each sequence
// and head, whose results are combined in order.
type attentionDecode struct {
	*attentionJob
	rows   int // queries of the heads that share keys
	pieces int
	state  []float32 // [part][row]: largest, total, then the weighted values
}

func (d *attentionDecode) stateRow() int { return 2 + d.outRow }

func (d *attentionDecode) run(j *attentionJob) {
	d.attentionJob = j
	d.rows = j.group * j.QueryLen
	j.outRow = roundUp(j.ValueDim, tiles.width)
	j.packValue = j.outRow != j.ValueDim && !tiles.masked
	j.scoreRow = decodeKeys + cacheLine/4
	heads := j.Batch * j.KVHeads
	d.pieces = 1
	if heads < decodeHeads {
		d.pieces = max((j.KVLen+decodePiece-1)/decodePiece, 1)
	}
	d.state = grow(d.state, heads*d.pieces*d.rows*d.stateRow())
	sizes := d.sizes()
	j.growScratch(sizes[:])
	shareOut(heads*d.pieces, j.Multiplications(), d)
	for i := range heads {
		d.combine(i)
	}
	d.attentionJob = nil
}

func (d *attentionDecode) sizes() [7]int {
	values := 0
	if d.packValue {
		values = decodeKeys * d.outRow
	}
	return [...]int{d.rows * d.scoreRow, values, d.rows * d.outRow, d.rows, d.rows, d.rows, d.rows}
}

func (d *attentionDecode) part(i, worker int) {
	piece, kv, b := i%d.pieces, i/d.pieces%d.KVHeads, i/d.pieces/d.KVHeads
	length := roundUp((d.KVLen+d.pieces-1)/d.pieces, decodeKeys)
	from := piece * length
	to := min(from+length, d.KVLen)
	w := &d.scratch[worker]
	memory, sizes := w.memory, d.sizes()
	total := d.state[i*d.rows*d.stateRow():][:d.rows*d.stateRow()]
	for i, s := range []*[]float32{&w.scores, &w.values, &w.out, &w.largest, &w.next, &w.sum, &w.difference} {
		*s = carve(&memory, sizes[i])
	}
	clear(w.out)
	clear(total)
	for r := range w.largest {
		w.largest[r] = -infinity
	}
	totals := total[:d.rows]
	scale := d.scoreScale() * math.Log2E
	for key := from; key < to; key += decodeKeys {
		n := min(decodeKeys, to-key)
		d.scoresOf(w, b, kv, key, n)
		d.weights(w, d.rows, n, scale, w.largest)
		d.rescale(w, d.rows, scale, w.largest, totals, w.out)
		copy(w.largest, w.next)
		d.packValues(w, b, kv, key, n)
		d.weigh(w, d.rows, n, b, kv, key, w.out, true)
	}
	// The totals stand where the first rows' state belongs.
	copy(w.sum, totals)
	for r := range d.rows {
		state := total[r*d.stateRow():][:d.stateRow()]
		state[0], state[1] = w.largest[r], w.sum[r]
		copy(state[2:], w.out[r*d.outRow:][:d.outRow])
	}
}

// scoresOf sets row r of scores to those of n keys from key on of query r.
func (d *attentionDecode) scoresOf(w *attentionScratch, b, kv, key, n int) {
	for r := range d.rows {
		h, q := kv*d.group+r/d.QueryLen, r%d.QueryLen
		row := w.scores[r*d.scoreRow:][:n]
		t := &w.dot
		*t = dotRows{
			rows: n, n: d.KeyDim, a: &d.q.data[d.q.at(b, h, q)], b: &d.k.data[d.k.at(b, kv, key)], bRow: 4 * d.k.row, dst: &row[0],
		}
		t.prefetch, t.prefetchRow = t.b, t.bRow
		if r == d.rows-1 && d.ValueDim > 0 {
			t.prefetch, t.prefetchRow = &d.v.data[d.v.at(b, kv, key)], 4*d.v.row
		}
		attentions.dotRows(t)
		if d.mask != nil {
			from := q*d.KVLen + key
			if d.MaskPerHead {
				from += h * d.QueryLen * d.KVLen
			}
			Scale(d.Scale, row)
			Add(row, row, d.mask[from:][:n])
		}
		if d.Causal {
			for c := max(d.visible(q)-key, 0); c < n; c++ {
				row[c] = -infinity
			}
		}
	}
}

// combine writes the results of sequence and head i, from those of the pieces.
func (d *attentionDecode) combine(i int) {
	kv, b := i%d.KVHeads, i/d.KVHeads
	scale := float64(d.scoreScale())
	for r := range d.rows {
		first := d.piece(i, 0, r)
		for p := 1; p < d.pieces; p++ {
			x := d.piece(i, p, r)
			largest := max(first[0], x[0])
			if x[0] == -infinity && x[1] == 0 { // sees no key
				continue
			}
			a := float32(math.Exp(float64(first[0]-largest) * scale))
			c := float32(math.Exp(float64(x[0]-largest) * scale))
			first[0], first[1] = largest, a*first[1]+c*x[1]
			for j, y := range x[2:] {
				first[2+j] = a*first[2+j] + c*y
			}
		}
		d.finish(b, kv*d.group+r/d.QueryLen, r%d.QueryLen, 1, first[2:], first[:1], first[1:2])
	}
}

func (d *attentionDecode) piece(head, piece, row int) []float32 {
	n := d.stateRow()
	return d.state[((head*d.pieces+piece)*d.rows+row)*n:][:n]
}
