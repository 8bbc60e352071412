package kernels

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

// depthwisePass is one of the three computations.
type depthwisePass int

const (
	depthwiseForwardPass depthwisePass = iota
	depthwiseInputPass
	depthwiseWeightPass
)

// planesJob is one call. A part is some channels: those of the output, or of
// the input for its gradient. How the channels are cut does not matter to what
// is computed for each.
type planesJob struct {
	pass       depthwisePass
	s          Conv2D
	multiplier int // output channels of an input channel
	channels   int
	parts      int

	dst, src, weight, bias, residual []float32
	act                              Activation
	lo, hi                           float32
	fused                            bool // lo and hi are the activation

	layout  flatLayout
	offsets []int // of the positions of the kernel
	y, x    backwardAxis
	outSize int // of the results for one phase of the columns
	phases  []inputPhase

	workers []planesScratch
}

// planesScratch is the memory of one thread.
type planesScratch struct{ planes, out, weights []float32 }

// inputPhase lists the positions of the kernel that contribute to one phase
// of the input.
type inputPhase struct{ offsets, taps []int }

// run does the call: planes, out and weights elements of scratch are needed.
func (j *planesJob) run(channels, planes, out, weights int) {
	s, threads := j.s, threadCount()
	if depthwiseWork*s.outputSize()*s.R*s.S < 2*partWork {
		threads = 1
	}
	for len(j.workers) < threads {
		j.workers = append(j.workers, planesScratch{})
	}
	for i := range j.workers[:threads] {
		w := &j.workers[i]
		w.planes, w.out, w.weights = grow(w.planes, planes), grow(w.out, out), grow(w.weights, weights)
	}
	j.channels, j.parts = channels, 1
	if threads == 1 {
		j.part(0, 0)
	} else {
		j.parts = min(4*threads, channels)
		parallel(j.parts, j)
	}
	j.dst, j.src, j.weight, j.bias, j.residual = nil, nil, nil, nil, nil
}

func (j *planesJob) part(i, worker int) {
	from, to := i*j.channels/j.parts, (i+1)*j.channels/j.parts
	w := &j.workers[worker]
	clear(w.planes)
	clear(w.out)
	switch j.pass {
	case depthwiseForwardPass:
		j.forward(w, from, to)
	case depthwiseInputPass:
		j.backwardInput(w, from, to)
	default:
		j.backwardWeight(w, from, to)
	}
}

// plane returns plane channel of image n of x, which has channels planes.
func plane(x []float32, n, channels, channel, size int) []float32 {
	return x[(n*channels+channel)*size:][:size]
}

// copyPlanes copies the planes of a channel of the images from first on.
func (j *planesJob) copyPlanes(planes, x []float32, first, images, channels, channel int) {
	for i := range images {
		j.layout.copyIn(planes, plane(x, first+i, channels, channel, j.layout.y.size*j.layout.x.size), i)
	}
}

// depthwiseForward sets dst = act(conv(src) + bias + residual); bias and
// residual may be nil, and residual may be dst.
func depthwiseForward(ws *Workspace, s Conv2D, dst, src, weight, bias, residual []float32, act Activation) {
	if s.outputSize() == 0 {
		return
	}
	j := &ws.planes
	j.pass, j.s, j.multiplier = depthwiseForwardPass, s, s.K/s.C
	j.dst, j.src, j.weight, j.bias, j.residual, j.act = dst, src, weight, bias, residual, act
	j.lo, j.hi, j.fused = act.bounds()
	if residual != nil || !j.fused {
		j.lo, j.hi, j.fused = -infinity, infinity, act == NoActivation
	}
	l := depthwiseLayout(s)
	j.layout, j.offsets = l, depthwiseOffsets(j.offsets[:0], s, &l)
	j.run(s.K, l.elements(), l.outputs(l.images, s.OutH(), s.OutW())+scratchSlack, 0)
}

func (j *planesJob) forward(w *planesScratch, from, to int) {
	s, l := j.s, &j.layout
	outH, outW, taps := s.OutH(), s.OutW(), s.R*s.S
	for first := 0; first < s.N; first += l.images {
		images := min(l.images, s.N-first)
		for k := from; k < to; k++ {
			if k == from || k%j.multiplier == 0 {
				j.copyPlanes(w.planes, j.src, first, images, s.C, k/j.multiplier)
			}
			var b float32
			if j.bias != nil {
				b = j.bias[k]
			}
			depthwise.convolve(w.out, w.planes, l.outputs(images, outH, outW), j.offsets, j.weight[k*taps:][:taps], b, j.lo, j.hi)
			for i := range images {
				dst, from := plane(j.dst, first+i, s.K, k, outH*outW), w.out[i*l.y.pitch*l.x.pitch:]
				if j.residual != nil {
					copy(dst, plane(j.residual, first+i, s.K, k, outH*outW))
					depthwise.addPlane(dst, from, outH, outW, l.x.pitch, outW)
				} else {
					depthwise.copyPlane(dst, from, outH, outW, l.x.pitch, outW)
				}
				if !j.fused {
					Activate(j.act, dst, dst)
				}
			}
		}
	}
}

// depthwiseBackwardWeight adds the gradient of the weights to dweight: one
// inner product of the flat planes for each position of the kernel.
func depthwiseBackwardWeight(ws *Workspace, s Conv2D, dweight, src, ddst []float32) {
	if s.outputSize() == 0 {
		return
	}
	j := &ws.planes
	j.pass, j.s, j.multiplier = depthwiseWeightPass, s, s.K/s.C
	j.weight, j.src, j.dst = dweight, src, ddst
	l := depthwiseLayout(s)
	j.layout, j.offsets = l, depthwiseOffsets(j.offsets[:0], s, &l)
	for len(j.offsets)%correlateTaps != 0 {
		j.offsets = append(j.offsets, 0) // its sum is not used
	}
	j.run(s.K, l.elements(), l.outputs(l.images, s.OutH(), s.OutW())+scratchSlack, len(j.offsets))
}

func (j *planesJob) backwardWeight(w *planesScratch, from, to int) {
	s, l := j.s, &j.layout
	outH, outW, taps := s.OutH(), s.OutW(), s.R*s.S
	sums := w.weights
	for first := 0; first < s.N; first += l.images {
		images := min(l.images, s.N-first)
		n := l.outputs(images, outH, outW)
		clear(w.out[n:]) // of a fuller stack
		for k := from; k < to; k++ {
			if k == from || k%j.multiplier == 0 {
				j.copyPlanes(w.planes, j.src, first, images, s.C, k/j.multiplier)
			}
			for i := range images {
				depthwise.copyPlane(w.out[i*l.y.pitch*l.x.pitch:], plane(j.dst, first+i, s.K, k, outH*outW), outH, l.x.pitch, outW, outW)
			}
			clear(sums)
			for t := 0; t < len(sums); t += correlateTaps {
				depthwise.correlate((*[correlateTaps]float32)(sums[t:]), w.out, w.planes, n, (*[correlateTaps]int)(j.offsets[t:]))
			}
			to := j.weight[k*taps:][:taps]
			for t := range to {
				to[t] += sums[t]
			}
		}
	}
}

// depthwiseBackwardInput adds the gradient of the input to dsrc. Each phase
// of the input is a convolution of ddst with the positions of the kernel that
// meet it, in reverse; with stride 1 there is one phase, and it is the forward
// pass with the kernel turned by half a turn.
func depthwiseBackwardInput(ws *Workspace, s Conv2D, dsrc, ddst, weight []float32) {
	if s.outputSize() == 0 || s.inputSize() == 0 {
		return
	}
	j := &ws.planes
	j.pass, j.s, j.multiplier = depthwiseInputPass, s, s.K/s.C
	j.src, j.dst, j.weight = dsrc, ddst, weight
	j.y = newBackwardAxis(s.H, s.OutH(), s.R, s.PadTop, s.StrideH, s.DilationH)
	j.x = newBackwardAxis(s.W, s.OutW(), s.S, s.PadLeft, s.StrideW, s.DilationW)
	l := newFlatLayout(j.y.flatAxis, j.x.flatAxis, s.N)
	j.layout = l
	rows, columns := min(s.StrideH, s.H), min(s.StrideW, s.W)
	for len(j.phases) < rows*columns {
		j.phases = append(j.phases, inputPhase{})
	}
	for i := range rows * columns {
		p := &j.phases[i]
		p.offsets, p.taps = p.offsets[:0], p.taps[:0]
		for t := range s.R * s.S {
			r, q := t/s.S, t%s.S
			if j.y.meets(i/columns, r) && j.x.meets(i%columns, q) {
				p.offsets = append(p.offsets, l.offset(0, 0, j.y.read(r), j.x.read(q)))
				p.taps = append(p.taps, t)
			}
		}
	}
	j.outSize = l.outputs(l.images, j.y.outputs, j.x.outputs) + scratchSlack
	j.run(s.C, l.elements(), s.StrideW*j.outSize, s.R*s.S)
}

func (j *planesJob) backwardInput(w *planesScratch, from, to int) {
	s, l := j.s, &j.layout
	rows, columns := min(s.StrideH, s.H), min(s.StrideW, s.W)
	for first := 0; first < s.N; first += l.images {
		images := min(l.images, s.N-first)
		n := l.outputs(images, j.y.outputs, j.x.outputs)
		for k := from * j.multiplier; k < to*j.multiplier; k++ {
			j.copyPlanes(w.planes, j.dst, first, images, s.K, k)
			weight := j.weight[k*s.R*s.S:]
			for iy := range rows {
				for ix := range columns {
					p := j.phases[iy*columns+ix]
					for i, t := range p.taps {
						w.weights[i] = weight[t]
					}
					depthwise.convolve(w.out[ix*j.outSize:], w.planes, n, p.offsets, w.weights[:len(p.taps)], 0, -infinity, infinity)
				}
				for i := range images {
					dsrc := plane(j.src, first+i, s.C, k/j.multiplier, s.H*s.W)
					addPhase(dsrc[iy*s.W:], w.out[i*l.y.pitch*l.x.pitch:], j.outSize, l.x.pitch, iy, &j.y, &j.x)
				}
			}
		}
	}
}
