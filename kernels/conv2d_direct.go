package kernels

// view says how the pixels of images lie in memory: distances, in elements,
// of images, blocks of channels (or channels, if planar), rows and pixels.
type view struct{ image, block, row, pixel int }

// groupView is the view of images whose groups of channels are blocks of their
// own, or planar.
func groupView(l Layout, channels, groups, h, w int) view {
	if l == Planar {
		return view{channels * h * w, h * w, w, 1}
	}
	c := tiles.width
	return view{groups * blocks(channels/groups) * h * w * c, h * w * c, w * c, c}
}

// direct is a convolution that runs as products of tiles: the rows of a tile
// are neighbouring pixels of the output, its columns one or two blocks of
// output channels. The left operand is the image where it lies, or a copy of
// some of its rows with the padding around them; every segment of the tile's
// reduction is a block of channels at one position of the kernel.
type direct struct {
	kernel              *tileKernel
	images, groups      int
	h, w                int // of the input
	in, out             view
	inBlocks, outBlocks int       // of a group
	channels            int       // of the input, of a group
	outSize             int       // elements of the output
	bias                []float32 // of all blocks
	phases              []phase
}

// tap is a position of the convolution's kernel: where it reads, relative to
// where the position of an output pixel is on the input, and its index in
// [R, S].
type tap struct{ y, x, index int }

// phase is a set of output pixels that meet the same taps. A convolution has
// one; a transposed convolution has one for each remainder of the output's
// rows and columns modulo the stride.
type phase struct {
	rows, cols     int // output pixels,
	y0, x0, dy, dx int // where they lie in the output
	sy, sx         int // distance of their places on the input
	taps           []tap

	minY, maxY, minX, maxX int // extent of the taps
	inPlace                bool
	edges                  bool // of the output, only these need the strip: columns
	inner0, inner1         int  // but those from inner0 to inner1, of which all taps are on the image,
	innerTop, innerBottom  int  // and likewise rows
	compact                bool // the strip holds only pixels that are read
	strip                  view // of the copy if not in place
	split                  int  // not 0: the columns of the strip of each remainder modulo the stride,
	splitCols              int  // of which there are split, lie side by side, so many of them
	rowParts, colParts     partition

	k       int       // columns of a segment
	offsets []int     // of the segments
	placed  []int     // the same where the input lies, if edges is set
	chunks  partition // of the segments
	stream  bool      // weights are fetched ahead
	blocks  bool      // tiles are those for blocks of channels,
	planes  bool      // or those for planes
	panels  panels    // of blocks
	packed  []float32 // weights [groups][panels][segments][k][vectors * c]
}

// panels is a division of blocks of output channels: triples of them, if any,
// then pairs, then what is left.
type panels struct{ blocks, triples, count int }

// panelsOf divides blocks into pairs, or, if there may be triples, so that none
// is left single.
func panelsOf(blocks int, triples bool) panels {
	p := panels{blocks: blocks}
	if triples && blocks > 2 {
		p.triples = blocks % 2
	}
	p.count = p.triples + (blocks-3*p.triples+1)/2
	return p
}

// start returns the first block of a panel, and the number of its blocks.
func (p panels) start(i int) (block, vectors int) {
	if i < p.triples {
		return 3 * i, 3
	}
	block = 2*i + p.triples
	return block, min(2, p.blocks-block)
}

// Sizes in bytes that blocking goes by.
const (
	// Weights up to l2Weights stay in the second-level cache while the regions
	// of an image go by; a part of their rows, smallPanel, in the first-level
	// cache. Larger ones are read once a region, which is larger, too.
	l2Weights  = 512 << 10
	smallPanel = 24 << 10
	largePanel = 36 << 10
	// Kernels for blocks of channels need little of the first-level cache, and
	// machines with AVX-512 have a large second-level one.
	l2BlockWeights = 704 << 10
	blockPanel     = 128 << 10

	planarStrip = 64 << 10 // input of a region
	smallStrip  = 128 << 10
	blockStrip  = 256 << 10 // read where it lies
	largeStrip  = 640 << 10
)

// chunkSegments is the number of segments, each of a block of its own, up to
// which a chunk of weights goes: in larger images each is on a page of its own,
// of which the processor knows 64 at a time.
const chunkSegments = 32

// streamPixels is the size of an image up to which its tiles fetch weights of any
// size ahead; more tiles find them in the caches, and only lose time to that.
const streamPixels = 256

// regionParts is the number of parts that each thread should get.
const regionParts = 4

// newDirect packs the convolution s with its input in the given layout and its
// output in blocks, in both cases with the blocks of each group its own.
func newDirect(s Conv2D, layout Layout, weight, bias []float32) *direct {
	p := phase{rows: s.OutH(), cols: s.OutW(), dy: 1, dx: 1, sy: s.StrideH, sx: s.StrideW}
	for r := range s.R {
		for q := range s.S {
			p.taps = append(p.taps, tap{r*s.DilationH - s.PadTop, q*s.DilationW - s.PadLeft, r*s.S + q})
		}
	}
	d := &direct{
		images: s.N, groups: s.Groups, h: s.H, w: s.W,
		in: groupView(layout, s.C, s.Groups, s.H, s.W), out: groupView(Blocked, s.K, s.Groups, p.rows, p.cols),
		outSize: BlockedSize(s.N*s.Groups, s.K/s.Groups, p.rows*p.cols), phases: []phase{p},
	}
	if s.single() && layout == Blocked { // the images are the pixels of one
		d.images, d.w, d.phases[0].cols = 1, s.N, s.N
		d.in.pixel, d.out.pixel = d.in.image, d.out.image
	}
	cg, kg := s.C/s.Groups, s.K/s.Groups
	run := 1
	if s.DilationW == 1 {
		run = s.S
	}
	d.pack(layout, cg, kg, run, bias, func(k, c, index int) float32 { return weight[(k*cg+c)*s.R*s.S+index] })
	return d
}

// pack lays everything out. Groups have cg input and kg output channels;
// weightAt returns the weight of an output channel and an input channel of its
// group. Every run taps lie side by side.
func (d *direct) pack(layout Layout, cg, kg, run int, bias []float32, weightAt func(k, c, index int) float32) {
	d.kernel = tiles
	c := d.kernel.width
	d.inBlocks, d.outBlocks, d.channels = cg, blocks(kg), cg
	if layout == Blocked {
		d.inBlocks = blocks(cg)
	}
	if bias != nil {
		d.bias = Aligned[float32](d.groups * d.outBlocks * c)
		clear(d.bias)
		for k, x := range bias {
			d.bias[k/kg*d.outBlocks*c+k%kg] = x
		}
	}
	for i := range d.phases {
		p := &d.phases[i]
		if len(p.taps) == 0 {
			p.k, p.offsets, p.chunks = 1, noOffsets[:], split(1, 1)
			p.rowParts, p.colParts = split(p.rows, p.rows), split(p.cols, p.cols)
			p.inPlace = true
			p.panels = panelsOf(d.outBlocks, false)
			p.packed = Aligned[float32](d.groups * d.outBlocks * c)
			clear(p.packed)
			continue
		}
		p.measure(d, layout)
		d.packPhase(p, layout, cg, kg, run, weightAt)
	}
}

// measure decides where the phase reads its input, and cuts its output into
// regions.
func (p *phase) measure(d *direct, layout Layout) {
	p.minY, p.minX = p.taps[0].y, p.taps[0].x
	p.maxY, p.maxX = p.minY, p.minX
	for _, t := range p.taps {
		p.minY, p.maxY = min(p.minY, t.y), max(p.maxY, t.y)
		p.minX, p.maxX = min(p.minX, t.x), max(p.maxX, t.x)
	}
	p.inPlace = p.minY >= 0 && p.minX >= 0 && (p.rows-1)*p.sy+p.maxY < d.h && (p.cols-1)*p.sx+p.maxX < d.w
	single := len(p.taps) == 1 && p.dy == 1 && p.dx == 1
	if single && p.inPlace && p.sy == 1 && p.sx == 1 && p.cols == d.w { // rows follow each other
		p.rows, p.cols = 1, p.rows*p.cols
		d.w, d.h = p.cols, 1
	}
	p.compact = single && (!p.inPlace || p.sy > 1 || p.sx > 1)
	p.inPlace = p.inPlace && !p.compact
	p.blocks = layout == Blocked && d.kernel.blocks != nil && segmentChannels(d.channels, d.kernel.width)%blockColumns == 0 &&
		p.dx == 1 && d.in.pixel == d.kernel.width && d.out.pixel == d.kernel.width
	p.planes = layout == Planar && p.dx == 1 && d.out.pixel == d.kernel.width
	if p.blocks && p.sx > 1 && !p.compact { // pixels of a tile lie side by side in the strip
		p.inPlace, p.split = false, min(p.sx, p.maxX-p.minX+1)
	}

	inner := func(least, most, step, size, count int) (from, to int) {
		from = min(ceilDivide(max(-least, 0), step), count)
		return from, max(min((max(size-1-most, -step)+step)/step, count), from)
	}
	p.inner0, p.inner1 = inner(p.minX, p.maxX, p.sx, d.w, p.cols)
	p.innerTop, p.innerBottom = inner(p.minY, p.maxY, p.sy, d.h, p.rows)
	p.edges = layout == Planar && !p.inPlace && !p.compact

	unit := d.in.pixel
	if layout == Blocked {
		unit = d.kernel.width
	}
	stripRows := func(rows int) int { return (rows-1)*p.sy + p.maxY - p.minY + 1 }
	stripCols := func(cols int) int { return (cols-1)*p.sx + p.maxX - p.minX + 1 }
	if p.split > 0 {
		stripCols = func(cols int) int { return p.split * (cols + (p.maxX-p.minX)/p.sx) }
	}
	if p.compact {
		stripRows = func(rows int) int { return rows }
		stripCols = stripRows
	}
	budget := smallStrip
	switch {
	case p.large(d, 4*len(p.taps)*d.inBlocks*unit*d.outBlocks*d.kernel.width):
		budget = largeStrip
	case layout == Planar:
		budget = planarStrip
	case p.blocks && p.inPlace && d.kernel.masked:
		budget = blockStrip
	}
	size := func(rows, cols int) int { return 4 * d.inBlocks * stripRows(rows) * stripCols(cols) * unit }
	rows, cols := p.rows, p.cols
	for rows > 1 && size(rows, cols) > budget {
		rows = (rows + 1) / 2
	}
	for cols > 4*d.kernel.rows && size(rows, cols) > budget {
		cols = (cols + 1) / 2
	}
	if p.inPlace && p.rows == 1 && cols < p.cols { // better all tiles of all regions are full
		for n := budget / size(1, 1) / d.kernel.rows * d.kernel.rows; 2*n >= cols && n > 0; n -= d.kernel.rows {
			if p.cols%n == 0 {
				cols = n
				break
			}
		}
	}
	p.rowParts, p.colParts = split(p.rows, rows), split(p.cols, cols)
	p.strip = d.in
	if !p.inPlace {
		rows, cols = p.rowParts.largest(), p.colParts.largest()
		p.strip.row = stripCols(cols) * unit
		p.strip.block = stripRows(rows) * p.strip.row
		p.strip.pixel = unit
		p.splitCols = stripCols(cols) / max(p.split, 1)
	}
}

// large reports whether weights of so many bytes are too many to stay in the
// second-level cache.
func (p *phase) large(d *direct, bytes int) bool {
	if p.blocks && d.kernel.masked {
		return bytes > l2BlockWeights
	}
	return bytes > l2Weights
}

// column returns where column x of the taps lies in a row of the strip, in
// pixels.
func (p *phase) column(x int) int {
	if p.split > 0 {
		return x%p.sx*p.splitCols + x/p.sx
	}
	return x
}

// packPhase lists the segments of a phase and packs its weights.
func (d *direct) packPhase(p *phase, layout Layout, cg, kg, run int, weightAt func(k, c, index int) float32) {
	c := d.kernel.width
	p.k = run
	step := 1 // channels of a block that a segment begins at
	if layout == Blocked {
		run = 1
		step = segmentChannels(cg, c)
		if p.blocks {
			step = blockColumns
		}
		p.k = step
	}
	p.offsets, p.placed = nil, nil
	type source struct{ channel, tap int }
	var sources []source // of each segment
	for b := range d.inBlocks {
		for i := 0; i < len(p.taps); i += run {
			t := p.taps[i]
			base := b*p.strip.block + (t.y-p.minY)*p.strip.row + p.column(t.x-p.minX)*p.strip.pixel
			if layout == Planar {
				p.offsets = append(p.offsets, 4*base)
				if p.edges {
					p.placed = append(p.placed, 4*(b*d.in.block+(t.y-p.minY)*d.in.row+(t.x-p.minX)*d.in.pixel))
				}
				sources = append(sources, source{b, i})
				continue
			}
			for l := 0; l < c && b*c+l < cg; l += step {
				p.offsets = append(p.offsets, 4*(base+l))
				sources = append(sources, source{b*c + l, i})
			}
		}
	}
	large := p.large(d, 4*d.outBlocks*c*len(sources)*p.k)
	// Weights that one region reads come from memory in a network.
	p.stream = large || p.blocks && d.images*p.rowParts.count*p.colParts.count == 1 && p.rows*p.cols <= streamPixels
	panel, segments := smallPanel, chunkSegments
	switch {
	case p.blocks:
		panel, segments = blockPanel, chunkSegments*c/blockColumns
	case large:
		panel = largePanel
	}
	p.chunks = split(len(sources), max(min(panel/(8*c*p.k), segments), 1))
	p.panels = panelsOf(d.outBlocks, p.blocks)

	p.packed = Aligned[float32](d.groups * d.outBlocks * len(sources) * p.k * c)
	at := 0
	for g := range d.groups {
		for q := range p.panels.count {
			b, vectors := p.panels.start(q)
			width := vectors * c
			for _, s := range sources {
				for i := range p.k {
					channel, index := s.channel, p.taps[s.tap].index
					if layout == Planar {
						index = p.taps[s.tap+i].index
					} else {
						channel += i
					}
					row := p.packed[at:][:width]
					at += width
					clear(row)
					for l := range row {
						if k := b*c + l; k < kg {
							row[l] = weightAt(g*kg+k, channel, index)
						}
					}
				}
			}
		}
	}
}

// segmentChannels returns how many channels a segment has, so that segments
// of one length cover the channels of a group, and none that is not there: its
// value, even multiplied by a weight of 0, could spoil the sum.
func segmentChannels(channels, block int) int {
	for channels%block != 0 {
		block /= 2
	}
	return block
}

// largest returns the size of the first part, which none exceeds.
func (p partition) largest() int { return p.start(1) }
