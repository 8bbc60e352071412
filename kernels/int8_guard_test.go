package kernels

import "testing"

// beforeGuard returns n elements that lie before a guard page.
func beforeGuard[T any](t *testing.T, n int) []T {
	s, free := atPageEnd(make([]T, n))
	t.Cleanup(free)
	return s
}

// Nothing is read or written beyond the operands.
func TestInt8Guard(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		r := newRand(2)
		fill := func(n int) []uint8 {
			s := beforeGuard[uint8](t, n)
			copy(s, randomBytes(r, n))
			return s
		}
		outputs := func(rows, n, pitch int) []*Int8Output {
			bias, scale, floatBias := beforeGuard[int32](t, n), beforeGuard[float32](t, n), beforeGuard[float32](t, n)
			return []*Int8Output{
				{Sums: beforeGuard[int32](t, rows*n), Bias: bias},
				{Floats: beforeGuard[float32](t, rows*n), Bias: bias, Scale: scale, FloatBias: floatBias},
				{Bytes: beforeGuard[uint8](t, rows*pitch), Scale: scale, Residual: fill(rows * pitch)},
			}
		}
		for range 12 {
			m, n, k := 1+r.IntN(30), 1+r.IntN(50), 4*(1+r.IntN(12))
			p := PackInt8Gemm(k, n, signed(fill(k*n)), signed(fill(n)))
			for _, out := range outputs(m, n, n) {
				p.Forward(&ws, m, Int8Input{Data: fill(m * k)}, out)
			}

			s := Conv2D{N: 1, C: 1 + r.IntN(30), H: 5, W: 9, K: 1 + r.IntN(30), R: 1 + r.IntN(3), S: 1 + r.IntN(3), StrideH: 1, StrideW: 1,
				PadTop: r.IntN(2), DilationH: 1, DilationW: 1, Groups: 1}
			if r.IntN(2) == 0 {
				s.K, s.Groups = s.C, s.C
			}
			c, err := PackInt8Conv2D(s, signed(fill(s.weightSize())), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, out := range outputs(s.OutH()*s.OutW(), s.K, Int8Channels(s.K)) {
				c.Forward(&ws, Int8Input{Data: fill(s.H * s.W * Int8Channels(s.C))}, out)
			}

			q := &Quantization{Scale: beforeGuard[float32](t, n), Zero: beforeGuard[int32](t, n), Channels: n, Inner: 1}
			x := beforeGuard[float32](t, m*n)
			Quantize(&ws, fill(m*n), x, q)
			Dequantize(&ws, x, fill(m*n), q)
			MinMax(&ws, x)
		}
	})
}
