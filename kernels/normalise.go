package kernels

// normaliseParts is the largest number of parts that the backward pass of a
// layer is cut into: each has sums of its own for the gradients of scale and
// shift.
const normaliseParts = 16

// normaliseJob is a call of a normalisation of rows of n elements. Rows are
// worked on in blocks that stay in the first-level cache.
type normaliseJob struct {
	rms                         bool
	rows, n, rowsOfPart         int
	dst, src, residual, sum     []float32
	scale, shift, mean, inverse []float32
	dsrc, ddst, dscale, dshift  []float32
	eps                         float32
	scratch                     workerScratch
	partial                     []float32 // gradients of scale and shift of each part
	ones, zeros                 []float32 // stand in for scale and shift
	backward, hasWeight         bool
}

// rowsOfBlock is the number of rows of n elements that are worked on at a time.
func rowsOfBlock(n int) int { return min(max(reductionBlock/max(n, 1), 1), 64) }

// reset prepares a job of rows of n elements.
func (j *normaliseJob) reset(function string, rows, n int, scale, shift []float32) {
	if scale != nil {
		checkLength(function, "scale", len(scale), n)
	}
	if shift != nil {
		checkLength(function, "shift", len(shift), n)
	}
	*j = normaliseJob{
		rows: rows, n: n, scale: scale, shift: shift, hasWeight: scale != nil || shift != nil,
		scratch: j.scratch, partial: j.partial, ones: j.ones, zeros: j.zeros,
	}
	j.rowsOfPart = max(partElements/max(n, 1), 1)
	if !j.hasWeight {
		return
	}
	if scale == nil {
		if len(j.ones) < n {
			j.ones = Aligned[float32](n)
			fill(j.ones, &one[0])
		}
		j.scale = j.ones
	}
	if shift == nil {
		if len(j.zeros) < n {
			j.zeros = Aligned[float32](n)
		}
		j.shift = j.zeros
	}
}

// run shares out the rows.
func (j *normaliseJob) run() {
	if j.rows > 0 && j.n > 0 {
		// at most six numbers for each row of a block
		j.scratch.grow(6 * rowsOfBlock(j.n))
		parallel((j.rows+j.rowsOfPart-1)/j.rowsOfPart, j)
	}
	scratch, partial, ones, zeros := j.scratch, j.partial, j.ones, j.zeros
	*j = normaliseJob{scratch: scratch, partial: partial, ones: ones, zeros: zeros}
}

// LayerNorm normalises each row of src [rows, n]:
// dst = (x-mean) / sqrt(variance+eps) * scale + shift (Ba, Kiros and Hinton,
// "Layer Normalization", 2016), with the biased variance. Mean and variance
// are found in two passes over the row, the second of which sums the squares
// about the mean; rows of more than 4096 elements are combined from pieces by
// the formula of Chan, Golub and LeVeque (1979). scale and shift [n] may be
// nil for 1 and 0. mean and inverse [rows], unless nil, get the mean and
// 1 / sqrt(variance+eps) of each row, for LayerNormBackward. dst and src may
// be the same slice.
func LayerNorm(ws *Workspace, rows, n int, dst, src, scale, shift, mean, inverse []float32, eps float32) {
	j := &ws.normalise
	j.reset("LayerNorm", rows, n, scale, shift)
	checkLength("LayerNorm", "dst", len(dst), rows*n)
	checkLength("LayerNorm", "src", len(src), rows*n)
	j.dst, j.src, j.eps = dst, src, eps
	j.keep("LayerNorm", mean, inverse)
	j.run()
}

// AddLayerNorm sets sum to a + b and dst to the LayerNorm of it. All are
// [rows, n]; sum may be a or b.
func AddLayerNorm(ws *Workspace, rows, n int, dst, sum, a, b, scale, shift, mean, inverse []float32, eps float32) {
	j := &ws.normalise
	j.reset("AddLayerNorm", rows, n, scale, shift)
	checkLength("AddLayerNorm", "dst", len(dst), rows*n)
	checkLength("AddLayerNorm", "sum", len(sum), rows*n)
	checkLength("AddLayerNorm", "a", len(a), rows*n)
	checkLength("AddLayerNorm", "b", len(b), rows*n)
	j.dst, j.sum, j.src, j.residual, j.eps = dst, sum, a, b, eps
	j.keep("AddLayerNorm", mean, inverse)
	j.run()
}

// RMSNorm divides each row of src [rows, n] by its root mean square:
// dst = x / sqrt(mean of x^2 + eps) * scale (Zhang and Sennrich, "Root Mean
// Square Layer Normalization", 2019). scale [n] may be nil for 1. inverse
// [rows], unless nil, gets the factor of each row, for RMSNormBackward. dst
// and src may be the same slice.
func RMSNorm(ws *Workspace, rows, n int, dst, src, scale, inverse []float32, eps float32) {
	j := &ws.normalise
	j.reset("RMSNorm", rows, n, scale, nil)
	checkLength("RMSNorm", "dst", len(dst), rows*n)
	checkLength("RMSNorm", "src", len(src), rows*n)
	j.dst, j.src, j.eps, j.rms = dst, src, eps, true
	j.keep("RMSNorm", nil, inverse)
	j.run()
}

// keep notes where the statistics go.
func (j *normaliseJob) keep(function string, mean, inverse []float32) {
	if mean != nil {
		checkLength(function, "mean", len(mean), j.rows)
	}
	if inverse != nil {
		checkLength(function, "inverse", len(inverse), j.rows)
	}
	j.mean, j.inverse = mean, inverse
}

// LayerNormBackward adds the gradients of LayerNorm to dsrc [rows, n], dscale
// and dshift [n], given the mean and inverse that it kept. dscale and dshift
// may be nil.
func LayerNormBackward(ws *Workspace, rows, n int, dsrc, dscale, dshift, ddst, src, scale, mean, inverse []float32) {
	j := &ws.normalise
	j.reset("LayerNormBackward", rows, n, scale, nil)
	checkLength("LayerNormBackward", "mean", len(mean), rows)
	j.mean = mean
	j.runBackward("LayerNormBackward", dsrc, dscale, dshift, ddst, src, inverse)
}

// RMSNormBackward adds the gradients of RMSNorm to dsrc [rows, n] and, unless
// it is nil, dscale [n], given the inverse that it kept.
func RMSNormBackward(ws *Workspace, rows, n int, dsrc, dscale, ddst, src, scale, inverse []float32) {
	j := &ws.normalise
	j.reset("RMSNormBackward", rows, n, scale, nil)
	j.rms = true
	j.runBackward("RMSNormBackward", dsrc, dscale, nil, ddst, src, inverse)
}

func (j *normaliseJob) runBackward(function string, dsrc, dscale, dshift, ddst, src, inverse []float32) {
	checkLength(function, "dsrc", len(dsrc), j.rows*j.n)
	checkLength(function, "ddst", len(ddst), j.rows*j.n)
	checkLength(function, "src", len(src), j.rows*j.n)
	checkLength(function, "inverse", len(inverse), j.rows)
	if dscale != nil {
		checkLength(function, "dscale", len(dscale), j.n)
	}
	if dshift != nil {
		checkLength(function, "dshift", len(dshift), j.n)
	}
	j.backward, j.dsrc, j.dscale, j.dshift, j.ddst, j.src, j.inverse = true, dsrc, dscale, dshift, ddst, src, inverse
	if j.rows == 0 || j.n == 0 {
		return
	}
	j.rowsOfPart = max(j.rowsOfPart, (j.rows+normaliseParts-1)/normaliseParts)
	parts, n := (j.rows+j.rowsOfPart-1)/j.rowsOfPart, j.n
	sums := dscale != nil || dshift != nil
	if sums {
		j.partial = grow(j.partial, 2*n*parts)
		clear(j.partial)
	} else {
		j.partial = j.partial[:0]
	}
	j.run()
	for part := 0; sums && part < parts; part++ {
		p := j.partial[2*n*part:][:2*n]
		if dshift != nil {
			Add(dshift[:n], dshift, p)
		}
		if dscale != nil {
			Add(dscale[:n], dscale, p[n:])
		}
	}
}

func (j *normaliseJob) part(i, worker int) {
	block := rowsOfBlock(j.n)
	for row := i * j.rowsOfPart; row < min((i+1)*j.rowsOfPart, j.rows); row += block {
		rows := min(block, min((i+1)*j.rowsOfPart, j.rows)-row)
		if j.backward {
			j.backwardRows(i, row, rows, j.scratch[worker])
		} else {
			j.forwardRows(row, rows, j.scratch[worker])
		}
	}
}

func (j *normaliseJob) forwardRows(row, rows int, scratch []float32) {
	n := j.n
	src := j.src[row*n:][:rows*n]
	if j.sum != nil {
		sum := j.sum[row*n:][:rows*n]
		apply1(OpAdd, sum, src, j.residual[row*n:])
		src = sum
	}
	a, b, rest := scratch[:rows], scratch[rows:2*rows], scratch[2*rows:]
	if j.rms {
		clear(b)
		rowSquareSums(src, rows, n, a, b)
		for k, s := range a {
			a[k] = 1 / sqrt(s/float32(n)+j.eps)
		}
	} else {
		rowStatistics(src, rows, n, b, a, rest)
		for k, variance := range a {
			inverse := 1 / sqrt(variance+j.eps)
			if j.mean != nil {
				j.mean[row+k] = b[k]
			}
			a[k], b[k] = inverse, -b[k]*inverse
		}
	}
	if j.inverse != nil {
		copy(j.inverse[row:], a)
	}
	dst := &j.dst[row*n]
	if j.hasWeight {
		vector.rowNormalize(dst, &src[0], &j.scale[0], &j.shift[0], &a[0], &b[0], rows, n, 4*n)
	} else {
		vector.rowAffine(dst, &src[0], &a[0], &b[0], rows, n, 4*n)
	}
}

// rowStatistics finds the mean and the biased variance of each row of
// [rows, n]. scratch has 4 elements for each row.
func rowStatistics(x []float32, rows, n int, mean, variance, scratch []float32) {
	if n > reductionBlock {
		for i := range rows {
			mean[i], variance[i] = longStatistics(x[i*n:][:n], scratch)
		}
		return
	}
	sums := scratch[:rows]
	vector.rowSum(&x[0], &sums[0], rows, n, 4*n)
	for i, s := range sums {
		mean[i] = float32(float64(s) / float64(n))
	}
	vector.rowSquares(&x[0], &variance[0], &mean[0], rows, n, 4*n)
	for i, s := range sums {
		// The squares are taken about the rounded mean; this corrects for that.
		shift := float64(s)/float64(n) - float64(mean[i])
		variance[i] = float32(max(float64(variance[i])/float64(n)-shift*shift, 0))
		if mean[i] != mean[i] {
			variance[i] = mean[i]
		}
	}
}

// longStatistics is rowStatistics for one row, in pieces. scratch has 3
// elements.
func longStatistics(x, scratch []float32) (mean, variance float32) {
	var count, m, squares float64
	for at := 0; at < len(x); at += reductionBlock {
		piece := x[at:min(at+reductionBlock, len(x))]
		rowStatistics(piece, 1, len(piece), scratch[:1], scratch[1:2], scratch[2:3])
		k := float64(len(piece))
		delta, total := float64(scratch[0])-m, count+k
		m += delta * k / total
		squares += float64(scratch[1])*k + delta*delta*count*k/total
		count = total
	}
	return float32(m), float32(squares / count)
}

// rowSquareSums sets sums to the sum of (x-center)^2 of each row.
func rowSquareSums(x []float32, rows, n int, sums, center []float32) {
	if n <= reductionBlock {
		vector.rowSquares(&x[0], &sums[0], &center[0], rows, n, 4*n)
		return
	}
	for i := range rows {
		var sum float64
		for at := i * n; at < (i+1)*n; at += reductionBlock {
			length := min(reductionBlock, (i+1)*n-at)
			sum += float64(vector.sumSquares(x[at:], 1, length, length, center[i]))
		}
		sums[i] = float32(sum)
	}
}

// backwardRows adds to dsrc, with h = ddst*scale and y the normalised row:
// inverse * (h - mean of h - y * mean of h*y), which is linear in h and x;
// RMSNorm has no mean of h.
func (j *normaliseJob) backwardRows(part, row, rows int, scratch []float32) {
	n := j.n
	ddst, src := &j.ddst[row*n], &j.src[row*n]
	take := func(k int) []float32 { return scratch[k*rows:][:rows] }
	sums, products, a, b, c, center := take(0), take(1), take(2), take(3), take(4), take(5)
	clear(center)
	if j.mean != nil {
		copy(center, j.mean[row:])
	}
	if j.scale != nil {
		vector.rowScaledProducts(ddst, src, &j.scale[0], &sums[0], &products[0], &center[0], rows, n, 4*n)
	} else {
		vector.rowProducts(ddst, src, &sums[0], &products[0], &center[0], rows, n, 4*n)
	}
	for k := range rows {
		inverse := j.inverse[row+k]
		a[k] = inverse
		b[k] = -inverse * inverse * inverse * (products[k] / float32(n))
		c[k] = 0
		if !j.rms {
			c[k] = -inverse*(sums[k]/float32(n)) - b[k]*center[k]
		}
	}
	dsrc := &j.dsrc[row*n]
	if j.scale != nil {
		vector.rowScaledAdd(dsrc, ddst, src, &j.scale[0], &a[0], &b[0], &c[0], rows, n, 4*n)
	} else {
		vector.rowAffineAdd(dsrc, ddst, src, &a[0], &b[0], &c[0], rows, n, 4*n)
	}
	if len(j.partial) == 0 {
		return
	}
	for k := range rows {
		b[k] = -center[k] * a[k]
	}
	partial := j.partial[2*n*part:][:2*n]
	vector.columnProducts(&partial[0], &partial[n], ddst, src, &a[0], &b[0], rows, n, 4*n)
}
