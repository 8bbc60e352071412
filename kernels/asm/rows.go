package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var infinity = float32(math.Inf(1))

// larger and smaller are the elementwise maximum and minimum. Where both
// instructions see a NaN they keep the operand to; one of from is then put in.
func (r *row) larger(of func(i int) reg.VecPhysical, from, to int) {
	VMAXPS(of(to), of(from), of(to))
	r.keepNaN(of(from), of(to), of(13))
}

func (r *row) smaller(of func(i int) reg.VecPhysical, from, to int) {
	VMINPS(of(to), of(from), of(to))
	r.keepNaN(of(from), of(to), of(13))
}

func multiplyTo(of func(i int) reg.VecPhysical, from, to int) {
	VMULPS(of(from), of(to), of(to))
}

// Which operands of an operation are vectors; the others have one element for
// each row.
const (
	bothVectors = iota
	vectorScalar
	scalarVector
)

// operation is an elementwise operation: run combines registers 0 and 1 in 0.
type operation struct {
	name  string
	unary bool
	doc   string
	forms []int
	run   func()
}

// operations writes the functions of vectorKernels.operations.
func (r *row) operations() {
	a, b := r.v(0), r.v(1)
	commutative, all := []int{bothVectors, vectorScalar}, []int{bothVectors, vectorScalar, scalarVector}
	for _, op := range []operation{
		{name: "copy", unary: true, doc: "dst = a", forms: []int{bothVectors, scalarVector}, run: func() {}},
		{name: "abs", unary: true, doc: "dst = |a|", forms: []int{bothVectors}, run: func() { VANDPS(r.v(9), a, a) }},
		{name: "sqrt", unary: true, doc: "dst = sqrt(a)", forms: []int{bothVectors}, run: func() { VSQRTPS(a, a) }},
		{name: "add", doc: "dst = a + b", forms: commutative, run: func() { VADDPS(b, a, a) }},
		{name: "sub", doc: "dst = a - b", forms: all, run: func() { VSUBPS(b, a, a) }},
		{name: "mul", doc: "dst = a * b", forms: commutative, run: func() { VMULPS(b, a, a) }},
		{name: "div", doc: "dst = a / b", forms: all, run: func() { VDIVPS(b, a, a) }},
		{name: "max", doc: "dst = max(a, b)", forms: commutative, run: func() { r.larger(r.register, 1, 0) }},
		{name: "min", doc: "dst = min(a, b)", forms: commutative, run: func() { r.smaller(r.register, 1, 0) }},
	} {
		for _, form := range op.forms {
			r.operation(op, form)
		}
	}
}

func (r *row) operation(op operation, form int) {
	name := op.name + []string{"VV", "VS", "SV"}[form]
	text(name+r.name, "func(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)",
		name+r.name+" is operationPortable with "+op.doc+[]string{".", ", b of each row being one element.", ", a of each row being one element."}[form])
	Load(Param("dst"), reg.RDI)
	Load(Param("a"), reg.RSI)
	Load(Param("rows"), rows)
	Load(Param("n"), length)
	Load(Param("dstRow"), reg.R10)
	Load(Param("aRow"), reg.R11)
	if !op.unary {
		Load(Param("b"), reg.RDX)
		Load(Param("bRow"), reg.R12)
	}
	r.tails()
	if op.name == "abs" {
		magnitude := r.v(9)
		VPCMPEQD(ymm(9), ymm(9), ymm(9))
		VPSRLD(operand.Imm(1), ymm(9), ymm(9))
		if r.masked {
			VBROADCASTSS(x(9), magnitude)
		}
	}
	body := func() {
		switch form {
		case bothVectors:
			r.load(1, r.v(0))
			if !op.unary {
				r.load(2, r.v(1))
			}
		case vectorScalar:
			r.load(1, r.v(0))
			VMOVAPS(r.v(8), r.v(1))
		case scalarVector:
			VMOVAPS(r.v(8), r.v(0))
			if !op.unary {
				r.load(2, r.v(1))
			}
		}
		op.run()
		r.store(r.v(0), 0)
	}
	TESTQ(rows, rows)
	JLE(operand.LabelRef("done"))
	Label("row")
	switch form {
	case vectorScalar:
		VBROADCASTSS(operand.Mem{Base: reg.RDX}, r.v(8))
	case scalarVector:
		VBROADCASTSS(operand.Mem{Base: reg.RSI}, r.v(8))
	}
	r.loop(body)
	ADDQ(reg.R10, reg.RDI)
	ADDQ(reg.R11, reg.RSI)
	if !op.unary {
		ADDQ(reg.R12, reg.RDX)
	}
	DECQ(rows)
	JNE(operand.LabelRef("row"))
	Label("done")
	VZEROUPPER()
	RET()
}

// Registers of what has one element for each row.
var perRow = []reg.Register{reg.R11, reg.R12, reg.R13, reg.R15}

// rowLoop emits a function over rows. Its operands lie row bytes from row to
// row, fixed ones of them being the same for every row, and those in each have
// one element for a row; start and end are run before and after each row.
func (r *row) rowLoop(name, doc string, names []string, fixed int, each []string, start, body, end func()) {
	signature := "func("
	for i, n := range append(append([]string{}, names...), each...) {
		if i > 0 {
			signature += ", "
		}
		signature += n
	}
	text(name+r.name, signature+" *float32, rows, n, row int)", name+r.name+" is "+name+"Portable: "+doc+".")
	for i, n := range names {
		Load(Param(n), operands[i].(reg.GPPhysical))
	}
	for i, n := range each {
		Load(Param(n), perRow[i].(reg.GPPhysical))
	}
	Load(Param("rows"), rows)
	Load(Param("n"), length)
	Load(Param("row"), reg.R10)
	r.tails()
	TESTQ(rows, rows)
	JLE(operand.LabelRef("done"))
	Label("row")
	start()
	r.loop(body)
	end()
	for i := range len(names) - fixed {
		ADDQ(reg.R10, operands[i])
	}
	for i := range each {
		ADDQ(operand.Imm(4), perRow[i])
	}
	DECQ(rows)
	JNE(operand.LabelRef("row"))
	Label("done")
	VZEROUPPER()
	RET()
}

// ofRow broadcasts what element i of perRow points to.
func (r *row) ofRow(i int, to reg.VecPhysical) {
	VBROADCASTSS(operand.Mem{Base: perRow[i]}, to)
}

func (r *row) rowFunctions() {
	u, w, t := r.v(0), r.v(1), r.v(2)
	k := func(i int) reg.VecPhysical { return r.v(12 + i) }
	none := func() {}
	broadcast := func(n int) func() {
		return func() {
			for i := range n {
				r.ofRow(i, k(i))
			}
		}
	}
	r.rowLoop("rowAffine", "dst = a*x + b", []string{"dst", "x"}, 0, []string{"a", "b"}, broadcast(2), func() {
		r.load(1, u)
		VFMADD213PS(k(1), k(0), u)
		r.store(u, 0)
	}, none)
	r.rowLoop("rowNormalize", "dst = (a*x + b)*scale + shift", []string{"dst", "x", "scale", "shift"}, 2, []string{"a", "b"}, broadcast(2), func() {
		r.load(1, u)
		r.load(2, w)
		r.load(3, t)
		VFMADD213PS(k(1), k(0), u)
		VFMADD213PS(t, w, u)
		r.store(u, 0)
	}, none)
	add := func() {
		VFMADD213PS(k(2), k(1), t)
		VFMADD231PS(u, k(0), t)
		r.load(0, u)
		VADDPS(t, u, u)
		r.store(u, 0)
	}
	r.rowLoop("rowAffineAdd", "dst += a*x + (b*y + c)", []string{"dst", "x", "y"}, 0, []string{"a", "b", "c"}, broadcast(3), func() {
		r.load(1, u)
		r.load(2, t)
		add()
	}, none)
	r.rowLoop("rowScaledAdd", "dst += a*x*scale + (b*y + c)", []string{"dst", "x", "y", "scale"}, 1, []string{"a", "b", "c"}, broadcast(3), func() {
		r.load(1, u)
		r.load(3, w)
		VMULPS(w, u, u)
		r.load(2, t)
		add()
	}, none)
}

// rowReductions writes the functions that reduce each row to one number.
func (r *row) rowReductions() {
	a, b, w := r.v(0), r.v(1), r.v(2)
	sum := func() reg.VecPhysical { return r.v(4 + r.lane) }
	store := func(first, i int, combine combination) {
		r.total(first, combine)
		VMOVSS(x(first), operand.Mem{Base: perRow[i]})
	}
	for _, f := range []struct {
		name, doc string
		start     float32
		combine   combination
	}{
		{"rowSum", "out = the sum of x", 0, addTo},
		{"rowMax", "out = the largest of x", -infinity, r.larger},
		{"rowMin", "out = the smallest of x", infinity, r.smaller},
		{"rowProduct", "out = the product of x", 1, multiplyTo},
	} {
		r.rowLoop(f.name, f.doc, []string{"x"}, 0, []string{"out"}, func() {
			float(f.start, r.v(14))
			for i := range unroll {
				VMOVAPS(r.v(14), r.v(4+i))
			}
		}, func() {
			r.load(0, a)
			if r.tail {
				r.fill(r.v(14), a)
			}
			f.combine(r.register, 0, 4+r.lane)
		}, func() { store(4, 0, f.combine) })
	}
	zero := func(n int) {
		for i := range n {
			r.zero(r.v(4 + i))
		}
	}
	r.rowLoop("rowSquares", "out = the sum of (x-center)^2", []string{"x"}, 0, []string{"out", "center"}, func() {
		r.ofRow(1, r.v(14))
		zero(4)
	}, func() {
		r.load(0, a)
		VSUBPS(r.v(14), a, a)
		r.clean(a)
		VFMADD231PS(a, a, sum())
	}, func() { store(4, 0, addTo) })

	for _, scaled := range []bool{false, true} {
		name, doc, names, fixed := "rowProducts", "sums = the sum of x, products = that of x*(y-center)", []string{"x", "y"}, 0
		if scaled {
			name, doc = "rowScaledProducts", "sums = the sum of x*scale, products = that of x*scale*(y-center)"
			names, fixed = append(names, "scale"), 1
		}
		r.rowLoop(name, doc, names, fixed, []string{"sums", "products", "center"}, func() {
			r.ofRow(2, r.v(14))
			zero(8)
		}, func() {
			r.load(0, a)
			if scaled {
				r.load(2, w)
				VMULPS(w, a, a)
			}
			r.load(1, b)
			VSUBPS(r.v(14), b, b)
			r.clean(b)
			VADDPS(a, sum(), sum())
			VFMADD231PS(b, a, r.v(8+r.lane))
		}, func() {
			store(4, 0, addTo)
			store(8, 1, addTo)
		})
	}
}

// eachRow emits a loop over the rows, counted in R14.
func (r *row) eachRow(body func()) {
	r.label++
	name := fmt.Sprintf("each%d", r.label)
	MOVQ(rows, reg.R14)
	Label(name)
	body()
	DECQ(reg.R14)
	JNE(operand.LabelRef(name))
}

// columnFunctions writes the functions that reduce over rows. The operands of
// the current row are those in DX and BX.
func (r *row) columnFunctions() {
	for _, f := range []struct {
		name, doc string
		combine   combination
	}{
		{"columnSum", "dst += the sum of x over rows", addTo},
		{"columnMax", "dst = the largest of dst and x over rows", r.larger},
		{"columnMin", "dst = the smallest of dst and x over rows", r.smaller},
		{"columnProduct", "dst *= the product of x over rows", multiplyTo},
	} {
		text(f.name+r.name, "func(dst, x *float32, rows, n, row int)", f.name+r.name+" is "+f.name+"Portable: "+f.doc+".")
		Load(Param("dst"), reg.RDI)
		Load(Param("x"), reg.RSI)
		Load(Param("rows"), rows)
		Load(Param("n"), length)
		Load(Param("row"), reg.R10)
		r.tails()
		TESTQ(rows, rows)
		JLE(operand.LabelRef("done"))
		r.blocks(func(lanes int) {
			for r.lane = range lanes {
				r.load(0, r.v(4+r.lane))
			}
			MOVQ(reg.RSI, reg.RDX)
			r.eachRow(func() {
				for r.lane = range lanes {
					r.load(2, r.v(0))
					f.combine(r.register, 0, 4+r.lane)
				}
				ADDQ(reg.R10, reg.RDX)
			})
			for r.lane = range lanes {
				r.store(r.v(4+r.lane), 0)
			}
			r.lane = 0
		})
		Label("done")
		VZEROUPPER()
		RET()
	}

	text("columnProducts"+r.name, "func(sums, products, x, y, a, b *float32, rows, n, row int)",
		"columnProducts"+r.name+" is columnProductsPortable: sums += the sum of x over rows, products += that of x*(a*y + b).")
	Load(Param("sums"), reg.RDI)
	Load(Param("products"), reg.RSI)
	Load(Param("x"), reg.R12)
	Load(Param("y"), reg.R13)
	Load(Param("a"), reg.R11)
	Load(Param("b"), reg.R15)
	Load(Param("rows"), rows)
	Load(Param("n"), length)
	Load(Param("row"), reg.R10)
	r.tails()
	TESTQ(rows, rows)
	JLE(operand.LabelRef("done"))
	r.blocks(func(lanes int) {
		for r.lane = range lanes {
			r.load(0, r.v(4+r.lane))
			r.load(1, r.v(8+r.lane))
		}
		MOVQ(reg.R12, reg.RDX)
		MOVQ(reg.R13, reg.RBX)
		r.eachRow(func() {
			VBROADCASTSS(operand.Mem{Base: reg.R11}, r.v(12))
			VBROADCASTSS(operand.Mem{Base: reg.R15}, r.v(13))
			for r.lane = range lanes {
				r.load(2, r.v(0))
				r.load(3, r.v(1))
				VFMADD213PS(r.v(13), r.v(12), r.v(1))
				VADDPS(r.v(0), r.v(4+r.lane), r.v(4+r.lane))
				VFMADD231PS(r.v(1), r.v(0), r.v(8+r.lane))
			}
			ADDQ(reg.R10, reg.RDX)
			ADDQ(reg.R10, reg.RBX)
			ADDQ(operand.Imm(4), reg.R11)
			ADDQ(operand.Imm(4), reg.R15)
		})
		MOVQ(rows, reg.R14)
		SHLQ(operand.Imm(2), reg.R14)
		SUBQ(reg.R14, reg.R11)
		SUBQ(reg.R14, reg.R15)
		for r.lane = range lanes {
			r.store(r.v(4+r.lane), 0)
			r.store(r.v(8+r.lane), 1)
		}
		r.lane = 0
	})
	Label("done")
	VZEROUPPER()
	RET()
}

// pools writes the functions that reduce windows of pixels of one vector each.
// Registers: DI dst, SI the first window, R8 pixels left, R9 and R10 rows and
// columns of a window, R11 to R13 bytes from pixel to pixel, row to row and
// column to column, R15 three pixels; BX and DX are the current row and
// element, AX and CX rows and columns left.
func (r *row) pools() {
	for _, f := range []struct {
		name    string
		start   float32
		combine combination
	}{{"poolMax", -infinity, r.larger}, {"poolSum", 0, addTo}} {
		text(f.name+r.name, "func(dst, src *float32, pixels, rows, columns, pixelStep, rowStep, columnStep int)", f.name+r.name+" is "+f.name+"Portable.")
		Load(Param("dst"), reg.RDI)
		Load(Param("src"), reg.RSI)
		Load(Param("pixels"), reg.R8)
		Load(Param("rows"), reg.R9)
		Load(Param("columns"), reg.R10)
		Load(Param("pixelStep"), reg.R11)
		Load(Param("rowStep"), reg.R12)
		Load(Param("columnStep"), reg.R13)
		LEAQ(operand.Mem{Base: reg.R11, Index: reg.R11, Scale: 2}, reg.R15)
		float(f.start, r.v(14))
		window := func(pixels int, label string) {
			for i := range pixels {
				VMOVAPS(r.v(14), r.v(4+i))
			}
			MOVQ(reg.RSI, reg.RBX)
			MOVQ(reg.R9, reg.RAX)
			Label(label + "row")
			MOVQ(reg.RBX, reg.RDX)
			MOVQ(reg.R10, reg.RCX)
			Label(label + "column")
			for i := range pixels {
				m := operand.Mem{Base: reg.RDX}
				switch i {
				case 1, 2:
					m.Index, m.Scale = reg.R11, uint8(i)
				case 3:
					m.Index, m.Scale = reg.R15, 1
				}
				VMOVUPS(m, r.v(0))
				f.combine(r.register, 0, 4+i)
			}
			ADDQ(reg.R13, reg.RDX)
			DECQ(reg.RCX)
			JNE(operand.LabelRef(label + "column"))
			ADDQ(reg.R12, reg.RBX)
			DECQ(reg.RAX)
			JNE(operand.LabelRef(label + "row"))
			for i := range pixels {
				VMOVUPS(r.v(4+i), operand.Mem{Base: reg.RDI, Disp: 4 * r.width * i})
			}
			ADDQ(operand.U32(4*r.width*pixels), reg.RDI)
		}
		SUBQ(operand.Imm(4), reg.R8)
		JLT(operand.LabelRef("rest"))
		Label("four")
		window(4, "four")
		LEAQ(operand.Mem{Base: reg.RSI, Index: reg.R11, Scale: 4}, reg.RSI)
		SUBQ(operand.Imm(4), reg.R8)
		JGE(operand.LabelRef("four"))
		Label("rest")
		ADDQ(operand.Imm(4), reg.R8)
		JEQ(operand.LabelRef("done"))
		Label("one")
		window(1, "one")
		ADDQ(reg.R11, reg.RSI)
		DECQ(reg.R8)
		JNE(operand.LabelRef("one"))
		Label("done")
		VZEROUPPER()
		RET()
	}
}
