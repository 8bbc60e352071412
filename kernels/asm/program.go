package main

import "math"

// A program is what an elementwise kernel does to one vector: instructions
// without registers, from which each instruction set's assembly is written.
// Every slice of the kernel has as many elements as the first at least, and is
// indexed alike; the last, incomplete vector is read and written under a mask.
type program struct {
	name    string
	doc     string   // Go expression or twin that the kernel stands for
	slices  []string // parameters, the first of which gives the length
	scalars []string
	unroll  int // vectors of a turn of the loop, which have a result each
	live    int // registers that a vector takes at most; 0 if nobody counted
	avx512  bool
	result  op // opAdd or opMax if the kernel returns the sum or the largest of a value

	code     []instruction
	reduced  value // value that goes into the result
	lastUses []int
}

type op int

const (
	opLoad   op = iota // slice n
	opScalar           // parameter n
	opConst            // bits n
	opStore            // a to slice n
	opAdd
	opSub
	opMul
	opDiv
	opMax // b if either is a NaN (on amd64; a NaN in either gives NaN on arm64)
	opMin
	opFMA  // a*b + c
	opFNMA // c - a*b
	opAnd
	opOr
	opXor
	opIntAdd
	opIntSub
	opShiftLeft       // by n bits
	opShiftArithmetic // right
	opToFloat
	opScale    // a * 2^b for an integral b between -300 and 300, rounded once; of any b rounded down with AVX-512
	opFraction // a less a rounded down, 0 of infinities (AVX-512)
	opLess     // mask of a < b
	opPick     // b where mask a, else c
)

type value int

const none value = -1

type instruction struct {
	op      op
	a, b, c value
	n       uint32
}

func (p *program) emit(o op, n uint32, args ...value) value {
	i := instruction{op: o, a: none, b: none, c: none, n: n}
	for k, v := range args {
		*[]*value{&i.a, &i.b, &i.c}[k] = v
	}
	p.code = append(p.code, i)
	return value(len(p.code) - 1)
}

func (p *program) bits(n uint32) value {
	for i, c := range p.code {
		if c.op == opConst && c.n == n {
			return value(i)
		}
	}
	return p.emit(opConst, n)
}

func (p *program) number(x float64) value    { return p.bits(math.Float32bits(float32(x))) }
func (p *program) load(slice int) value      { return p.emit(opLoad, uint32(slice)) }
func (p *program) scalar(i int) value        { return p.emit(opScalar, uint32(i)) }
func (p *program) store(slice int, v value)  { p.emit(opStore, uint32(slice), v) }
func (p *program) add(a, b value) value      { return p.emit(opAdd, 0, a, b) }
func (p *program) sub(a, b value) value      { return p.emit(opSub, 0, a, b) }
func (p *program) mul(a, b value) value      { return p.emit(opMul, 0, a, b) }
func (p *program) div(a, b value) value      { return p.emit(opDiv, 0, a, b) }
func (p *program) max(a, b value) value      { return p.emit(opMax, 0, a, b) }
func (p *program) min(a, b value) value      { return p.emit(opMin, 0, a, b) }
func (p *program) fma(a, b, c value) value   { return p.emit(opFMA, 0, a, b, c) }
func (p *program) fnma(a, b, c value) value  { return p.emit(opFNMA, 0, a, b, c) }
func (p *program) and(a, b value) value      { return p.emit(opAnd, 0, a, b) }
func (p *program) or(a, b value) value       { return p.emit(opOr, 0, a, b) }
func (p *program) intAdd(a, b value) value   { return p.emit(opIntAdd, 0, a, b) }
func (p *program) intSub(a, b value) value   { return p.emit(opIntSub, 0, a, b) }
func (p *program) left(a value, n int) value { return p.emit(opShiftLeft, uint32(n), a) }
func (p *program) right(a value, n int) value {
	return p.emit(opShiftArithmetic, uint32(n), a)
}
func (p *program) toFloat(a value) value       { return p.emit(opToFloat, 0, a) }
func (p *program) fraction(a value) value      { return p.emit(opFraction, 0, a) }
func (p *program) scale(a, b value) value      { return p.emit(opScale, 0, a, b) }
func (p *program) less(a, b value) value       { return p.emit(opLess, 0, a, b) }
func (p *program) pick(mask, a, b value) value { return p.emit(opPick, 0, mask, a, b) }

func (p *program) abs(a value) value  { return p.and(a, p.bits(0x7fffffff)) }
func (p *program) sign(a value) value { return p.and(a, p.bits(0x80000000)) }

// polynomial is c[0] + c[1] x + ...
func (p *program) polynomial(x value, c ...float64) value {
	y := p.number(c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		y = p.fma(y, x, p.number(c[i]))
	}
	return y
}

func (p *program) isConst(v value) bool { return p.code[v].op == opConst }

// prune removes what nothing comes of, such as a second result that a kernel
// has no use for.
func (p *program) prune() {
	used := make([]bool, len(p.code))
	if p.result != 0 {
		used[p.reduced] = true
	}
	for i := len(p.code) - 1; i >= 0; i-- {
		c := p.code[i]
		if used[i] = used[i] || c.op == opStore; !used[i] {
			continue
		}
		for _, v := range []value{c.a, c.b, c.c} {
			if v != none {
				used[v] = true
			}
		}
	}
	to := make([]value, len(p.code))
	var code []instruction
	for i, c := range p.code {
		if !used[i] {
			continue
		}
		for _, v := range []*value{&c.a, &c.b, &c.c} {
			if *v != none {
				*v = to[*v]
			}
		}
		to[i] = value(len(code))
		code = append(code, c)
	}
	p.code, p.reduced = code, to[p.reduced]
}

// finish works out where each value is used last.
func (p *program) finish() {
	p.lastUses = make([]int, len(p.code))
	for i, c := range p.code {
		for _, v := range []value{c.a, c.b, c.c} {
			if v != none {
				p.lastUses[v] = i
			}
		}
	}
	if p.result != 0 {
		p.lastUses[p.reduced] = len(p.code)
	}
	for i, c := range p.code {
		if c.op == opScalar {
			p.lastUses[i] = math.MaxInt
		}
	}
}

// dies reports whether v's register is free after instruction i.
func (p *program) dies(v value, i int) bool {
	return v != none && !p.isConst(v) && p.lastUses[v] == i
}
