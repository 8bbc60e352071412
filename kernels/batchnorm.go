package kernels

import "math"

const (
	// reductionBlock is the number of elements that a reduction adds in
	// float32 before it continues in float64; a block stays in the
	// first-level cache between the passes of BatchNormStats.
	reductionBlock = 4096
	// Channels are worked on in blocks, and within a block a few images at a
	// time, so that memory is read in few streams that are long.
	channelBlock = 16
	imageBlock   = 8
)

// pieces calls visit for pieces of at most reductionBlock elements of channels
// from to from+channelBlock (or to) of [n, c, hw]: segments of length
// elements of channel from+k that begin at start and lie c*hw elements apart.
func pieces(n, c, hw, from, to int, visit func(k, start, segments, length int)) {
	to = min(to, from+channelBlock)
	if hw >= reductionBlock {
		for i := range n {
			for k := from; k < to; k++ {
				for at := 0; at < hw; at += reductionBlock {
					visit(k-from, (i*c+k)*hw+at, 1, min(reductionBlock, hw-at))
				}
			}
		}
		return
	}
	step := min(imageBlock, reductionBlock/max(hw, 1))
	for i := 0; i < n; i += step {
		for k := from; k < to; k++ {
			visit(k-from, (i*c+k)*hw, min(step, n-i), hw)
		}
	}
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
	for from := 0; from < len(mean); from += channelBlock {
		var state [channelBlock]struct{ count, mean, squares float64 }
		pieces(n, c, hw, from, len(mean), func(k, start, segments, length int) {
			x := src[start:]
			m := float64(segments * length)
			pieceMean := float64(vector.sumSegments(x, segments, c*hw, length)) / m
			// The squares are taken about the rounded mean; the rest corrects for that.
			rounded := float32(pieceMean)
			shift := pieceMean - float64(rounded)
			pieceSquares := float64(vector.sumSquares(x, segments, c*hw, length, rounded)) - m*shift*shift
			s := &state[k]
			delta := pieceMean - s.mean
			total := s.count + m
			s.mean += delta * m / total
			s.squares += pieceSquares + delta*delta*s.count*m/total
			s.count = total
		})
		for k := from; k < min(from+channelBlock, len(mean)); k++ {
			s := state[k-from]
			mean[k] = float32(s.mean)
			variance[k] = float32(max(s.squares, 0) / max(s.count, 1))
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
	for from := 0; from < len(mean); from += channelBlock {
		var a, b [channelBlock]float32
		for k := from; k < min(from+channelBlock, len(mean)); k++ {
			a[k-from] = scale[k] / sqrt(variance[k]+eps)
			b[k-from] = shift[k] - mean[k]*a[k-from]
		}
		pieces(n, c, hw, from, len(mean), func(k, start, segments, length int) {
			vector.affine(dst[start:], src[start:], segments, c*hw, length, a[k], b[k])
		})
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
	for from := 0; from < len(mean); from += channelBlock {
		var sums, products [channelBlock]float64
		pieces(n, c, hw, from, len(mean), func(k, start, segments, length int) {
			s, p := vector.sumProducts(ddst[start:], src[start:], segments, c*hw, length, mean[from+k])
			sums[k] += float64(s)
			products[k] += float64(p)
		})
		// dx = scale*inverse * (dy - sum/m - xhat*product*inverse/m), with
		// xhat = (x-mean)*inverse: linear in dy and x.
		var ofGradient, ofInput, constant [channelBlock]float32
		m := float64(n * hw)
		for k := from; k < min(from+channelBlock, len(mean)); k++ {
			i := k - from
			inverse := 1 / sqrt(variance[k]+eps)
			dshift[k] += float32(sums[i])
			dscale[k] += float32(products[i]) * inverse
			a := scale[k] * inverse
			b := -a * inverse * inverse * float32(products[i]/m)
			ofGradient[i], ofInput[i], constant[i] = a, b, -a*float32(sums[i]/m)-b*mean[k]
		}
		pieces(n, c, hw, from, len(mean), func(k, start, segments, length int) {
			vector.affineAdd(dsrc[start:], ddst[start:], src[start:], segments, c*hw, length, ofGradient[k], ofInput[k], constant[k])
		})
	}
}

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
