package kernels

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/klauspost/cpuid/v2"
)

// gemmKernel is one implementation of the inner kernel of matrix
// multiplication: it computes tiles of at most mr rows and of nr columns.
// kc and mc are the depth and the rows of the block of the left operand that
// stays in the second-level cache while the right operand streams by in
// panels of kc rows and nr columns that stay in the first level (Goto and van
// de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008).
type gemmKernel struct {
	name   string
	mr, nr int
	kc, mc int
	run    func(t *oldTile)
	pack   packer
}

// gemm is the kernel in use.
var gemm *gemmKernel

func newGemmKernel(name string, mr, nr int, run func(*oldTile), pack packer) *gemmKernel {
	kc, mc := blocking(mr, nr, cpuid.CPU.Cache.L1D, cpuid.CPU.Cache.L2)
	return &gemmKernel{name: name, mr: mr, nr: nr, kc: kc, mc: mc, run: run, pack: pack}
}

// blocking derives the block sizes of a kernel from the sizes of the caches
// in bytes: a panel of the right operand takes half of the first level, a
// block of the left operand half of the second. Sizes that are not known are
// negative or 0.
func blocking(mr, nr, l1, l2 int) (kc, mc int) {
	if l1 <= 0 {
		l1 = 32 << 10
	}
	if l2 <= 0 {
		l2 = 256 << 10
	}
	kc = min(max(l1/2/(4*nr), 64), 512)
	mc = max(l2/2/(4*kc)/mr, 1) * mr
	return kc, mc
}

// Kinds of activation that the inner kernels apply themselves.
const (
	oldTileLinear      = iota
	oldTileClamp       // min(max(x, low), high)
	oldTileHardSwish   // x * clamp(x+3, 0, 6) / 6
	oldTileHardSigmoid // clamp(x+3, 0, 6) / 6
)

// tile is what an inner kernel works on: count panels of rows rows each, one
// below the other, of the product of k columns of A and k rows of B, nr
// columns wide.
//
//	C = activation([C +] A B [+ bias] [+ residual])
//
// A is packed: the rows values of one column are adjacent. The assembly reads
// the fields by name; strides are in bytes.
type oldTile struct {
	k, rows, count int
	a              *float32
	aStride        int // from one panel to the next
	b              *float32
	bStride        int // from one row to the next
	narrow         int // not 0: only the left half of the columns is wanted
	c              *float32
	cStride        int // from one row to the next
	accumulate     int // not 0: C is added to
	bias           *float32
	residual       *float32 // with the strides of C
	activation     int
	low, high      float32
}

// setActivation translates act and reports whether the kernels can apply it.
func (t *oldTile) setActivation(act Activation) bool {
	t.activation, t.low, t.high = oldTileLinear, 0, float32(math.Inf(1))
	switch act {
	case NoActivation:
	case ReLU:
		t.activation = oldTileClamp
	case ReLU6:
		t.activation, t.high = oldTileClamp, 6
	case HardSwish:
		t.activation, t.high = oldTileHardSwish, 6
	case HardSigmoid:
		t.activation, t.high = oldTileHardSigmoid, 6
	default:
		return false
	}
	return true
}

// Gemm computes C = alpha op(A) op(B) + beta C for row-major matrices, where
// op(X) is X or, if its trans argument is set, the transpose of X. op(A) is
// [m, k], op(B) is [k, n] and C is [m, n]; lda, ldb and ldc are the distances
// between the rows of A, B and C as stored. With beta 0, what C held does not
// matter, not even a NaN.
func Gemm(ws *Workspace, transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	rowsA, columnsA := m, k
	if transA {
		rowsA, columnsA = k, m
	}
	rowsB, columnsB := k, n
	if transB {
		rowsB, columnsB = n, k
	}
	checkMatrix("A", rowsA, columnsA, a, lda)
	checkMatrix("B", rowsB, columnsB, b, ldb)
	checkMatrix("C", m, n, c, ldc)
	if beta != 0 && beta != 1 {
		for i := range m {
			Scale(beta, c[i*ldc:i*ldc+n])
		}
	}
	if alpha == 0 {
		k = 0
	}
	ws.multiply(gemm, &product{
		m: m, n: n, k: k, alpha: alpha,
		a: dense(a, lda, columnsA), transA: transA,
		b: dense(b, ldb, columnsB), transB: transB,
		c: dense(c, ldc, n), accumulate: beta != 0,
	})
}

func checkMatrix(name string, rows, columns int, data []float32, ld int) {
	switch {
	case rows < 0 || columns < 0:
		panic(fmt.Sprintf("kernels: matrix %s is %d by %d", name, rows, columns))
	case ld < columns:
		panic(fmt.Sprintf("kernels: matrix %s has %d columns, more than its row distance %d", name, columns, ld))
	case rows > 0 && columns > 0 && len(data) < (rows-1)*ld+columns:
		panic(fmt.Sprintf("kernels: matrix %s, %d by %d with row distance %d, has only %d elements", name, rows, columns, ld, len(data)))
	}
}

// product is one matrix multiplication with what is done to its result.
// Either operand may have been packed before: packedA, packedB.
type product struct {
	m, n, k        int
	alpha          float32 // not for a packed A
	a, b, c        matrix
	transA, transB bool
	packedA        []float32
	packedB        []float32
	accumulate     bool
	bias           []float32 // [m] or nil
	residual       []float32 // laid out as c.data, or nil
	activation     Activation
}

// directPanels is the number of row panels up to which the right operand is
// read where it lies: packing pays only if the copy is read often.
const directPanels = 3

// multiply computes p, except for an activation that the kernels do not
// apply; see tile.setActivation.
func (ws *Workspace) multiply(kernel *gemmKernel, p *product) {
	if p.m == 0 || p.n == 0 {
		return
	}
	panels := split(p.m, kernel.mr)
	depth := max(p.k, 1)
	if panels.count > 1 { // else nothing is used twice
		blocks := (p.k + kernel.kc - 1) / kernel.kc
		depth = max((p.k+blocks-1)/max(blocks, 1), 1)
	}
	step := max(kernel.mc/kernel.mr, 1)
	for p0 := 0; p0 == 0 || p0 < p.k; p0 += depth {
		p1 := min(p0+depth, p.k)
		for i0 := 0; i0 < panels.count; i0 += step {
			i1 := min(i0+step, panels.count)
			if p.packedA == nil {
				ws.packA(kernel, p, panels, i0, i1, p0, p1)
			}
			ws.multiplyBlock(kernel, p, panels, i0, i1, p0, p1)
		}
	}
}

// packA packs columns p0 to p1 of the row panels i0 to i1 into ws.a.
func (ws *Workspace) packA(kernel *gemmKernel, p *product, panels partition, i0, i1, p0, p1 int) {
	first := panels.start(i0)
	ws.a = grow(ws.a, (panels.start(i1)-first)*(p1-p0)+packSlack)
	for i := i0; i < i1; i++ {
		r0, r1 := panels.start(i), panels.start(i+1)
		dst := ws.a[(r0-first)*(p1-p0) : (r1-first)*(p1-p0)]
		if p.transA {
			kernel.pack.columns(dst, r1-r0, &p.a, p0, p1, r0, r1)
		} else {
			kernel.pack.rows(dst, r1-r0, &p.a, r0, r1, p0, p1)
		}
	}
	if p.alpha != 1 {
		Scale(p.alpha, ws.a[:(panels.start(i1)-first)*(p1-p0)])
	}
}

// multiplyBlock multiplies columns p0 to p1 of the row panels i0 to i1 by the
// whole of B.
func (ws *Workspace) multiplyBlock(kernel *gemmKernel, p *product, panels partition, i0, i1, p0, p1 int) {
	t := &ws.tile
	t.k = p1 - p0
	t.accumulate = 0
	if p.accumulate || p0 > 0 {
		t.accumulate = 1
	}
	last := p1 == p.k
	t.activation = oldTileLinear
	if last {
		t.setActivation(p.activation)
	}
	nr := kernel.nr
	direct := !p.transB && p.b.offsets == nil && i1-i0 <= directPanels && t.k > 0
	ws.b = grow(ws.b, nr*t.k+packSlack)
	for j0 := 0; j0 < p.n; j0 += nr {
		j1 := min(j0+nr, p.n)
		ws.panelB(kernel, p, p0, p1, j0, j1, direct)
		t.narrow = 0
		if j1-j0 <= nr/2 {
			t.narrow = 1
		}
		middle := min(max(panels.extra, i0), i1) // where panels get lower
		ws.runPanels(kernel, p, panels, i0, i0, middle, p0, last, j0, j1)
		ws.runPanels(kernel, p, panels, i0, middle, i1, p0, last, j0, j1)
	}
}

// panelB makes rows p0 to p1 and columns j0 to j1 of B the right operand of
// the tile: packed, or, if direct, where they lie.
func (ws *Workspace) panelB(kernel *gemmKernel, p *product, p0, p1, j0, j1 int, direct bool) {
	t, nr := &ws.tile, kernel.nr
	if p.packedB != nil {
		t.b, t.bStride = &p.packedB[j0*p.k+p0*nr], nr*4
		return
	}
	if direct && j1-j0 == nr {
		if offset, left := p.b.segment(j0); left >= nr {
			t.b, t.bStride = &p.b.data[p0*p.b.ld+offset], p.b.ld*4
			return
		}
	}
	if p.transB {
		kernel.pack.rows(ws.b, nr, &p.b, j0, j1, p0, p1)
	} else {
		kernel.pack.columns(ws.b, nr, &p.b, p0, p1, j0, j1)
	}
	t.b, t.bStride = &ws.b[0], nr*4
}

// edgePanels is the number of row panels that go through ws.edge at a time.
const edgePanels = 8

// runPanels computes the tiles of the row panels i1 to i2, all of one height,
// in columns j0 to j1. i0 is the first panel of the block in ws.a.
func (ws *Workspace) runPanels(kernel *gemmKernel, p *product, panels partition, i0, i1, i2, p0 int, last bool, j0, j1 int) {
	if i1 == i2 {
		return
	}
	t := &ws.tile
	row := panels.start(i1)
	t.rows = panels.start(i1+1) - row
	a, step := ws.a, t.rows*t.k
	base := (row - panels.start(i0)) * t.k
	if p.packedA != nil {
		a, step, base = p.packedA, t.rows*p.k, row*p.k+p0*t.rows
	}
	t.aStride = step * 4
	t.bias, t.residual = nil, nil
	// The residual joins the first block, since the result may be written over it.
	bias, residual := p.bias != nil && last, p.residual != nil && p0 == 0

	offset, left := p.c.segment(j0)
	if j1-j0 == kernel.nr && left >= kernel.nr {
		t.count, t.a = i2-i1, &a[base]
		if bias {
			t.bias = &p.bias[row]
		}
		if residual {
			t.residual = &p.residual[row*p.c.ld+offset]
		}
		t.c, t.cStride = &p.c.data[row*p.c.ld+offset], p.c.ld*4
		kernel.run(t)
		return
	}

	nr := kernel.nr
	for i := i1; i < i2; i += edgePanels {
		t.count = min(edgePanels, i2-i)
		t.a = &a[base+(i-i1)*step]
		row := panels.start(i)
		rows := t.rows * t.count
		ws.edge = grow(ws.edge, rows*nr)
		if t.accumulate != 0 {
			p.c.gather(ws.edge, nr, p.c.data, row, rows, j0, j1)
		}
		if bias {
			t.bias = &p.bias[row]
		}
		if residual {
			ws.residual = grow(ws.residual, rows*nr)
			p.c.gather(ws.residual, nr, p.residual, row, rows, j0, j1)
			t.residual = &ws.residual[0]
		}
		t.c, t.cStride = &ws.edge[0], nr*4
		kernel.run(t)
		p.c.scatter(ws.edge, nr, row, rows, j0, j1)
	}
}

// partition splits rows into panels whose heights differ by one at most, so
// that no panel is left with too few rows to keep the processor busy. The
// first extra panels have one row more than base.
type partition struct{ count, base, extra int }

func split(rows, most int) partition {
	count := (rows + most - 1) / most
	return partition{count: count, base: rows / count, extra: rows % count}
}

// start returns the first row of panel i.
func (p partition) start(i int) int { return i*p.base + min(i, p.extra) }

// elementAt returns the element that lies n elements after p.
func elementAt(p *float32, n int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), n*4))
}
