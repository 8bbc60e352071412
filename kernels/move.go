package kernels

import (
	"fmt"
	"slices"
)

// moveJob copies elements from one layout to another, in as few dimensions as
// describe both, ordered as in dst.
type moveJob struct {
	dst, src         []float32
	dstAt, srcAt     int // of the first element
	dims             int
	size             [maxRank]int
	dstStep, srcStep [maxRank]int // elements from one index to the next
	way              moveWay
	chunk            int // rows of a part
	across           int // dimension whose elements are adjacent in src, if not the last
	bands            int // parts that it is cut into
}

// moveWay is how elements are moved.
type moveWay int

const (
	moveRows  moveWay = iota // adjacent elements stay so
	moveTiles                // squares are transposed
	moveEach                 // one by one
)

// Columns of a part of a transposition, and the rows of it that are worked on
// at a time: they stay in the first-level cache until their lines are done.
const (
	transposeColumns = 64
	transposeBand    = 128
)

// add adds the next inner dimension.
func (j *moveJob) add(size, dstStep, srcStep int) {
	if size == 1 {
		return
	}
	if d := j.dims - 1; d >= 0 && j.dstStep[d] == dstStep*size && j.srcStep[d] == srcStep*size {
		j.size[d] *= size
		j.dstStep[d], j.srcStep[d] = dstStep, srcStep
		return
	}
	j.size[j.dims], j.dstStep[j.dims], j.srcStep[j.dims] = size, dstStep, srcStep
	j.dims++
}

// begin forgets the dimensions.
func (j *moveJob) begin(dst []float32, dstAt int, src []float32, srcAt int) {
	*j = moveJob{dst: dst, src: src, dstAt: dstAt, srcAt: srcAt}
}

// run moves the elements.
func (j *moveJob) run() {
	if j.dims == 0 {
		j.size[0], j.dstStep[0], j.srcStep[0], j.dims = 1, 1, 1, 1
	}
	inner := j.dims - 1
	n, rows := j.size[inner], volume(j.size[:inner])
	if n*rows == 0 {
		return
	}
	j.way = moveEach
	if j.dstStep[inner] == 1 {
		if j.srcStep[inner] == 1 {
			j.way = moveRows
		}
		for d := range inner {
			if j.srcStep[d] == 1 && min(j.size[d], n) >= vector.block {
				j.way, j.across = moveTiles, d
			}
		}
	}
	switch {
	case j.way == moveTiles:
		j.bands = max(j.size[j.across]/transposeColumns, 1)
		shareOut(rows/j.size[j.across]*j.bands, n*rows*elementWork, j)
	case j.way == moveRows && j.dims == 1:
		j.chunk = partElements
		parallel((n+j.chunk-1)/j.chunk, j)
	default:
		j.chunk = max(partElements/n, 1)
		parallel((rows+j.chunk-1)/j.chunk, j)
	}
	j.dst, j.src = nil, nil
}

// at returns where element i of the dimensions before the last one is, leaving
// out dimension skip.
func (j *moveJob) at(i, last, skip int) (dst, src int) {
	dst, src = j.dstAt, j.srcAt
	for d := last - 1; d >= 0; d-- {
		if d == skip {
			continue
		}
		k := i % j.size[d]
		i /= j.size[d]
		dst += k * j.dstStep[d]
		src += k * j.srcStep[d]
	}
	return dst, src
}

func (j *moveJob) part(i, _ int) {
	inner := j.dims - 1
	n := j.size[inner]
	switch {
	case j.way == moveTiles:
		j.tiles(i)
		return
	case j.way == moveRows && j.dims == 1:
		from, to := i*j.chunk, min((i+1)*j.chunk, n)
		copy(j.dst[j.dstAt+from:j.dstAt+to], j.src[j.srcAt+from:])
		return
	}
	last := min((i+1)*j.chunk, volume(j.size[:inner]))
	if j.way == moveEach {
		for r := i * j.chunk; r < last; r++ {
			d, s := j.at(r, inner, -1)
			for range n {
				j.dst[d] = j.src[s]
				d += j.dstStep[inner]
				s += j.srcStep[inner]
			}
		}
		return
	}
	rows := j.size[inner-1]
	for r := i * j.chunk; r < last; {
		first := r % rows
		count := min(rows-first, last-r)
		d, s := j.at(r/rows, inner-1, -1)
		d += first * j.dstStep[inner-1]
		s += first * j.srcStep[inner-1]
		vector.operations[OpCopy][bothVectors](&j.dst[d], &j.src[s], nil, count, n, 4*j.dstStep[inner-1], 4*j.srcStep[inner-1], 0)
		r += count
	}
}

// tiles moves part i of a transposition. What does not fill a square is moved
// as one that reaches back over its neighbour.
func (j *moveJob) tiles(i int) {
	inner := j.dims - 1
	n, block := j.size[inner], vector.block
	band := i % j.bands
	d0, s0 := j.at(i/j.bands, inner, j.across)
	from, to := band*transposeColumns, (band+1)*transposeColumns
	if band == j.bands-1 {
		to = j.size[j.across]
	}
	dstRow, srcRow := j.dstStep[j.across], j.srcStep[inner]
	for row := 0; row < n; row += transposeBand {
		rows := min(transposeBand, n-row)
		whole := rows / block * block
		for c := from; c < to; c += block {
			c := min(c, to-block)
			vector.transpose(&j.dst[d0+c*dstRow+row], &j.src[s0+c+row*srcRow], whole, 4*dstRow, 4*srcRow)
			if whole < rows {
				at := n - block
				vector.transpose(&j.dst[d0+c*dstRow+at], &j.src[s0+c+at*srcRow], block, 4*dstRow, 4*srcRow)
			}
		}
	}
}

// steps returns the elements from one index to the next of an array.
func steps(shape []int) (s [maxRank]int) {
	if len(shape) > maxRank {
		panic(fmt.Sprintf("kernels: %d dimensions, the most are %d", len(shape), maxRank))
	}
	n := 1
	for d := len(shape) - 1; d >= 0; d-- {
		s[d] = n
		n *= shape[d]
	}
	return s
}

// Transpose permutes the dimensions of src of the given shape: dimension i of
// dst is dimension permutation[i] of src.
func Transpose(ws *Workspace, dst, src []float32, shape, permutation []int) {
	n := volume(shape)
	checkLength("Transpose", "dst", len(dst), n)
	checkLength("Transpose", "src", len(src), n)
	step := steps(shape)
	var seen [maxRank]bool
	j := &ws.move
	j.begin(dst, 0, src, 0)
	rest := n
	for _, d := range permutation {
		if len(permutation) != len(shape) || d < 0 || d >= len(shape) || seen[d] {
			panic(fmt.Sprintf("kernels: Transpose: %v does not permute %v", slices.Clone(permutation), slices.Clone(shape)))
		}
		seen[d] = true
		if n > 0 {
			rest /= shape[d]
		}
		j.add(shape[d], rest, step[d])
	}
	if n > 0 {
		j.run()
	}
}

// Slice sets dst of the given shape to the elements start[d] + i*step[d] of
// each dimension d of src. Steps may be negative.
func Slice(ws *Workspace, dst []float32, shape []int, src []float32, srcShape, start, step []int) {
	n := volume(shape)
	checkLength("Slice", "dst", len(dst), n)
	checkLength("Slice", "src", len(src), volume(srcShape))
	dstStep, srcStep := steps(shape), steps(srcShape)
	at := 0
	for d, size := range shape {
		last := start[d] + (size-1)*step[d]
		if size > 0 && (min(start[d], last) < 0 || max(start[d], last) >= srcShape[d]) {
			panic(fmt.Sprintf("kernels: Slice: dimension %d reads elements %d to %d of %d", d, start[d], last, srcShape[d]))
		}
		at += start[d] * srcStep[d]
	}
	j := &ws.move
	j.begin(dst, 0, src, at)
	for d, size := range shape {
		j.add(size, dstStep[d], srcStep[d]*step[d])
	}
	if n > 0 {
		j.run()
	}
}

// Concat sets dst of the given shape to arrays beside each other along a
// dimension, of which srcs[i] has sizes[i] elements.
func Concat(ws *Workspace, dst []float32, shape []int, axis int, srcs [][]float32, sizes []int) {
	checkLength("Concat", "dst", len(dst), volume(shape))
	outer, inner := volume(shape[:axis]), volume(shape[axis+1:])
	row, at := shape[axis]*inner, 0
	for i, src := range srcs {
		n := sizes[i] * inner
		checkLength("Concat", "src", len(src), outer*n)
		checkLength("Concat", "axis", row, at+n)
		j := &ws.move
		j.begin(dst, at, src, 0)
		j.add(outer, row, n)
		j.add(n, 1, 1)
		if outer*n > 0 {
			j.run()
		}
		at += n
	}
}

// PadMode is what Pad puts around an array.
type PadMode int

// The modes of Pad.
const (
	PadConstant PadMode = iota
	PadReflect          // as in a mirror, without the element at the edge
	PadEdge             // the element at the edge
)

// Pad sets dst to src of the given shape with before[d] and after[d] elements
// more in each dimension d. value is for PadConstant.
func Pad(ws *Workspace, mode PadMode, dst, src []float32, shape, before, after []int, value float32) {
	var padded [maxRank]int
	srcStep := steps(shape)
	for d, size := range shape {
		padded[d] = before[d] + size + after[d]
		if mode == PadReflect && max(before[d], after[d]) >= size || mode == PadEdge && size == 0 {
			panic(fmt.Sprintf("kernels: Pad: dimension %d has too few elements, %d", d, size))
		}
	}
	outer := padded[:len(shape)]
	step := steps(outer)
	checkLength("Pad", "dst", len(dst), volume(outer))
	checkLength("Pad", "src", len(src), volume(shape))
	at := 0
	for d, b := range before[:len(shape)] {
		at += b * step[d]
	}
	if volume(shape) > 0 {
		j := &ws.move
		j.begin(dst, at, src, 0)
		for d, size := range shape {
			j.add(size, step[d], srcStep[d])
		}
		j.run()
	}
	// From the innermost dimension on, what lies further in is complete.
	for d := len(shape) - 1; d >= 0; d-- {
		n := step[d]
		rows := volume(shape[:d])
		for row := range rows {
			base, rest := 0, row
			for e := d - 1; e >= 0; e-- {
				base += (before[e] + rest%shape[e]) * step[e]
				rest /= shape[e]
			}
			for i := range padded[d] {
				k := i - before[d]
				if k >= 0 && k < shape[d] {
					continue
				}
				to := dst[base+i*n:][:n]
				switch {
				case mode == PadConstant:
					for e := range to {
						to[e] = value
					}
					continue
				case mode == PadEdge:
					k = min(max(k, 0), shape[d]-1)
				case k < 0:
					k = -k
				default:
					k = 2*(shape[d]-1) - k
				}
				copy(to, dst[base+(before[d]+k)*n:])
			}
		}
	}
}

// gatherJob is a call of Gather.
type gatherJob struct {
	dst, src []float32
	n, inner int
	indices  []int
	chunk    int // rows of a part
	rows     int
}

// Gather sets dst [outer, len(indices), inner] to the rows of src
// [outer, n, inner] that indices name: those of negative number are counted
// from the end.
func Gather(ws *Workspace, dst, src []float32, outer, n, inner int, indices []int) {
	checkLength("Gather", "dst", len(dst), outer*len(indices)*inner)
	checkLength("Gather", "src", len(src), outer*n*inner)
	for _, i := range indices {
		if i < -n || i >= n {
			panic(fmt.Sprintf("kernels: Gather: index %d of %d rows", i, n))
		}
	}
	j := &ws.gather
	*j = gatherJob{dst: dst, src: src, n: n, inner: inner, indices: indices, rows: outer * len(indices)}
	j.chunk = max(partElements/max(inner, 1), 1)
	parallel((j.rows+j.chunk-1)/j.chunk, j)
	*j = gatherJob{}
}

func (j *gatherJob) part(i, _ int) {
	for row := i * j.chunk; row < min((i+1)*j.chunk, j.rows); row++ {
		k := j.indices[row%len(j.indices)]
		if k < 0 {
			k += j.n
		}
		copy(j.dst[row*j.inner:(row+1)*j.inner], j.src[(row/len(j.indices)*j.n+k)*j.inner:])
	}
}

// GatherBackward adds the gradient of Gather to dsrc [outer, n, inner].
func GatherBackward(dsrc, ddst []float32, outer, n, inner int, indices []int) {
	checkLength("GatherBackward", "ddst", len(ddst), outer*len(indices)*inner)
	checkLength("GatherBackward", "dsrc", len(dsrc), outer*n*inner)
	for o := range outer {
		for i, k := range indices {
			if k < 0 {
				k += n
			}
			d := dsrc[(o*n+k)*inner:][:inner]
			apply1(OpAdd, d, d, ddst[(o*len(indices)+i)*inner:])
		}
	}
}
