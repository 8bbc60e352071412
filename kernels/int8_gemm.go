package kernels

import "fmt"

// PackedInt8Gemm is the right operand of an int8 matrix product, [K, N], laid
// out for the implementation in use.
type PackedInt8Gemm struct {
	k, n   int
	packed *int8Packed
}

// PackInt8Gemm copies b, which is [k, n], and the zero points of its columns,
// which may be nil for 0 throughout. It panics if a slice is too short.
func PackInt8Gemm(k, n int, b, zero []int8) *PackedInt8Gemm {
	checkLength("PackInt8Gemm", "b", len(b), k*n)
	if zero != nil {
		checkLength("PackInt8Gemm", "zero", len(zero), n)
	}
	return &PackedInt8Gemm{k, n, packInt8(int8Tiles, 1, k, n, zero, b, 1, func(_, i int) (int, bool) { return i * n, true })}
}

// Forward multiplies a, which is [m, K], by the packed operand, which gives
// [m, N] in out. Rows lie without a gap on either side.
func (p *PackedInt8Gemm) Forward(ws *Workspace, m int, a Int8Input, out *Int8Output) {
	if m < 0 {
		panic(fmt.Sprintf("kernels: int8: matrix of %d rows", m))
	}
	checkLength("int8", "A", len(a.Data), m*p.k)
	checkByte("Zero of A", a.Zero, a.Signed)
	out.check(m, p.n, p.n)
	// The kernels read unsigned bytes, four of a row at a time.
	s := &ws.int8
	distance := p.k
	zero := a.Zero
	if a.Signed || p.k%4 != 0 || p.k == 0 {
		distance = 4 * p.packed.steps
		s.image.copy(int8Image{
			from: a.Data, n: 1, h: 1, w: m, pixel: p.k, groups: 1, channels: p.k,
			outH: 1, outW: m, flip: flipOf(a.Signed), fill: 0,
		}, distance)
		a.Data = s.image.to
		zero += int(flipOf(a.Signed))
	}
	s.job.run(p.packed, int8Rows{
		data: a.Data, rows: m, run: int8Run, distance: distance,
		perImage: m, rowStep: int8Run * distance, offsets: noOffsets[:],
	}, zero, out, p.n)
	s.image.from = nil
}

// flipOf is what turns bytes into unsigned ones by exclusive or: they are then
// as much larger.
func flipOf(signed bool) uint8 {
	if signed {
		return 128
	}
	return 0
}
