package kernels

import "math"

// reductionBlock is the number of elements that a reduction adds in float32
// before it continues in float64; a block stays in the first-level cache
// between the passes of BatchNormStats.
const reductionBlock = 4096

// blocks calls visit for pieces of channel k of x [n, c, hw], each of at most
// reductionBlock elements: segments of length elements that begin at start
// and lie c*hw elements apart.
func blocks(n, c, hw, k int, visit func(start, segments, length int)) {
	if hw >= reductionBlock {
		for i := range n {
			for from := 0; from < hw; from += reductionBlock {
				visit((i*c+k)*hw+from, 1, min(reductionBlock, hw-from))
			}
		}
		return
	}
	step := reductionBlock / max(hw, 1)
	for i := 0; i < n; i += step {
		visit((i*c+k)*hw, min(step, n-i), hw)
	}
}

func channelSum(x []float32, n, c, hw, k int) float64 {
	var sum float64
	blocks(n, c, hw, k, func(start, segments, length int) {
		sum += float64(vector.sumSegments(x[start:], segments, c*hw, length))
	})
	return sum
}

// checkPlanes panics unless x holds the leading channels of [n, c, hw].
func checkPlanes(function, operand string, n, c, hw, channels int, x []float32) {
	if channels > c {
		panicLength(function, "shape", c, channels)
	}
	if n > 0 {
		checkLength(function, operand, len(x), ((n-1)*c+channels)*hw)
	}
}

// BatchNormStats computes the mean and the biased variance of each channel of
// src [n, c, hw] over the batch and the plane, by Chan, Golub and LeVeque,
// "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances"
// (1979). mean and variance may be shorter than c: the leading channels alone
// are then worked on, so that callers can share out ranges of channels as
// mean[from:to] with src[from*hw:]. The same holds for BatchNormForward and
// BatchNormBackward.
func BatchNormStats(n, c, hw int, mean, variance, src []float32) {
	checkLength("BatchNormStats", "variance", len(variance), len(mean))
	checkPlanes("BatchNormStats", "src", n, c, hw, len(mean), src)
	for k := range mean {
		var count, center, squares float64
		blocks(n, c, hw, k, func(start, segments, length int) {
			x := src[start:]
			m := float64(segments * length)
			blockMean := float64(vector.sumSegments(x, segments, c*hw, length)) / m
			// The squares are taken about the rounded mean; the rest corrects for that.
			rounded := float32(blockMean)
			shift := blockMean - float64(rounded)
			blockSquares := float64(vector.sumSquares(x, segments, c*hw, length, rounded)) - m*shift*shift
			delta := blockMean - center
			total := count + m
			center += delta * m / total
			squares += blockSquares + delta*delta*count*m/total
			count = total
		})
		mean[k], variance[k] = 0, 0
		if count > 0 {
			mean[k] = float32(center)
			variance[k] = float32(max(squares, 0) / count)
		}
	}
}

// BatchNormForward normalises each channel of src [n, c, hw] into dst:
// (x-mean) / sqrt(variance+eps) * scale + shift (Ioffe and Szegedy, "Batch
// Normalization", 2015, algorithm 1). dst and src may be the same slice.
func BatchNormForward(n, c, hw int, dst, src, mean, variance, scale, shift []float32, eps float32) {
	checkLength("BatchNormForward", "variance", len(variance), len(mean))
	checkLength("BatchNormForward", "scale", len(scale), len(mean))
	checkLength("BatchNormForward", "shift", len(shift), len(mean))
	checkPlanes("BatchNormForward", "src", n, c, hw, len(mean), src)
	checkPlanes("BatchNormForward", "dst", n, c, hw, len(mean), dst)
	if n == 0 {
		return
	}
	for k := range mean {
		a := scale[k] / sqrt(variance[k]+eps)
		b := shift[k] - mean[k]*a
		vector.affine(dst[k*hw:], src[k*hw:], n, c*hw, hw, a, b)
	}
}

// BatchNormBackward adds the gradients of BatchNormForward to dsrc [n, c, hw],
// dscale and dshift, where mean and variance are those of src itself
// (BatchNormStats), so that the gradient flows through them too (Ioffe and
// Szegedy, 2015, section 3).
func BatchNormBackward(n, c, hw int, dsrc, dscale, dshift, ddst, src, mean, variance, scale []float32, eps float32) {
	checkLength("BatchNormBackward", "variance", len(variance), len(mean))
	checkLength("BatchNormBackward", "scale", len(scale), len(mean))
	checkLength("BatchNormBackward", "dscale", len(dscale), len(mean))
	checkLength("BatchNormBackward", "dshift", len(dshift), len(mean))
	checkPlanes("BatchNormBackward", "src", n, c, hw, len(mean), src)
	checkPlanes("BatchNormBackward", "ddst", n, c, hw, len(mean), ddst)
	checkPlanes("BatchNormBackward", "dsrc", n, c, hw, len(mean), dsrc)
	if n == 0 {
		return
	}
	for k := range mean {
		var sum, product float64
		blocks(n, c, hw, k, func(start, segments, length int) {
			s, p := vector.sumProducts(ddst[start:], src[start:], segments, c*hw, length, mean[k])
			sum += float64(s)
			product += float64(p)
		})
		inverse := 1 / sqrt(variance[k]+eps)
		dshift[k] += float32(sum)
		dscale[k] += float32(product) * inverse
		// dx = scale*inverse * (dy - sum/m - xhat*product*inverse/m), with
		// xhat = (x-mean)*inverse: linear in dy and x.
		m := float64(n * hw)
		a := scale[k] * inverse
		b := -a * inverse * inverse * float32(product/m)
		shift := -a*float32(sum/m) - b*mean[k]
		vector.affineAdd(dsrc[k*hw:], ddst[k*hw:], src[k*hw:], n, c*hw, hw, a, b, shift)
	}
}

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
