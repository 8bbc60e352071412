package operator

import (
	"fmt"
	"slices"
)

func init() {
	define("Pad", definition{least: 2, most: 4, outputs: 1, infer: inferPad, run: runPad, exact: true})
}

// padding is what Pad does along each dimension.
type padding struct {
	mode string
	// Elements before and after, removed where negative.
	before, after []int
	shape         []int // of the output
}

func (c *Call) padding() (*padding, error) {
	x := c.In[0]
	rank := len(x.Shape)
	mode, err := c.Attributes.String("mode", "constant")
	if err == nil && !slices.Contains([]string{"constant", "reflect", "edge", "wrap"}, mode) {
		err = fmt.Errorf("attribute \"mode\" is %q, want constant, reflect, edge or wrap", mode)
	}
	if err = firstError(err, c.wantIndices(1), c.wantSame(0, 2)); err != nil {
		return nil, err
	}
	if c.has(2) && Elements(c.In[2].Shape) != 1 {
		return nil, fmt.Errorf("input 2 is of shape %v, want one element", c.In[2].Shape)
	}
	pads, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	var axes []int
	if c.has(3) {
		if err := c.wantIndices(3); err != nil {
			return nil, err
		}
		if axes, err = c.ints(3); err != nil {
			return nil, err
		}
		if _, err := markAxes(axes, rank); err != nil {
			return nil, err
		}
	} else {
		for i := range rank {
			axes = append(axes, i)
		}
	}
	if len(pads) != 2*len(axes) {
		return nil, fmt.Errorf("%d pads for %d axes, want two each", len(pads), len(axes))
	}
	p := &padding{mode: mode, before: make([]int, rank), after: make([]int, rank), shape: slices.Clone(x.Shape)}
	for i, a := range axes {
		a, _ = axis(a, rank)
		before, after := pads[i], pads[i+len(axes)]
		p.before[a], p.after[a] = before, after
		kept := int64(x.Shape[a]) + min(0, int64(before)) + min(0, int64(after))
		if kept < 0 {
			return nil, fmt.Errorf("pads %d and %d remove more than the %d elements of axis %d", before, after, x.Shape[a], a)
		}
		if kept == 0 && mode != "constant" && (before > 0 || after > 0) {
			return nil, fmt.Errorf("axis %d has no elements to pad by in mode %q", a, mode)
		}
		p.shape[a] = int(min(int64(x.Shape[a])+int64(before)+int64(after), MaxDim+1))
	}
	return p, nil
}

func inferPad(c *Call) ([]Type, error) {
	p, err := c.padding()
	if err != nil {
		return nil, err
	}
	return []Type{{c.In[0].DType, p.shape}}, nil
}

func runPad(c *Call, out []*Tensor) error {
	p, err := c.padding()
	if err != nil {
		return err
	}
	if p.mode != "constant" {
		p.repeat(out[0], c.In[0])
		return nil
	}
	p.surround(out[0], c.In[0], c.input(2))
	return nil
}

// surround fills y with x and, around it, value, 0 where that is nil.
func (p *padding) surround(y, x, value *Tensor) {
	if value != nil {
		between(y, value).set(0, 0, Elements(p.shape))
	} else {
		between(y, y).zero(0, Elements(p.shape))
	}
	to, from, kept := 0, 0, make([]int, len(p.shape))
	s, t := strides(p.shape), strides(x.Shape)
	for i := range kept {
		kept[i] = x.Shape[i] + min(0, p.before[i]) + min(0, p.after[i])
		to += max(0, p.before[i]) * s[i]
		from += max(0, -p.before[i]) * t[i]
	}
	between(y, x).strided(newWalk(kept, s, t), to, from)
}

// repeat fills y from x by an index for each place along each dimension.
func (p *padding) repeat(y, x *Tensor) {
	if Elements(p.shape) == 0 {
		return
	}
	rank := len(p.shape)
	move := between(y, x)
	if rank == 0 {
		move.copy(0, 0, 1)
		return
	}
	places := make([][]int, rank)
	for d, step := range strides(x.Shape) {
		removed := max(0, -p.before[d])
		n := x.Shape[d] - removed + min(0, p.after[d])
		places[d] = make([]int, p.shape[d])
		for i := range places[d] {
			places[d][i] = (removed + padSource(p.mode, i-max(0, p.before[d]), n)) * step
		}
	}
	index, to, last := make([]int, rank-1), 0, places[rank-1]
	for {
		from := 0
		for d, i := range index {
			from += places[d][i]
		}
		for _, place := range last {
			move.copy(to, from+place, 1)
			to++
		}
		d := rank - 2
		for ; d >= 0; d-- {
			index[d]++
			if index[d] < p.shape[d] {
				break
			}
			index[d] = 0
		}
		if d < 0 {
			return
		}
	}
}

// padSource is which of n elements stands at place i, counted from the first.
func padSource(mode string, i, n int) int {
	switch {
	case mode == "edge" || n == 1:
		return max(0, min(i, n-1))
	case mode == "wrap":
		return int(modulo(int64(i), int64(n)))
	}
	period := 2 * (n - 1)
	i = int(modulo(int64(i), int64(period)))
	return min(i, period-i)
}

// centred is the padding, negative where it crops, that gives the dimensions
// listed the sizes wanted. What is odd is at the end.
func (c *Call) centred() (*padding, error) {
	x := c.In[0].Shape
	if err := c.wantIndices(1); err != nil {
		return nil, err
	}
	want, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	axes, err := c.Attributes.Ints("axes")
	if err != nil {
		return nil, err
	}
	if _, ok := c.Attributes["axes"]; !ok {
		for i := range x {
			axes = append(axes, i)
		}
	}
	if _, err := markAxes(axes, len(x)); err != nil {
		return nil, err
	}
	if len(want) != len(axes) {
		return nil, fmt.Errorf("%d sizes for %d axes", len(want), len(axes))
	}
	p := &padding{mode: "constant", before: make([]int, len(x)), after: make([]int, len(x)), shape: slices.Clone(x)}
	for i, a := range axes {
		a, _ = axis(a, len(x))
		if want[i] < 0 || want[i] > MaxDim {
			return nil, fmt.Errorf("size %d of axis %d is outside 0..%d", want[i], a, MaxDim)
		}
		d := want[i] - x[a]
		p.before[a], p.after[a], p.shape[a] = d/2, d-d/2, want[i]
	}
	return p, nil
}

func inferCenterCropPad(c *Call) ([]Type, error) {
	p, err := c.centred()
	if err != nil {
		return nil, err
	}
	return []Type{{c.In[0].DType, p.shape}}, nil
}

func runCenterCropPad(c *Call, out []*Tensor) error {
	p, err := c.centred()
	if err != nil {
		return err
	}
	p.surround(out[0], c.In[0], nil)
	return nil
}
