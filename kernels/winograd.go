package kernels

import (
	"fmt"
	"unsafe"
)

// The points of F(4x4, 3x3) are 0, a, -a, b, -b and infinity. These ones have
// factors that float32 holds exactly and about the least error: the root mean
// square is 13 units in the last place of the output's own root mean square
// over 64 channels of normally distributed numbers, where direct convolution
// has 7, F(2x2, 3x3) 4, and F(4x4, 3x3) with the usual 1 and 2 has 28.
const (
	winogradA = 0.625
	winogradB = 1.5
)

// winogradWeights is a 3x3 convolution of stride 1 and images in the layout
// NCHWc, prepared to be done by Winograd's method F(size x size, 3x3): the
// output is cut into tiles of size*size, for each of which a patch of
// (size+2)^2 inputs is transformed, multiplied with the transformed weights
// element by element (a matrix multiplication over the channels for each
// element), and transformed back. A NaN or an infinity in the input spreads
// over the tiles whose patches it is in, to which it may come as a NaN; other
// tiles are not affected.
type winogradWeights struct {
	shape      Conv2D
	size       int // 2 or 4
	tiles      *tileKernel
	transforms winogradKernels
	// packed has, for every element of a tile, plane elements, in which are,
	// for every pair of blocks of output channels (a panel), the transformed
	// weights of the panel by input channel: the B of the tile kernels.
	packed []float32
	plane  int

	rows, columns  int // tiles of an image
	source, target int // blocks of input and output channels
}

// newWinograd prepares weight [K, C, 3, 3] of a convolution of stride 1
// without dilation and groups for tiles of size 2 or 4.
func newWinograd(s Conv2D, size int, weight []float32) *winogradWeights {
	if !s.winograd() || size != 2 && size != 4 {
		panic(fmt.Sprintf("kernels: Winograd's method F(%d, 3) does not suit %+v", size, s))
	}
	checkLength("Conv2D", "weight", len(weight), s.weightSize())
	w := new(winogradWeights)
	w.set(s, size)
	w.pack(&Workspace{}, weight, false)
	return w
}

// set prepares w for weights of s, in the memory that it has where that is
// enough.
func (w *winogradWeights) set(s Conv2D, size int) {
	c := tiles.width
	*w = winogradWeights{
		shape: s, size: size, tiles: tiles, transforms: winogradTransforms, packed: w.packed,
		rows: (s.OutH() + size - 1) / size, columns: (s.OutW() + size - 1) / size,
		source: (s.C + c - 1) / c, target: (s.K + c - 1) / c,
	}
	w.plane = oddLines(s.C * w.target * c)
	w.packed = grow(w.packed, w.elements()*w.plane)
}

// elements is the number of elements of the patch of a tile.
func (w *winogradWeights) elements() int { return (w.size + 2) * (w.size + 2) }

// winogradChunk is the number of input channels of which the weights of a
// panel are transformed at a time.
const winogradChunk = 16

// pack transforms weight [K, C, 3, 3]. If turned is set, weight is [C, K, 3, 3]
// and the kernels are turned by 180 degrees: those of the convolution of which
// this one computes the gradient of the input.
func (w *winogradWeights) pack(ws *Workspace, weight []float32, turned bool) {
	checkLength("Conv2D", "weight", len(weight), w.shape.weightSize())
	j := &ws.winograd
	j.winogradWeights, j.weight, j.turned, j.stage = w, weight, turned, winogradPack
	j.growScratch()
	parallel((w.target+1)/2, j)
	j.winogradWeights, j.weight = nil, nil
}

// packPanel transforms the weights of a panel.
func (j *winogradJob) packPanel(x *winogradScratch, panel int) {
	s, c := j.shape, j.tiles.width
	width := c * min(2, j.target-2*panel)
	kernel := j.transforms.weights4
	if j.size == 2 {
		kernel = j.transforms.weights2
	}
	for from := 0; from < s.C; from += winogradChunk {
		count := min(winogradChunk, s.C-from)
		// The weights side by side: nine vectors for every input channel.
		for lane := range width {
			k := panel*2*c + lane
			if k >= s.K {
				for i := range count * 9 {
					x.weights[i*width+lane] = 0
				}
				continue
			}
			if !j.turned {
				for i, y := range j.weight[(k*s.C+from)*9:][:count*9] {
					x.weights[i*width+lane] = y
				}
				continue
			}
			for i := range count {
				for e, y := range j.weight[((from+i)*s.K+k)*9:][:9] {
					x.weights[(i*9+8-e)*width+lane] = y
				}
			}
		}
		x.filter = winogradFilter{
			src: &x.weights[0], dst: &j.packed[panel*2*c*s.C+from*width],
			plane: 4 * j.plane, row: 4 * width, vectors: width / c, count: count,
		}
		kernel(&x.filter)
	}
}

// winogradBlockCount returns in how many blocks all tiles of s are worked on.
// The transformed inputs and products of a block are to stay in the
// second-level cache; but of many channels, whose weights take longer to read
// for every block than those do, the blocks are larger.
func winogradBlockCount(s Conv2D, size, all int) int {
	const cache = 1 << 19
	elements, rows := (size+2)*(size+2), tiles.rows
	most := max(cache/(4*elements*(s.C+s.K)), s.C*s.K/(s.C+s.K)/2, 2*rows) / rows * rows
	return (all + most - 1) / most
}

// blockSize returns how many tiles are worked on at a time. Every thread gets
// the same number of blocks if there is more than one.
func (w *winogradWeights) blockSize() int {
	all := w.shape.N * w.rows * w.columns
	blocks := winogradBlockCount(w.shape, w.size, all)
	if n := threadCount(); blocks > 1 {
		blocks = (blocks + n - 1) / n * n
	}
	return (all + blocks - 1) / blocks
}

// winogradJob is a call of forward. Its parts are blocks of tiles; or, if
// there is one block only, parts of a stage of that block. The split has no
// influence on the result.
type winogradJob struct {
	*winogradWeights
	stage                    winogradStage
	block                    int // tiles of a block
	dst, src, bias, residual []float32
	activation               Activation
	zeros                    []float32 // a row of the image beyond its border
	weight                   []float32 // to pack
	turned                   bool
	scratch                  []winogradScratch
	matrices                 winogradMatrices
}

// winogradStage is what the parts of a winogradJob do.
type winogradStage int

const (
	winogradBlocks    winogradStage = iota // all that is to be done to a block of tiles
	winogradTransform                      // transform a block of input channels
	winogradMultiply                       // multiply the matrices of an element
	winogradFinish                         // transform a block of output channels
	winogradPack                           // transform the weights of a panel
)

// winogradMatrices says how the matrices of a block of tiles lie: for every
// element of a tile, a matrix of tiles by channels.
type winogradMatrices struct {
	inputRow, inputPlane   int // elements of a row and of a matrix
	outputRow, outputPlane int
}

// winogradScratch is what a worker needs.
type winogradScratch struct {
	input          []float32 // transformed
	product        []float32
	weights        []float32 // of a panel and some input channels
	band, residual []float32 // of tiles at the border
	tile           tile
	filter         winogradFilter
	in             winogradInput
	out            winogradOutput
}

// oddLines rounds a number of elements up to an odd number of cache lines, so
// that rows do not fall into the same few sets of a cache.
func oddLines(n int) int {
	const line = cacheLine / 4
	lines := (n + line - 1) / line
	return (lines | 1) * line
}

// forward computes dst = act(convolution(src) + bias + residual) in the layout
// NCHWc: src is [N, ceil(C/c), H, W, c], and dst and residual, which may be
// nil or dst itself, are [N, ceil(K/c), OutH, OutW, c]. bias, which may be
// nil, has ceil(K/c)*c elements.
func (w *winogradWeights) forward(ws *Workspace, dst, src, bias, residual []float32, act Activation) {
	s, c := w.shape, w.tiles.width
	outputs := s.N * w.target * s.OutH() * s.OutW() * c
	checkLength("Conv2D", "input", len(src), s.N*w.source*s.H*s.W*c)
	checkLength("Conv2D", "output", len(dst), outputs)
	if residual != nil {
		checkLength("Conv2D", "residual", len(residual), outputs)
	}
	if zeros := max((w.columns*w.size+2)*c, w.target*c); len(ws.zeros) < zeros {
		ws.zeros = Aligned[float32](zeros)
	}
	if bias == nil {
		bias = ws.zeros
	}
	checkLength("Conv2D", "bias", len(bias), w.target*c)

	j := &ws.winograd
	j.winogradWeights, j.zeros, j.stage = w, ws.zeros, winogradBlocks
	j.dst, j.src, j.bias, j.residual, j.activation = dst, src, bias, residual, act
	m := &j.matrices
	m.inputRow, m.outputRow = oddLines(s.C), oddLines(w.target*c)
	j.block = w.blockSize()
	m.inputPlane, m.outputPlane = oddLines(j.block*m.inputRow), oddLines(j.block*m.outputRow)
	j.growScratch()
	// The stages of a single block are handed out one by one, and cores read
	// what others wrote: four times as much as work alone would be worth it.
	if all := s.N * w.rows * w.columns; all > j.block || threadCount() == 1 || all*w.elements()*s.C*w.target*c < 4*2*partWork {
		parallel((all+j.block-1)/j.block, j)
	} else {
		j.stage = winogradTransform
		parallel(w.source, j)
		j.stage = winogradMultiply
		parallel(w.elements(), j)
		j.stage = winogradFinish
		parallel(w.target, j)
	}
	if t := (&tile{}); !t.setActivation(act) {
		Activate(act, dst[:outputs], dst[:outputs])
	}
	j.winogradWeights, j.dst, j.src, j.bias, j.residual = nil, nil, nil, nil, nil
}

// growScratch grows what the workers need.
func (j *winogradJob) growScratch() {
	c := j.tiles.width
	for len(j.scratch) < threadCount() {
		j.scratch = append(j.scratch, winogradScratch{})
	}
	for i := range threadCount() {
		x := &j.scratch[i]
		if j.stage == winogradPack {
			x.weights = grow(x.weights, winogradChunk*9*2*c)
			continue
		}
		x.input = grow(x.input, j.elements()*j.matrices.inputPlane)
		x.product = grow(x.product, j.elements()*j.matrices.outputPlane)
		x.band = grow(x.band, (j.size+2)*(j.columns*j.size+2)*c)
		x.residual = grow(x.residual, j.size*j.columns*j.size*c)
	}
}

// part does part i of the stage.
func (j *winogradJob) part(i, worker int) {
	x := &j.scratch[worker]
	all := j.shape.N * j.rows * j.columns
	switch j.stage {
	case winogradBlocks:
		from, to := i*j.block, min((i+1)*j.block, all)
		j.transform(x, x.input, from, to, 0, j.source)
		for e := range j.elements() {
			j.multiply(x, x.input, x.product, to-from, e)
		}
		j.finish(x, x.product, from, to, 0, j.target)
	case winogradTransform:
		j.transform(x, j.scratch[0].input, 0, all, i, i+1)
	case winogradMultiply:
		j.multiply(x, j.scratch[0].input, j.scratch[0].product, all, i)
	case winogradFinish:
		j.finish(x, j.scratch[0].product, 0, all, i, i+1)
	case winogradPack:
		j.packPanel(x, i)
	}
}

// run is a number of tiles side by side: count from column x of tiles, in row
// y of image n.
type winogradRun struct{ n, y, x, count int }

// run returns the tiles from number from on that are in one row, up to to.
func (w *winogradWeights) run(from, to int) winogradRun {
	row, x := from/w.columns, from%w.columns
	return winogradRun{n: row / w.rows, y: row % w.rows, x: x, count: min(to-from, w.columns-x)}
}

// winogradNarrow is the number of tiles of a row up to which all of them are treated
// as those at the border.
const winogradNarrow = 8

// transform sets dst to the transformed inputs of tiles from to to in channel
// blocks block0 to block1.
func (j *winogradJob) transform(x *winogradScratch, dst []float32, from, to, block0, block1 int) {
	s, c, size := j.shape, j.tiles.width, j.size
	kernel := j.transforms.input4
	if size == 2 {
		kernel = j.transforms.input2
	}
	t := &x.in
	t.plane, t.dstStep, t.vectors = 4*j.matrices.inputPlane, 4*j.matrices.inputRow, c/4
	points := size + 2
	// Tiles inner0 to inner1 of a row have all their columns in the image.
	inner0, inner1 := 0, 0
	if j.columns > winogradNarrow {
		inner0 = min((s.PadLeft+size-1)/size, j.columns)
		inner1 = max((s.W+s.PadLeft-points+size)/size, inner0)
	}
	for tile := from; tile < to; {
		r := j.run(tile, to)
		y := r.y*size - s.PadTop
		for block := block0; block < block1; block++ {
			image := j.src[(r.n*j.source+block)*s.H*s.W*c:][:s.H*s.W*c]
			for i := 0; i < r.count; i += t.count {
				first := r.x + i
				column := first*size - s.PadLeft
				inside := first >= inner0 && first < inner1
				switch {
				case inside:
					t.count = min(inner1-first, r.count-i)
				case first < inner0:
					t.count = min(inner0-first, r.count-i)
				default:
					t.count = r.count - i
				}
				width := t.count*size + 2
				left := min(max(-column, 0), width)
				right := max(min(s.W-column, width), left)
				for k := range points {
					switch {
					case y+k < 0 || y+k >= s.H || left == right:
						t.rows[k] = &j.zeros[0]
					case inside:
						t.rows[k] = &image[((y+k)*s.W+column)*c]
					default:
						row := x.band[k*width*c:][:width*c]
						clear(row[:left*c])
						copy(row[left*c:right*c], image[((y+k)*s.W+column+left)*c:])
						clear(row[right*c:])
						t.rows[k] = &row[0]
					}
				}
				t.dst = &dst[(tile-from+i)*j.matrices.inputRow+block*c]
				kernel(t)
			}
		}
		tile += r.count
	}
}

// winogradAhead is the size in bytes of a panel of weights up to which the next
// is fetched while one is used: both have room in the first-level cache, or
// nearly so.
const winogradAhead = 32 << 10

// multiply sets the matrix of products of element e to that of the
// transformed inputs of count tiles and the weights.
func (j *winogradJob) multiply(x *winogradScratch, input, product []float32, count, e int) {
	s, c, m := j.shape, j.tiles.width, &j.matrices
	t := &x.tile
	*t = tile{
		aRow: 4 * m.inputRow, aGroup: 4 * m.inputRow * j.tiles.rows / 2, offsets: &noOffsets[0], segments: 1, k: s.C,
		cRow: 4 * m.outputRow, cGroup: 4 * m.outputRow * j.tiles.rows / 2, cVector: 4 * c,
		mask: 1<<c - 1, alpha: 1,
	}
	p := split(count, j.tiles.rows)
	for block := 0; block < j.target; block += 2 {
		t.vectors = min(2, j.target-block)
		t.b, t.bRow = &j.packed[e*j.plane+block*c*s.C], 4*c*t.vectors
		if panel := s.C * t.bRow; panel <= winogradAhead {
			t.next = uintptr(unsafe.Pointer(t.b)) + uintptr(panel)
			t.nextStep = (panel/p.count + cacheLine) &^ (cacheLine - 1)
			t.nextLine = t.nextStep / max(s.C/4, 1)
		}
		for _, part := range [2]struct{ from, count, rows int }{
			{0, p.extra, p.base + 1}, {p.start(p.extra), p.count - p.extra, p.base},
		} {
			if part.count == 0 {
				continue
			}
			t.count, t.rows, t.aStep, t.cStep = part.count, part.rows, t.aRow*part.rows, t.cRow*part.rows
			t.a = &input[e*m.inputPlane+part.from*m.inputRow]
			t.c = &product[e*m.outputPlane+part.from*m.outputRow+block*c]
			j.tiles.multiply(t)
			t.next += uintptr(part.count * t.nextStep)
		}
	}
}

// finish transforms the products of tiles from to to in channel blocks block0
// to block1 into the output.
func (j *winogradJob) finish(x *winogradScratch, src []float32, from, to, block0, block1 int) {
	s, c, size := j.shape, j.tiles.width, j.size
	kernel := j.transforms.output4
	if size == 2 {
		kernel = j.transforms.output2
	}
	height, width := s.OutH(), s.OutW()
	x.tile.setActivation(j.activation)
	t := &x.out
	t.plane, t.srcStep, t.vectors = 4*j.matrices.outputPlane, 4*j.matrices.outputRow, c/4
	t.activation, t.low, t.high = x.tile.activation, x.tile.low, x.tile.high
	for tile := from; tile < to; {
		r := j.run(tile, to)
		rows := min(size, height-r.y*size)
		for block := block0; block < block1; block++ {
			t.bias = &j.bias[block*c]
			for i := 0; i < r.count; i += t.count {
				first := r.x + i
				t.src = &src[(tile-from+i)*j.matrices.outputRow+block*c]
				at := (((r.n*j.target+block)*height+r.y*size)*width + first*size) * c
				t.count = min(width/size-first, r.count-i)
				if rows == size && t.count > 0 {
					t.dst, t.dstRow, t.residual = &j.dst[at], 4*width*c, nil
					if j.residual != nil {
						t.residual = &j.residual[at]
					}
					kernel(t)
					continue
				}
				// A part of the tiles is outside the image.
				t.count = r.count - i
				step := t.count * size * c
				n := min(step, (width-first*size)*c)
				t.dst, t.dstRow, t.residual = &x.band[0], 4*step, nil
				if j.residual != nil {
					for k := range rows {
						copy(x.residual[k*step:][:n], j.residual[at+k*width*c:])
					}
					t.residual = &x.residual[0]
				}
				kernel(t)
				for k := range rows {
					copy(j.dst[at+k*width*c:][:n], x.band[k*step:])
				}
			}
		}
		tile += r.count
	}
}
