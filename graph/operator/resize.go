package operator

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

func init() {
	define("Resize", definition{least: 1, most: 4, outputs: 1, exact: true,
		infer: func(c *Call) ([]Type, error) {
			r, err := c.resized()
			if err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, r.shape})
		},
		run: func(c *Call, out []*Tensor) error {
			r, err := c.resized()
			if err != nil {
				return err
			}
			return r.run(c.In[0], out[0])
		},
	})
	// Upsample is Resize before version 10: no offset of half a pixel, and the
	// pixel to the left is the nearest.
	define("Upsample", definition{least: 2, most: 2, outputs: 1, exact: true,
		infer: func(c *Call) ([]Type, error) {
			r, err := c.upsampled()
			if err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, r.shape})
		},
		run: func(c *Call, out []*Tensor) error {
			r, err := c.upsampled()
			if err != nil {
				return err
			}
			return r.run(c.In[0], out[0])
		},
	})
}

// resize is how each dimension of a tensor is sampled anew.
type resize struct {
	shape              []int // of the output
	scales             []float64
	roi                [][2]float64
	mode, transform    string
	nearest            string
	cubic              float64
	antialias, exclude bool
	extrapolation      float64
	identity           []bool
}

func (c *Call) upsampled() (*resize, error) {
	mode, err := c.Attributes.String("mode", "nearest")
	if err != nil {
		return nil, err
	}
	if mode != "nearest" && mode != "linear" && mode != "bilinear" {
		return nil, fmt.Errorf(`attribute "mode" is %q, want nearest or linear`, mode)
	}
	if mode == "bilinear" {
		mode = "linear"
	}
	as := &Call{In: []*Tensor{c.In[0], nil, c.In[1]}, Outputs: c.Outputs, Attributes: Attributes{
		"mode": mode, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor",
	}}
	return as.resized()
}

// choice is an attribute that is one of the words.
func (c *Call) choice(name, missing string, words ...string) (string, error) {
	s, err := c.Attributes.String(name, missing)
	if err == nil && !slices.Contains(words, s) {
		err = fmt.Errorf("attribute %q is %q, want one of %v", name, s, words)
	}
	return s, err
}

func (c *Call) resized() (*resize, error) {
	x := c.In[0]
	r := &resize{}
	var err error
	if r.mode, err = c.choice("mode", "nearest", "nearest", "linear", "cubic"); err != nil {
		return nil, err
	}
	if r.transform, err = c.choice("coordinate_transformation_mode", "half_pixel", "half_pixel", "half_pixel_symmetric",
		"pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"); err != nil {
		return nil, err
	}
	if r.nearest, err = c.choice("nearest_mode", "round_prefer_floor", "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"); err != nil {
		return nil, err
	}
	cubic, err1 := c.Attributes.Float("cubic_coeff_a", -0.75)
	extrapolation, err2 := c.Attributes.Float("extrapolation_value", 0)
	exclude, err3 := c.Attributes.Int("exclude_outside", 0)
	antialias, err4 := c.Attributes.Int("antialias", 0)
	if err := firstError(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	r.cubic, r.extrapolation, r.exclude, r.antialias = float64(cubic), float64(extrapolation), exclude != 0, antialias != 0
	if r.antialias && r.mode == "nearest" {
		return nil, fmt.Errorf(`attribute "antialias" does not go with mode nearest`)
	}
	rank := len(x.Shape)
	axes, err := c.Attributes.Ints("axes")
	if err != nil {
		return nil, err
	}
	if axes == nil {
		for i := range rank {
			axes = append(axes, i)
		}
	}
	used := make([]bool, rank)
	for i, a := range axes {
		if axes[i], err = axis(a, rank); err != nil {
			return nil, err
		}
		if used[axes[i]] {
			return nil, fmt.Errorf(`attribute "axes" names dimension %d twice`, axes[i])
		}
		used[axes[i]] = true
	}
	if err := c.resizedShape(r, axes); err != nil {
		return nil, err
	}
	for i := range rank {
		r.identity = append(r.identity, !used[i])
		r.roi = append(r.roi, [2]float64{0, 1})
		if x.Shape[i] == 0 && r.shape[i] > 0 {
			return nil, fmt.Errorf("dimension %d of %v is empty, and cannot become %d", i, x.Shape, r.shape[i])
		}
	}
	return r, c.readROI(r, axes)
}

func (c *Call) readROI(r *resize, axes []int) error {
	if r.transform != "tf_crop_and_resize" {
		return nil
	}
	if !c.has(1) {
		return fmt.Errorf("coordinate_transformation_mode tf_crop_and_resize needs a region, input 1")
	}
	roi := c.In[1]
	if err := firstError(c.wantFloat(1), c.wantShape(1, 2*len(axes))); err != nil {
		return err
	}
	if roi.Data == nil {
		return nil // only types are asked for
	}
	v := float64s(roi)
	for i, a := range axes {
		r.roi[a] = [2]float64{v[i], v[len(axes)+i]}
		if math.IsNaN(v[i]) || math.IsNaN(v[len(axes)+i]) {
			return fmt.Errorf("the region, input 1, is %v", v)
		}
	}
	return nil
}

// resizedShape reads scales or sizes.
func (c *Call) resizedShape(r *resize, axes []int) error {
	x := c.In[0].Shape
	r.shape, r.scales = slices.Clone(x), make([]float64, len(x))
	for i := range r.scales {
		r.scales[i] = 1
	}
	useScales := c.has(2) && Elements(c.In[2].Shape) > 0
	useSizes := c.has(3) && Elements(c.In[3].Shape) > 0
	switch {
	case useScales && useSizes:
		return fmt.Errorf("both scales, input 2, and sizes, input 3, are given")
	case useScales:
		if err := firstError(c.wantFloat(2), c.wantShape(2, len(axes))); err != nil {
			return err
		}
		if c.In[2].Data == nil {
			return &NotConstantError{2}
		}
		scales, _ := c.In[2].Floats()
		for i, a := range axes {
			s := scales[i]
			size := math.Floor(float64(float32(x[a]) * s))
			if !(s > 0) || size > MaxDim {
				return fmt.Errorf("scale %g, input 2, of a dimension of size %d is not positive or too large", s, x[a])
			}
			r.scales[a], r.shape[a] = float64(s), int(size)
		}
		return nil
	case !useSizes && len(axes) > 0:
		return fmt.Errorf("neither scales, input 2, nor sizes, input 3, are given")
	case !useSizes:
		return nil
	}
	if err := firstError(c.wantType(3, I64, I32), c.wantShape(3, len(axes))); err != nil {
		return err
	}
	sizes, err := c.ints(3)
	if err != nil {
		return err
	}
	policy, err := c.choice("keep_aspect_ratio_policy", "stretch", "stretch", "not_larger", "not_smaller")
	if err != nil {
		return err
	}
	common := math.NaN()
	for i, a := range axes {
		if sizes[i] < 0 || sizes[i] > MaxDim || x[a] == 0 && sizes[i] != 0 {
			return fmt.Errorf("sizes, input 3, are %v, which do not fit %v", sizes, x)
		}
		r.shape[a] = sizes[i]
		if x[a] == 0 {
			continue
		}
		s := float64(sizes[i]) / float64(x[a])
		r.scales[a] = s
		if math.IsNaN(common) || policy == "not_larger" && s < common || policy == "not_smaller" && s > common {
			common = s
		}
	}
	if policy != "stretch" && !math.IsNaN(common) {
		for _, a := range axes {
			size := math.Floor(common*float64(x[a]) + 0.5)
			if size > MaxDim {
				return fmt.Errorf("sizes, input 3, are %v, which makes dimension %d too large", sizes, a)
			}
			r.scales[a], r.shape[a] = common, int(size)
		}
	}
	for _, a := range axes {
		if r.scales[a] == 0 && r.shape[a] > 0 {
			return fmt.Errorf("sizes, input 3, are %v, which do not fit %v", sizes, x)
		}
	}
	return nil
}

// origin is where in the input coordinate o of the output lies; false where
// that is outside the region.
func (r *resize) origin(d, in, o int) (float64, bool) {
	scale, x := r.scales[d], float64(o)
	width := scale * float64(in)
	switch r.transform {
	case "align_corners":
		if width == 1 {
			return 0, true
		}
		return x * float64(in-1) / (width - 1), true
	case "asymmetric":
		return x / scale, true
	case "tf_half_pixel_for_nn":
		return (x + 0.5) / scale, true
	case "pytorch_half_pixel":
		if width == 1 {
			return -0.5, true
		}
	case "half_pixel_symmetric":
		center := float64(in) / 2
		return center*(1-float64(r.shape[d])/width) + (x+0.5)/scale - 0.5, true
	case "tf_crop_and_resize":
		start, end := r.roi[d][0], r.roi[d][1]
		at := (end - start) * float64(in-1) / 2
		if width != 1 {
			at = x * (end - start) * float64(in-1) / (width - 1)
		}
		at += start * float64(in-1)
		return at, at >= 0 && at <= float64(in-1)
	}
	return (x+0.5)/scale - 0.5, true
}

// filter is what an output takes of the input along one dimension.
type filter struct {
	outside bool
	index   []int
	weight  []float64
}

// filter gives coordinate o of dimension d, whose input has size in > 0.
func (r *resize) filter(d, in, o int) filter {
	at, inside := r.origin(d, in, o)
	if !inside {
		return filter{outside: true}
	}
	at = max(-MaxDim, min(2*MaxDim, at))
	// Of a whole number the pixel to the left counts too, with all of the
	// weight on the other one.
	left := math.Ceil(at) - 1
	ratio := at - left
	first, weights := r.weights(ratio, r.scales[d])
	f := filter{weight: weights}
	sum := 0.0
	for i := range weights {
		k := int(left) + first + i
		if r.exclude && (k < 0 || k >= in) {
			weights[i] = 0
		}
		sum += weights[i]
		f.index = append(f.index, max(0, min(in-1, k)))
	}
	if r.exclude && sum != 0 {
		for i := range weights {
			weights[i] /= sum
		}
	}
	return f
}

// weights of the pixels from first on, relative to the one left of a point
// which is ratio, in (0,1], to the right of it.
func (r *resize) weights(ratio, scale float64) (first int, w []float64) {
	if r.mode == "nearest" {
		right := ratio == 1 || r.nearest == "ceil" || r.nearest == "round_prefer_floor" && ratio > 0.5 ||
			r.nearest == "round_prefer_ceil" && ratio >= 0.5
		if right {
			return 1, []float64{1}
		}
		return 0, []float64{1}
	}
	reach, kernel := 1.0, func(x float64) float64 { return max(0, 1-math.Abs(x)) }
	if r.mode == "cubic" {
		reach, kernel = 2, func(x float64) float64 { return cubic(math.Abs(x), r.cubic) }
	}
	if !r.antialias || scale > 1 {
		scale = 1
	}
	start := int(max(math.Floor(-reach/scale), -MaxDim)) + 1
	sum := 0.0
	for i := start; i < 2-start; i++ {
		v := kernel((float64(i) - ratio) * scale)
		w, sum = append(w, v), sum+v
	}
	if r.antialias {
		for i := range w {
			w[i] /= sum
		}
	}
	return start, w
}

// cubic is the convolution kernel of Keys with parameter a.
func cubic(x, a float64) float64 {
	switch {
	case x <= 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return ((a*x-5*a)*x+8*a)*x - 4*a
	}
	return 0
}

func (r *resize) run(x, out *Tensor) error {
	if out == nil || Elements(out.Shape) == 0 {
		return nil
	}
	// Dimensions that shrink go first: nothing in between is then larger than
	// the input or the output.
	order := make([]int, len(r.shape))
	for d := range order {
		order[d] = d
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(float64(r.shape[a])/float64(x.Shape[a]), float64(r.shape[b])/float64(x.Shape[b]))
	})
	v, shape := float64s(x), slices.Clone(x.Shape)
	for _, d := range order {
		size := r.shape[d]
		if r.identity[d] || r.transform != "tf_crop_and_resize" && size == shape[d] && r.scales[d] == 1 {
			continue
		}
		v = r.resample(v, shape, d)
		shape[d] = size
	}
	setFloat64s(out, v)
	return nil
}

// resample gives dimension d of the elements v of a shape its new size.
func (r *resize) resample(v []float64, shape []int, d int) []float64 {
	inner, in, size := Elements(shape[d+1:]), shape[d], r.shape[d]
	outer := Elements(shape[:d])
	next := make([]float64, outer*size*inner)
	for o := range size {
		f := r.filter(d, in, o)
		for out := range outer {
			row, from := next[(out*size+o)*inner:], v[out*in*inner:]
			if f.outside {
				for i := range row[:inner] {
					row[i] = r.extrapolation
				}
				continue
			}
			if inner == 1 {
				for k, index := range f.index {
					row[0] += f.weight[k] * from[index]
				}
				continue
			}
			for k, index := range f.index {
				if w := f.weight[k]; w != 0 {
					for i, p := range from[index*inner:][:inner] {
						row[i] += w * p
					}
				}
			}
		}
	}
	return next
}
