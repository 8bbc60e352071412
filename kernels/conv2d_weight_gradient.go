package kernels

// weightGradient computes the gradient of the weights of a convolution as dot
// products of planes: those of the gradient of the output, and those of the
// image, shifted by the place of the weight.
//
//	dW[k][c][r][s] += sum over n, y, x of dY[n][k][y][x] * X[n][c][y+r][x+s]
//
// The image is laid out as in unfolding. With stride 1, dY gets gaps of zeros
// as wide as the image's padding, so that a whole plane is one segment; else
// every row of it is one.
type weightGradient struct {
	ws      *Workspace
	shape   Conv2D
	unfold  unfolding
	columns int // weights of an output channel
	gaps    bool
	rows    bool // segments are rows, not planes
	pitch   int  // from one row of dY to the next
	length  int  // of a segment
	images  int  // worked on at a time

	tiles weightTiles
}

// dotSpan is the number of elements of each row of A that a dot kernel works
// through before it goes to the next columns, so that they stay in the
// first-level cache.
const dotSpan = 512

func newWeightGradient(ws *Workspace, s Conv2D) *weightGradient {
	w := &ws.ofWeight
	*w = weightGradient{tiles: w.tiles, ws: ws, shape: s, columns: s.C / s.Groups * s.R * s.S, pitch: s.OutW()}
	w.length = s.OutH() * s.OutW()
	if s.pointwise() {
		w.images = max(dotSpan/w.length, 1)
		return w
	}
	w.unfold = s.unfolding()
	ws.offsets = w.unfold.offsets(ws.offsets)
	if w.rows = s.StrideH > 1 || s.StrideW > 1; w.rows {
		w.length, w.images = s.OutW(), 1
	} else {
		w.pitch = w.unfold.width
		w.gaps = w.pitch != s.OutW()
		w.length = (s.OutH()-1)*w.pitch + s.OutW()
		w.images = max(dotSpan/w.length, 1)
	}
	ws.image = grow(ws.image, w.images*w.unfold.size())
	return w
}

// run adds the gradient to dweight.
func (w *weightGradient) run(dweight, src, ddst []float32) {
	if w.suitsTiles() {
		w.runTiles(dweight, src, ddst)
		return
	}
	s, ws := w.shape, w.ws
	m, channels := s.K/s.Groups, s.C/s.Groups
	outHW, inHW := s.OutH()*s.OutW(), s.H*s.W
	for n := 0; n < s.N; n += w.images {
		images := min(w.images, s.N-n)
		for g := range s.Groups {
			t := &ws.dots
			a, aPlane, aImage := ddst[(n*s.K+g*m)*outHW:], outHW, s.K*outHW
			b, bImage := src[(n*s.C+g*channels)*inHW:], s.C*inHW
			if !s.pointwise() {
				for i := range images {
					w.unfold.pad(ws.image[i*w.unfold.size():], b[i*bImage:])
				}
				b, bImage = ws.image, w.unfold.size()
			}
			if w.gaps {
				aPlane, aImage = w.length, m*w.length
				ws.gradient = grow(ws.gradient, images*aImage)
				for i := range images {
					w.widen(ws.gradient[i*aImage:], a[i*s.K*outHW:])
				}
				a = ws.gradient
			}
			t.segments, t.aSegment, t.bSegment = images, 4*aImage, 4*bImage
			if w.rows {
				t.segments, t.aSegment = s.OutH(), 4*w.pitch
				t.bSegment = 4 * w.unfold.rowStep * w.unfold.phases * w.unfold.width
			}
			// Long planes are cut, which only single images have.
			for p := 0; p < w.length; p += dotSpan {
				t.length = min(dotSpan, w.length-p)
				w.multiply(t, dweight[g*m*w.columns:], a[p:], b[p:], aPlane, inHW)
			}
		}
	}
}

// widen copies the planes of one image and group of dY with gaps of zeros
// between the rows.
func (w *weightGradient) widen(dst, ddst []float32) {
	s := w.shape
	width := s.OutW()
	for k := range s.K / s.Groups {
		to, from := dst[k*w.length:][:w.length], ddst[k*s.OutH()*width:]
		for y := range s.OutH() {
			row := to[y*w.pitch:]
			copy(row[:width], from[y*width:])
			if y < s.OutH()-1 {
				clear(row[width:w.pitch])
			}
		}
	}
}

// multiply adds what t describes for all rows and columns.
func (w *weightGradient) multiply(t *dots, dweight, a, b []float32, aPlane, bPlane int) {
	panels := split(w.shape.K/w.shape.Groups, dotTiles.rows)
	t.aRow, t.cRow = 4*aPlane, 4*w.columns
	t.b = &b[0]
	for i := range panels.count {
		row := panels.start(i)
		t.rows = panels.start(i+1) - row
		t.a = &a[row*aPlane]
		for j := 0; j < w.columns; j += dotColumns {
			t.columns = min(dotColumns, w.columns-j)
			for c := range dotColumns {
				column := j + min(c, t.columns-1)
				if w.shape.pointwise() {
					t.bColumn[c] = 4 * column * bPlane
				} else {
					t.bColumn[c] = 4 * w.ws.offsets[column]
				}
			}
			t.c = &dweight[row*w.columns+j]
			dotTiles.run[t.rows](t)
		}
	}
}
