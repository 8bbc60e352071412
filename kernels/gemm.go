package kernels

import (
	"fmt"
	"unsafe"

	"github.com/klauspost/cpuid/v2"
)

// gemmKernel is what matrix multiplication runs on: tiles, packers, and the
// sizes of blocks. It is the scheme of Goto and van de Geijn ("Anatomy of
// High-Performance Matrix Multiplication", 2008) turned by a quarter, since
// vectors lie along the rows here: a block of kc rows and nc columns of the
// right operand, packed in panels of the width of a tile, stays in the
// second-level cache, while panels of the left operand, as many rows as a
// tile has, pass through the first level.
type gemmKernel struct {
	*tileKernel
	pack   packer
	kc, nc int
}

// gemm is the kernel in use.
var gemm *gemmKernel

func newGemmKernel(tiles *tileKernel, pack packer) *gemmKernel {
	kc, nc := blocking(tiles.rows, 2*tiles.width, cpuid.CPU.Cache.L1D, cpuid.CPU.Cache.L2)
	return &gemmKernel{tileKernel: tiles, pack: pack, kc: kc, nc: nc}
}

// portableGemm is the kernel of machines without assembly.
var portableGemm = newGemmKernel(portableTiles, portablePacker)

// nr is the number of columns of the largest tile, and of a packed panel.
func (k *gemmKernel) nr() int { return 2 * k.width }

// blocking derives the sizes of blocks for tiles of mr rows and nr columns
// from the sizes of the caches in bytes: a panel of the left operand fills
// most of the first level, since what else passes through it is fetched ahead,
// a block of the right operand three quarters of the second. Sizes that are
// not known are negative or 0.
func blocking(mr, nr, l1, l2 int) (kc, nc int) {
	if l1 <= 0 {
		l1 = 32 << 10
	}
	if l2 <= 0 {
		l2 = 256 << 10
	}
	kc = min(max(l1*3/4/(4*mr)&^7, 64), 384)
	nc = max(l2*3/4/(4*kc)/nr, 1) * nr
	return kc, nc
}

// Gemm computes C = alpha op(A) op(B) + beta C for row-major matrices, where
// op(X) is X or, if its trans argument is set, the transpose of X. op(A) is
// [m, k], op(B) is [k, n] and C is [m, n]; lda, ldb and ldc are the distances
// between the rows of A, B and C as stored. With beta 0, what C held does not
// matter, not even a NaN.
func Gemm(ws *Workspace, transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	p := product{m: m, n: n, k: k, alpha: alpha, transA: transA, transB: transB, accumulate: beta != 0}
	p.a = operandOf("A", m, k, transA, a, lda, 0)
	p.b = operandOf("B", k, n, transB, b, ldb, 0)
	p.c = operandOf("C", m, n, false, c, ldc, 0)
	scaleRows(beta, m, n, c, ldc)
	if alpha == 0 {
		p.k = 0
	}
	ws.multiply(gemm, &p)
}

// GemmBatch does what Gemm does, count times: the operands of the next product
// lie strideA, strideB and strideC elements after those of the one before. A
// stride of 0 serves the same A or B to all products; no two results may
// overlap, though they may interleave.
func GemmBatch(ws *Workspace, count int, transA, transB bool, m, n, k int, alpha float32, a []float32, lda, strideA int, b []float32, ldb, strideB int, beta float32, c []float32, ldc, strideC int) {
	if count < 0 || strideA < 0 || strideB < 0 || strideC < 0 {
		panic(fmt.Sprintf("kernels: GemmBatch: %d products, strides %d, %d and %d", count, strideA, strideB, strideC))
	}
	if count == 0 {
		return
	}
	last := count - 1
	p := product{
		m: m, n: n, k: k, alpha: alpha, transA: transA, transB: transB, accumulate: beta != 0,
		batch: count, strideA: strideA, strideB: strideB, strideC: strideC,
	}
	p.a = operandOf("A", m, k, transA, a, lda, last*strideA)
	p.b = operandOf("B", k, n, transB, b, ldb, last*strideB)
	p.c = operandOf("C", m, n, false, c, ldc, last*strideC)
	for i := range count {
		scaleRows(beta, m, n, c[min(i*strideC, len(c)):], ldc)
	}
	if alpha == 0 || k == 0 { // A and B may be empty
		p.k, p.strideA, p.strideB = 0, 0, 0
	}
	ws.multiply(gemm, &p)
}

// operandOf is the view of op(X), rows by columns; it checks that X, as
// stored, and another that starts last elements further, lie within data.
func operandOf(name string, rows, columns int, transposed bool, data []float32, ld, last int) matrix {
	if transposed {
		rows, columns = columns, rows
	}
	checkMatrix(name, rows, columns, data, ld)
	if last > 0 && rows > 0 && columns > 0 {
		checkMatrix(name, rows, columns, data[min(last, len(data)):], ld)
	}
	return dense(data, ld, columns)
}

// scaleRows multiplies C by a beta that the kernels do not apply.
func scaleRows(beta float32, m, n int, c []float32, ldc int) {
	if beta != 0 && beta != 1 && n > 0 {
		for i := range m {
			Scale(beta, c[i*ldc:i*ldc+n])
		}
	}
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

// product is one matrix multiplication with what is done to its result:
//
//	C = activation(alpha op(A) op(B) [+ C] [+ bias] [+ columnBias] [+ residual])
//
// of which only one bias may be given.
type product struct {
	m, n, k        int
	alpha          float32
	a, b, c        matrix
	batch          int // products to do, 0 for one: operands of the next lie so many
	strideA        int // elements further
	strideB        int
	strideC        int
	transA, transB bool
	packedB        []float32 // op(B) as panels of nr columns, k rows each, or nil
	accumulate     bool
	bias           []float32 // [m] or nil
	columnBias     []float32 // [n] or nil
	residual       []float32 // laid out as c.data, or nil
	activation     Activation
}

// partition splits rows into panels whose heights differ by one at most, so
// that no panel is left with too few rows to keep the processor busy. The
// first extra panels have one row more than base.
type partition struct{ count, base, extra int }

func split(rows, most int) partition {
	count := ceilDivide(rows, most)
	base := quotient(rows, count)
	return partition{count: count, base: base, extra: rows - base*count}
}

// start returns the first row of panel i.
func (p partition) start(i int) int { return i*p.base + min(i, p.extra) }

// elementAt returns the element that lies n elements after p.
func elementAt(p *float32, n int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), n*4))
}
