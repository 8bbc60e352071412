package autograd

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/hwprofd/hwprofd/kernels"
)

func TestConv2DBatchNormIsBoth(t *testing.T) {
	activations := []kernels.Activation{kernels.NoActivation, kernels.ReLU, kernels.ReLU6, kernels.HardSwish}
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		n := rapid.IntRange(1, 19).Draw(t, "n")
		c := rapid.IntRange(1, 5).Draw(t, "c")
		k, groups := rapid.IntRange(1, 5).Draw(t, "k"), 1
		if rapid.Bool().Draw(t, "depthwise") {
			k, groups = c, c
		}
		kernel := rapid.SampledFrom([]int{1, 3}).Draw(t, "kernel")
		stride := rapid.IntRange(1, 2).Draw(t, "stride")
		pad := kernel / 2
		o := Conv2DOptions{Stride: [2]int{stride, stride}, Pad: [4]int{pad, pad, pad, pad}, Groups: groups}
		x := randomParameter(rng, n, c, 5, 4)
		w := randomParameter(rng, k, c/groups, kernel, kernel)
		scale, shift := randomParameter(rng, k), randomParameter(rng, k)
		norm := BatchNormOptions{Epsilon: 1e-3, Activation: rapid.SampledFrom(activations).Draw(t, "activation")}
		if rapid.Bool().Draw(t, "given") {
			norm.Statistics = &Statistics{}
			for range k {
				norm.Statistics.Mean = append(norm.Statistics.Mean, float32(rng.NormFloat64()))
				norm.Statistics.Variance = append(norm.Statistics.Variance, float32(1+rng.Float64()))
			}
		}

		tape := NewTape(2)
		want, wantStatistics := tape.BatchNorm(tape.Conv2D(x, w, nil, o), scale, shift, norm)
		for _, record := range []bool{true, false} {
			tape.SetGrad(record)
			got, statistics := tape.Conv2DBatchNorm(x, w, scale, shift, o, norm)
			if got.Differentiable() != record {
				t.Fatalf("recorded: %v, want %v", got.Differentiable(), record)
			}
			for _, pair := range [][2][]float32{
				{got.Data, want.Data}, {statistics.Mean, wantStatistics.Mean}, {statistics.Variance, wantStatistics.Variance},
			} {
				for i, v := range pair[1] {
					if d := pair[0][i] - v; !(d < 1e-4 && d > -1e-4) {
						t.Fatalf("recorded %v: element %d is %v, want %v", record, i, pair[0][i], v)
					}
				}
			}
		}
	})
}
