package kernels

import (
	"fmt"
	"slices"
)

// Reduction is a way to combine elements.
type Reduction int

// The reductions. Of no elements they give 0, NaN, -Inf, Inf, 1, 0 and 0.
const (
	ReduceSum Reduction = iota
	ReduceMean
	ReduceMax // NaN if any element is one
	ReduceMin // the same
	ReduceProduct
	ReduceSumSquares
	ReduceL2 // the root of ReduceSumSquares
)

// Elements that are reduced to one before the results are reduced in turn, so
// that the rounding errors of sums grow with the logarithm of their length.
const (
	reduceRow    = 1 << 15 // of a row
	reduceColumn = 256     // of a column, or more if the rows are short
	reduceWide   = 1024    // columns beyond which rows are added one by one
)

// reduceJob is one stage of a reduction, which takes out one dimension or
// makes it shorter: src [outer, n, inner] becomes dst [outer, pieces, inner].
type reduceJob struct {
	how             Reduction
	dst, src        []float32
	outer, n, inner int
	pieces, piece   int
	chunk           int // results of a part
	buffers         [2][]float32
	centers         []float32
}

// Reduce combines the elements of src of the given shape along axes, and sets
// dst to the results, which have the other dimensions.
func Reduce(ws *Workspace, how Reduction, dst, src []float32, shape, axes []int) {
	j := &ws.reduce
	var size [maxRank]int
	var reduced [maxRank]bool
	if len(shape) > maxRank {
		panic(fmt.Sprintf("kernels: Reduce: %d dimensions, the most are %d", len(shape), maxRank))
	}
	var isAxis [maxRank]bool
	for _, a := range axes {
		if a < 0 || a >= len(shape) || isAxis[a] {
			panic(fmt.Sprintf("kernels: Reduce: axes %v of shape %v", slices.Clone(axes), slices.Clone(shape)))
		}
		isAxis[a] = true
	}
	// Neighbours that are both kept or both reduced become one.
	dims, results, count := 0, 1, 1
	for d, s := range shape {
		if isAxis[d] {
			count *= s
		} else {
			results *= s
		}
		if s == 1 {
			continue
		}
		if dims > 0 && reduced[dims-1] == isAxis[d] {
			size[dims-1] *= s
			continue
		}
		size[dims], reduced[dims] = s, isAxis[d]
		dims++
	}
	checkLength("Reduce", "dst", len(dst), results)
	checkLength("Reduce", "src", len(src), results*count)
	dst = dst[:results]
	if results == 0 {
		return
	}
	if count == 0 {
		start := how.start()
		for i := range dst {
			dst[i] = start
		}
	} else {
		j.stages(how, dst, src[:results*count], size[:dims], reduced[:dims])
	}
	switch how {
	case ReduceMean:
		for i := range dst {
			dst[i] /= float32(count)
		}
	case ReduceL2:
		Sqrt(dst, dst)
	}
	j.dst, j.src = nil, nil
}

// start is the result of no elements.
func (how Reduction) start() float32 {
	switch how {
	case ReduceMax:
		return -infinity
	case ReduceMin:
		return infinity
	case ReduceProduct:
		return 1
	}
	return 0
}

// stages takes out the dimensions to be reduced, the innermost first.
func (j *reduceJob) stages(how Reduction, dst, src []float32, size []int, reduced []bool) {
	j.how = how
	turn := 0
	for {
		last := len(size) - 1
		for last >= 0 && !reduced[last] {
			last--
		}
		if last < 0 { // of one element each
			if &dst[0] != &src[0] {
				copy(dst, src)
				if j.how == ReduceSumSquares || j.how == ReduceL2 {
					Mul(dst, dst, dst)
				}
			}
			return
		}
		j.outer, j.n, j.inner = volume(size[:last]), size[last], volume(size[last+1:])
		if j.inner == 1 {
			j.piece = reduceRow
		} else {
			j.piece = max(reduceColumn, reduceRow/j.inner)
		}
		j.pieces = (j.n + j.piece - 1) / j.piece
		j.piece = min(j.piece, j.n)
		done := j.pieces == 1 && !slices.Contains(reduced[:last], true)
		to := dst
		if !done {
			b := &j.buffers[turn%2]
			*b = grow(*b, j.outer*j.pieces*j.inner)
			to = *b
			turn++
		}
		j.src, j.dst = src, to
		j.run()
		if done {
			return
		}
		src = to
		size[last] = j.pieces
		if j.pieces == 1 { // its neighbours are kept ones, and become one
			size = size[:last+1]
			size[last] = j.inner
			if last > 0 {
				size[last-1] *= j.inner
				size = size[:last]
			}
			reduced[len(size)-1] = false
		}
		switch j.how {
		case ReduceSumSquares, ReduceL2: // the squares are taken now
			j.how = ReduceSum
		}
	}
}

func (j *reduceJob) run() {
	units := j.outer * j.pieces
	j.chunk = max(partElements/(j.piece*j.inner), 1)
	if j.how == ReduceSumSquares || j.how == ReduceL2 {
		if j.inner == 1 && len(j.centers) < j.chunk {
			j.centers = Aligned[float32](j.chunk)
		}
	}
	parallel((units+j.chunk-1)/j.chunk, j)
}

func (j *reduceJob) part(i, _ int) {
	first, last := i*j.chunk, min((i+1)*j.chunk, j.outer*j.pieces)
	if j.inner == 1 && j.pieces == 1 {
		j.rows(&j.dst[first], &j.src[first*j.n], last-first, j.n)
		return
	}
	for u := first; u < last; u++ {
		o, p := u/j.pieces, u%j.pieces
		n := min(j.piece, j.n-p*j.piece)
		at := o*j.n + p*j.piece
		if j.inner == 1 {
			j.rows(&j.dst[u], &j.src[at], 1, n)
		} else {
			j.columns(j.dst[u*j.inner:][:j.inner], j.src[at*j.inner:][:n*j.inner])
		}
	}
}

// rows reduces rows of n elements.
func (j *reduceJob) rows(dst, src *float32, rows, n int) {
	switch j.how {
	case ReduceMax:
		vector.rowMax(src, dst, rows, n, 4*n)
	case ReduceMin:
		vector.rowMin(src, dst, rows, n, 4*n)
	case ReduceProduct:
		vector.rowProduct(src, dst, rows, n, 4*n)
	case ReduceSumSquares, ReduceL2:
		vector.rowSquares(src, dst, &j.centers[0], rows, n, 4*n)
	default:
		vector.rowSum(src, dst, rows, n, 4*n)
	}
}

// columns reduces rows of len(dst) elements to one.
func (j *reduceJob) columns(dst, src []float32) {
	n := len(dst)
	rows := len(src)/n - 1
	copy(dst, src)
	rest := src[n:]
	if j.how == ReduceSumSquares || j.how == ReduceL2 {
		Mul(dst, dst, dst)
		for r := range rows {
			row := rest[r*n:][:n]
			vector.mulAdd(dst, row, row)
		}
		return
	}
	if rows == 0 {
		return
	}
	op, reduce := OpAdd, vector.columnSum
	switch j.how {
	case ReduceMax:
		op, reduce = OpMax, vector.columnMax
	case ReduceMin:
		op, reduce = OpMin, vector.columnMin
	case ReduceProduct:
		op, reduce = OpMul, vector.columnProduct
	}
	if n < reduceWide {
		reduce(&dst[0], &rest[0], rows, n, 4*n)
		return
	}
	// Long rows are read in stretches that the processor fetches ahead.
	for at := 0; at < n; at += reduceWide {
		d := &dst[at]
		vector.operations[op][bothVectors](d, &rest[at], d, rows, min(reduceWide, n-at), 0, 4*n, 0)
	}
}

// argMaxBlock is the number of elements of which ArgMax finds the largest
// before it looks for it.
const argMaxBlock = 256

// ArgMax sets dst [outer, inner] to the index of the largest of the n elements
// of src [outer, n, inner], the first of them if there are several. A NaN is
// larger than any number. n is at least 1.
func ArgMax(ws *Workspace, dst []int32, src []float32, outer, n, inner int) {
	checkLength("ArgMax", "dst", len(dst), outer*inner)
	checkLength("ArgMax", "src", len(src), outer*n*inner)
	if n < 1 {
		panicLength("ArgMax", "axis", n, 1)
	}
	j := &ws.argMax
	if inner == 1 {
		j.largest.grow(n/argMaxBlock + 1)
	}
	j.dst, j.src, j.outer, j.n, j.inner = dst, src, outer, n, inner
	j.chunk = max(partElements/(n*max(inner, 1)), 1)
	parallel((outer+j.chunk-1)/j.chunk, j)
	j.dst, j.src = nil, nil
}

// argMaxJob is a call of ArgMax.
type argMaxJob struct {
	dst                    []int32
	src                    []float32
	outer, n, inner, chunk int
	largest                workerScratch // of each block
}

func (j *argMaxJob) part(i, worker int) {
	n, inner := j.n, j.inner
	for o := i * j.chunk; o < min((i+1)*j.chunk, j.outer); o++ {
		if inner == 1 {
			j.dst[o] = argMaxRow(j.src[o*n:][:n], j.largest[worker])
			continue
		}
		for k := range inner {
			j.dst[o*inner+k] = argMaxColumn(j.src[o*n*inner+k:], n, inner)
		}
	}
}

func argMaxColumn(x []float32, n, step int) int32 {
	best, at := x[0], 0
	for i := 1; i < n && best == best; i++ {
		if v := x[i*step]; !(v <= best) {
			best, at = v, i
		}
	}
	return int32(at)
}

func argMaxRow(x, largest []float32) int32 {
	n := len(x)
	blocks := n / argMaxBlock
	if blocks > 0 {
		vector.rowMax(&x[0], &largest[0], blocks, argMaxBlock, 4*argMaxBlock)
	}
	if rest := n % argMaxBlock; rest > 0 {
		vector.rowMax(&x[n-rest], &largest[blocks], 1, rest, 0)
		blocks++
	}
	block := 0
	if blocks > 1 {
		block = int(argMaxColumn(largest, blocks, 1))
	}
	best := largest[block]
	at := block * argMaxBlock
	for i, v := range x[at:] {
		if v == best || v != v {
			return int32(at + i)
		}
	}
	panic("kernels: ArgMax: the largest element is gone")
}
