package kernels

import "fmt"

// The points of F(4x4, 3x3) are 0, a, -a, b, -b and infinity. These ones have
// factors that float32 holds exactly and about the least error: the root mean
// square is 12 units in the last place of the output's own root mean square
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
	// packed has, for every element of a tile and pair of blocks of output
	// channels (a panel), the transformed weights of the panel by input
	// channel: the B of the tile kernels. If late is set it has the weights as
	// they were given, for every panel and input channel nine vectors, which
	// are transformed whenever they are needed.
	packed []float32
	late   bool

	rows, columns  int // tiles of an image
	source, target int // blocks of input and output channels
}

// winogradSize returns the size of the tiles with which Winograd's method is
// the fastest way to do s in the layout NCHWc, or 0 if it is not.
func winogradSize(s Conv2D) int {
	if s.R != 3 || s.S != 3 || s.StrideH != 1 || s.StrideW != 1 || s.DilationH != 1 || s.DilationW != 1 || s.Groups != 1 {
		return 0
	}
	return 4
}

// newWinograd prepares weight [K, C, 3, 3] of a convolution of stride 1
// without dilation and groups for tiles of size 2 or 4.
func newWinograd(s Conv2D, size int, weight []float32) *winogradWeights {
	if s.R != 3 || s.S != 3 || s.StrideH != 1 || s.StrideW != 1 || s.DilationH != 1 || s.DilationW != 1 || s.Groups != 1 || size != 2 && size != 4 {
		panic(fmt.Sprintf("kernels: Winograd's method F(%d, 3) does not suit %+v", size, s))
	}
	checkLength("Conv2D", "weight", len(weight), s.weightSize())
	c := tiles.width
	w := &winogradWeights{
		shape: s, size: size, tiles: tiles, transforms: winogradTransforms,
		rows: (s.OutH() + size - 1) / size, columns: (s.OutW() + size - 1) / size,
		source: (s.C + c - 1) / c, target: (s.K + c - 1) / c,
	}
	// Transformed weights that stay in the second-level cache, or of which
	// each is used for many tiles, are best kept. Others come from memory
	// later than they can be computed from the fewer ones given.
	w.pack(weight, winogradLate(size, s.N*w.rows*w.columns, s.C, s.K))
	return w
}

// winogradLate reports whether the weights for so many tiles are transformed
// whenever they are needed.
func winogradLate(size, tiles, c, k int) bool {
	return 4*(size+2)*(size+2)*c*k > 1<<20 && tiles < 28
}

// elements is the number of elements of the patch of a tile.
func (w *winogradWeights) elements() int { return (w.size + 2) * (w.size + 2) }

// winogradWeightRows returns G of F(size, 3).
func winogradWeightRows(size int) [][3]float64 {
	points := []float64{0, 1, -1}
	if size == 4 {
		points = []float64{0, winogradA, -winogradA, winogradB, -winogradB}
	}
	var rows [][3]float64
	for i, x := range points {
		n := 1.0
		for j, y := range points {
			if i != j {
				n *= x - y
			}
		}
		rows = append(rows, [3]float64{1 / n, x / n, x * x / n})
	}
	return append(rows, [3]float64{0, 0, 1})
}

// pack sets packed.
func (w *winogradWeights) pack(weight []float32, late bool) {
	s, c := w.shape, w.tiles.width
	w.late = late
	elements := w.elements()
	if late {
		elements = 9
	}
	w.packed = aligned(elements * s.C * w.target * c)
	g := winogradWeightRows(w.size)
	for k := range s.K {
		// Where the first element of input channel 0 goes, and how far it is
		// to the next channel and to the next element.
		panel := k / (2 * c)
		width := c * min(2, w.target-2*panel)
		at, channel, element := panel*2*c*s.C+k%(2*c), width, s.C*w.target*c
		if late {
			at, channel, element = panel*2*c*s.C*9+k%(2*c), 9*width, width
		}
		for ic := range s.C {
			f := weight[(k*s.C+ic)*9:][:9]
			to := w.packed[at+ic*channel:]
			if late {
				for i, x := range f {
					to[i*element] = x
				}
				continue
			}
			for i, x := range g {
				var t [3]float64
				for j := range t {
					t[j] = x[0]*float64(f[j]) + x[1]*float64(f[3+j]) + x[2]*float64(f[6+j])
				}
				for j, y := range g {
					to[(i*len(g)+j)*element] = float32(t[0]*y[0] + t[1]*y[1] + t[2]*y[2])
				}
			}
		}
	}
}

// blockSize returns how many tiles are worked on at a time: as many as leave
// their transformed inputs and products in the second-level cache, in an equal
// number of blocks for every thread if there is more than one block.
func (w *winogradWeights) blockSize() int {
	const cache = 1 << 19
	rows := w.tiles.rows
	most := max(cache/(4*w.elements()*(w.shape.C+w.shape.K))/rows, 2) * rows
	all := w.shape.N * w.rows * w.columns
	blocks := (all + most - 1) / most
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
	scratch                  []winogradScratch
	matrices                 winogradMatrices
}

// winogradStage is what the parts of a winogradJob do.
type winogradStage int

const (
	winogradBlocks    winogradStage = iota // all that is to be done to a block of tiles
	winogradTransform                      // transform a block of input channels
	winogradMultiply                       // multiply the matrices of an element, or with a late panel
	winogradFinish                         // transform a block of output channels
)

// winogradMatrices says how the matrices of a block of tiles lie: for every
// element of a tile, a matrix of tiles by channels.
type winogradMatrices struct {
	inputRow, inputPlane   int // elements of a row and of a matrix
	outputRow, outputPlane int
}

// winogradScratch is what a worker needs.
type winogradScratch struct {
	input           []float32 // transformed
	product         []float32
	weights         []float32 // of late panels, a number of input channels
	patch, residual []float32 // of a tile at the border
	tile            tile
	filter          winogradFilter
	in              winogradInput
	out             winogradOutput
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
	if zeros := max((s.W+8)*c, w.target*c); len(ws.zeros) < zeros {
		ws.zeros = aligned(zeros)
	}
	if bias == nil {
		bias = ws.zeros
	}
	checkLength("Conv2D", "bias", len(bias), w.target*c)

	j := &ws.winograd
	j.winogradWeights, j.zeros = w, ws.zeros
	j.dst, j.src, j.bias, j.residual, j.activation = dst, src, bias, residual, act
	m := &j.matrices
	m.inputRow, m.outputRow = oddLines(s.C), oddLines(w.target*c)
	j.block = w.blockSize()
	m.inputPlane, m.outputPlane = oddLines(j.block*m.inputRow), oddLines(j.block*m.outputRow)
	for len(j.scratch) < threadCount() {
		j.scratch = append(j.scratch, winogradScratch{})
	}
	for i := range threadCount() {
		x := &j.scratch[i]
		x.input = grow(x.input, w.elements()*m.inputPlane)
		x.product = grow(x.product, w.elements()*m.outputPlane)
		if w.late {
			x.weights = grow(x.weights, w.elements()*oddLines(winogradChunk*2*c))
		}
		x.patch = grow(x.patch, w.elements()*c)
		x.residual = grow(x.residual, w.elements()*c)
	}
	if all := s.N * w.rows * w.columns; all > j.block || threadCount() == 1 {
		j.stage = winogradBlocks
		parallel((all+j.block-1)/j.block, j)
	} else {
		j.stage = winogradTransform
		parallel(w.source, j)
		j.stage = winogradMultiply
		parallel(w.products(), j)
		j.stage = winogradFinish
		parallel(w.target, j)
	}
	if t := (&tile{}); !t.setActivation(act) {
		Activate(act, dst[:outputs], dst[:outputs])
	}
	j.winogradWeights, j.dst, j.src, j.bias, j.residual = nil, nil, nil, nil, nil
}

// part does part i of the stage.
func (j *winogradJob) part(i, worker int) {
	x := &j.scratch[worker]
	all := j.shape.N * j.rows * j.columns
	switch j.stage {
	case winogradBlocks:
		from, to := i*j.block, min((i+1)*j.block, all)
		j.transform(x, x.input, from, to, 0, j.source)
		for p := range j.products() {
			j.multiply(x, x.input, x.product, to-from, p)
		}
		j.finish(x, x.product, from, to, 0, j.target)
	case winogradTransform:
		j.transform(x, j.scratch[0].input, 0, all, i, i+1)
	case winogradMultiply:
		j.multiply(x, j.scratch[0].input, j.scratch[0].product, all, i)
	case winogradFinish:
		j.finish(x, j.scratch[0].product, 0, all, i, i+1)
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
	inner0 := (s.PadLeft + size - 1) / size
	inner1 := max((s.W+s.PadLeft-points)/size+1, inner0)
	if s.W+s.PadLeft < points {
		inner1 = inner0
	}
	for tile := from; tile < to; {
		r := j.run(tile, to)
		y := r.y*size - s.PadTop
		for block := block0; block < block1; block++ {
			image := j.src[(r.n*j.source+block)*s.H*s.W*c:][:s.H*s.W*c]
			for i := 0; i < r.count; {
				t.dst = &dst[(tile-from+i)*j.matrices.inputRow+block*c]
				first := r.x + i
				column := first*size - s.PadLeft
				if first >= inner0 && first < inner1 {
					for k := range points {
						t.rows[k] = &j.zeros[0]
						if y+k >= 0 && y+k < s.H {
							t.rows[k] = &image[((y+k)*s.W+column)*c]
						}
					}
					t.count = min(inner1-first, r.count-i)
				} else {
					t.count = 1
					left, right := min(max(-column, 0), points), max(min(s.W-column, points), 0)
					left = min(left, right)
					for k := range points {
						t.rows[k] = &j.zeros[0]
						if y+k >= 0 && y+k < s.H && left < right {
							row := x.patch[k*points*c:][:points*c]
							clear(row[:left*c])
							copy(row[left*c:right*c], image[((y+k)*s.W+column+left)*c:])
							clear(row[right*c:])
							t.rows[k] = &row[0]
						}
					}
				}
				kernel(t)
				i += t.count
			}
		}
		tile += r.count
	}
}

// winogradChunk is the number of input channels of which late weights are
// transformed at a time.
const winogradChunk = 64

// products is the number of calls of multiply that do all.
func (w *winogradWeights) products() int {
	if w.late {
		return (w.target + 1) / 2
	}
	return w.elements()
}

// multiply sets a part of the matrices of products to that of the transformed
// inputs of count tiles and the weights: that of element i, or that of late
// panel i.
func (j *winogradJob) multiply(x *winogradScratch, input, product []float32, count, i int) {
	s, c, m := j.shape, j.tiles.width, &j.matrices
	x.tile = tile{
		aRow: 4 * m.inputRow, aGroup: 4 * m.inputRow * j.tiles.rows / 2, offsets: &noOffsets[0], segments: 1,
		cRow: 4 * m.outputRow, cGroup: 4 * m.outputRow * j.tiles.rows / 2, cVector: 4 * c,
		mask: 1<<c - 1, alpha: 1,
	}
	if !j.late {
		for block := 0; block < j.target; block += 2 {
			vectors := min(2, j.target-block)
			j.panel(x, input[i*m.inputPlane:], j.packed[(i*j.target+block)*c*s.C:], product[i*m.outputPlane+block*c:], count, vectors, s.C)
		}
		return
	}
	kernel := j.transforms.weights4
	if j.size == 2 {
		kernel = j.transforms.weights2
	}
	block := 2 * i
	vectors := min(2, j.target-block)
	width := vectors * c
	plane := oddLines(winogradChunk * width)
	for from := 0; from < s.C; from += winogradChunk {
		k := min(winogradChunk, s.C-from)
		x.filter = winogradFilter{
			src: &j.packed[(block*c*s.C+from*width)*9], dst: &x.weights[0],
			plane: 4 * plane, row: 4 * width, vectors: vectors, count: k,
		}
		kernel(&x.filter)
		for e := range j.elements() {
			j.panel(x, input[e*m.inputPlane+from:], x.weights[e*plane:], product[e*m.outputPlane+block*c:], count, vectors, k)
		}
		x.tile.accumulate = 1
	}
}

// panel multiplies count rows of a by k rows of a panel b, as far as x.tile
// does not say how.
func (j *winogradJob) panel(x *winogradScratch, a, b, c []float32, count, vectors, k int) {
	t := &x.tile
	t.vectors, t.k, t.bRow = vectors, k, 4*vectors*j.tiles.width
	p := split(count, j.tiles.rows)
	for _, part := range [2]struct{ from, count, rows int }{
		{0, p.extra, p.base + 1}, {p.start(p.extra), p.count - p.extra, p.base},
	} {
		if part.count == 0 {
			continue
		}
		t.count, t.rows = part.count, part.rows
		t.a, t.b, t.c = &a[part.from*j.matrices.inputRow], &b[0], &c[part.from*j.matrices.outputRow]
		t.aStep, t.cStep = t.aRow*t.rows, t.cRow*t.rows
		if vectors == 2 && !j.late && j.transforms.stream != nil {
			j.transforms.stream[t.rows](t)
		} else {
			j.tiles.multiply(t)
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
			for i := 0; i < r.count; {
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
					i += t.count
					continue
				}
				// A part of the tile is outside the image.
				n := min(size, width-first*size) * c
				t.count, t.dst, t.dstRow, t.residual = 1, &x.patch[0], 4*size*c, nil
				if j.residual != nil {
					for k := range rows {
						copy(x.residual[k*size*c:][:n], j.residual[at+k*width*c:])
					}
					t.residual = &x.residual[0]
				}
				kernel(t)
				for k := range rows {
					copy(j.dst[at+k*width*c:][:n], x.patch[k*size*c:])
				}
				i++
			}
		}
		tile += r.count
	}
}
