package kernels

// rowKernels work on rows of n elements, row bytes from row to row. Scalars of
// the rows are in arrays of rows elements: a row i that is reduced goes to
// out[i]. Sums add in an order that depends on n alone.
type rowKernels struct {
	rowAffine    func(dst, x, a, b *float32, rows, n, row int)               // dst = a*x + b
	rowNormalize func(dst, x, scale, shift, a, b *float32, rows, n, row int) // dst = (a*x + b)*scale + shift; scale and shift are one row
	rowAffineAdd func(dst, x, y, a, b, c *float32, rows, n, row int)         // dst += a*x + (b*y + c)
	rowScaledAdd func(dst, x, y, scale, a, b, c *float32, rows, n, row int)  // dst += a*x*scale + (b*y + c); scale is one row

	rowSum, rowMax, rowMin, rowProduct func(x, out *float32, rows, n, row int)

	rowSquares        func(x, out, center *float32, rows, n, row int)                      // out = sum of (x-center)^2
	rowProducts       func(x, y, sums, products, center *float32, rows, n, row int)        // sums = sum of x, products = sum of x*(y-center)
	rowScaledProducts func(x, y, scale, sums, products, center *float32, rows, n, row int) // the same with x*scale for x; scale is one row

	columnSum, columnMax, columnMin, columnProduct func(dst, x *float32, rows, n, row int) // dst[j] = the reduction of dst[j] and x[.][j]
	// columnProducts: sums[j] += sum of x[i][j] over i, products[j] += sum of
	// x[i][j]*(a[i]*y[i][j] + b[i]).
	columnProducts func(sums, products, x, y, a, b *float32, rows, n, row int)
}

var portableRowKernels = rowKernels{
	rowAffine:         rowAffinePortable,
	rowNormalize:      rowNormalizePortable,
	rowAffineAdd:      rowAffineAddPortable,
	rowScaledAdd:      rowScaledAddPortable,
	rowSum:            rowSumPortable,
	rowMax:            rowMaxPortable,
	rowMin:            rowMinPortable,
	rowProduct:        rowProductPortable,
	rowSquares:        rowSquaresPortable,
	rowProducts:       rowProductsPortable,
	rowScaledProducts: rowScaledProductsPortable,
	columnSum:         columnSumPortable,
	columnMax:         columnMaxPortable,
	columnMin:         columnMinPortable,
	columnProduct:     columnProductPortable,
	columnProducts:    columnProductsPortable,
}

// at is element i after p.
func at(p *float32, i int) *float32 { return &elements(p, 0, i+1)[i] }

func rowAffinePortable(dst, x, a, b *float32, rows, n, row int) {
	for i := range rows {
		y, u, v, w := elements(dst, i*row, n), elements(x, i*row, n), *at(a, i), *at(b, i)
		for j := range y {
			y[j] = v*u[j] + w
		}
	}
}

func rowNormalizePortable(dst, x, scale, shift, a, b *float32, rows, n, row int) {
	s, t := elements(scale, 0, n), elements(shift, 0, n)
	for i := range rows {
		y, u, v, w := elements(dst, i*row, n), elements(x, i*row, n), *at(a, i), *at(b, i)
		for j := range y {
			y[j] = (v*u[j]+w)*s[j] + t[j]
		}
	}
}

func rowAffineAddPortable(dst, x, y, a, b, c *float32, rows, n, row int) {
	for i := range rows {
		affineAddPortable(elements(dst, i*row, n), elements(x, i*row, n), elements(y, i*row, n), 1, n, n, *at(a, i), *at(b, i), *at(c, i))
	}
}

func rowScaledAddPortable(dst, x, y, scale, a, b, c *float32, rows, n, row int) {
	s := elements(scale, 0, n)
	for i := range rows {
		d, u, v, k, l, m := elements(dst, i*row, n), elements(x, i*row, n), elements(y, i*row, n), *at(a, i), *at(b, i), *at(c, i)
		for j := range d {
			d[j] += k*(u[j]*s[j]) + (l*v[j] + m)
		}
	}
}

func rowSumPortable(x, out *float32, rows, n, row int) {
	for i := range rows {
		*at(out, i) = sumPortable(elements(x, i*row, n))
	}
}

func rowReducePortable(x, out *float32, rows, n, row int, start float32, op Operation) {
	for i := range rows {
		total := start
		for _, v := range elements(x, i*row, n) {
			total = op.of(v, total)
		}
		*at(out, i) = total
	}
}

func rowMaxPortable(x, out *float32, rows, n, row int) {
	rowReducePortable(x, out, rows, n, row, -infinity, OpMax)
}

func rowMinPortable(x, out *float32, rows, n, row int) {
	rowReducePortable(x, out, rows, n, row, infinity, OpMin)
}

func rowProductPortable(x, out *float32, rows, n, row int) {
	rowReducePortable(x, out, rows, n, row, 1, OpMul)
}

func rowSquaresPortable(x, out, center *float32, rows, n, row int) {
	for i := range rows {
		*at(out, i) = sumSquaresPortable(elements(x, i*row, n), 1, n, n, *at(center, i))
	}
}

func rowProductsPortable(x, y, sums, products, center *float32, rows, n, row int) {
	for i := range rows {
		*at(sums, i), *at(products, i) = sumProductsPortable(elements(x, i*row, n), elements(y, i*row, n), 1, n, n, *at(center, i))
	}
}

func rowScaledProductsPortable(x, y, scale, sums, products, center *float32, rows, n, row int) {
	s := elements(scale, 0, n)
	for i := range rows {
		u, v, c := elements(x, i*row, n), elements(y, i*row, n), *at(center, i)
		var sum, product float32
		for j := range u {
			h := u[j] * s[j]
			sum += h
			product += h * (v[j] - c)
		}
		*at(sums, i), *at(products, i) = sum, product
	}
}

func columnReducePortable(dst, x *float32, rows, n, row int, op Operation) {
	for i := range rows {
		operationPortable(op, bothVectors, dst, &elements(x, i*row, 1)[0], dst, 1, n, 0, 0, 0)
	}
}

func columnSumPortable(dst, x *float32, rows, n, row int) {
	columnReducePortable(dst, x, rows, n, row, OpAdd)
}

func columnMaxPortable(dst, x *float32, rows, n, row int) {
	columnReducePortable(dst, x, rows, n, row, OpMax)
}

func columnMinPortable(dst, x *float32, rows, n, row int) {
	columnReducePortable(dst, x, rows, n, row, OpMin)
}

func columnProductPortable(dst, x *float32, rows, n, row int) {
	columnReducePortable(dst, x, rows, n, row, OpMul)
}

func columnProductsPortable(sums, products, x, y, a, b *float32, rows, n, row int) {
	s, p := elements(sums, 0, n), elements(products, 0, n)
	for i := range rows {
		u, v, k, l := elements(x, i*row, n), elements(y, i*row, n), *at(a, i), *at(b, i)
		for j := range s {
			s[j] += u[j]
			p[j] += u[j] * (k*v[j] + l)
		}
	}
}
