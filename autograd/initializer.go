package autograd

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// HeNormal fills a weight, [K, C/groups, R, S] of a convolution in the given
// number of groups or [out, in] of a linear layer (groups 1), from the normal
// distribution with variance 2/fan-out (He et al., "Delving Deep into
// Rectifiers", 2015, section 2.2).
func HeNormal(w *Tensor, groups int, rng *rand.Rand) {
	if len(w.Shape) < 2 {
		panic(fmt.Sprintf("autograd: HeNormal needs a weight, got shape %v", w.Shape))
	}
	fanOut := float64(w.Shape[0]) / float64(max(groups, 1))
	for _, d := range w.Shape[2:] {
		fanOut *= float64(d)
	}
	Normal(w, math.Sqrt(2/fanOut), rng)
}

// Normal fills x from the normal distribution with mean 0.
func Normal(x *Tensor, deviation float64, rng *rand.Rand) {
	for i := range x.Data {
		x.Data[i] = float32(rng.NormFloat64() * deviation)
	}
}

// Fill sets every element of x to v.
func Fill(x *Tensor, v float32) {
	for i := range x.Data {
		x.Data[i] = v
	}
}
