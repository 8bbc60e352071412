package kernels

import "math"

// ResizeMode is the interpolation of Resize.
type ResizeMode int

// The modes of Resize.
const (
	ResizeNearest ResizeMode = iota
	ResizeLinear
	ResizeCubic // Keys' kernel
)

// ResizeCoordinates tells where a pixel of the output lies in the input, as
// the attribute coordinate_transformation_mode of ONNX's Resize.
type ResizeCoordinates int

// The transformations of coordinates.
const (
	HalfPixel        ResizeCoordinates = iota // (x+1/2)/scale - 1/2
	PyTorchHalfPixel                          // the same, 0 if the output has one pixel
	AlignCorners                              // x * (size-1)/(outputSize-1)
	Asymmetric                                // x/scale
)

// ResizeRounding is how ResizeNearest rounds a coordinate, as the attribute
// nearest_mode of ONNX's Resize.
type ResizeRounding int

// The roundings of ResizeNearest.
const (
	RoundPreferFloor ResizeRounding = iota // to nearest, halves down
	RoundPreferCeil                        // to nearest, halves up
	RoundFloor
	RoundCeil
)

// Resize2D is the shape of a resized batch of planes: [Planes, H, W] becomes
// [Planes, OutH, OutW].
type Resize2D struct {
	Planes, H, W, OutH, OutW int
	Mode                     ResizeMode
	Coordinates              ResizeCoordinates
	Rounding                 ResizeRounding
	ScaleH, ScaleW           float64 // 0 is OutH/H and OutW/W
	Cubic                    float64 // coefficient of ResizeCubic, 0 is -0.75
}

// resizeTaps are the pixels of the input that make up each of the output along
// one dimension: count each, with their weights.
type resizeTaps struct {
	count   int
	indices []int
	weights []float32
}

// resizeJob is a call of Resize.
type resizeJob struct {
	Resize2D
	dst, src         []float32
	columns, rows    resizeTaps
	planesOfPart     int
	scratch          workerScratch
	skipH, skipW     bool // that dimension stays as it is
	first, last, end int  // of the parts of the scratch memory
}

// find sets the taps of a dimension.
func (t *resizeTaps) find(r *Resize2D, size, out int, scale float64) {
	if scale == 0 {
		scale = float64(out) / float64(size)
	}
	t.count = []int{1, 2, 4}[r.Mode]
	if n := out * t.count; cap(t.indices) < n {
		t.indices, t.weights = make([]int, n), make([]float32, n)
	}
	t.indices, t.weights = t.indices[:out*t.count], t.weights[:out*t.count]
	a := r.Cubic
	if a == 0 {
		a = -0.75
	}
	for i := range out {
		x := float64(i) / scale
		switch {
		case r.Coordinates == HalfPixel || r.Coordinates == PyTorchHalfPixel && out > 1:
			x = (float64(i)+0.5)/scale - 0.5
		case r.Coordinates == PyTorchHalfPixel || r.Coordinates == AlignCorners && out == 1:
			x = 0
		case r.Coordinates == AlignCorners:
			x = float64(i) * float64(size-1) / float64(out-1)
		}
		from := int(math.Floor(x))
		f := x - math.Floor(x)
		var weights [4]float64
		switch r.Mode {
		case ResizeNearest:
			switch {
			case r.Rounding == RoundCeil && f > 0,
				r.Rounding == RoundPreferCeil && f >= 0.5,
				r.Rounding == RoundPreferFloor && f > 0.5:
				from++
			}
			weights[0] = 1
		case ResizeLinear:
			weights = [4]float64{1 - f, f}
		case ResizeCubic:
			from--
			near := func(d float64) float64 { return ((a+2)*d-(a+3))*d*d + 1 }
			far := func(d float64) float64 { return ((a*d-5*a)*d+8*a)*d - 4*a }
			weights = [4]float64{far(1 + f), near(f), near(1 - f), far(2 - f)}
		}
		for k := range t.count {
			t.indices[i*t.count+k] = min(max(from+k, 0), size-1)
			t.weights[i*t.count+k] = float32(weights[k])
		}
	}
}

// Resize interpolates every plane of src [Planes, H, W] to dst
// [Planes, OutH, OutW], as the operator Resize of ONNX does along its last two
// dimensions. Pixels beyond the edge are those at the edge.
func Resize(ws *Workspace, r Resize2D, dst, src []float32) {
	j := &ws.resize
	checkLength("Resize", "dst", len(dst), r.Planes*r.OutH*r.OutW)
	checkLength("Resize", "src", len(src), r.Planes*r.H*r.W)
	if r.Planes*r.OutH*r.OutW == 0 {
		return
	}
	if r.H*r.W == 0 {
		panicLength("Resize", "plane", r.H*r.W, 1)
	}
	j.Resize2D, j.dst, j.src = r, dst, src
	j.columns.find(&r, r.W, r.OutW, r.ScaleW)
	j.rows.find(&r, r.H, r.OutH, r.ScaleH)
	j.skipW, j.skipH = j.columns.identity(r.W), j.rows.identity(r.H)
	j.planesOfPart = max(partElements/max(r.H*r.W, r.OutH*r.OutW), 1)
	// The plane on its side, resized along W, and that put upright.
	j.first = r.H * r.W
	j.last = j.first + r.H*r.OutW
	j.end = j.last + r.H*r.OutW
	j.scratch.grow(j.end)
	parallel((r.Planes+j.planesOfPart-1)/j.planesOfPart, j)
	j.dst, j.src = nil, nil
}

// identity reports whether the taps leave size pixels as they are.
func (t *resizeTaps) identity(size int) bool {
	if len(t.indices) != size*t.count {
		return false
	}
	for i, w := range t.weights {
		if w != 0 && (w != 1 || t.indices[i] != i/t.count) {
			return false
		}
	}
	return true
}

func (j *resizeJob) part(i, worker int) {
	s := j.scratch[worker]
	for p := i * j.planesOfPart; p < min((i+1)*j.planesOfPart, j.Planes); p++ {
		src, dst := j.src[p*j.H*j.W:][:j.H*j.W], j.dst[p*j.OutH*j.OutW:][:j.OutH*j.OutW]
		if !j.skipW {
			side, resized, upright := s[:j.first], s[j.first:j.last], s[j.last:j.end]
			if j.skipH {
				upright = dst
			}
			transposePlane(side, src, j.H, j.W)
			j.columns.apply(resized, side, j.H)
			transposePlane(upright, resized, j.OutW, j.H)
			src = upright
		}
		switch {
		case !j.skipH:
			j.rows.apply(dst, src, j.OutW)
		case j.skipW:
			copy(dst, src)
		}
	}
}

// apply combines rows of n elements.
func (t *resizeTaps) apply(dst, src []float32, n int) {
	for i := range len(t.indices) / t.count {
		y := dst[i*n : (i+1)*n]
		started := false
		for k := i * t.count; k < (i+1)*t.count; k++ {
			x, w := src[t.indices[k]*n:][:n], t.weights[k]
			switch {
			case w == 0: // also of a NaN
			case started:
				vector.axpy(w, x, y)
			case w == 1:
				copy(y, x)
				started = true
			default:
				vector.affine(y, x, 1, n, n, w, 0)
				started = true
			}
		}
	}
}

// transposePlane sets dst [columns, rows] to the transpose of src
// [rows, columns].
func transposePlane(dst, src []float32, rows, columns int) {
	block := vector.block
	if min(rows, columns) < block {
		for i := range rows {
			for k, x := range src[i*columns : (i+1)*columns] {
				dst[k*rows+i] = x
			}
		}
		return
	}
	// What does not fill a square reaches back over its neighbour.
	whole := rows / block * block
	for c := 0; c < columns; c += block {
		c := min(c, columns-block)
		vector.transpose(&dst[c*rows], &src[c], whole, 4*rows, 4*columns)
		if whole < rows {
			at := rows - block
			vector.transpose(&dst[c*rows+at], &src[c+at*columns], block, 4*rows, 4*columns)
		}
	}
}
