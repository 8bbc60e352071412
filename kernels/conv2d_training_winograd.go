package kernels

// trainingWinograd is a convolution by Winograd's method whose weights are
// transformed at each call, since they are others every time.
type trainingWinograd struct {
	weights winogradWeights
	bias    []float32 // that fills blocks
}

// weightTransform is about how many nanoseconds the transformation of weights
// takes for each number that comes out of it.
const weightTransform = 0.5

// trainingTiles returns the size of the tiles of Winograd's method if it is
// expected to compute s between images in planes faster than a product with the
// unfolded image, else 0. Channels that are less than a block would have to be
// moved and multiplied as one.
func (s Conv2D) trainingTiles() int {
	if !s.winograd() || min(s.C, s.K) < tiles.width {
		return 0
	}
	best, _ := s.estimate(unfoldedGemm, Planar, Planar)
	size := 0
	for _, n := range [...]int{4, 2} {
		a := winograd4
		if n == 2 {
			a = winograd2
		}
		t, _ := s.estimate(a, Planar, Planar)
		if t += weightTransform * float64((n+2)*(n+2)*s.C*s.K); t < best {
			best, size = t, n
		}
	}
	return size
}

// run computes dst = convolution(src) + bias for images in planes, or with add
// set adds that to dst. Turned weights are those of the convolution of which
// this one is the gradient of the input.
func (w *trainingWinograd) run(ws *Workspace, s Conv2D, size int, dst, src, weight, bias []float32, turned, add bool) {
	w.weights.set(s, size)
	w.weights.pack(ws, weight, turned)
	if bias != nil {
		w.bias = grow(w.bias, BlockedSize(1, s.K, 1))
		clear(w.bias[copy(w.bias, bias[:s.K]):])
		bias = w.bias
	}
	var residual []float32
	if add {
		residual = dst
	}
	in := border{Planar, Blocked, s.N, s.C, 1, s.H * s.W}
	out := border{Planar, Blocked, s.N, s.K, 1, s.OutH() * s.OutW()}
	from := in.enter(ws, &ws.otherIn, src)
	to, residual := out.target(ws, dst, residual)
	w.weights.forward(ws, to, from, bias, residual, NoActivation)
	out.leave(ws, dst, to)
}
