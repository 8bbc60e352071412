package main

import (
	"fmt"
	"math"
	"os"
	"strings"
)

// neon writes programs for NEON. V0 up to below the pinned registers hold
// values; R0.. point to the slices, R8 to the constants.
type neonWriter struct {
	out       strings.Builder
	constants []uint32
}

func (w *neonWriter) line(format string, args ...any) {
	fmt.Fprintf(&w.out, "\t"+format+"\n", args...)
}

// constant is the index of a constant in the table.
func (w *neonWriter) constant(bits uint32) int {
	for i, c := range w.constants {
		if c == bits {
			return i
		}
	}
	w.constants = append(w.constants, bits)
	return len(w.constants) - 1
}

var neonBinary = map[op]string{
	opAdd: "FADD", opSub: "FSUB", opMul: "FMUL", opDiv: "FDIV", opMax: "FMAX", opMin: "FMIN",
	opIntAdd: "IADD", opIntSub: "ISUB", opAnd: "AND", opOr: "ORR", opXor: "EOR",
}

// kernel writes the kernel of p.
func (w *neonWriter) kernel(p *program) {
	p.prune()
	p.finish()
	frame, args := 0, 24*len(p.slices)+4*len(p.scalars)
	if p.result != 0 {
		args = (args+7)/8*8 + 4
	}
	fmt.Fprintf(&w.out, "\n// func %sNEON(%s []float32", p.name, strings.Join(p.slices, ", "))
	if len(p.scalars) > 0 {
		fmt.Fprintf(&w.out, ", %s float32", strings.Join(p.scalars, ", "))
	}
	w.out.WriteString(")")
	if p.result != 0 {
		w.out.WriteString(" float32")
	}
	fmt.Fprintf(&w.out, "\nTEXT ·%sNEON(SB), NOSPLIT, $%d-%d\n", p.name, frame, args)
	for i, s := range p.slices {
		w.line("MOVD %s_base+%d(FP), R%d", s, 24*i, i)
	}
	w.line("MOVD %s_len+8(FP), R7", p.slices[0])
	w.line("MOVD $expConstants<>(SB), R8")
	pinned := 31
	var scalars []int
	for i, s := range p.scalars {
		w.line("FMOVS %s+%d(FP), F%d", s, 24*len(p.slices)+4*i, pinned)
		w.line("DUP(%d, %d)", pinned, pinned)
		scalars = append(scalars, pinned)
		pinned--
	}
	acc := -1
	if p.result != 0 {
		acc = pinned
		pinned--
		if p.result == opMax {
			w.line("LOAD(%d, 8, %d)", 16*w.constant(0xff800000), acc)
		} else {
			w.line("LOAD(%d, 8, %d)", 16*w.constant(0), acc)
		}
	}
	w.line("SUBS $4, R7, R7")
	w.line("BLT rest")
	fmt.Fprintf(&w.out, "four:\n")
	w.body(p, scalars, acc, pinned, false)
	w.line("SUBS $4, R7, R7")
	w.line("BGE four")
	fmt.Fprintf(&w.out, "rest:\n")
	w.line("ADDS $4, R7, R7")
	w.line("BEQ done")
	fmt.Fprintf(&w.out, "one:\n")
	w.body(p, scalars, acc, pinned, true)
	w.line("SUBS $1, R7, R7")
	w.line("BNE one")
	fmt.Fprintf(&w.out, "done:\n")
	switch p.result {
	case opAdd:
		w.line("FADDP(%d, %d, %d)", acc, acc, acc)
		w.line("FADDP2(0, %d)", acc)
	case opMax:
		w.line("FMAXV(0, %d)", acc)
	}
	if p.result != 0 {
		w.line("FMOVS F0, ret+%d(FP)", args-4)
	}
	w.line("RET")
}

// body writes p for the vector or, if single, the element that the pointers
// are at, and moves them on.
func (w *neonWriter) body(p *program, scalars []int, acc, pinned int, single bool) {
	var free []int
	for i := range pinned + 1 {
		free = append(free, i)
	}
	in := map[value]int{}
	take := func() int {
		r := free[0]
		free = free[1:]
		return r
	}
	give := func(r int) { free = append([]int{r}, free...) }
	load := func(v value) int { // a constant
		r := take()
		w.line("LOAD(%d, 8, %d)", 16*w.constant(p.code[v].n), r)
		return r
	}
	// read is v in a register and what to call when it was read.
	read := func(v value) (int, func()) {
		switch p.code[v].op {
		case opConst:
			r := load(v)
			return r, func() { give(r) }
		case opScalar:
			return scalars[p.code[v].n], func() {}
		}
		return in[v], func() {}
	}
	for i, c := range p.code {
		v := value(i)
		retire := func() {
			for _, u := range []value{c.a, c.b, c.c} {
				if r, ok := in[u]; ok && p.dies(u, i) {
					give(r)
					delete(in, u)
				}
			}
		}
		// copied is a register of its own with u's value, u's if that dies.
		copied := func(u value, others ...value) int {
			own := p.dies(u, i) && p.code[u].op != opScalar
			for _, o := range others {
				own = own && o != u
			}
			if own {
				r := in[u]
				delete(in, u)
				return r
			}
			if p.isConst(u) {
				return load(u)
			}
			s, _ := read(u)
			r := take()
			w.line("MOVE(%d, %d)", r, s)
			return r
		}
		switch c.op {
		case opConst, opScalar:
		case opLoad:
			in[v] = take()
			if single {
				w.line("LOAD1(0, %d, %d)", c.n, in[v])
			} else {
				w.line("LOAD(0, %d, %d)", c.n, in[v])
			}
		case opStore:
			s, done := read(c.a)
			if single {
				w.line("STORE1(%d, 0, %d)", s, c.n)
			} else {
				w.line("STORE(%d, 0, %d)", s, c.n)
			}
			done()
			retire()
		case opFMA, opFNMA:
			name := "FMLA"
			if c.op == opFNMA {
				name = "FMLS"
			}
			d := copied(c.c, c.a, c.b)
			a, doneA := read(c.a)
			b, doneB := read(c.b)
			w.line("%s(%d, %d, %d)", name, d, a, b)
			doneA()
			doneB()
			retire()
			in[v] = d
		case opShiftLeft, opShiftArithmetic:
			name := "SHL"
			if c.op == opShiftArithmetic {
				name = "SSHR"
			}
			s, done := read(c.a)
			done()
			retire()
			in[v] = take()
			w.line("%s(%d, %d, %d)", name, in[v], s, c.n)
		case opToFloat:
			s, done := read(c.a)
			done()
			retire()
			in[v] = take()
			w.line("SCVTF(%d, %d)", in[v], s)
		case opScale:
			// In two steps, since the factor may be no number: the first is exact.
			half, rest, bias := take(), take(), take()
			w.line("LOAD(%d, 8, %d)", 16*w.constant(127), bias)
			w.line("FCVTNS(%d, %d)", rest, in[c.b])
			w.line("SSHR(%d, %d, 1)", half, rest)
			w.line("ISUB(%d, %d, %d)", rest, rest, half)
			w.line("IADD(%d, %d, %d)", half, half, bias)
			w.line("IADD(%d, %d, %d)", rest, rest, bias)
			w.line("SHL(%d, %d, 23)", half, half)
			w.line("SHL(%d, %d, 23)", rest, rest)
			w.line("FMUL(%d, %d, %d)", half, half, in[c.a])
			w.line("FMUL(%d, %d, %d)", half, half, rest)
			give(rest)
			give(bias)
			retire()
			in[v] = half
		case opLess:
			a, doneA := read(c.a)
			b, doneB := read(c.b)
			doneA()
			doneB()
			retire()
			in[v] = take()
			w.line("FCMGT(%d, %d, %d)", in[v], b, a)
		case opPick:
			d := copied(c.a)
			a, doneA := read(c.b)
			b, doneB := read(c.c)
			w.line("BSL(%d, %d, %d)", d, a, b)
			doneA()
			doneB()
			retire()
			in[v] = d
		default:
			a, doneA := read(c.a)
			b, doneB := read(c.b)
			doneA()
			doneB()
			retire()
			in[v] = take()
			w.line("%s(%d, %d, %d)", neonBinary[c.op], in[v], a, b)
		}
	}
	if p.result != 0 {
		r, _ := read(p.reduced)
		if p.result == opMax {
			if single { // the other elements are 0
				w.line("DUP(%d, %d)", r, r)
			}
			w.line("FMAXNM(%d, %d, %d)", acc, acc, r)
		} else {
			if single {
				t := take()
				w.line("LOAD(%d, 8, %d)", 16*w.constant(math.MaxUint32), t)
				w.line("FIRST(%d)", t)
				w.line("AND(%d, %d, %d)", r, r, t)
			}
			w.line("FADD(%d, %d, %d)", acc, acc, r)
		}
	}
	step := 16
	if single {
		step = 4
	}
	for i := range p.slices {
		w.line("ADD $%d, R%d", step, i)
	}
}

const neonHead = `// Code generated by command: go run ./asm -family exp. DO NOT EDIT.

#include "textflag.h"
#include "vector_arm64.h"

// Instructions on vectors that the assembler lacks, besides vector_arm64.h:
// d, n and m are numbers of V registers.
#define FDIV(d, n, m) WORD $(0x6E20FC00 | (m)<<16 | (n)<<5 | (d))
// d -= n*m
#define FMLS(d, n, m) WORD $(0x4EA0CC00 | (m)<<16 | (n)<<5 | (d))
#define IADD(d, n, m) WORD $(0x4EA08400 | (m)<<16 | (n)<<5 | (d))
#define ISUB(d, n, m) WORD $(0x6EA08400 | (m)<<16 | (n)<<5 | (d))
#define ORR(d, n, m) WORD $(0x4EA01C00 | (m)<<16 | (n)<<5 | (d))
#define EOR(d, n, m) WORD $(0x6E201C00 | (m)<<16 | (n)<<5 | (d))
#define SHL(d, n, s) WORD $(0x4F005400 | (32+(s))<<16 | (n)<<5 | (d))
#define SSHR(d, n, s) WORD $(0x4F000400 | (64-(s))<<16 | (n)<<5 | (d))
#define FRINTN(d, n) WORD $(0x4E218800 | (n)<<5 | (d))
#define FCVTNS(d, n) WORD $(0x4E21A800 | (n)<<5 | (d))
#define SCVTF(d, n) WORD $(0x4E21D800 | (n)<<5 | (d))
// d = n where d, else m
#define BSL(d, n, m) WORD $(0x6E601C00 | (m)<<16 | (n)<<5 | (d))
// All elements the first of n.
#define DUP(d, n) WORD $(0x4E040400 | (n)<<5 | (d))
// The larger; a number rather than a NaN.
#define FMAXNM(d, n, m) WORD $(0x4E20C400 | (m)<<16 | (n)<<5 | (d))
// FMAXNMV Sd, Vn.4S: the largest element.
#define FMAXV(d, n) WORD $(0x6E30C800 | (n)<<5 | (d))
// FMOV Sd, Sd: the other elements become 0.
#define FIRST(d) WORD $(0x1E204000 | (d)<<5 | (d))
`

// write writes the assembly and the declarations of kernels.
func (w *neonWriter) write(programs []*program) error {
	for _, p := range programs {
		w.kernel(p)
	}
	text := neonHead
	for i, c := range w.constants {
		for j := range 4 {
			text += fmt.Sprintf("DATA expConstants<>+%d(SB)/4, $0x%08x\n", 16*i+4*j, c)
		}
	}
	text += fmt.Sprintf("GLOBL expConstants<>(SB), RODATA|NOPTR, $%d\n", 16*len(w.constants))
	if err := os.WriteFile("exp_arm64.s", []byte(text+w.out.String()), 0o666); err != nil {
		return err
	}
	stubs := "// Code generated by command: go run ./asm -family exp. DO NOT EDIT.\n\npackage kernels\n"
	for _, p := range programs {
		stubs += fmt.Sprintf("\n// %sNEON is %s.\n//\n//go:noescape\nfunc %sNEON(%s []float32", p.name, p.doc, p.name, strings.Join(p.slices, ", "))
		if len(p.scalars) > 0 {
			stubs += fmt.Sprintf(", %s float32", strings.Join(p.scalars, ", "))
		}
		stubs += ")"
		if p.result != 0 {
			stubs += " float32"
		}
		stubs += "\n"
	}
	return os.WriteFile("exp_stubs_arm64.go", []byte(stubs), 0o666)
}
