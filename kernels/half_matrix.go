package kernels

import (
	"unsafe"
)

const (
	halfPanel = 32 // columns of a panel of a HalfMatrix
	// Blocks that are converted to float32 at a time: they stay in the
	// second-level cache.
	halfColumns = 128
	halfRows    = 512
	// halfDirect is the largest number of rows of the left operand for which
	// the matrix is converted in registers: beyond it the same elements would
	// be converted too often.
	halfDirect = 8
)

// HalfMatrix is the right operand of products, stored in a half-precision
// type: half the memory, and half the time where memory is what bounds. It is
// cut into panels of halfPanel columns, zeros beyond the last. Rows of a panel
// follow each other, Float16 one by one; of Bfloat16 two rows lie together,
// the elements of a column side by side, as VDPBF16PS wants them.
type HalfMatrix struct {
	half HalfType
	k, n int
	data []uint16
}

// halfTile multiplies some rows of A by a panel: sums [rows, halfPanel] are the
// sums over pairs pairs of rows of the panel b. The rows of a, float32 or
// bfloat16, lie aRow bytes apart.
type halfTile func(sums *float32, a, b *uint16, pairs, aRow int)

// halfTileKernels have the tiles of each number of rows that there is. Without
// any, blocks are converted.
type halfTileKernels struct {
	float16, bfloat16 [5]halfTile // by float32
	pairs             [5]halfTile // Bfloat16 by Bfloat16
	dot               bool        // pairs is as fast as a product of float32, or faster
}

// halfTiles are the tiles in use.
var halfTiles halfTileKernels

// halfTilePortable is the Go twin of the tiles.
func halfTilePortable(h HalfType, rows int, aPairs bool, sums *float32, a, b *uint16, pairs, aRow int) {
	out, panel := elements(sums, 0, rows*halfPanel), unsafe.Slice(b, pairs*2*halfPanel)
	clear(out)
	for r := range rows {
		row := unsafe.Add(unsafe.Pointer(a), r*aRow)
		for i := range 2 * pairs {
			var x float32
			if aPairs {
				x = float32FromBfloat16(unsafe.Slice((*uint16)(row), 2*pairs)[i])
			} else {
				x = unsafe.Slice((*float32)(row), 2*pairs)[i]
			}
			for c := range halfPanel {
				out[r*halfPanel+c] += x * h.one(panel[h.at(i, c)])
			}
		}
	}
}

// at is where the element of a row and column of a panel lies.
func (h HalfType) at(row, column int) int {
	if h == Float16 {
		return row*halfPanel + column
	}
	return (row/2*halfPanel+column)*2 + row%2
}

// one converts one element.
func (h HalfType) one(x uint16) float32 {
	if h == Float16 {
		return float32FromFloat16(x)
	}
	return float32FromBfloat16(x)
}

// PackHalf rounds the matrix b [k, n], or its transpose [n, k] if transB, whose
// rows are ldb elements apart, to a half-precision type.
func PackHalf(h HalfType, transB bool, k, n int, b []float32, ldb int) *HalfMatrix {
	bits := make([]uint16, len(b))
	h.FromFloat32(bits, b)
	return PackHalfBits(h, transB, k, n, bits, ldb)
}

// PackHalfBits is PackHalf for a matrix that is of that type already.
func PackHalfBits(h HalfType, transB bool, k, n int, b []uint16, ldb int) *HalfMatrix {
	rows, columns := k, n
	if transB {
		rows, columns = n, k
	}
	if rows > 0 {
		checkLength("PackHalf", "b", len(b), (rows-1)*ldb+columns)
	}
	p := &HalfMatrix{half: h, k: k, n: n}
	p.data = make([]uint16, (n+halfPanel-1)/halfPanel*p.panelSize())
	for i := range rows {
		for j, x := range b[i*ldb:][:columns] {
			row, column := i, j
			if transB {
				row, column = j, i
			}
			p.data[column/halfPanel*p.panelSize()+h.at(row, column%halfPanel)] = x
		}
	}
	return p
}

// pairs is the number of pairs of rows.
func (p *HalfMatrix) pairs() int { return (p.k + 1) / 2 }

// panelSize is the number of elements of a panel.
func (p *HalfMatrix) panelSize() int { return 2 * p.pairs() * halfPanel }

// halfJob is a product with a HalfMatrix; a part is halfColumns columns.
type halfJob struct {
	matrix      *HalfMatrix
	m           int
	transA      bool
	alpha, beta float32
	a, c        []float32
	lda, ldc    int
	tiles       *[5]halfTile // nil if blocks are converted
	rows        unsafe.Pointer
	row         int       // bytes from row to row
	packed      []float32 // rows of A for the tiles
	bits        []uint16  // the same in Bfloat16
	workers     []halfWorker
}

// halfWorker is what a thread needs.
type halfWorker struct {
	ws    *Workspace
	block []float32
}

// Multiply sets c [m, n] to alpha * a * b + beta * c, where a is [m, k], or
// [k, m] if transA, and b the matrix. Numbers are float32 once b is read.
func (p *HalfMatrix) Multiply(ws *Workspace, transA bool, m int, alpha float32, a []float32, lda int, beta float32, c []float32, ldc int) {
	j := &ws.half
	if !j.start("HalfMatrix.Multiply", p, m, alpha, beta, c, ldc) {
		return
	}
	rows, columns := m, p.k
	if transA {
		rows, columns = p.k, m
	}
	if rows > 0 {
		checkLength("HalfMatrix.Multiply", "a", len(a), (rows-1)*lda+columns)
	}
	if m > halfDirect || halfTiles.float16[1] == nil {
		j.transA, j.a, j.lda = transA, a, lda
		j.run()
		return
	}
	j.tiles = &halfTiles.bfloat16
	if p.half == Float16 {
		j.tiles = &halfTiles.float16
	}
	row := 2 * p.pairs()
	j.packed = grow(j.packed, m*row)
	for i := range m {
		to := j.packed[i*row:][:row]
		to[row-1] = 0
		if !transA {
			copy(to, a[i*lda:][:p.k])
			continue
		}
		for q := range p.k {
			to[q] = a[q*lda+i]
		}
	}
	j.rows, j.row = unsafe.Pointer(&j.packed[0]), 4*row
	j.run()
}

// MultiplyBfloat16 is Multiply for a Bfloat16 matrix and a [m, k] of that type
// too. Products and sums are float32, on processors with VDPBF16PS in the
// manner of that instruction, which takes subnormal numbers for zeros.
func (p *HalfMatrix) MultiplyBfloat16(ws *Workspace, m int, alpha float32, a []uint16, lda int, beta float32, c []float32, ldc int) {
	if p.half != Bfloat16 {
		panic("kernels: HalfMatrix.MultiplyBfloat16: the matrix is Float16")
	}
	j := &ws.half
	if !j.start("HalfMatrix.MultiplyBfloat16", p, m, alpha, beta, c, ldc) {
		return
	}
	checkLength("HalfMatrix.MultiplyBfloat16", "a", len(a), (m-1)*lda+p.k)
	if halfTiles.pairs[1] == nil || m > halfDirect && !halfTiles.dot {
		j.packed = grow(j.packed, m*p.k)
		for i := range m {
			Bfloat16.Float32(j.packed[i*p.k:][:p.k], a[i*lda:])
		}
		j.a, j.lda = j.packed, p.k
		j.run()
		return
	}
	j.tiles = &halfTiles.pairs
	row := 2 * p.pairs()
	if n := m * row; cap(j.bits) < n {
		j.bits = make([]uint16, n)
	}
	j.bits = j.bits[:m*row]
	for i := range m {
		to := j.bits[i*row:][:row]
		to[row-1] = 0
		copy(to, a[i*lda:][:p.k])
	}
	j.rows, j.row = unsafe.Pointer(&j.bits[0]), 2*row
	j.run()
}

// start prepares a job and reports whether there is anything to do.
func (j *halfJob) start(function string, p *HalfMatrix, m int, alpha, beta float32, c []float32, ldc int) bool {
	if m <= 0 || p.n <= 0 {
		return false
	}
	checkLength(function, "c", len(c), (m-1)*ldc+p.n)
	if p.k == 0 {
		for i := range m {
			for k, x := range c[i*ldc:][:p.n] {
				c[i*ldc+k] = scaled(beta, x)
			}
		}
		return false
	}
	*j = halfJob{matrix: p, m: m, alpha: alpha, beta: beta, c: c, ldc: ldc, packed: j.packed, bits: j.bits, workers: j.workers}
	return true
}

// scaled is beta*x, 0 for a beta of 0 even if x is not a number.
func scaled(beta, x float32) float32 {
	if beta == 0 {
		return 0
	}
	return beta * x
}

func (j *halfJob) run() {
	for len(j.workers) < threadCount() {
		j.workers = append(j.workers, halfWorker{ws: new(Workspace)})
	}
	for i := range j.workers {
		j.workers[i].block = grow(j.workers[i].block, max(min(halfRows, j.matrix.k), 4)*halfColumns)
	}
	shareOut((j.matrix.n+halfColumns-1)/halfColumns, j.m*j.matrix.k*j.matrix.n, j)
	j.matrix, j.a, j.c, j.rows = nil, nil, nil, nil
}

func (j *halfJob) part(i, worker int) {
	if j.tiles != nil {
		for column := i * halfColumns; column < min((i+1)*halfColumns, j.matrix.n); column += halfPanel {
			j.tile(column, j.workers[worker].block)
		}
		return
	}
	p, w := j.matrix, &j.workers[worker]
	column := i * halfColumns
	columns := min(halfColumns, p.n-column)
	beta := j.beta
	for row := 0; row < p.k; row += halfRows {
		rows := min(halfRows, p.k-row)
		p.convert(w.block, row, rows, column)
		at := row
		if j.transA {
			at = row * j.lda
		}
		Gemm(w.ws, j.transA, false, j.m, columns, rows, j.alpha, j.a[at:], j.lda, w.block, halfColumns, beta, j.c[column:], j.ldc)
		beta = 1
	}
}

// tile multiplies the panel that begins at column.
func (j *halfJob) tile(column int, sums []float32) {
	p := j.matrix
	panel := &p.data[column/halfPanel*p.panelSize()]
	columns := min(halfPanel, p.n-column)
	for i := 0; i < j.m; {
		rows := 4
		for rows > j.m-i || j.tiles[rows] == nil {
			rows /= 2
		}
		j.tiles[rows](&sums[0], (*uint16)(unsafe.Add(j.rows, i*j.row)), panel, p.pairs(), j.row)
		for r := range rows {
			for k, x := range sums[r*halfPanel:][:columns] {
				c := &j.c[(i+r)*j.ldc+column+k]
				*c = j.alpha*x + scaled(j.beta, *c)
			}
		}
		i += rows
	}
}

// convert sets block [rows, halfColumns] to a block of the matrix. row is even.
func (p *HalfMatrix) convert(block []float32, row, rows, column int) {
	for c := 0; c < min(halfColumns, p.n-column); c += halfPanel {
		panel := p.data[(column+c)/halfPanel*p.panelSize():][:p.panelSize()]
		for i := 0; i < rows; i += 2 {
			to, pair := block[i*halfColumns+c:], panel[(row+i)*halfPanel:]
			switch {
			case p.half == Float16:
				Float16.Float32(to[:halfPanel], pair)
				if i+1 < rows {
					Float16.Float32(to[halfColumns:][:halfPanel], pair[halfPanel:])
				}
			case i+1 < rows:
				halves.bfloat16Pairs(&to[0], &to[halfColumns], &pair[0], halfPanel)
			default:
				for k := range halfPanel {
					to[k] = float32FromBfloat16(pair[2*k])
				}
			}
		}
	}
}
