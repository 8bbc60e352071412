package kernels

import "sync"

// Depthwise convolution, forward and backward, is done on flat copies of the
// planes. A plane is copied row by row into scratch whose row pitch leaves a
// gap of zeros as wide as the padding, which serves as the right padding of
// one row and the left padding of the next; images of the same channel stack
// with shared padding rows in the same way. Output y, x then needs the input
// at a distance from position y*pitch+x that is the same for every output, so
// that the whole plane is a one-dimensional convolution: one inner loop for
// every kernel size, padding and dilation, in which planes far narrower than a
// vector still fill the lanes. Outputs that fall in a gap are thrown away.
//
// A stride is undone in the copy: the padded plane is split into its phases
// (even and odd rows and columns, for stride 2), each a flat plane of its own.

// depthwiseKernels are the implementations of one instruction set. "Slack"
// below is scratchSlack elements beyond the last one named.
type depthwiseKernels struct {
	// convolve sets dst[i] = min(max(bias + sum over t of
	// weights[t]*src[i+offsets[t]], lo), hi) for i < n. It may read and write
	// into the slack.
	convolve func(dst, src []float32, n int, offsets []int, weights []float32, bias, lo, hi float32)
	// correlate adds to sums[t] the sum over i < n of
	// grad[i]*src[i+offsets[t]]. It may read into the slack, which is zero in
	// grad and finite in src.
	correlate func(sums *[correlateTaps]float32, grad, src []float32, n int, offsets *[correlateTaps]int)
	// copyPlane copies rows of width elements.
	copyPlane func(dst, src []float32, rows, dstStep, srcStep, width int)
	// addPlane adds rows of width elements to those of dst.
	addPlane func(dst, src []float32, rows, dstStep, srcStep, width int)
	// splitPlane copies the even and the odd elements of src to rows of their
	// own. It may write zeros into the slack of a row before it copies the next.
	splitPlane func(even, odd, src []float32, rows, dstStep, srcStep, width int)
	// mergePlane adds to the even elements of a row those of even, to the odd
	// ones those of odd. It may read into the slack of even and odd.
	mergePlane func(dst, even, odd []float32, rows, dstStep, srcStep, width int)
}

const (
	scratchSlack  = 32   // twice the longest vector
	scratchTarget = 4096 // elements of scratch that images are stacked up to
	scratchImages = 8    // images stacked at most: as many streams as are prefetched
	correlateTaps = 9    // kernel positions per pass over a plane
)

var portableDepthwise = depthwiseKernels{
	convolve:   convolvePortable,
	correlate:  correlatePortable,
	copyPlane:  copyPlanePortable,
	addPlane:   addPlanePortable,
	splitPlane: splitPlanePortable,
	mergePlane: mergePlanePortable,
}

var depthwise = portableDepthwise

// setDepthwiseKernels makes the depthwise convolutions use the instructions in.
func setDepthwiseKernels(in instructions) {
	depthwise = depthwiseImplementation(in.base)
	depthwiseBlocks = depthwiseBlockImplementation(in.base)
}

// depthwiseScratch is the memory of one call.
type depthwiseScratch struct {
	planes, out []float32
	weights     []float32
	offsets     []int
	phases      []inputPhase
}

var depthwisePool = sync.Pool{New: func() any { return new(depthwiseScratch) }}

// zeroed returns *buffer with n elements, all zero.
func zeroed(buffer *[]float32, n int) []float32 {
	if cap(*buffer) < n {
		*buffer = make([]float32, n)
	}
	*buffer = (*buffer)[:n]
	clear(*buffer)
	return *buffer
}

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

// depthwiseForward sets dst = act(conv(src) + bias + residual); bias and
// residual may be nil, and residual may be dst.
func depthwiseForward(s Conv2D, dst, src, weight, bias, residual []float32, act Activation) {
	outH, outW := s.OutH(), s.OutW()
	inPlane, outPlane, taps := s.H*s.W, outH*outW, s.R*s.S
	if s.N*s.C*outPlane == 0 {
		return
	}
	lo, hi, fused := act.bounds()
	if residual != nil || !fused {
		lo, hi, fused = -infinity, infinity, act == NoActivation
	}
	l := depthwiseLayout(s)
	scratch := depthwisePool.Get().(*depthwiseScratch)
	defer depthwisePool.Put(scratch)
	planes := zeroed(&scratch.planes, l.elements())
	out := zeroed(&scratch.out, l.outputs(l.images, outH, outW)+scratchSlack)
	offsets := depthwiseOffsets(scratch.offsets[:0], s, &l)
	scratch.offsets = offsets
	for first := 0; first < s.N; first += l.images {
		images := min(l.images, s.N-first)
		for c := range s.C {
			var b float32
			if bias != nil {
				b = bias[c]
			}
			w := weight[c*taps:][:taps]
			for i := range images {
				l.copyIn(planes, src[((first+i)*s.C+c)*inPlane:][:inPlane], i)
			}
			depthwise.convolve(out, planes, l.outputs(images, outH, outW), offsets, w, b, lo, hi)
			for i := range images {
				at := ((first+i)*s.C + c) * outPlane
				to, from := dst[at:][:outPlane], out[i*l.y.pitch*l.x.pitch:]
				if residual != nil {
					copy(to, residual[at:][:outPlane])
					depthwise.addPlane(to, from, outH, outW, l.x.pitch, outW)
				} else {
					depthwise.copyPlane(to, from, outH, outW, l.x.pitch, outW)
				}
				if !fused {
					Activate(act, to, to)
				}
			}
		}
	}
}

// depthwiseBackwardWeight adds the gradient of the weights to dweight: one
// inner product of the flat planes for each position of the kernel.
func depthwiseBackwardWeight(s Conv2D, dweight, src, ddst []float32) {
	outH, outW := s.OutH(), s.OutW()
	inPlane, outPlane, taps := s.H*s.W, outH*outW, s.R*s.S
	if s.N*s.C*outPlane == 0 {
		return
	}
	l := depthwiseLayout(s)
	scratch := depthwisePool.Get().(*depthwiseScratch)
	defer depthwisePool.Put(scratch)
	planes := zeroed(&scratch.planes, l.elements())
	grad := zeroed(&scratch.out, l.outputs(l.images, outH, outW)+scratchSlack)
	offsets := depthwiseOffsets(scratch.offsets[:0], s, &l)
	for len(offsets)%correlateTaps != 0 {
		offsets = append(offsets, 0) // its sum is not used
	}
	scratch.offsets = offsets
	sums := zeroed(&scratch.weights, len(offsets))
	for first := 0; first < s.N; first += l.images {
		images := min(l.images, s.N-first)
		n := l.outputs(images, outH, outW)
		clear(grad[n:]) // of a fuller stack
		for c := range s.C {
			for i := range images {
				plane := (first+i)*s.C + c
				l.copyIn(planes, src[plane*inPlane:][:inPlane], i)
				depthwise.copyPlane(grad[i*l.y.pitch*l.x.pitch:], ddst[plane*outPlane:], outH, l.x.pitch, outW, outW)
			}
			clear(sums)
			for t := 0; t < len(sums); t += correlateTaps {
				depthwise.correlate((*[correlateTaps]float32)(sums[t:]), grad, planes, n, (*[correlateTaps]int)(offsets[t:]))
			}
			to := dweight[c*taps:][:taps]
			for t := range to {
				to[t] += sums[t]
			}
		}
	}
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

// inputPhase lists the positions of the kernel that contribute to one phase
// of the input.
type inputPhase struct{ offsets, taps []int }

// depthwiseBackwardInput adds the gradient of the input to dsrc. Each phase
// of the input is a convolution of ddst with the positions of the kernel that
// meet it, in reverse; with stride 1 there is one phase, and it is the forward
// pass with the kernel turned by half a turn.
func depthwiseBackwardInput(s Conv2D, dsrc, ddst, weight []float32) {
	outH, outW := s.OutH(), s.OutW()
	inPlane, outPlane, taps := s.H*s.W, outH*outW, s.R*s.S
	if s.N*s.C*outPlane*inPlane == 0 {
		return
	}
	y := newBackwardAxis(s.H, outH, s.R, s.PadTop, s.StrideH, s.DilationH)
	x := newBackwardAxis(s.W, outW, s.S, s.PadLeft, s.StrideW, s.DilationW)
	l := newFlatLayout(y.flatAxis, x.flatAxis, s.N)
	phaseRows, phaseColumns := min(s.StrideH, s.H), min(s.StrideW, s.W)

	scratch := depthwisePool.Get().(*depthwiseScratch)
	defer depthwisePool.Put(scratch)
	planes := zeroed(&scratch.planes, l.elements())
	outSize := l.outputs(l.images, y.outputs, x.outputs) + scratchSlack
	out := zeroed(&scratch.out, s.StrideW*outSize)
	weights := zeroed(&scratch.weights, taps)
	for len(scratch.phases) < phaseRows*phaseColumns {
		scratch.phases = append(scratch.phases, inputPhase{})
	}
	phases := scratch.phases[:phaseRows*phaseColumns]
	for i := range phases {
		p := &phases[i]
		p.offsets, p.taps = p.offsets[:0], p.taps[:0]
		for t := range taps {
			r, q := t/s.S, t%s.S
			if y.meets(i/phaseColumns, r) && x.meets(i%phaseColumns, q) {
				p.offsets = append(p.offsets, l.offset(0, 0, y.read(r), x.read(q)))
				p.taps = append(p.taps, t)
			}
		}
	}

	for first := 0; first < s.N; first += l.images {
		images := min(l.images, s.N-first)
		n := l.outputs(images, y.outputs, x.outputs)
		for c := range s.C {
			for i := range images {
				l.copyIn(planes, ddst[((first+i)*s.C+c)*outPlane:][:outPlane], i)
			}
			for iy := range phaseRows {
				for ix := range phaseColumns {
					p := phases[iy*phaseColumns+ix]
					for i, t := range p.taps {
						weights[i] = weight[c*taps+t]
					}
					depthwise.convolve(out[ix*outSize:], planes, n, p.offsets, weights[:len(p.taps)], 0, -infinity, infinity)
				}
				for i := range images {
					to := dsrc[((first+i)*s.C+c)*inPlane:][:inPlane]
					addPhase(to[iy*s.W:], out[i*l.y.pitch*l.x.pitch:], outSize, l.x.pitch, iy, &y, &x)
				}
			}
		}
	}
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
