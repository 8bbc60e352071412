package main

import "math"

// The algorithms below are those of the Go twins in package kernels, where
// their errors are stated. The coefficients are minimax fits.

// exp is e^x.
func (p *program) exp(x value) value {
	// Beyond the bounds the result is 0 or infinite anyhow.
	return p.boundedExp(p.min(p.number(89), p.max(p.number(-104), x)))
}

// boundedExp is e^x for x from -200 to 100: 2^n e^r with |r| <= ln(2)/2.
func (p *program) boundedExp(x value) value {
	magic := p.number(3 << 22) // the sum has no places for fractions
	n := p.sub(p.fma(x, p.number(math.Log2E), magic), magic)
	r := p.fnma(n, p.number(0.693359375), x) // ln(2) in two parts, the first of 9 bits
	r = p.fnma(n, p.number(-2.12194440e-4), r)
	q := p.polynomial(r, 0.49999994, 0.166665211, 0.041668389, 0.00836871099, 0.00138146104)
	y := p.add(p.fma(p.mul(q, r), r, r), p.number(1))
	return p.scale(y, n)
}

// exp2Coefficients are those of 2^x for x from 0 to 1.
var exp2Coefficients = []float64{0.99999994, 0.693153083, 0.240153611, 0.0558263175, 0.00898933969, 0.00187757669}

// exp2 is 2^x to 2 units in the last place for x up to 127; where x is below
// -126.5 it is 0, with AVX-512 subnormal.
func (p *program) exp2(x value) value {
	if p.avx512 { // has the fraction and the scaling as instructions
		y := p.polynomial(p.fraction(x), exp2Coefficients...)
		return p.scale(y, x)
	}
	// The sum rounds x to an integer, and has it with the bias of exponents in
	// its last bits. The biased exponent of 2^-127 is that of 0.
	magic := p.number(3<<22 + 127)
	x = p.max(p.number(-127), x)
	z := p.add(x, magic)
	r := p.sub(x, p.sub(z, magic))
	y := p.polynomial(r, 1, 0.693147004, 0.240222424, 0.0555073395, 0.00967153348, 0.00132646994)
	return p.mul(y, p.left(z, 23))
}

func (p *program) log(x value) value {
	small := p.less(x, p.bits(0x00800000)) // subnormal, 0, negative
	y := p.pick(small, p.mul(x, p.number(1<<23)), x)
	// y = m 2^e with m between sqrt(1/2) and sqrt(2).
	root := p.bits(0x3f3504f3)
	i := p.intSub(y, root)
	e := p.toFloat(p.right(i, 23))
	e = p.sub(e, p.pick(small, p.number(23), p.number(0)))
	m := p.intAdd(p.and(i, p.bits(0x007fffff)), root)
	f := p.sub(m, p.number(1))
	z := p.mul(f, f)
	q := p.polynomial(f, 0.333333135, -0.250000089, 0.200021192, -0.166679963, 0.142195523, -0.124055892, 0.11888162, -0.116756521, 0.067466408)
	r := p.fma(p.mul(f, z), q, p.mul(e, p.number(-2.12194440e-4)))
	r = p.add(p.fnma(z, p.number(0.5), r), f)
	r = p.fma(e, p.number(0.693359375), r)
	r = p.pick(p.less(x, p.bits(1)), p.number(math.Inf(-1)), r)
	r = p.pick(p.less(x, p.number(0)), p.number(math.NaN()), r)
	return p.pick(p.less(x, p.number(math.Inf(1))), r, x)
}

// logistic is 1/(1+exp(-x)), and 1 minus that.
func (p *program) logistic(x value) (s, rest value) {
	e := p.boundedExp(p.max(p.number(-104), p.or(x, p.bits(0x80000000))))
	negative, d := p.less(x, p.number(0)), p.add(e, p.number(1))
	return p.div(p.pick(negative, e, p.number(1)), d), p.div(p.pick(negative, p.number(1), e), d)
}

// silu is x/(1+exp(-x)).
func (p *program) silu(x value) value {
	if p.avx512 { // has what a power of 2 takes as instructions, and overflows to a quotient of 0
		m := p.max(p.number(-104), x)
		t := p.mul(m, p.number(-math.Log2E))
		return p.div(m, p.add(p.scale(p.polynomial(p.fraction(t), exp2Coefficients...), t), p.number(1)))
	}
	m := p.max(p.number(-104), p.or(x, p.bits(0x80000000))) // x if negative
	e := p.boundedExp(m)
	return p.div(p.pick(p.less(x, p.number(0)), p.mul(e, m), x), p.add(e, p.number(1)))
}

func (p *program) tanh(x value) value {
	a := p.abs(x)
	e := p.boundedExp(p.min(p.number(89), p.add(a, a)))
	two := p.number(2)
	large := p.sub(p.number(1), p.div(two, p.add(e, p.number(1))))
	z := p.mul(a, a)
	q := p.polynomial(z, -0.333332807, 0.133314207, -0.0537377968, 0.0206325464, -0.00569738401)
	small := p.fma(p.mul(z, a), q, a)
	return p.or(p.pick(p.less(a, p.number(0.625)), small, large), p.sign(x))
}

// tail is exp(t^2/2) times the share of the normal distribution above t >= 0,
// with s = 1/(1 + 0.3t).
func (p *program) tail(s value) value {
	return p.mul(s, p.polynomial(s, 0.119686671, 0.119572148, 0.110232778, 0.0784014016, 0.0961244106, -0.0793657452, 0.191717982, -0.228165612, 0.11241594, -0.020619968))
}

// expSquare is exp(-c t^2), which is at least exp(-200). The error of the square is made up for.
func (p *program) expSquare(t value, c float64) value {
	h := p.mul(t, t)
	e := p.boundedExp(p.mul(h, p.number(-c)))
	return p.fma(p.mul(e, p.fnma(t, t, h)), p.number(c), e)
}

func (p *program) erf(x value) value {
	a := p.min(p.number(9), p.abs(x))
	z := p.mul(a, a)
	q := p.polynomial(z, 0.128379166, -0.37612626, 0.112835854, -0.0268538129, 0.00518832821, -0.000801019836, 7.85387529e-05)
	small := p.fma(q, a, a)
	s := p.div(p.number(1), p.fma(a, p.number(0.3*math.Sqrt2), p.number(1)))
	above := p.mul(p.expSquare(a, 1), p.tail(s))
	large := p.fnma(above, p.number(2), p.number(1))
	return p.or(p.pick(p.less(a, p.number(1)), small, large), p.sign(x))
}

// normal is the share of the normal distribution below x, and exp(-x^2/2).
func (p *program) normal(x value) (share, e value) {
	t := p.min(p.number(15), p.abs(x))
	s := p.div(p.number(1), p.fma(t, p.number(0.3), p.number(1)))
	e = p.expSquare(t, 0.5)
	above := p.mul(e, p.tail(s))
	return p.pick(p.less(x, p.number(0)), above, p.sub(p.number(1), above)), e
}

// gelu is x times the share of the normal distribution below x.
func (p *program) gelu(x value) value {
	if !p.avx512 {
		share, _ := p.normal(x)
		return p.mul(share, p.max(p.number(-15), x))
	}
	// The share above |x| is a power of a polynomial, which overflows to a quotient
	// of 0, with an error of 2.2e-6 of it up to 4; of the product 3e-10 beyond.
	t := p.min(p.number(1000), p.abs(x))
	q := p.polynomial(t, 1.0442737340927124, 0.05207712948322296, 0.022063031792640686, 0.003457913175225258, -8.058535740929074e-07, 7.414030551444739e-05, -8.008796612557489e-07, 8.238566238105705e-07, -7.997460471642626e-08, 1.2142455929620155e-08)
	for range 4 {
		q = p.mul(q, q)
	}
	return p.sub(p.max(p.number(0), x), p.div(t, q))
}

// geluTanh is the logistic function of the argument of GELU's approximation,
// 1 minus that, and the derivative of the argument.
func (p *program) geluTanh(x value) (s, rest, slope value) {
	x = p.min(p.number(12), x)
	const k = 1.5957691216057308 // sqrt(8/pi)
	z := p.mul(x, x)
	u := p.mul(x, p.fma(z, p.number(k*0.044715), p.number(k)))
	s, rest = p.logistic(u)
	return s, rest, p.fma(z, p.number(3*k*0.044715), p.number(k))
}

// map1 is the kernel dst = f(src).
func map1(name string, avx512 bool, f func(p *program, x value) value) *program {
	p := &program{name: name, avx512: avx512, doc: name + "Portable(dst, src)", slices: []string{"dst", "src"}}
	p.store(0, f(p, p.load(1)))
	return p
}

// gradient is the kernel dsrc += ddst * f(src).
func gradient(name string, f func(p *program, x value) value) *program {
	p := &program{name: name, doc: name + "Portable(dsrc, ddst, src)", slices: []string{"dsrc", "ddst", "src"}}
	g := f(p, p.load(2))
	p.store(0, p.fma(p.load(1), g, p.load(0)))
	return p
}

// expPrograms are the programs of an instruction set.
func expPrograms(avx512 bool) []*program {
	list := []*program{
		map1("exp", avx512, (*program).exp),
		map1("log", avx512, (*program).log),
		map1("tanh", avx512, (*program).tanh),
		map1("erf", avx512, (*program).erf),
		map1("sigmoid", avx512, func(p *program, x value) value { s, _ := p.logistic(x); return s }),
		map1("silu", avx512, (*program).silu),
		map1("gelu", avx512, (*program).gelu),
		map1("geluTanh", avx512, func(p *program, x value) value {
			x = p.max(p.number(-12), x)
			s, _, _ := p.geluTanh(x)
			return p.mul(s, x)
		}),
		gradient("sigmoidBackward", func(p *program, x value) value {
			s, rest := p.logistic(x)
			return p.mul(s, rest)
		}),
		gradient("tanhBackward", func(p *program, x value) value {
			x = p.or(x, p.bits(0x80000000))
			e := p.exp(p.add(x, x))
			d := p.add(e, p.number(1))
			return p.div(p.mul(e, p.number(4)), p.mul(d, d))
		}),
		gradient("siluBackward", func(p *program, x value) value {
			x = p.min(p.number(104), p.max(p.number(-104), x))
			s, rest := p.logistic(x)
			return p.mul(s, p.fma(x, rest, p.number(1)))
		}),
		gradient("geluBackward", func(p *program, x value) value {
			x = p.min(p.number(15), p.max(p.number(-15), x))
			share, e := p.normal(x)
			return p.fma(p.mul(x, p.number(0.3989422804014327)), e, share)
		}),
		gradient("geluTanhBackward", func(p *program, x value) value {
			x = p.min(p.number(12), p.max(p.number(-12), x))
			s, rest, slope := p.geluTanh(x)
			return p.mul(s, p.fma(p.mul(x, rest), slope, p.number(1)))
		}),
	}

	if avx512 { // has the registers for it
		for _, p := range list {
			switch p.name {
			case "exp", "sigmoid", "silu", "gelu", "geluTanh":
				p.unroll = 4
			}
			if p.name == "silu" || p.name == "gelu" {
				p.live = 4
			}
		}
	}

	p := &program{name: "largest", doc: "largestPortable(src)", slices: []string{"src"}, result: opMax, unroll: 4}
	p.reduced = p.load(0)
	list = append(list, p)

	p = &program{name: "softmaxExp", doc: "softmaxExpPortable(dst, src, largest)", slices: []string{"dst", "src"}, scalars: []string{"largest"}, result: opAdd}
	p.reduced = p.exp(p.sub(p.load(1), p.scalar(0)))
	p.store(0, p.reduced)
	list = append(list, p)

	p = &program{name: "sumExp", doc: "sumExpPortable(src, largest)", slices: []string{"src"}, scalars: []string{"largest"}, result: opAdd}
	p.reduced = p.exp(p.sub(p.load(0), p.scalar(0)))
	list = append(list, p)

	p = &program{name: "softmaxBackward", doc: "softmaxBackwardPortable(dsrc, ddst, dst, dot)", slices: []string{"dsrc", "ddst", "dst"}, scalars: []string{"dot"}}
	p.store(0, p.fma(p.load(2), p.sub(p.load(1), p.scalar(0)), p.load(0)))
	list = append(list, p)

	p = &program{name: "logSoftmaxBackward", doc: "logSoftmaxBackwardPortable(dsrc, ddst, dst, sum)", slices: []string{"dsrc", "ddst", "dst"}, scalars: []string{"sum"}}
	p.store(0, p.fnma(p.exp(p.load(2)), p.scalar(0), p.add(p.load(1), p.load(0))))
	list = append(list, p)

	// Of attention: powers of 2 of scores, and the gradient of scores.
	p = &program{name: "scoreExp", avx512: avx512, doc: "scoreExpPortable(dst, src, scale, shift)", slices: []string{"dst", "src"}, scalars: []string{"scale", "shift"}, result: opAdd}
	p.reduced = p.exp2(p.fma(p.load(1), p.scalar(0), p.scalar(1)))
	p.store(0, p.reduced)
	list = append(list, p)

	p = &program{name: "scoreGradient", doc: "scoreGradientPortable(dst, weights, delta, scale)", slices: []string{"dst", "weights"}, scalars: []string{"delta", "scale"}}
	p.store(0, p.mul(p.sub(p.load(0), p.scalar(0)), p.mul(p.load(1), p.scalar(1))))
	list = append(list, p)
	return list
}

// exp writes the transcendental functions and what softmax and attention need
// of them, for NEON too.
func exp() {
	for _, set := range []vectors{
		{name: "AVX512", width: 16, register: zmm, masked: true},
		{name: "AVX2", width: 8, register: ymm},
	} {
		for _, p := range expPrograms(set.masked) {
			writeX86(set, p)
		}
	}
	var w neonWriter
	if err := w.write(expPrograms(false)); err != nil {
		panic(err)
	}
}
