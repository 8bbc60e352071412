package kernels

// depthwiseStrip is the work of one call of a kernel of depthwise convolution
// in blocks of channels: some lines of the output of one block of channels. A
// pixel is a vector of channels; distances are in bytes.
type depthwiseStrip struct {
	dst, src     *float32 // of the first line, and of the image
	residual     *float32 // as dst, or nil
	weight, bias *float32 // of the block
	dstLine      int      // from one line to the next
	srcRow       int      // from one row of the kernel to the next, in the image
	weightRow    int
	srcTap       int // from one position of a row of the kernel to the next
	srcOutput    int // from one output to the next

	lines     *depthwiseLine
	lineCount int
	spans     *depthwiseSpan // that make up a line
	spanCount int

	// Where the assembly is, as it counts lineCount down. Numbers, since a
	// pointer that had moved beyond its array would upset the garbage collector.
	lineAt, dstAt int
	//lint:ignore U1000 only the assembly uses them
	runSrc, runDst, runWeight, runRows int

	activation int
	low, high  float32
}

// depthwiseLine is a line of the output: the first row of the image that the
// kernel meets there, the weights of the first row of the kernel that lies in
// the image, and the number of rows that do.
type depthwiseLine struct{ src, weight, rows int }

// depthwiseSpan is some outputs of a line, next to each other.
type depthwiseSpan struct {
	src, dst int // from the start of the line, in bytes
	count    int // outputs
	// Of the columns of the image that the first output and those after it
	// meet, counted from the first column of the first, first to end exist.
	first, end int
	// The kernels for any shape take outputs that meet the same taps
	// positions of the kernel instead, with their first weights at weight and
	// src the column that the first output meets with them.
	weight, taps int
}

// depthwiseBlockKernels are the kernels of depthwise convolution in blocks of
// channels of one instruction set.
type depthwiseBlockKernels struct {
	width int // channels of a block
	taps  func(t *depthwiseStrip)
	// spread copies pixels, channel lanes[i] to channel i.
	spread func(dst, src *float32, lanes *int32, pixels int)
	// columns has the kernels for some widths of the kernel and strides, and
	// outputs the longest span that they take, by the width. Spans must be that
	// long, with no more padding than keeps the size of the image, if exact.
	columns [8][3]func(t *depthwiseStrip)
	outputs [8]int
	exact   bool
}

var portableDepthwiseBlocks = &depthwiseBlockKernels{
	width: portableWidth,
	taps:  func(t *depthwiseStrip) { depthwiseTapsPortable(t, portableWidth) },
	spread: func(dst, src *float32, lanes *int32, pixels int) {
		depthwiseSpreadPortable(dst, src, lanes, pixels, portableWidth)
	},
}

var depthwiseBlocks = portableDepthwiseBlocks

// blockedDepthwise is a depthwise convolution with its weights laid out for
// images in blocks of channels, NCHWc.
type blockedDepthwise struct {
	shape   Conv2D
	kernels *depthwiseBlockKernels
	weight  []float32 // [blocks][R][S][c]
	bias    []float32 // [blocks][c]
	lines   []depthwiseLine
	// A line is made of spans for the kernel columns and spans for the kernel
	// for any shape.
	columns func(t *depthwiseStrip)
	// With several outputs of a channel, each block of channels is copied
	// before it is convolved, to a block in which channels repeat, in lanes
	// that depend on the remainder of the block of the output.
	multiplier  int
	lanes       []int32
	columnSpans []depthwiseSpan
	tapSpans    []depthwiseSpan
}

// packDepthwiseBlocked prepares a convolution with one group a channel, of one
// or more outputs each, for the layout NCHWc of the implementation in use;
// weight is [K, 1, R, S], and bias [K] or nil.
func packDepthwiseBlocked(s Conv2D, weight, bias []float32) *blockedDepthwise {
	k := depthwiseBlocks
	width := k.width
	d := &blockedDepthwise{shape: s, kernels: k, multiplier: s.K / s.C}
	blocks, taps := (s.K+width-1)/width, s.R*s.S
	d.weight, d.bias = Aligned[float32](blocks*taps*width), Aligned[float32](blocks*width)
	for c := range s.K {
		for t := range taps {
			d.weight[(c/width*taps+t)*width+c%width] = weight[c*taps+t]
		}
	}
	copy(d.bias, bias)
	if d.multiplier > 1 {
		for i := range d.multiplier * width {
			d.lanes = append(d.lanes, int32(i/d.multiplier))
		}
	}
	if s.S < len(k.columns) && s.StrideW < len(k.columns[0]) && s.DilationW == 1 && s.PadLeft < s.S {
		d.columns = k.columns[s.S][s.StrideW]
	}
	if d.columns != nil {
		d.addColumns(k.outputs[s.S])
	} else {
		d.addTaps(0, s.OutW())
	}
	for y := range s.OutH() {
		row := y*s.StrideH - s.PadTop
		first, end := meeting(row, s.DilationH, s.R, s.H)
		l := depthwiseLine{rows: end - first}
		if l.rows > 0 {
			l.src, l.weight = (row+first*s.DilationH)*s.W*4*width, first*s.S*4*width
		}
		d.lines = append(d.lines, l)
	}
	return d
}

// meeting returns the positions from first to end of a kernel of size size
// that lie in an image of size limit when position 0 lies at start.
func meeting(start, dilation, size, limit int) (first, end int) {
	if start < 0 {
		first = min((-start+dilation-1)/dilation, size)
	}
	if start < limit {
		end = min((limit-start+dilation-1)/dilation, size)
	}
	return first, max(first, end)
}

// addColumns cuts a line into spans of the length longest, or of 7, which have
// code of their own; what is left makes a shorter one.
func (d *blockedDepthwise) addColumns(longest int) {
	s, pixel := d.shape, 4*d.kernels.width
	outW := s.OutW()
	if outW%longest != 0 && outW%7 == 0 {
		longest = 7
	}
	for x := 0; x < outW; x += longest {
		count, column := min(longest, outW-x), x*s.StrideW-s.PadLeft
		reach := (count-1)*s.StrideW + s.S
		span := depthwiseSpan{
			src: column * pixel, dst: x * pixel, count: count,
			first: max(0, -column), end: min(reach, s.W-column),
		}
		if d.kernels.exact && (count < longest || span.first > s.S/2 || span.end < reach-s.S/2) {
			d.addTaps(x, x+count)
			continue
		}
		d.columnSpans = append(d.columnSpans, span)
	}
}

// addTaps cuts part of a line into spans that meet the same columns of the
// kernel.
func (d *blockedDepthwise) addTaps(from, to int) {
	s, pixel := d.shape, 4*d.kernels.width
	for x := from; x < to; x++ {
		column := x*s.StrideW - s.PadLeft
		first, end := meeting(column, s.DilationW, s.S, s.W)
		next := depthwiseSpan{
			src: (column + first*s.DilationW) * pixel, dst: x * pixel, count: 1,
			weight: first * pixel, taps: end - first,
		}
		if n := len(d.tapSpans); n > 0 && x > from && d.tapSpans[n-1].weight == next.weight && d.tapSpans[n-1].taps == next.taps {
			d.tapSpans[n-1].count++
			continue
		}
		d.tapSpans = append(d.tapSpans, next)
	}
}

// depthwiseJob is one call of a blockedDepthwise. A part is a strip of rows of
// a block of channels of an image.
type depthwiseJob struct {
	d                  *blockedDepthwise
	dst, src, residual []float32
	strips             int              // of a block
	late               Activation       // that the kernels do not know
	workers            []depthwiseStrip // of each thread
	template           depthwiseStrip   // what all parts have in common
	images             [][]float32      // scratch of each thread, for one block
}

// blocks returns the number of blocks of channels.
func (d *blockedDepthwise) blocks() int { return len(d.bias) / d.kernels.width }

// forward computes dst = act(convolution(src) + bias + residual), where src is
// [N, ceil(C/c), H, W, c], and dst and residual, which may be nil or dst
// itself, are [N, ceil(K/c), OutH, OutW, c].
func (d *blockedDepthwise) forward(ws *Workspace, dst, src, residual []float32, act Activation) {
	s, width := d.shape, d.kernels.width
	outH, outW := s.OutH(), s.OutW()
	blocks := d.blocks()
	size := s.N * blocks * outH * outW * width
	checkLength("depthwise convolution", "input", len(src), s.N*((s.C+width-1)/width)*s.H*s.W*width)
	checkLength("depthwise convolution", "output", len(dst), size)
	if residual != nil {
		checkLength("depthwise convolution", "residual", len(residual), size)
	}
	if size == 0 {
		return
	}
	j := &ws.depthwise
	j.start(d, dst, src, residual, act)
	threads := threadCount()
	for len(j.workers) < threads {
		j.workers = append(j.workers, depthwiseStrip{})
	}
	if d.multiplier > 1 {
		for len(j.images) < threads {
			j.images = append(j.images, nil)
		}
		for i := range j.images[:threads] {
			j.images[i] = grow(j.images[i], s.H*s.W*width)
		}
	}
	j.strips = 1
	if depthwiseWork*size*s.R*s.S < 2*partWork {
		threads = 1
	} else if threads > 1 && d.multiplier == 1 {
		j.strips = min(outH, (4*threads-1)/(s.N*blocks)+1)
	}
	parts := s.N * blocks * j.strips
	if threads == 1 {
		for i := range parts {
			j.part(i, 0)
		}
	} else {
		parallel(parts, j)
	}
	// What the call was given is not kept alive.
	clear(j.workers)
	j.d, j.dst, j.src, j.residual, j.template = nil, nil, nil, nil, depthwiseStrip{}
}

// start sets what all parts have in common.
func (j *depthwiseJob) start(d *blockedDepthwise, dst, src, residual []float32, act Activation) {
	s, pixel := d.shape, 4*d.kernels.width
	j.d, j.dst, j.src, j.residual = d, dst, src, residual
	j.template = depthwiseStrip{
		dstLine: s.OutW() * pixel, srcRow: s.DilationH * s.W * pixel,
		weightRow: s.S * pixel, srcTap: s.DilationW * pixel, srcOutput: s.StrideW * pixel,
	}
	var t tile
	j.late = NoActivation
	if !t.setActivation(act) {
		j.late = act
	}
	j.template.activation, j.template.low, j.template.high = t.activation, t.low, t.high
}

// depthwiseWork is what a multiplication counts as: each has a load to itself.
const depthwiseWork = 2

// part does one strip of a block.
func (j *depthwiseJob) part(i, worker int) {
	d := j.d
	s, width := d.shape, d.kernels.width
	outH, outW := s.OutH(), s.OutW()
	plane, strip := i/j.strips, i%j.strips
	block := plane % d.blocks()
	src := j.image(plane, worker)
	from, to := strip*outH/j.strips, (strip+1)*outH/j.strips
	out := (plane*outH + from) * outW * width
	var residual []float32
	if j.residual != nil {
		residual = j.residual[out:]
	}
	j.strip(&j.workers[worker], block, j.dst[out:out+(to-from)*outW*width], src, residual, d.lines[from:to])
}

// strip computes lines of a block of channels with t. The lines count from the
// start of src.
func (j *depthwiseJob) strip(t *depthwiseStrip, block int, dst, src, residual []float32, lines []depthwiseLine) {
	d := j.d
	s, width := d.shape, d.kernels.width
	*t = j.template
	t.dst, t.src = &dst[0], &src[0]
	if residual != nil {
		t.residual = &residual[0]
	}
	t.weight, t.bias = &d.weight[block*s.R*s.S*width], &d.bias[block*width]
	t.lines = &lines[0]
	if n := len(d.columnSpans); n > 0 {
		t.spans, t.spanCount = &d.columnSpans[0], n
		t.lineCount = len(lines)
		d.columns(t)
	}
	if n := len(d.tapSpans); n > 0 {
		t.spans, t.spanCount = &d.tapSpans[0], n
		t.lineCount, t.lineAt, t.dstAt = len(lines), 0, 0 // which columns has changed
		d.kernels.taps(t)
	}
	if j.late != NoActivation { // while the strip is in the cache
		Activate(j.late, dst, dst)
	}
}

// image returns the block of the image that a block of the output comes from.
func (j *depthwiseJob) image(plane, worker int) []float32 {
	d := j.d
	s, width := d.shape, d.kernels.width
	size := s.H * s.W * width
	if d.multiplier == 1 {
		return j.src[plane*size:][:size]
	}
	n, block := plane/d.blocks(), plane%d.blocks()
	blocks := (s.C + width - 1) / width
	src, dst := j.src[(n*blocks+block/d.multiplier)*size:][:size], j.images[worker]
	d.kernels.spread(&dst[0], &src[0], &d.lanes[block%d.multiplier*width], s.H*s.W)
	return dst
}
