package operator

import (
	"fmt"
	"math"
)

func init() {
	define("GridSample", definition{least: 2, most: 2, outputs: 1, exact: true,
		infer: func(c *Call) ([]Type, error) {
			if _, err := c.gridSample(); err != nil {
				return nil, err
			}
			grid := c.In[1].Shape
			shape := append([]int{c.In[0].Shape[0], c.In[0].Shape[1]}, grid[1:len(grid)-1]...)
			return c.types(Type{c.In[0].DType, shape})
		},
		run: func(c *Call, out []*Tensor) error {
			g, err := c.gridSample()
			if err != nil || out[0] == nil {
				return err
			}
			g.run(c, out[0])
			return nil
		},
	})
	define("AffineGrid", definition{least: 2, most: 2, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			shape, err := c.affineGridShape()
			if err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, shape})
		},
		run: runAffineGrid,
	})
	define("DeformConv", definition{least: 3, most: 5, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			if err := c.wantFloat(0, 1, 2, 3, 4); err != nil {
				return nil, err
			}
			g, _, err := c.deformConv()
			if err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, g.outShape(g.batch, g.outputs)})
		},
		run: runDeformConv,
	})
	define("Col2Im", definition{least: 3, most: 3, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			w, channels, err := c.columns()
			if err != nil {
				return nil, err
			}
			shape := append([]int{c.In[0].Shape[0], channels}, w.in[3-w.rank:]...)
			return c.types(Type{c.In[0].DType, shape})
		},
		run: runCol2Im,
	})
}

// gridSample reads an image at the points of a grid.
type gridSample struct {
	size          []int // spatial, of the image
	mode, padding string
	align         bool
}

func (c *Call) gridSample() (*gridSample, error) {
	x, grid := c.In[0].Shape, c.In[1].Shape
	if err := firstError(c.wantFloat(0), c.wantFloat(1), c.wantRank(0, 3, 5), c.wantRank(1, len(x), len(x))); err != nil {
		return nil, err
	}
	g := &gridSample{size: x[2:]}
	if grid[0] != x[0] || grid[len(grid)-1] != len(g.size) {
		return nil, fmt.Errorf("an image of shape %v and a grid of %v do not fit", x, grid)
	}
	var err error
	if g.mode, err = c.choice("mode", "linear", "linear", "bilinear", "nearest", "cubic", "bicubic"); err != nil {
		return nil, err
	}
	if g.padding, err = c.choice("padding_mode", "zeros", "zeros", "border", "reflection"); err != nil {
		return nil, err
	}
	align, err := c.Attributes.Int("align_corners", 0)
	g.align = align != 0
	if Elements(g.size) == 0 {
		return nil, fmt.Errorf("an image of shape %v has no pixels", x)
	}
	return g, err
}

// along gives the pixels of one dimension, and their weights, that a point of
// the grid takes; a pixel of -1 is 0.
func (g *gridSample) along(size int, at float64) (index [4]int, weight [4]float64, n int) {
	x, lo, hi := ((at+1)*float64(size)-1)/2, -0.5, float64(size)-0.5
	if g.align {
		x, lo, hi = (at+1)/2*float64(size-1), 0, float64(size-1)
	}
	if !(math.Abs(x) <= 2*MaxDim) {
		x = -2 * MaxDim // as far outside as a pixel can be
	}
	// Others round coordinates to single precision too: it decides which
	// pixel is the nearest.
	x = float64(float32(x))
	if g.mode == "nearest" {
		x = math.RoundToEven(x)
	}
	if x < lo || x > hi {
		switch g.padding {
		case "border":
			x = max(0, min(float64(size-1), x))
		case "reflection":
			x = mirrored(x, lo, hi)
		}
	}
	first := math.Floor(x)
	f := x - first
	switch g.mode {
	case "nearest":
		n, weight = 1, [4]float64{1}
	case "linear", "bilinear":
		n, weight = 2, [4]float64{1 - f, f}
	default:
		n, first = 4, first-1
		weight = [4]float64{cubic(1+f, -0.75), cubic(f, -0.75), cubic(1-f, -0.75), cubic(2-f, -0.75)}
	}
	for i := range n {
		k := first + float64(i)
		switch {
		case g.padding == "border":
			k = max(0, min(float64(size-1), k))
		case g.padding == "reflection":
			k = max(0, min(float64(size-1), mirrored(k, lo, hi)))
		case k < 0 || k >= float64(size):
			k = -1
		}
		index[i] = int(k)
	}
	return index, weight, n
}

// mirrored mirrors x at the ends of a range until it is inside.
func mirrored(x, lo, hi float64) float64 {
	if hi <= lo {
		return lo
	}
	x = math.Mod(math.Abs(x-lo), 2*(hi-lo))
	return lo + min(x, 2*(hi-lo)-x)
}

func (g *gridSample) run(c *Call, out *Tensor) {
	x, grid := float64s(c.In[0]), float64s(c.In[1])
	channels, rank, size := out.Shape[1], len(g.size), Elements(g.size)
	points := Elements(out.Shape[2:])
	y := make([]float64, Elements(out.Shape))
	in := spatial(g.size)
	for n := range out.Shape[0] {
		for p := range points {
			// Dimensions that the image lacks have one pixel.
			index, weight, count := [3][4]int{}, [3][4]float64{{1}, {1}, {1}}, [3]int{1, 1, 1}
			for d := range rank {
				at := grid[(n*points+p)*rank+rank-1-d]
				index[3-rank+d], weight[3-rank+d], count[3-rank+d] = g.along(g.size[d], at)
			}
			for i := range count[0] {
				for j := range count[1] {
					for k := range count[2] {
						a, b, e := index[0][i], index[1][j], index[2][k]
						w := weight[0][i] * weight[1][j] * weight[2][k]
						if a < 0 || b < 0 || e < 0 || w == 0 {
							continue
						}
						at := (a*in[1]+b)*in[2] + e
						for ch := range channels {
							y[(n*channels+ch)*points+p] += w * x[(n*channels+ch)*size+at]
						}
					}
				}
			}
		}
	}
	setFloat64s(out, y)
}

func (c *Call) affineGridShape() ([]int, error) {
	if err := firstError(c.wantFloat(0), c.wantRank(0, 3, 3), c.wantType(1, I64), c.wantRank(1, 1, 1)); err != nil {
		return nil, err
	}
	if _, err := c.Attributes.Int("align_corners", 0); err != nil {
		return nil, err
	}
	rank := c.In[1].Shape[0] - 2
	if rank != 2 && rank != 3 {
		return nil, fmt.Errorf("the size, input 1, has %d values, want 4 or 5", rank+2)
	}
	size, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	if err := CheckShape(size); err != nil {
		return nil, fmt.Errorf("the size, input 1: %w", err)
	}
	if err := c.wantShape(0, size[0], rank, rank+1); err != nil {
		return nil, err
	}
	return append(append([]int{size[0]}, size[2:]...), rank), nil
}

func runAffineGrid(c *Call, out []*Tensor) error {
	shape, err := c.affineGridShape()
	if err != nil || out[0] == nil {
		return err
	}
	align, _ := c.Attributes.Int("align_corners", 0)
	theta, rank := float64s(c.In[0]), len(shape)-2
	size := spatial(shape[1 : rank+1])
	y := make([]float64, 0, Elements(shape))
	for n := range shape[0] {
		m := theta[n*rank*(rank+1):]
		for p := range volume(size) {
			at := [3]float64{}
			rest := p
			for d := 2; d >= 0; d-- {
				i := float64(rest % size[d])
				rest /= size[d]
				at[d] = (2*i+1)/float64(size[d]) - 1
				if align != 0 {
					at[d] = -1
					if size[d] > 1 {
						at[d] = 2*i/float64(size[d]-1) - 1
					}
				}
			}
			for r := range rank {
				row := m[r*(rank+1):][:rank+1]
				sum := row[rank]
				for k := range rank {
					sum += row[k] * at[2-k]
				}
				y = append(y, sum)
			}
		}
	}
	setFloat64s(out[0], y)
	return nil
}

// deformConv is the shape of a deformable convolution, and its groups of
// offsets.
func (c *Call) deformConv() (*convGeometry, int, error) {
	if len(c.In[0].Shape) != 4 {
		return nil, 0, unsupportedf("an input of shape %v: only two spatial dimensions are supported", c.In[0].Shape)
	}
	g, err := c.convGeometry(0, 1)
	if err != nil {
		return nil, 0, err
	}
	groups, err := c.Attributes.Int("offset_group", 1)
	if err != nil {
		return nil, 0, err
	}
	if groups < 1 || g.channels%groups != 0 {
		return nil, 0, fmt.Errorf(`attribute "offset_group" is %d, which does not divide %d channels`, groups, g.channels)
	}
	taps := volume(g.kernel)
	return g, groups, firstError(c.wantShape(2, g.batch, 2*groups*taps, g.out[1], g.out[2]), c.wantShape(3, g.outputs),
		c.wantShape(4, g.batch, groups*taps, g.out[1], g.out[2]))
}

func runDeformConv(c *Call, out []*Tensor) error {
	g, groups, err := c.deformConv()
	if err != nil || out[0] == nil {
		return err
	}
	x, weights, offsets := float64s(c.In[0]), float64s(c.In[1]), float64s(c.In[2])
	bias, mask := float64s(c.input(3)), float64s(c.input(4))
	size, taps, image := volume(g.out), volume(g.kernel), volume(g.in)
	perGroup, outPerGroup := g.channels/g.group, g.outputs/g.group
	y := make([]float64, g.batch*g.outputs*size)
	for i := range y {
		if bias != nil {
			y[i] = bias[i/size%g.outputs]
		}
	}
	points, sampled := make([]cell, size), make([]float64, size)
	for n := range g.batch {
		for ch := range g.channels {
			plane := x[(n*g.channels+ch)*image:][:image]
			of := n*groups + ch/(g.channels/groups)
			for tap := range taps {
				for p := range points {
					dy, dx := offsets[((of*taps+tap)*2)*size+p], offsets[((of*taps+tap)*2+1)*size+p]
					h := float64(p/g.out[2]*g.stride[1]-g.begin[1]+tap/g.kernel[2]*g.dilation[1]) + dy
					w := float64(p%g.out[2]*g.stride[2]-g.begin[2]+tap%g.kernel[2]*g.dilation[2]) + dx
					points[p] = cellWithin(h, w, g.in[1], g.in[2])
				}
				for p, q := range points {
					sum := 0.0
					for i, at := range q.at {
						if q.weight[i] != 0 {
							sum += q.weight[i] * plane[at]
						}
					}
					if mask != nil {
						sum *= mask[(of*taps+tap)*size+p]
					}
					sampled[p] = sum
				}
				group := ch / perGroup
				for m := group * outPerGroup; m < (group+1)*outPerGroup; m++ {
					addScaled(y[(n*g.outputs+m)*size:][:size], sampled, weights[(m*perGroup+ch%perGroup)*taps+tap], 1)
				}
			}
		}
	}
	setFloat64s(out[0], y)
	return nil
}

// cellWithin is a point between four pixels, of which those outside the image
// have no weight.
func cellWithin(y, x float64, rows, columns int) (c cell) {
	if !(y > -1 && y < float64(rows) && x > -1 && x < float64(columns)) {
		return c
	}
	top, left := math.Floor(y), math.Floor(x)
	for i := range 4 {
		r, k := top+float64(i/2), left+float64(i%2)
		if r >= 0 && r < float64(rows) && k >= 0 && k < float64(columns) {
			c.at[i] = int(r)*columns + int(k)
			c.weight[i] = (1 - math.Abs(y-r)) * (1 - math.Abs(x-k))
		}
	}
	return c
}

// columns is the window whose blocks the columns of Col2Im are.
func (c *Call) columns() (*window, int, error) {
	if err := firstError(c.wantFloat(0), c.wantRank(0, 3, 3), c.wantType(1, I64), c.wantType(2, I64), c.wantRank(1, 1, 1),
		c.wantShape(2, c.In[1].Shape...)); err != nil {
		return nil, 0, err
	}
	image, err1 := c.ints(1)
	block, err2 := c.ints(2)
	if err := firstError(err1, err2); err != nil {
		return nil, 0, err
	}
	for i := range image {
		if image[i] < 1 || block[i] < 1 || max(image[i], block[i]) > MaxDim {
			return nil, 0, fmt.Errorf("an image of %v, input 1, and blocks of %v, input 2, want positive sizes", image, block)
		}
	}
	w, auto, err := c.slidingWindow(append([]int{1, 1}, image...), block)
	if err != nil {
		return nil, 0, err
	}
	if err := w.convolved(auto, false); err != nil {
		return nil, 0, err
	}
	if err := firstError(CheckShape(w.kernel[:]), CheckShape(w.out[:])); err != nil {
		return nil, 0, err
	}
	x, taps := c.In[0].Shape, volume(w.kernel)
	if x[1]%taps != 0 || x[2] != volume(w.out) {
		return nil, 0, fmt.Errorf("columns of shape %v, want a multiple of %d rows, and %d", x, taps, volume(w.out))
	}
	return w, x[1] / taps, nil
}

func runCol2Im(c *Call, out []*Tensor) error {
	w, channels, err := c.columns()
	if err != nil || out[0] == nil {
		return err
	}
	x, image, blocks, taps := float64s(c.In[0]), volume(w.in), volume(w.out), volume(w.kernel)
	y := make([]float64, Elements(out[0].Shape))
	for plane := range c.In[0].Shape[0] * channels {
		for tap := range taps {
			deconvolveTap(w, y[plane*image:][:image], x[(plane*taps+tap)*blocks:][:blocks], tap, 1)
		}
	}
	setFloat64s(out[0], y)
	return nil
}
