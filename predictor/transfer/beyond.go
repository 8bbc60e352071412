package transfer

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// What networks take beyond the sum of their rows, over that sum: prior standard
// deviations of the constant over the median sum, of the share of all rows, and
// of what that of each family differs by, and what is left that they do not tell.
const (
	beyondConstant = 0.1
	beyondShare    = 0.2
	beyondFamily   = 0.1
	beyondNoise    = 0.05
	// unlikeFloor and wrongFloor keep one known device from counting alone.
	unlikeFloor = 0.05
	wrongFloor  = 0.02
)

// beyond is what the networks of a device take beyond the sum of their rows: a
// constant, which is mostly what is done once a network, and a share of the rows
// of each family, mostly caches that other rows have used meanwhile.
type beyond struct {
	constant float64 // ns
	shares   []float64
	size     float64 // ns, the median sum
	wrong    float64 // root mean square of what is left, over the sum
}

// fitBeyond fits a device's networks, of the given workloads and logarithms of
// latencies, to the logarithms of its rows.
func fitBeyond(parts [][]int, networks, rows []float64, family []int) beyond {
	families := slices.Max(family) + 1
	out := beyond{shares: make([]float64, families)}
	if len(parts) == 0 {
		return out
	}
	sums := make([]float64, len(parts))
	for n, part := range parts {
		sums[n] = math.Exp(logOfSum(rows, part))
	}
	out.size = median(slices.Clone(sums))
	// The features are scaled by their prior deviations: constant, share, families.
	features := mat.NewDense(len(parts), 2+families, nil)
	y := mat.NewVecDense(len(parts), nil)
	for n, part := range parts {
		features.Set(n, 0, beyondConstant*out.size/sums[n])
		features.Set(n, 1, beyondShare)
		for f, ns := range familySums(rows, part, family, families) {
			features.Set(n, 2+f, beyondFamily*ns/sums[n])
		}
		y.SetVec(n, math.Exp(networks[n])/sums[n]-1)
	}
	var gram mat.SymDense
	gram.SymOuterK(1, features.T())
	for i := range 2 + families {
		gram.SetSym(i, i, gram.At(i, i)+beyondNoise*beyondNoise)
	}
	var right, weights, fitted mat.VecDense
	right.MulVec(features.T(), y)
	var factor mat.Cholesky
	if !factor.Factorize(&gram) || factor.SolveVecTo(&weights, &right) != nil {
		return out
	}
	fitted.MulVec(features, &weights)
	fitted.SubVec(y, &fitted)
	out.wrong = mat.Norm(&fitted, 2) / math.Sqrt(float64(len(parts)))
	out.constant = weights.AtVec(0) * beyondConstant * out.size
	for f := range out.shares {
		out.shares[f] = weights.AtVec(1)*beyondShare + weights.AtVec(2+f)*beyondFamily
	}
	return out
}

// network is the logarithm of the latency of a network, of the logarithms of
// rows; at least half of their sum.
func (b beyond) network(rows []float64, part, family []int) float64 {
	sum, ns := 0.0, b.constant
	for f, of := range familySums(rows, part, family, len(b.shares)) {
		sum += of
		ns += of * (1 + b.shares[f])
	}
	return math.Log(max(ns, sum/2))
}

func familySums(rows []float64, part, family []int, families int) []float64 {
	out := make([]float64, families)
	for _, i := range part {
		out[family[i]] += math.Exp(rows[i])
	}
	return out
}

// mixBeyond is the mean of known devices' for a device with the given median sum.
// Whether a constant stays or grows with the time of everything else is not known,
// so that it grows half as much.
func mixBeyond(known []beyond, weights []float64, size float64) beyond {
	out := beyond{size: size, shares: make([]float64, len(known[0].shares))}
	total := 0.0
	for d, b := range known {
		if b.size == 0 {
			continue
		}
		total += weights[d]
		out.constant += weights[d] * b.constant * math.Sqrt(size/b.size)
		for f, v := range b.shares {
			out.shares[f] += weights[d] * v
		}
	}
	if total > 0 {
		out.constant /= total
		for f := range out.shares {
			out.shares[f] /= total
		}
	}
	return out
}

// beyondWeights say how much each known device counts: the more, the more alike
// its rows, but for a factor, and its metadata are to the new device's, and the
// better its networks add up.
func beyondWeights(logs [][]float64, rows, alike []float64, of []beyond) []float64 {
	out := make([]float64, len(logs))
	for d, known := range logs {
		differences := make([]float64, len(rows))
		for i, v := range rows {
			differences[i] = v - known[i]
		}
		_, unlike := moments(differences)
		out[d] = math.Exp(likeWeight*(alike[d]-slices.Max(alike))) /
			(unlike*unlike + unlikeFloor*unlikeFloor) / math.Hypot(of[d].wrong, wrongFloor)
	}
	return out
}
