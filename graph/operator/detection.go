package operator

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

func init() {
	define("RoiAlign", definition{least: 3, most: 3, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			r, err := c.roiAlign()
			if err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, []int{r.regions, r.channels, r.height, r.width}})
		},
		run: func(c *Call, out []*Tensor) error {
			r, err := c.roiAlign()
			if err != nil || out[0] == nil {
				return err
			}
			return r.run(c, out[0])
		},
	})
	define("MaxRoiPool", definition{least: 2, most: 2, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			x := c.In[0].Shape
			if err := firstError(c.wantFloat(0, 1), c.wantRank(0, 4, 4), c.wantRank(1, 2, 2)); err != nil {
				return nil, err
			}
			if err := c.wantShape(1, c.In[1].Shape[0], 5); err != nil {
				return nil, err
			}
			pooled, err := c.Attributes.Ints("pooled_shape")
			if err != nil {
				return nil, err
			}
			if len(pooled) != 2 || min(pooled[0], pooled[1]) < 1 {
				return nil, fmt.Errorf(`attribute "pooled_shape" is %v, want two positive sizes`, pooled)
			}
			if _, err := c.Attributes.Float("spatial_scale", 1); err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, []int{c.In[1].Shape[0], x[1], pooled[0], pooled[1]}})
		},
		run: runMaxRoiPool,
	})
	define("NonMaxSuppression", definition{least: 2, most: 5, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			selected, err := c.nonMaxSuppression()
			if err != nil {
				return nil, err
			}
			return c.types(Type{I64, []int{len(selected) / 3, 3}})
		},
		run: func(c *Call, out []*Tensor) error {
			selected, err := c.nonMaxSuppression()
			if err != nil || out[0] == nil {
				return err
			}
			if len(selected) != len(out[0].Data.([]int64)) {
				return fmt.Errorf("%d boxes are left, which is another number than when types were inferred", len(selected)/3)
			}
			copy(out[0].Data.([]int64), selected)
			return nil
		},
	})
}

// roiAlign is the shape and attributes of the operator RoiAlign.
type roiAlign struct {
	regions, channels, height, width int
	rows, columns                    int // of the image
	ratio                            int
	scale, offset                    float64
	maximum                          bool
}

func (c *Call) roiAlign() (*roiAlign, error) {
	err := firstError(c.wantFloat(0, 1), c.wantRank(0, 4, 4), c.wantRank(1, 2, 2), c.wantType(2, I64))
	if err != nil {
		return nil, err
	}
	x := c.In[0].Shape
	r := &roiAlign{regions: c.In[1].Shape[0], channels: x[1], rows: x[2], columns: x[3]}
	if err := firstError(c.wantShape(1, r.regions, 4), c.wantShape(2, r.regions)); err != nil {
		return nil, err
	}
	var err1, err2, err3, err4 error
	r.height, err1 = c.Attributes.Int("output_height", 1)
	r.width, err2 = c.Attributes.Int("output_width", 1)
	r.ratio, err3 = c.Attributes.Int("sampling_ratio", 0)
	scale, err4 := c.Attributes.Float("spatial_scale", 1)
	if err := firstError(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	mode, err1 := c.choice("mode", "avg", "avg", "max")
	transform, err2 := c.choice("coordinate_transformation_mode", "half_pixel", "half_pixel", "output_half_pixel")
	if err := firstError(err1, err2); err != nil {
		return nil, err
	}
	r.maximum, r.scale = mode == "max", float64(scale)
	if transform == "half_pixel" {
		r.offset = 0.5
	}
	if r.height < 1 || r.width < 1 {
		return nil, fmt.Errorf("regions of %d by %d are to be made, want positive sizes", r.height, r.width)
	}
	if r.ratio < 0 || r.ratio > maxSamples {
		return nil, fmt.Errorf(`attribute "sampling_ratio" is %d, want 0 to %d`, r.ratio, maxSamples)
	}
	return r, nil
}

// maxSamples bounds how many points are taken along one side of one element.
const maxSamples = 1 << 11

// cell is a point of an image between four pixels.
type cell struct {
	at     [4]int
	weight [4]float64
}

func (r *roiAlign) run(c *Call, out *Tensor) error {
	x, regions, images := float64s(c.In[0]), float64s(c.In[1]), c.In[2].Data.([]int64)
	y := make([]float64, Elements(out.Shape))
	for n := range r.regions {
		image := images[n]
		if image < 0 || image >= int64(c.In[0].Shape[0]) {
			return fmt.Errorf("batch index %d is outside %d images", image, c.In[0].Shape[0])
		}
		var box [4]float64
		for i := range box {
			box[i] = regions[4*n+i]*r.scale - r.offset
			if !(math.Abs(box[i]) <= MaxDim) {
				return fmt.Errorf("region %d is %v", n, regions[4*n:4*n+4])
			}
		}
		w, h := box[2]-box[0], box[3]-box[1]
		if r.offset == 0 {
			w, h = max(w, 1), max(h, 1)
		}
		w, h = w/float64(r.width), h/float64(r.height)
		across, down := r.ratio, r.ratio
		if r.ratio == 0 {
			across, down = max(int(math.Ceil(w)), 0), max(int(math.Ceil(h)), 0)
		}
		if across > maxSamples || down > maxSamples {
			return fmt.Errorf("region %d is %v, too large for %d by %d elements", n, regions[4*n:4*n+4], r.height, r.width)
		}
		for ph := range r.height {
			for pw := range r.width {
				var cells []cell
				for iy := range down {
					for ix := range across {
						cells = append(cells, r.cell(
							box[1]+float64(ph)*h+(float64(iy)+0.5)*h/float64(down),
							box[0]+float64(pw)*w+(float64(ix)+0.5)*w/float64(across)))
					}
				}
				for ch := range r.channels {
					plane := x[(int(image)*r.channels+ch)*r.rows*r.columns:][:r.rows*r.columns]
					y[((n*r.channels+ch)*r.height+ph)*r.width+pw] = r.pool(plane, cells)
				}
			}
		}
	}
	setFloat64s(out, y)
	return nil
}

func (r *roiAlign) cell(y, x float64) (c cell) {
	if y < -1 || y > float64(r.rows) || x < -1 || x > float64(r.columns) || r.rows == 0 || r.columns == 0 {
		return c
	}
	y, x = min(max(y, 0), float64(r.rows-1)), min(max(x, 0), float64(r.columns-1))
	top, left := int(y), int(x)
	bottom, right := min(top+1, r.rows-1), min(left+1, r.columns-1)
	fy, fx := y-float64(top), x-float64(left)
	c.at = [4]int{top*r.columns + left, top*r.columns + right, bottom*r.columns + left, bottom*r.columns + right}
	c.weight = [4]float64{(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx}
	return c
}

func (r *roiAlign) pool(plane []float64, cells []cell) float64 {
	if len(cells) == 0 || len(plane) == 0 {
		return 0
	}
	sum, top := 0.0, math.Inf(-1)
	for _, c := range cells {
		for i, at := range c.at {
			v := plane[at] * c.weight[i]
			sum, top = sum+v, max(top, v)
		}
	}
	if r.maximum {
		return top
	}
	return sum / float64(len(cells))
}

func runMaxRoiPool(c *Call, out []*Tensor) error {
	if out[0] == nil {
		return nil
	}
	x, regions, shape := float64s(c.In[0]), float64s(c.In[1]), c.In[0].Shape
	scale, _ := c.Attributes.Float("spatial_scale", 1)
	pooled := out[0].Shape[2:]
	y := make([]float64, 0, Elements(out[0].Shape))
	for n := range out[0].Shape[0] {
		region := regions[5*n:][:5]
		if image := region[0]; !(image >= 0 && image < float64(shape[0])) {
			return fmt.Errorf("batch index %g is outside %d images", image, shape[0])
		}
		var box [4]int
		for i := range box {
			v := math.Round(region[i+1] * float64(scale))
			if !(math.Abs(v) <= MaxDim) {
				return fmt.Errorf("region %d is %v", n, region)
			}
			box[i] = int(v)
		}
		size := [2]float64{float64(max(box[3]-box[1]+1, 1)), float64(max(box[2]-box[0]+1, 1))}
		side := func(i, from, p int) (lo, hi int) { // the pixels of element p of dimension i
			step := size[i] / float64(pooled[i])
			lo, hi = int(math.Floor(float64(p)*step)), int(math.Ceil(float64(p+1)*step))
			return max(0, min(shape[2+i], lo+from)), max(0, min(shape[2+i], hi+from))
		}
		for ch := range shape[1] {
			plane := x[(int(region[0])*shape[1]+ch)*shape[2]*shape[3]:]
			for ph := range pooled[0] {
				top, bottom := side(0, box[1], ph)
				for pw := range pooled[1] {
					left, right := side(1, box[0], pw)
					best := 0.0
					if top < bottom && left < right {
						best = math.Inf(-1)
					}
					for h := top; h < bottom && left < right; h++ {
						best = max(best, slices.Max(plane[h*shape[3]+left:h*shape[3]+right]))
					}
					y = append(y, best)
				}
			}
		}
	}
	setFloat64s(out[0], y)
	return nil
}

// nonMaxSuppression is the selected boxes: image, class and box of each.
func (c *Call) nonMaxSuppression() ([]int64, error) {
	err := firstError(c.wantFloat(0, 1), c.wantRank(0, 3, 3), c.wantRank(1, 3, 3), c.wantType(2, I64), c.wantFloat(3), c.wantFloat(4),
		c.wantScalar(2), c.wantScalar(3), c.wantScalar(4))
	if err != nil {
		return nil, err
	}
	boxes, scores := c.In[0].Shape, c.In[1].Shape
	if boxes[2] != 4 || scores[0] != boxes[0] || scores[2] != boxes[1] {
		return nil, fmt.Errorf("boxes of shape %v and scores of %v do not fit", boxes, scores)
	}
	centers, err := c.Attributes.Int("center_point_box", 0)
	if err != nil {
		return nil, err
	}
	for i := range 5 {
		if c.has(i) && c.In[i].Data == nil {
			return nil, &NotConstantError{i}
		}
	}
	most := 0
	if c.has(2) {
		v, err := c.ints(2)
		if err != nil {
			return nil, err
		}
		most = v[0]
	}
	overlap, threshold := 0.0, math.Inf(-1)
	if c.has(3) {
		overlap = float64s(c.In[3])[0]
	}
	if c.has(4) {
		threshold = float64s(c.In[4])[0]
	}
	corners, score := cornersOf(float64s(c.In[0]), centers != 0), float64s(c.In[1])
	var selected []int64
	n := boxes[1]
	for image := range scores[0] {
		for class := range scores[1] {
			s := score[(image*scores[1]+class)*n:][:n]
			var order, kept []int
			for i, v := range s {
				if v > threshold {
					order = append(order, i)
				}
			}
			slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s[b], s[a]) })
			for _, i := range order {
				if len(kept) >= most {
					break
				}
				box := corners[image*n+i]
				if !slices.ContainsFunc(kept, func(k int) bool { return corners[image*n+k].overlaps(box, overlap) }) {
					kept = append(kept, i)
					selected = append(selected, int64(image), int64(class), int64(i))
				}
			}
		}
	}
	return selected, nil
}

// box is a rectangle: its lower and its upper corner.
type box struct{ y0, x0, y1, x1 float64 }

// cornersOf reads boxes that are given by any two opposite corners, or by
// center and size.
func cornersOf(v []float64, centers bool) []box {
	list := make([]box, len(v)/4)
	for i := range list {
		a, b, c, d := v[4*i], v[4*i+1], v[4*i+2], v[4*i+3]
		if centers {
			list[i] = box{b - d/2, a - c/2, b + d/2, a + c/2}
		} else {
			list[i] = box{min(a, c), min(b, d), max(a, c), max(b, d)}
		}
	}
	return list
}

func (b box) area() float64 { return (b.y1 - b.y0) * (b.x1 - b.x0) }

// overlaps reports whether what two boxes have in common is more than that part
// of both together.
func (b box) overlaps(o box, part float64) bool {
	common := box{max(b.y0, o.y0), max(b.x0, o.x0), min(b.y1, o.y1), min(b.x1, o.x1)}
	if common.y1 <= common.y0 || common.x1 <= common.x0 {
		return false
	}
	both := b.area() + o.area() - common.area()
	return both > 0 && common.area()/both > part
}
