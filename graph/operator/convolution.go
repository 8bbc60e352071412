package operator

import (
	"fmt"
	"math"
)

func init() {
	define("Conv", definition{least: 2, most: 3, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			if err := c.wantFloat(0, 1, 2); err != nil {
				return nil, err
			}
			return c.convTypes(0, 1, 2, c.In[0].DType)
		},
		run: func(c *Call, out []*Tensor) error {
			g, err := c.convGeometry(0, 1)
			if err != nil || out[0] == nil {
				return err
			}
			switch x := c.In[0].Data.(type) {
			case []float32:
				convolve(g, out[0].Data.([]float32), x, c.In[1].Data.([]float32), optional[float32](c, 2))
			case []float64:
				convolve(g, out[0].Data.([]float64), x, c.In[1].Data.([]float64), optional[float64](c, 2))
			}
			return nil
		},
	})
	define("ConvInteger", definition{least: 2, most: 4, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			err := firstError(c.wantType(0, I8, U8), c.wantType(1, I8, U8), c.wantSame(0, 2), c.wantSame(1, 3), c.wantScalar(2))
			if err != nil {
				return nil, err
			}
			types, err := c.convTypes(0, 1, -1, I32)
			return types, firstError(err, c.wantPerChannel(3, c.In[1].Shape))
		},
		run: func(c *Call, out []*Tensor) error {
			g, err := c.convGeometry(0, 1)
			if err != nil || out[0] == nil {
				return err
			}
			convolve(g, out[0].Data.([]int32), centred(c.In[0], c.input(2)), centred(c.In[1], c.input(3)), nil)
			return nil
		},
	})
	define("QLinearConv", definition{least: 8, most: 9, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			err := firstError(c.wantType(0, I8, U8), c.wantType(3, I8, U8), c.wantType(7, I8, U8), c.wantType(8, I32),
				c.wantSame(0, 2), c.wantSame(3, 5), c.wantFloat(1), c.wantFloat(4), c.wantFloat(6),
				c.wantScalar(1), c.wantScalar(2), c.wantScalar(6), c.wantScalar(7))
			if err != nil {
				return nil, err
			}
			types, err := c.convTypes(0, 3, 8, c.In[7].DType)
			return types, firstError(err, c.wantPerChannel(4, c.In[3].Shape), c.wantPerChannel(5, c.In[3].Shape))
		},
		run: runQLinearConv,
	})
	define("ConvTranspose", definition{least: 2, most: 3, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			if err := c.wantFloat(0, 1, 2); err != nil {
				return nil, err
			}
			g, err := c.transposedGeometry()
			if err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, g.outShape(g.batch, g.outputs)})
		},
		run: func(c *Call, out []*Tensor) error {
			g, err := c.transposedGeometry()
			if err != nil || out[0] == nil {
				return err
			}
			switch x := c.In[0].Data.(type) {
			case []float32:
				deconvolve(g, out[0].Data.([]float32), x, c.In[1].Data.([]float32), optional[float32](c, 2))
			case []float64:
				deconvolve(g, out[0].Data.([]float64), x, c.In[1].Data.([]float64), optional[float64](c, 2))
			}
			return nil
		},
	})
}

// convGeometry is a convolution's shape.
type convGeometry struct {
	*window
	batch, channels, outputs, group int
}

func (c *Call) group(channels int) (int, error) {
	group, err := c.Attributes.Int("group", 1)
	if err == nil && (group < 1 || channels%group != 0) {
		err = fmt.Errorf(`attribute "group" is %d, which does not divide %d channels`, group, channels)
	}
	return group, err
}

// convGeometry reads the shapes of the image, input x, and the weights, input w.
func (c *Call) convGeometry(x, w int) (*convGeometry, error) {
	image, weights := c.In[x].Shape, c.In[w].Shape
	if len(image) != len(weights) || len(image) < 3 {
		return nil, fmt.Errorf("an image of shape %v and weights of %v, want as many dimensions, 3 or more", image, weights)
	}
	win, auto, err := c.slidingWindow(image, weights[2:])
	if err != nil {
		return nil, err
	}
	if err := win.convolved(auto, false); err != nil {
		return nil, err
	}
	g := &convGeometry{window: win, batch: image[0], channels: image[1], outputs: weights[0]}
	if g.group, err = c.group(g.channels); err != nil {
		return nil, err
	}
	if g.outputs%g.group != 0 || weights[1] != g.channels/g.group {
		return nil, fmt.Errorf("weights of shape %v do not fit %d channels in %d groups", weights, g.channels, g.group)
	}
	return g, nil
}

func (c *Call) convTypes(x, w, bias int, d DType) ([]Type, error) {
	g, err := c.convGeometry(x, w)
	if err != nil {
		return nil, err
	}
	if bias >= 0 {
		if err := c.wantShape(bias, g.outputs); err != nil {
			return nil, err
		}
	}
	return c.types(Type{d, g.outShape(g.batch, g.outputs)})
}

// wantPerChannel checks that input i, where given, has one element or one for
// each output channel of weights.
func (c *Call) wantPerChannel(i int, weights []int) error {
	if !c.has(i) || len(weights) == 0 || len(c.In[i].Shape) == 0 || len(c.In[i].Shape) == 1 && c.In[i].Shape[0] == 1 {
		return nil
	}
	return c.wantShape(i, weights[0])
}

// optional is the data of an input, nil where it is left out.
func optional[T number](c *Call, i int) []T {
	if !c.has(i) {
		return nil
	}
	return c.In[i].Data.([]T)
}

// convolve adds, for each position of the kernel, a row of the image times one
// weight to a row of the output.
func convolve[T float32 | float64 | int32](g *convGeometry, out, x, weights, bias []T) {
	perGroup, outPerGroup := g.channels/g.group, g.outputs/g.group
	size, image, taps := volume(g.out), volume(g.in), volume(g.kernel)
	for n := range g.batch {
		for m := range g.outputs {
			plane := out[(n*g.outputs+m)*size:][:size]
			var b T
			if bias != nil {
				b = bias[m]
			}
			for i := range plane {
				plane[i] = b
			}
			first := n*g.channels + m/outPerGroup*perGroup
			// Four channels at once read and write the output a quarter as often.
			ch := 0
			for ; ch+4 <= perGroup; ch += 4 {
				convolvePlane(g.window, plane, x[(first+ch)*image:][:4*image], weights[(m*perGroup+ch)*taps:][:4*taps], addScaled4)
			}
			for ; ch < perGroup; ch++ {
				convolvePlane(g.window, plane, x[(first+ch)*image:][:image], weights[(m*perGroup+ch)*taps:][:taps], addScaled1)
			}
		}
	}
}

// convolvePlane adds what one or four channels give; add does it for a row of
// the output, a position in the first channel and the weight that belongs to it.
func convolvePlane[T float32 | float64 | int32](g *window, out, x, weights []T,
	add func(row, x []T, at, image, stride int, weights []T, tap, taps int)) {
	image, taps := volume(g.in), volume(g.kernel)
	for tap := range taps {
		dLo, dHi, d := g.span(0, tap/g.kernel[2]/g.kernel[1])
		hLo, hHi, h := g.span(1, tap/g.kernel[2]%g.kernel[1])
		wLo, wHi, w := g.span(2, tap%g.kernel[2])
		if wLo == wHi {
			continue
		}
		for od := dLo; od < dHi; od++ {
			for oh := hLo; oh < hHi; oh++ {
				row := out[(od*g.out[1]+oh)*g.out[2]:][wLo:wHi]
				from := ((od*g.stride[0]+d)*g.in[1]+oh*g.stride[1]+h)*g.in[2] + w + wLo*g.stride[2]
				add(row, x, from, image, g.stride[2], weights, tap, taps)
			}
		}
	}
}

func addScaled1[T float32 | float64 | int32](row, x []T, at, _, stride int, weights []T, tap, _ int) {
	addScaled(row, x[at:], weights[tap], stride)
}

func addScaled4[T float32 | float64 | int32](row, x []T, at, image, stride int, weights []T, tap, taps int) {
	n := (len(row)-1)*stride + 1
	a, b, c, d := x[at:][:n], x[at+image:][:n], x[at+2*image:][:n], x[at+3*image:][:n]
	p, q, r, s := weights[tap], weights[taps+tap], weights[2*taps+tap], weights[3*taps+tap]
	if stride == 1 {
		a, b, c, d = a[:len(row)], b[:len(row)], c[:len(row)], d[:len(row)]
		for i := range row {
			row[i] += a[i]*p + b[i]*q + c[i]*r + d[i]*s
		}
		return
	}
	for i := range row {
		j := i * stride
		row[i] += a[j]*p + b[j]*q + c[j]*r + d[j]*s
	}
}

// addScaled adds v times every stride-th element of x to dst.
func addScaled[T float32 | float64 | int32](dst, x []T, v T, stride int) {
	if stride == 1 {
		x = x[:len(dst)]
		for i, s := range x {
			dst[i] += s * v
		}
		return
	}
	for i := range dst {
		dst[i] += x[i*stride] * v
	}
}

// centred are the elements of t less its zero point, which is one or one for
// each index of the first dimension.
func centred(t, zero *Tensor) []int32 {
	v := int32s(t)
	if zero == nil {
		return v
	}
	z := int32s(zero)
	y := make([]int32, len(v))
	for i := range y {
		y[i] = v[i] - z[i*len(z)/len(y)]
	}
	return y
}

func runQLinearConv(c *Call, out []*Tensor) error {
	g, err := c.convGeometry(0, 3)
	if err != nil || out[0] == nil {
		return err
	}
	sums := make([]int32, Elements(out[0].Shape))
	convolve(g, sums, centred(c.In[0], c.In[2]), centred(c.In[3], c.In[5]), optional[int32](c, 8))
	scale, weights, zero := float64s(c.In[1])[0]/float64s(c.In[6])[0], float64s(c.In[4]), float64s(c.In[7])[0]
	y, size := make([]float64, len(sums)), volume(g.out)
	for i, s := range sums {
		m := i / size % g.outputs
		y[i] = math.RoundToEven(float64(s)*scale*weights[m%len(weights)]) + zero
	}
	setFloat64s(out[0], y)
	return nil
}

// transposedGeometry is that of a transposed convolution: the window's in and
// out are those of the operator.
func (c *Call) transposedGeometry() (*convGeometry, error) {
	image, weights := c.In[0].Shape, c.In[1].Shape
	if len(image) != len(weights) || len(image) < 3 {
		return nil, fmt.Errorf("an image of shape %v and weights of %v, want as many dimensions, 3 or more", image, weights)
	}
	w, auto, err := c.slidingWindow(image, weights[2:])
	if err != nil {
		return nil, err
	}
	g := &convGeometry{window: w, batch: image[0], channels: image[1]}
	if g.group, err = c.group(g.channels); err != nil {
		return nil, err
	}
	if weights[0] != g.channels || int64(weights[1])*int64(g.group) > MaxDim {
		return nil, fmt.Errorf("weights of shape %v do not fit %d channels", weights, g.channels)
	}
	g.outputs = weights[1] * g.group
	if err := c.wantShape(2, g.outputs); err != nil {
		return nil, err
	}
	if w.extra, err = c.sizes("output_padding", w.rank, 0, 0); err != nil {
		return nil, err
	}
	want, err := c.Attributes.Ints("output_shape")
	if err != nil {
		return nil, err
	}
	if len(want) == w.rank+2 {
		want = want[2:] // some writers list batch and channels too
	}
	if len(want) != 0 && len(want) != w.rank {
		return nil, fmt.Errorf(`attribute "output_shape" is %v, want %d values as there are spatial dimensions`, want, w.rank)
	}
	for i := range 3 {
		full := int64(w.in[i]-1)*int64(w.stride[i]) + int64(w.reach(i)) + int64(w.extra[i])
		size := full - int64(w.begin[i]) - int64(w.end[i])
		if i >= 3-w.rank && (len(want) > 0 || auto == "SAME_UPPER" || auto == "SAME_LOWER") {
			size = int64(w.in[i]) * int64(w.stride[i])
			if len(want) > 0 {
				size = int64(want[i-3+w.rank])
			}
			if size < 1 || size > MaxDim || full > 3*MaxDim {
				return nil, fmt.Errorf("the output would have the spatial size %d of %d", size, full)
			}
			total := int(max(full-size, 0))
			w.begin[i] = total - total/2
			if auto == "SAME_UPPER" {
				w.begin[i] = total / 2
			}
			w.end[i] = total - w.begin[i]
		}
		if size < 1 || size > MaxDim {
			return nil, fmt.Errorf("the output would have the spatial size %d", size)
		}
		w.out[i] = int(size)
	}
	return g, nil
}

// deconvolve adds, for each position of the kernel, a row of the image times
// one weight to a row of the output.
func deconvolve[T float32 | float64](g *convGeometry, out, x, weights, bias []T) {
	perGroup, outPerGroup := g.channels/g.group, g.outputs/g.group
	size, image, taps := volume(g.out), volume(g.in), volume(g.kernel)
	// From the output's side the kernel reads the image.
	back := *g.window
	back.in, back.out = g.out, g.in
	for n := range g.batch {
		for m := range g.outputs {
			plane := out[(n*g.outputs+m)*size:][:size]
			var b T
			if bias != nil {
				b = bias[m]
			}
			for i := range plane {
				plane[i] = b
			}
			first := m / outPerGroup * perGroup
			for ch := first; ch < first+perGroup; ch++ {
				k := weights[(ch*outPerGroup+m%outPerGroup)*taps:][:taps]
				deconvolvePlane(&back, plane, x[(n*g.channels+ch)*image:][:image], k)
			}
		}
	}
}

func deconvolvePlane[T float32 | float64](g *window, out, x, weights []T) {
	for tap, v := range weights {
		deconvolveTap(g, out, x, tap, v)
	}
}

// deconvolveTap adds v times what one position of the kernel reads.
func deconvolveTap[T float32 | float64](g *window, out, x []T, tap int, v T) {
	dLo, dHi, d := g.span(0, tap/g.kernel[2]/g.kernel[1])
	hLo, hHi, h := g.span(1, tap/g.kernel[2]%g.kernel[1])
	wLo, wHi, w := g.span(2, tap%g.kernel[2])
	for id := dLo; id < dHi; id++ {
		for ih := hLo; ih < hHi; ih++ {
			row := x[(id*g.out[1]+ih)*g.out[2]:][wLo:wHi]
			to := ((id*g.stride[0]+d)*g.in[1]+ih*g.stride[1]+h)*g.in[2] + w
			for i, s := range row {
				out[to+(wLo+i)*g.stride[2]] += s * v
			}
		}
	}
}
