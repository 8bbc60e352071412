package transfer

import "math"

// A new device may be one that is known, in another box: its costs are a line
// through those of that device, with noise. Rehearsals cannot tell, as they hide
// a device's family; so the lines are a class of their own, whose prior is the
// same for every known device and which ten measurements choose among.
const (
	// matchShare is the prior probability that the new device is of that class.
	matchShare = 0.2
	// Variances of the noise of its models, relative to the amplitude.
	matchNoises     = 5
	leastMatchNoise = 0.003
	mostMatchNoise  = 0.3
)

// matchKernels are linear kernels, one for each known device; nil for those that
// are not in use.
func matchKernels(known []surfaces, use []int) []*kernel {
	out := make([]*kernel, len(known))
	for _, d := range use {
		out[d] = kernelOf("one device", false, known[d].whole)
	}
	return out
}

// matchMixtures are the models of the class: one of the kernels from first on
// each, by scale, kernel and noise.
func matchMixtures(kernels, first, devices int) []mixture {
	var out []mixture
	for s := range scales {
		for d := range devices {
			for i := range matchNoises {
				m := mixture{scale: s, weights: make([]float64, kernels)}
				m.weights[first+d] = 1
				m.noise = leastMatchNoise * math.Pow(mostMatchNoise/leastMatchNoise, float64(i)/(matchNoises-1))
				out = append(out, m)
			}
		}
	}
	return out
}

// among tells whether all kernels that a mixture is made of are there.
func (m mixture) among(kernels []*kernel) bool {
	for k, w := range m.weights {
		if w != 0 && kernels[k] == nil {
			return false
		}
	}
	return true
}
