package kernels

// Layout says how the channels of images lie in memory.
type Layout uint8

const (
	// Planar is [N, C, H, W].
	Planar Layout = iota
	// Blocked is NCHWc, [N, ceil(C/c), H, W, c] with c = [ChannelBlock]: the
	// channels of a block lie innermost. Those beyond C hold values that do
	// not matter, finite where all channels of the pixel are.
	Blocked
)

// String returns the usual name of the layout.
func (l Layout) String() string {
	if l == Blocked {
		return "NCHWc"
	}
	return "NCHW"
}

// blocks returns the number of blocks of channels.
func blocks(channels int) int { return (channels + tiles.width - 1) / tiles.width }

// BlockedSize returns the number of elements of n images of c channels and hw
// pixels in the layout [Blocked].
func BlockedSize(n, c, hw int) int { return n * blocks(c) * hw * tiles.width }

// Size returns the number of elements of n images of c channels and hw pixels.
func (l Layout) Size(n, c, hw int) int {
	if l == Blocked {
		return BlockedSize(n, c, hw)
	}
	return n * c * hw
}

// transposition is the work of one call of a transposing kernel: count times,
// a square of c by c elements, c the width of a vector,
//
//	dst[dstRows[j] + i] = src[srcRows[i] + j]
//
// Distances are in bytes. Rows of dst are written from the last to the first,
// so that of rows at one place the first remains.
type transposition struct {
	dst, src         *float32
	count            int
	dstStep, srcStep int // from one square to the next
	dstRows, srcRows [16]int
}

// transposeBlocks is the kernel in use; its width is that of tiles.
var transposeBlocks func(t *transposition)

func transposeBlocks4(t *transposition) { transposeBlocksPortable(t, portableWidth) }

// transposeBlocksPortable is the Go twin of the transposing kernels.
func transposeBlocksPortable(t *transposition, width int) {
	for n := range t.count {
		for j := width - 1; j >= 0; j-- {
			for i := range width {
				*elementAtByte(t.dst, n*t.dstStep+t.dstRows[j]+4*i) = *elementAtByte(t.src, n*t.srcStep+t.srcRows[i]+4*j)
			}
		}
	}
}

// ToBlocked copies n images [C, hw] in src to the layout [Blocked]. dst has
// BlockedSize(n, c, hw) elements.
func ToBlocked(ws *Workspace, n, c, hw int, dst, src []float32) {
	checkLength("ToBlocked", "src", len(src), n*c*hw)
	checkLength("ToBlocked", "dst", len(dst), BlockedSize(n, c, hw))
	ws.convert(n, c, hw, dst, src, true)
}

// FromBlocked copies n images in src, in the layout [Blocked], to [C, hw] in
// dst.
func FromBlocked(ws *Workspace, n, c, hw int, dst, src []float32) {
	checkLength("FromBlocked", "src", len(src), BlockedSize(n, c, hw))
	checkLength("FromBlocked", "dst", len(dst), n*c*hw)
	ws.convert(n, c, hw, dst, src, false)
}

// conversion is a change of layout as work for the threads: a part is a block
// of channels of an image, or a run of its pixels.
type conversion struct {
	c, hw, run, runs int
	dst, src         []float32
	toBlocked        bool
	squares          []transposition // by worker
}

// conversionPixels is the number of pixels that a part of a conversion has at
// most.
const conversionPixels = 4096

func (ws *Workspace) convert(n, c, hw int, dst, src []float32, toBlocked bool) {
	if n*c*hw == 0 {
		return
	}
	j := &ws.conversion
	j.c, j.hw, j.dst, j.src, j.toBlocked = c, hw, dst, src, toBlocked
	j.run = min(hw, conversionPixels)
	j.runs = (hw + j.run - 1) / j.run
	for len(j.squares) < threadCount() {
		j.squares = append(j.squares, transposition{})
	}
	shareOut(n*blocks(c)*j.runs, n*c*hw*elementWork, j)
	j.dst, j.src = nil, nil
}

func (j *conversion) part(i, worker int) {
	width, count := tiles.width, blocks(j.c)
	n, block, run := i/j.runs/count, i/j.runs%count, i%j.runs
	p0, p1 := run*j.run, min((run+1)*j.run, j.hw)
	channels := min(width, j.c-block*width)
	planar, blocked := (n*j.c+block*width)*j.hw, (n*count+block)*j.hw*width
	if j.toBlocked {
		planar, blocked := j.src[planar:][:channels*j.hw], j.dst[blocked:][:j.hw*width]
		if j.hw < width {
			for p := range j.hw {
				for l := range width {
					blocked[p*width+l] = planar[min(l, channels-1)*j.hw+p]
				}
			}
			return
		}
		j.squares[worker].between(planar, blocked, j.hw, channels, p0, p1, true)
		return
	}
	from, to := j.src[blocked:][:j.hw*width], j.dst[planar:][:channels*j.hw]
	if j.hw < width {
		for l := range channels {
			for p := range j.hw {
				to[l*j.hw+p] = from[p*width+l]
			}
		}
		return
	}
	j.squares[worker].between(to, from, j.hw, channels, p0, p1, false)
}

// between copies pixels p0 to p1 of a block of channels, hw pixels of a plane
// each, from planar to blocked or back. There are as many pixels as a vector
// has elements, or more. Channels that are not there are copies of the last.
func (t *transposition) between(planar, blocked []float32, hw, channels, p0, p1 int, toBlocked bool) {
	width := tiles.width
	planes, pixels := &t.dstRows, &t.srcRows
	if toBlocked {
		planes, pixels = pixels, planes
	}
	for i := range width {
		planes[i], pixels[i] = 4*hw*min(i, channels-1), 4*width*i
	}
	do := func(p, count int) {
		t.count = count
		t.dst, t.dstStep, t.src, t.srcStep = &planar[p], 4*width, &blocked[p*width], 4*width*width
		if toBlocked {
			t.dst, t.src = t.src, t.dst
			t.dstStep, t.srcStep = t.srcStep, t.dstStep
		}
		transposeBlocks(t)
	}
	if n := (p1 - p0) / width; n > 0 {
		do(p0, n)
	}
	if (p1-p0)%width != 0 {
		do(max(p1-width, 0), 1) // once more, or pixels of the run before
	}
	t.dst, t.src = nil, nil
}

// border is one side of a convolution: how images get from the layout of the
// caller to the one that the algorithm works in, and back. In blocks, the
// algorithm has those of each group of its own.
type border struct {
	outside, inside          Layout
	images, channels, groups int
	hw                       int
}

// size returns the number of elements outside.
func (b *border) size() int { return b.outside.Size(b.images, b.channels, b.hw) }

// same reports whether the layouts are the same.
func (b *border) same() bool {
	return b.outside == b.inside && (b.inside == Planar || b.groups == 1 || b.channels/b.groups%tiles.width == 0)
}

// enter returns src in the layout of the algorithm, in the memory of buffer
// unless it has that layout already.
func (b *border) enter(ws *Workspace, buffer *[]float32, src []float32) []float32 {
	if b.same() {
		return src
	}
	if b.outside == Blocked {
		to := buffer
		if b.inside == Blocked {
			to = &ws.planar
		}
		*to = grow(*to, b.images*b.channels*b.hw)
		ws.convert(b.images, b.channels, b.hw, *to, src, false)
		src = *to
	}
	if b.inside == Blocked {
		n, c := b.images*b.groups, b.channels/b.groups
		*buffer = grow(*buffer, BlockedSize(n, c, b.hw))
		ws.convert(n, c, b.hw, *buffer, src, true)
	}
	return *buffer
}

// target returns where the algorithm is to write what becomes dst, and the
// residual in its layout; they may be the same.
func (b *border) target(ws *Workspace, dst, residual []float32) (to, residualIn []float32) {
	if b.same() {
		return dst, residual
	}
	if residual != nil {
		to = b.enter(ws, &ws.otherOut, residual)
		return to, to
	}
	ws.otherOut = grow(ws.otherOut, b.inside.Size(b.images*b.groups, b.channels/b.groups, b.hw))
	return ws.otherOut, nil
}

// leave brings what the algorithm wrote to dst, unless it is there.
func (b *border) leave(ws *Workspace, dst, from []float32) {
	if b.same() {
		return
	}
	if b.inside == Blocked {
		to := dst
		if b.outside == Blocked {
			ws.planar = grow(ws.planar, b.images*b.channels*b.hw)
			to = ws.planar
		}
		ws.convert(b.images*b.groups, b.channels/b.groups, b.hw, to, from, false)
		from = to
	}
	if b.outside == Blocked {
		ws.convert(b.images, b.channels, b.hw, dst, from, true)
	}
}
