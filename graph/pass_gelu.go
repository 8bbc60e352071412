package graph

import "math"

// joinGELU makes one node of the forms in which exporters write out a GELU:
//
//	x * 0.5 * (1 + erf(x / sqrt(2)))                              in any order
//	x * 0.5 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3)))       likewise
//	x * 0.5 * (1 + tanh(sqrt(2/pi) * x * (1 + 0.044715 * x^2)))   likewise
func joinGELU(r *rewriter, n *Node) (bool, error) {
	factors, scale, ok := r.factors(n)
	if !ok || !about(n.Outputs[0].DType, scale, 0.5) {
		return false, nil
	}
	if x := gated(factors, r.erfGate); x != nil {
		return r.activate(n, OpGELU, x), nil
	}
	if x := gated(factors, r.tanhGate); x != nil {
		return r.activate(n, OpGELUTanh, x), nil
	}
	return false, nil
}

// erfGate is x where v is 1 + erf(x / sqrt(2)).
func (r *rewriter) erfGate(v *Value) *Value {
	erf := r.only(r.plus(v, 1), "Erf")
	if erf == nil {
		return nil
	}
	if factors, scale := r.product(erf.Inputs[0]); len(factors) == 1 && about(v.DType, scale, math.Sqrt2/2) {
		return factors[0]
	}
	return nil
}

// tanhGate is x where v is 1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3)).
func (r *rewriter) tanhGate(v *Value) *Value {
	tanh := r.only(r.plus(v, 1), "Tanh")
	if tanh == nil {
		return nil
	}
	factors, scale := r.product(tanh.Inputs[0])
	if !about(v.DType, scale, math.Sqrt(2/math.Pi)) {
		return nil
	}
	const cubic = 0.044715
	switch len(factors) {
	case 1:
		if sum := r.only(factors[0], Add); sum.plainOrTyped(Add) {
			for i, x := range sum.Inputs {
				if r.isPower(sum.Inputs[1-i], x, 3, cubic) {
					return x
				}
			}
		}
	case 2:
		return gated(factors, func(v *Value) *Value {
			square := r.plus(v, 1)
			for _, x := range factors {
				if square != nil && r.isPower(square, x, 2, cubic) {
					return x
				}
			}
			return nil
		})
	}
	return nil
}

// isPower reports whether v is scale * x^exponent.
func (r *rewriter) isPower(v, x *Value, exponent int, scale float64) bool {
	factors, by := r.product(v)
	if !about(v.DType, by, scale) {
		return false
	}
	left := exponent
	for _, f := range factors {
		if f == x {
			left--
			continue
		}
		pow := r.only(f, "Pow")
		if pow == nil || pow.Inputs[0] != x {
			return false
		}
		e, ok := scalarOf(pow.Inputs[1])
		if !ok || e < 1 || e != math.Trunc(e) || e > 3 {
			return false
		}
		left -= int(e)
	}
	return left == 0
}
