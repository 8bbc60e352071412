package kernels

import (
	"math"
	"slices"
	"testing"
	"unsafe"
)

// The assembly kernels do to a tile what their Go twin does, and touch nothing
// else.
func TestTileTwin(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		r := newRand(7)
		width, group := tiles.width, tiles.rows/2
		for rows := 1; rows <= tiles.rows; rows++ {
			for vectors := 1; vectors <= 2; vectors++ {
				for _, k := range []int{1, 2, 3, 4, 5, 7, 16, 33} {
					for flags := r.IntN(4); flags < 64; flags += 1 + r.IntN(6) {
						const count = 2
						full := vectors * width
						columns := full
						if tiles.masked {
							columns -= r.IntN(width)
						}
						segments := 1 + r.IntN(3)
						aRow, aGroup := 40+r.IntN(3), 40*tiles.rows+r.IntN(30)
						bRow, cRow := columns+r.IntN(3), columns+r.IntN(3)
						cGroup := cRow * group
						cVector := width
						if flags&32 != 0 && tiles.masked { // blocks of channels
							cRow, cVector = width, width*tiles.rows
							cGroup = cRow * group
						}
						a := randomSlice(r, count*(2*aGroup+group*aRow)+100)
						offsets := make([]int, segments)
						for i := range offsets {
							offsets[i] = 4 * r.IntN(60)
						}
						b := randomSlice(r, (count*segments*k-1)*bRow+columns)
						product := cVector*(vectors-1) + cRow*tiles.rows + full
						c := randomSlice(r, product*count)
						residual := randomSlice(r, len(c))
						bias := randomSlice(r, count*(rows+full))
						switch flags % 16 {
						case 3, 9, 15:
							poison(r, c)
							poison(r, residual)
						case 8:
							poison(r, a)
						}
						x := tile{
							bEdge: 1,
							rows:  rows, vectors: vectors,
							aRow: 4 * aRow, aGroup: 4 * aGroup, offsets: &offsets[0], segments: segments, k: k,
							bRow: 4 * bRow, cRow: 4 * cRow, cGroup: 4 * cGroup, cVector: 4 * cVector,
							aStep: 4 * (aGroup + 3), bStep: 4 * bRow * segments * k, cStep: 4 * product, biasStep: 4 * (rows + full),
							biasKind: flags >> 3 % 3, accumulate: flags & 1, alpha: 1,
							mask: 1<<(columns-(vectors-1)*width) - 1,
						}
						if flags&16 != 0 {
							x.alpha = -0.5
						}
						x.setActivation([]Activation{NoActivation, ReLU6, HardSwish, HardSigmoid}[r.IntN(4)])
						run := func(kernel func(*tile), c []float32) {
							y := x
							y.count, y.a, y.b, y.c, y.bias = count, &a[0], &b[0], &c[0], &bias[0]
							if flags&4 != 0 {
								y.residual = &residual[0]
							}
							kernel(&y)
						}
						got, want := slices.Clone(c), slices.Clone(c)
						run(tiles.run[rows][vectors-1], got)
						run(func(t *tile) { tilePortable(t, width, group) }, want)
						for i := range got {
							g, w := float64(got[i]), float64(want[i])
							if g == w || math.IsNaN(g) && math.IsNaN(w) || math.Abs(g-w) <= 1e-4*(1+math.Abs(w)) {
								continue
							}
							t.Fatalf("rows %d, vectors %d, k %d, columns %d, flags %d: element %d is %v, want %v", rows, vectors, k, columns, flags, i, g, w)
						}
					}
				}
			}
		}
	})
}

// The kernels for images in blocks of channels do what the same twin does.
func TestBlockTileTwin(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		if tiles.blocks == nil {
			t.Skip("none here")
		}
		r := newRand(8)
		width, group := tiles.width, tiles.rows/2
		for rows, run := range tiles.blocks {
			for vectors := 1; vectors <= 3; vectors++ {
				if rows == 0 || run[vectors-1] == nil {
					continue
				}
				for flags := range 32 {
					const count = 2
					segments, pixels := 1+r.IntN(5), 2*tiles.rows+r.IntN(9)
					aGroup, cGroup := width*(group+r.IntN(3)), width*(group+r.IntN(3))
					cVector := width * pixels
					offsets := make([]int, segments)
					for i := range offsets {
						offsets[i] = 4 * r.IntN(8*width)
					}
					a := randomSlice(r, 8*width+count*(aGroup+group*width)+blockColumns)
					b := randomSlice(r, segments*blockColumns*width*vectors)
					c := randomSlice(r, count*cVector*vectors+2*cGroup)
					residual, bias := randomSlice(r, len(c)), randomSlice(r, width*vectors)
					switch flags / 8 {
					case 1:
						poison(r, c)
						poison(r, residual)
					case 2:
						poison(r, a)
					}
					x := tile{
						rows: rows, vectors: vectors,
						aRow: 4 * width, aGroup: 4 * aGroup, offsets: &offsets[0], segments: segments, k: blockColumns,
						bRow: 4 * width * vectors, cRow: 4 * width, cGroup: 4 * cGroup, cVector: 4 * cVector,
						aStep: 4 * aGroup, cStep: 4 * cVector * vectors, accumulate: flags & 1, alpha: 1, mask: 1<<width - 1,
					}
					if flags&2 != 0 {
						x.biasKind, x.bias = columnBias, &bias[0]
					}
					if rows <= group {
						x.aStep = 4 * width * rows
					}
					x.setActivation([]Activation{NoActivation, ReLU6, HardSwish, HardSigmoid}[r.IntN(4)])
					run := func(kernel func(*tile), c []float32) {
						y := x
						y.count, y.a, y.b, y.c, y.next = count, &a[0], &b[0], &c[0], uintptr(unsafe.Pointer(&a[0]))
						switch {
						case flags%16 == 12: // over the residual
							y.residual = &c[0]
						case flags&4 != 0:
							y.residual = &residual[0]
						}
						kernel(&y)
					}
					got, want := slices.Clone(c), slices.Clone(c)
					run(tiles.blocks[rows][vectors-1], got)
					run(func(t *tile) { tilePortable(t, width, group) }, want)
					for i := range got {
						g, w := float64(got[i]), float64(want[i])
						if g == w || math.IsNaN(g) && math.IsNaN(w) || math.Abs(g-w) <= 1e-4*(1+math.Abs(w)) {
							continue
						}
						t.Fatalf("rows %d, vectors %d, segments %d, flags %d: element %d is %v, want %v", rows, vectors, segments, flags, i, g, w)
					}
				}
			}
		}
	})
}

// And so do those for images in planes.
func TestPlaneTileTwin(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		r := newRand(9)
		width, group := tiles.width, tiles.rows/2
		for i, list := range tiles.planes {
			pixel := 1 + i
			for rows, run := range list {
				for vectors := 1; vectors <= 2; vectors++ {
					if run[vectors-1] == nil {
						continue
					}
					for flags := range 32 {
						const count = 2
						k, segments, pixels := 1+r.IntN(9), 1+r.IntN(9), 2*tiles.rows+r.IntN(9)
						aGroup, cGroup := pixel*group+r.IntN(9), width*(group+r.IntN(3))
						cVector := width * pixels
						offsets := make([]int, segments)
						for i := range offsets {
							offsets[i] = 4 * r.IntN(50)
						}
						a := randomSlice(r, 50+count*(aGroup+group*pixel)+k)
						b := randomSlice(r, segments*k*width*vectors)
						c := randomSlice(r, count*cVector*vectors+2*cGroup)
						residual, bias := randomSlice(r, len(c)), randomSlice(r, width*vectors)
						switch flags / 8 {
						case 1:
							poison(r, c)
							poison(r, residual)
						case 2:
							poison(r, a)
						}
						x := tile{
							rows: rows, vectors: vectors,
							aRow: 4 * pixel, aGroup: 4 * aGroup, offsets: &offsets[0], segments: segments, k: k,
							bRow: 4 * width * vectors, cRow: 4 * width, cGroup: 4 * cGroup, cVector: 4 * cVector,
							aStep: 4 * aGroup, cStep: 4 * cVector * vectors, accumulate: flags & 1, alpha: 1, mask: 1<<width - 1,
						}
						if flags&2 != 0 {
							x.biasKind, x.bias = columnBias, &bias[0]
						}
						x.setActivation([]Activation{NoActivation, ReLU6, HardSwish, HardSigmoid}[r.IntN(4)])
						run := func(kernel func(*tile), c []float32) {
							y := x
							y.count, y.a, y.b, y.c = count, &a[0], &b[0], &c[0]
							switch {
							case flags%16 == 12: // over the residual
								y.residual = &c[0]
							case flags&4 != 0:
								y.residual = &residual[0]
							}
							kernel(&y)
						}
						got, want := slices.Clone(c), slices.Clone(c)
						run(tiles.multiplyPlanes, got)
						run(func(t *tile) { tilePortable(t, width, group) }, want)
						for i := range got {
							g, w := float64(got[i]), float64(want[i])
							if g == w || math.IsNaN(g) && math.IsNaN(w) || math.Abs(g-w) <= 1e-4*(1+math.Abs(w)) {
								continue
							}
							t.Fatalf("pixel %d, rows %d, vectors %d, k %d, segments %d, flags %d: element %d is %v, want %v", pixel, rows, vectors, k, segments, flags, i, g, w)
						}
					}
				}
			}
		}
	})
}

// BenchmarkTile is the rate of the largest tile on operands in the
// first-level cache.
func BenchmarkTile(b *testing.B) {
	const k = 256
	rows, width := tiles.rows, tiles.width
	x, y, z := Aligned[float32](rows*(k+16)), Aligned[float32](k*2*width), Aligned[float32](rows*2*width)
	for b.Loop() {
		t := tile{
			rows: rows, vectors: 2, count: 1, a: &x[0], aRow: 4 * (k + 16), aGroup: 4 * (k + 16) * rows / 2,
			offsets: &noOffsets[0], segments: 1, k: k, b: &y[0], bRow: 8 * width,
			c: &z[0], cRow: 8 * width, cGroup: 4 * rows * width, cVector: 4 * width, mask: 1<<width - 1, alpha: 1,
		}
		tiles.multiply(&t)
	}
	reportGFLOPS(b, 2*rows*2*width*k)
}
