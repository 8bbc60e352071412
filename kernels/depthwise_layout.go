package kernels

// flatAxis is one dimension of the flat layout of a plane.
type flatAxis struct {
	size   int // elements in the plane
	before int // padding before the first
	stride int // number of phases
	pitch  int // distance between rows, or between stacked images in rows
	reach  int // elements of a phase that are read or written, from the first
	starts [2]axisStart
}

// axisStart is where an element and those that follow it in steps of stride
// lie: their phase, the position of the first, and their number.
type axisStart struct{ phase, position, count int }

// newFlatAxis lays out size elements behind before elements of padding, for
// outputs that read up to element lastRead of a phase.
func newFlatAxis(size, before, stride, outputs, lastRead int) flatAxis {
	end := (before+size-1)/stride + 1
	a := flatAxis{
		size: size, before: before, stride: stride,
		pitch: max(end, lastRead+1-before/stride, outputs),
		reach: max(end, lastRead+1),
	}
	for i := range a.starts {
		a.starts[i] = a.start(i)
	}
	return a
}

func (a *flatAxis) start(i int) axisStart {
	p := i + a.before
	return axisStart{p % a.stride, p / a.stride, max(0, (a.size-i+a.stride-1)/a.stride)}
}

// flatLayout is where the planes of up to images images lie in scratch.
type flatLayout struct {
	y, x   flatAxis
	images int
	phase  int // elements of one phase of all images, with slack
}

func newFlatLayout(y, x flatAxis, images int) flatLayout {
	perImage := y.pitch * x.pitch * y.stride * x.stride
	images = max(1, min(images, scratchImages, scratchTarget/perImage))
	last := ((images-1)*y.pitch+y.reach-1)*x.pitch + x.reach
	return flatLayout{y: y, x: x, images: images, phase: last + scratchSlack}
}

func (l *flatLayout) elements() int { return l.y.stride * l.x.stride * l.phase }

// outputs returns the number of flat positions that images images with
// rows x columns outputs each span.
func (l *flatLayout) outputs(images, rows, columns int) int {
	return ((images-1)*l.y.pitch+rows-1)*l.x.pitch + columns
}

// offset returns the distance from an output to what it reads: element (y, x)
// of the given phases.
func (l *flatLayout) offset(phaseY, phaseX, y, x int) int {
	return (phaseY*l.x.stride+phaseX)*l.phase + y*l.x.pitch + x
}

// copyIn copies a plane to its place among the stacked images.
func (l *flatLayout) copyIn(planes, src []float32, image int) {
	width, pitch := l.x.size, l.x.pitch
	planes = planes[image*l.y.pitch*pitch:]
	if l.y.stride == 1 && l.x.stride == 1 {
		depthwise.copyPlane(planes[l.y.before*pitch+l.x.before:], src, l.y.size, pitch, width, width)
		return
	}
	step := l.y.stride * width
	for iy := range min(l.y.stride, l.y.size) {
		from, y := src[iy*width:], l.y.starts[iy&1]
		if iy > 1 {
			y = l.y.start(iy)
		}
		at := func(x axisStart) []float32 {
			return planes[l.offset(y.phase, x.phase, y.position, x.position):]
		}
		switch l.x.stride {
		case 1:
			depthwise.copyPlane(at(l.x.starts[0]), from, y.count, pitch, step, width)
		case 2:
			depthwise.splitPlane(at(l.x.starts[0]), at(l.x.starts[1]), from, y.count, pitch, step, width)
		default:
			for ix := range min(l.x.stride, width) {
				to := at(l.x.start(ix))
				for r := range y.count {
					for i, j := ix, 0; i < width; i, j = i+l.x.stride, j+1 {
						to[r*pitch+j] = from[r*step+i]
					}
				}
			}
		}
	}
}

// depthwiseLayout returns the layout of the input for the outputs of s.
func depthwiseLayout(s Conv2D) flatLayout {
	outH, outW := s.OutH(), s.OutW()
	return newFlatLayout(
		newFlatAxis(s.H, s.PadTop, s.StrideH, outH, outH-1+(s.R-1)*s.DilationH/s.StrideH),
		newFlatAxis(s.W, s.PadLeft, s.StrideW, outW, outW-1+(s.S-1)*s.DilationW/s.StrideW),
		s.N)
}

// depthwiseOffsets appends the offset of each position of the kernel.
func depthwiseOffsets(offsets []int, s Conv2D, l *flatLayout) []int {
	for r := range s.R {
		y := r * s.DilationH
		for q := range s.S {
			x := q * s.DilationW
			offsets = append(offsets, l.offset(y%s.StrideH, x%s.StrideW, y/s.StrideH, x/s.StrideW))
		}
	}
	return offsets
}

// backwardAxis is one dimension of the layout of ddst for the gradient of the
// input. Padded input element p gets position r of the kernel from output
// (p - r*dilation)/stride, where that is whole. With p = q*stride + phase, it
// lies floor(r*dilation/stride) before q: the same distance for all of a phase.
type backwardAxis struct {
	flatAxis
	size, pad        int // of the input
	stride, dilation int
	origin           int // q of the first input element
	outputs          int // range of q
	base             int // where position 0 of the kernel reads for the first q
}

func newBackwardAxis(size, outputs, kernel, pad, stride, dilation int) backwardAxis {
	a := backwardAxis{size: size, pad: pad, stride: stride, dilation: dilation, origin: pad / stride}
	a.outputs = (pad+size-1)/stride - a.origin + 1
	reach := (kernel - 1) * dilation / stride
	before := reach - min(reach, a.origin)
	a.base = a.origin + before
	a.flatAxis = newFlatAxis(outputs, before, 1, a.outputs, a.outputs-1+a.base)
	return a
}

// meets tells whether position r of the kernel contributes to element i.
func (a *backwardAxis) meets(i, r int) bool {
	return (i+a.pad-r*a.dilation)%a.stride == 0
}

// read returns the distance at which position r of the kernel reads.
func (a *backwardAxis) read(r int) int { return a.base - r*a.dilation/a.stride }

// phaseStart returns the first q of element i, counted from the origin, and
// the number of elements from i on in steps of stride.
func (a *backwardAxis) phaseStart(i int) (q, count int) {
	return (i+a.pad)/a.stride - a.origin, (a.size - i + a.stride - 1) / a.stride
}

// addPhase adds to dst the input rows of the phase that begins at row iy; from
// holds the column phases, outSize elements apart.
func addPhase(dst, from []float32, outSize, pitch, iy int, y, x *backwardAxis) {
	if y.stride == 1 && x.stride == 1 {
		depthwise.addPlane(dst, from, y.size, x.size, pitch, x.size)
		return
	}
	row, rows := y.phaseStart(iy)
	at := func(ix int) []float32 {
		column, _ := x.phaseStart(ix)
		return from[ix*outSize+row*pitch+column:]
	}
	step := y.stride * x.size
	switch x.stride {
	case 1:
		depthwise.addPlane(dst, at(0), rows, step, pitch, x.size)
	case 2:
		depthwise.mergePlane(dst, at(0), at(1), rows, step, pitch, x.size)
	default:
		for ix := range min(x.stride, x.size) {
			phase := at(ix)
			for r := range rows {
				for i, j := ix, 0; i < x.size; i, j = i+x.stride, j+1 {
					dst[r*step+i] += phase[r*pitch+j]
				}
			}
		}
	}
}
