package kernels

// Blocks of a HalfMatrix that are converted to float32 at a time: they stay in
// the second-level cache.
const (
	halfColumns = 128
	halfRows    = 512
)

// HalfMatrix is the right operand of products, stored in a half-precision
// type: half the memory, and half the time where memory is what bounds. It is
// cut into blocks of halfRows by halfColumns, each row by row.
type HalfMatrix struct {
	half HalfType
	k, n int
	data []uint16
}

// halfJob is a product with a HalfMatrix; a part is a block of columns.
type halfJob struct {
	matrix      *HalfMatrix
	m           int
	transA      bool
	alpha, beta float32
	a, c        []float32
	lda, ldc    int
	workers     []halfWorker
}

// halfWorker is what a thread needs.
type halfWorker struct {
	ws    *Workspace
	block []float32
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
	p := &HalfMatrix{half: h, k: k, n: n, data: make([]uint16, 0, k*n)}
	for j := 0; j < n; j += halfColumns {
		for i := range k {
			for c := j; c < min(j+halfColumns, n); c++ {
				at := i*ldb + c
				if transB {
					at = c*ldb + i
				}
				p.data = append(p.data, b[at])
			}
		}
	}
	return p
}

// Multiply sets c [m, n] to alpha * a * b + beta * c, where a is [m, k], or
// [k, m] if transA, and b the matrix. Numbers are float32 once b is read.
func (p *HalfMatrix) Multiply(ws *Workspace, transA bool, m int, alpha float32, a []float32, lda int, beta float32, c []float32, ldc int) {
	if m <= 0 || p.n <= 0 {
		return
	}
	checkLength("HalfMatrix.Multiply", "c", len(c), (m-1)*ldc+p.n)
	if p.k == 0 {
		Gemm(ws, transA, false, m, p.n, 0, alpha, a, lda, nil, p.n, beta, c, ldc)
		return
	}
	j := &ws.half
	for len(j.workers) < threadCount() {
		j.workers = append(j.workers, halfWorker{ws: new(Workspace)})
	}
	for i := range j.workers {
		j.workers[i].block = grow(j.workers[i].block, min(halfRows, p.k)*min(halfColumns, p.n))
	}
	j.matrix, j.m, j.transA, j.alpha, j.beta, j.a, j.c, j.lda, j.ldc = p, m, transA, alpha, beta, a, c, lda, ldc
	parallel((p.n+halfColumns-1)/halfColumns, j)
	j.matrix, j.a, j.c = nil, nil, nil
}

func (j *halfJob) part(i, worker int) {
	p, w := j.matrix, &j.workers[worker]
	column := i * halfColumns
	columns := min(halfColumns, p.n-column)
	beta := j.beta
	for row := 0; row < p.k; row += halfRows {
		rows := min(halfRows, p.k-row)
		block := w.block[:rows*columns]
		p.half.Float32(block, p.data[column*p.k+row*columns:])
		at := row
		if j.transA {
			at = row * j.lda
		}
		Gemm(w.ws, j.transA, false, j.m, columns, rows, j.alpha, j.a[at:], j.lda, block, columns, beta, j.c[column:], j.ldc)
		beta = 1
	}
}
