package operator

import (
	"fmt"
	"slices"
)

func init() {
	move := func(name string, least, most int, infer func(*Call) ([]Type, error), run func(*Call, []*Tensor) error) {
		define(name, definition{least: least, most: most, outputs: 1, infer: infer, run: run, exact: true})
	}
	move("Transpose", 1, 1, inferTranspose, runTranspose)
	move("Concat", 1, -1, inferConcat, runConcat)
	define("Split", definition{least: 1, most: 2, outputs: -1, infer: inferSplit, run: runSplit, exact: true})
	move("CenterCropPad", 2, 2, inferCenterCropPad, runCenterCropPad)
	move("Slice", 3, 5, inferSlice, runSlice)
	move("Expand", 2, 2, inferExpand, runExpand)
	move("Tile", 2, 2, inferTile, runTile)
	move("DepthToSpace", 1, 1, inferDepthToSpace, runDepthToSpace)
	move("SpaceToDepth", 1, 1, inferSpaceToDepth, runSpaceToDepth)
	move("Trilu", 1, 2, inferTrilu, runTrilu)
	move("ReverseSequence", 2, 2, inferReverseSequence, runReverseSequence)
}

// permutation is attribute "perm", by default all dimensions backwards.
func (c *Call) permutation() ([]int, error) {
	perm, err := c.Attributes.Ints("perm")
	if err != nil {
		return nil, err
	}
	rank := len(c.In[0].Shape)
	if _, ok := c.Attributes["perm"]; !ok {
		for i := rank - 1; i >= 0; i-- {
			perm = append(perm, i)
		}
		return perm, nil
	}
	marked, err := markAxes(perm, rank)
	if err == nil && (slices.Contains(marked, false) || slices.ContainsFunc(perm, func(a int) bool { return a < 0 })) {
		err = fmt.Errorf("attribute \"perm\" %v is no permutation of %d dimensions", perm, rank)
	}
	return perm, err
}

func inferTranspose(c *Call) ([]Type, error) {
	perm, err := c.permutation()
	if err != nil {
		return nil, err
	}
	shape := make([]int, len(perm))
	for i, p := range perm {
		shape[i] = c.In[0].Shape[p]
	}
	return []Type{{c.In[0].DType, shape}}, nil
}

func runTranspose(c *Call, out []*Tensor) error {
	perm, err := c.permutation()
	if err != nil {
		return err
	}
	from, s := strides(c.In[0].Shape), make([]int, len(perm))
	for i, p := range perm {
		s[i] = from[p]
	}
	between(out[0], c.In[0]).strided(newWalk(out[0].Shape, strides(out[0].Shape), s), 0, 0)
	return nil
}

// requiredAxis is attribute "axis" of a tensor of that rank, which must be
// given.
func (c *Call) requiredAxis(rank int) (int, error) {
	if _, ok := c.Attributes["axis"]; !ok {
		return 0, fmt.Errorf("attribute \"axis\" is missing")
	}
	a, err := c.Attributes.Int("axis", 0)
	if err != nil {
		return 0, err
	}
	return axis(a, rank)
}

func inferConcat(c *Call) ([]Type, error) {
	first := c.In[0]
	a, err := c.requiredAxis(len(first.Shape))
	if err != nil {
		return nil, err
	}
	size := 0
	for i, t := range c.In {
		switch {
		case t == nil:
			return nil, fmt.Errorf("input %d is missing", i)
		case t.DType != first.DType:
			return nil, fmt.Errorf("input %d is of type %s, want %s as input 0 is", i, t.DType, first.DType)
		case len(t.Shape) != len(first.Shape) || !slices.Equal(with(t.Shape, a, 0), with(first.Shape, a, 0)):
			return nil, fmt.Errorf("input %d of shape %v does not fit %v along axis %d", i, t.Shape, first.Shape, a)
		}
		size = min(size+t.Shape[a], MaxDim+1)
	}
	return []Type{{first.DType, with(first.Shape, a, size)}}, nil
}

func runConcat(c *Call, out []*Tensor) error {
	a, err := c.requiredAxis(len(c.In[0].Shape))
	if err != nil {
		return err
	}
	outer, n, inner := split3(out[0].Shape, a)
	to := 0
	for _, t := range c.In {
		size, move := t.Shape[a]*inner, between(out[0], t)
		for i := range outer {
			move.copy(to+i*n*inner, i*size, size)
		}
		to += size
	}
	return nil
}

// splitSizes is the axis of Split and the sizes of its outputs there.
func (c *Call) splitSizes() (int, []int, error) {
	x := c.In[0]
	a, err := c.axisAttribute(0)
	if err != nil {
		return 0, nil, err
	}
	if c.has(1) {
		if err := c.wantIndices(1); err != nil {
			return 0, nil, err
		}
		sizes, err := c.ints(1)
		if err != nil {
			return 0, nil, err
		}
		sum := 0
		for _, n := range sizes {
			if n < 0 {
				return 0, nil, fmt.Errorf("sizes %v have a negative one", sizes)
			}
			sum = min(sum+n, MaxDim+1)
		}
		if sum != x.Shape[a] {
			return 0, nil, fmt.Errorf("sizes %v do not add up to %d, the size of axis %d", sizes, x.Shape[a], a)
		}
		if len(sizes) != c.Outputs {
			return 0, nil, fmt.Errorf("%d sizes for %d outputs", len(sizes), c.Outputs)
		}
		return a, sizes, nil
	}
	n, err := c.Attributes.Int("num_outputs", c.Outputs)
	if err != nil {
		return 0, nil, err
	}
	if n != c.Outputs || n < 1 {
		return 0, nil, fmt.Errorf("attribute \"num_outputs\" is %d for %d outputs", n, c.Outputs)
	}
	if _, ok := c.Attributes["num_outputs"]; !ok && x.Shape[a]%n != 0 {
		return 0, nil, fmt.Errorf("axis %d of shape %v does not split into %d equal parts", a, x.Shape, n)
	}
	chunk, sizes := (x.Shape[a]+n-1)/n, make([]int, n)
	for i := range sizes {
		sizes[i] = max(0, min(chunk, x.Shape[a]-i*chunk))
	}
	return a, sizes, nil
}

func inferSplit(c *Call) ([]Type, error) {
	a, sizes, err := c.splitSizes()
	types := make([]Type, len(sizes))
	for i, n := range sizes {
		types[i] = Type{c.In[0].DType, with(c.In[0].Shape, a, n)}
	}
	return types, err
}

func runSplit(c *Call, out []*Tensor) error {
	a, sizes, err := c.splitSizes()
	if err != nil {
		return err
	}
	outer, n, inner := split3(c.In[0].Shape, a)
	from := 0
	for k, t := range out {
		size := sizes[k] * inner
		if t != nil {
			move := between(t, c.In[0])
			for i := range outer {
				move.copy(i*size, from+i*n*inner, size)
			}
		}
		from += size
	}
	return nil
}

// sliced is where a slice starts, its steps, and its shape.
func (c *Call) sliced() (starts, steps, shape []int, err error) {
	x := c.In[0]
	var list [5][]int
	for i := 1; i < 5; i++ {
		if !c.has(i) {
			continue
		}
		if err := c.wantIndices(i); err != nil {
			return nil, nil, nil, err
		}
		if list[i], err = c.ints(i); err != nil {
			return nil, nil, nil, err
		}
		if len(list[i]) != len(list[1]) {
			return nil, nil, nil, fmt.Errorf("inputs 1 and %d are of %d and %d elements, want as many", i, len(list[1]), len(list[i]))
		}
	}
	starts, steps, shape = make([]int, len(x.Shape)), make([]int, len(x.Shape)), slices.Clone(x.Shape)
	for i := range steps {
		steps[i] = 1
	}
	axes := list[3]
	if !c.has(3) {
		for i := range list[1] {
			axes = append(axes, i)
		}
	}
	if _, err := markAxes(axes, len(x.Shape)); err != nil {
		return nil, nil, nil, err
	}
	for i, a := range axes {
		a, _ = axis(a, len(x.Shape))
		step := 1
		if c.has(4) {
			step = list[4][i]
		}
		if step == 0 {
			return nil, nil, nil, fmt.Errorf("the step of axis %d is 0", a)
		}
		starts[a], shape[a] = sliceRange(list[1][i], list[2][i], step, x.Shape[a])
		steps[a] = step
	}
	return starts, steps, shape, nil
}

// sliceRange is the first index and the number of indices that a slice of n
// elements takes.
func sliceRange(start, end, step, n int) (first, count int) {
	if n == 0 {
		return 0, 0
	}
	if start < 0 {
		start += n
	}
	if end < 0 {
		end += n
	}
	if step > 0 {
		start, end = max(0, min(start, n)), max(0, min(end, n))
		return start, max(0, (end-start+step-1)/step)
	}
	start, end = max(0, min(start, n-1)), max(-1, min(end, n-1))
	return start, max(0, (start-end-step-1)/-step)
}

func inferSlice(c *Call) ([]Type, error) {
	_, _, shape, err := c.sliced()
	return []Type{{c.In[0].DType, shape}}, err
}

func runSlice(c *Call, out []*Tensor) error {
	starts, steps, shape, err := c.sliced()
	if err != nil {
		return err
	}
	from, s := 0, strides(c.In[0].Shape)
	for i := range s {
		from += starts[i] * s[i]
		s[i] *= steps[i]
	}
	between(out[0], c.In[0]).strided(newWalk(shape, strides(shape), s), 0, from)
	return nil
}

func inferExpand(c *Call) ([]Type, error) {
	if err := firstError(c.wantType(1, I32, I64), c.wantRank(1, 1, 1)); err != nil {
		return nil, err
	}
	want, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	for _, d := range want {
		if d < 0 {
			return nil, fmt.Errorf("shape %v has a negative dimension", want)
		}
	}
	shape, err := broadcast(c.In[0].Shape, want)
	return []Type{{c.In[0].DType, shape}}, err
}

func runExpand(c *Call, out []*Tensor) error {
	between(out[0], c.In[0]).strided(elementwise(out[0].Shape, c.In[0].Shape), 0, 0)
	return nil
}

func inferTile(c *Call) ([]Type, error) {
	x := c.In[0]
	if err := firstError(c.wantType(1, I32, I64), c.wantShape(1, len(x.Shape))); err != nil {
		return nil, err
	}
	repeats, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	shape := make([]int, len(x.Shape))
	for i, n := range repeats {
		if n < 0 {
			return nil, fmt.Errorf("repeats %v have a negative one", repeats)
		}
		shape[i] = product(n, x.Shape[i])
	}
	return []Type{{x.DType, shape}}, nil
}

// runTile walks an output of twice as many dimensions: repeats and elements.
func runTile(c *Call, out []*Tensor) error {
	x := c.In[0]
	if Elements(out[0].Shape) == 0 {
		return nil
	}
	var shape, from []int
	s := strides(x.Shape)
	for i, d := range x.Shape {
		shape = append(shape, out[0].Shape[i]/d, d)
		from = append(from, 0, s[i])
	}
	between(out[0], x).strided(newWalk(shape, strides(shape), from), 0, 0)
	return nil
}

// blockSize is the attribute, for an input of four dimensions.
func (c *Call) blockSize() (int, error) {
	n, err := c.Attributes.Int("blocksize", 0)
	if err == nil && (n < 1 || n > 1<<12) {
		err = fmt.Errorf("attribute \"blocksize\" is %d, want 1 to %d", n, 1<<12)
	}
	return n, firstError(err, c.wantRank(0, 4, 4))
}

func inferDepthToSpace(c *Call) ([]Type, error) {
	n, err := c.blockSize()
	mode, err2 := c.Attributes.String("mode", "DCR")
	if err := firstError(err, err2); err != nil {
		return nil, err
	}
	s := c.In[0].Shape
	if mode != "DCR" && mode != "CRD" {
		return nil, fmt.Errorf("attribute \"mode\" is %q, want \"DCR\" or \"CRD\"", mode)
	}
	if s[1]%(n*n) != 0 {
		return nil, fmt.Errorf("%d channels do not divide by %d, the square of attribute \"blocksize\"", s[1], n*n)
	}
	return []Type{{c.In[0].DType, []int{s[0], s[1] / (n * n), product(s[2], n), product(s[3], n)}}}, nil
}

func runDepthToSpace(c *Call, out []*Tensor) error {
	n, err := c.blockSize()
	mode, err2 := c.Attributes.String("mode", "DCR")
	if err := firstError(err, err2); err != nil {
		return err
	}
	s := c.In[0].Shape
	channels, plane := s[1]/(n*n), s[2]*s[3]
	// By output: image, channel, row, row in block, column, column in block.
	shape := []int{s[0], channels, s[2], n, s[3], n}
	from := []int{s[1] * plane, plane, s[3], n * channels * plane, 1, channels * plane}
	if mode == "CRD" {
		from = []int{s[1] * plane, n * n * plane, s[3], n * plane, 1, plane}
	}
	between(out[0], c.In[0]).strided(newWalk(shape, strides(shape), from), 0, 0)
	return nil
}

func inferSpaceToDepth(c *Call) ([]Type, error) {
	n, err := c.blockSize()
	if err != nil {
		return nil, err
	}
	s := c.In[0].Shape
	if s[2]%n != 0 || s[3]%n != 0 {
		return nil, fmt.Errorf("height and width of %v do not divide by %d, attribute \"blocksize\"", s, n)
	}
	return []Type{{c.In[0].DType, []int{s[0], product(s[1], n*n), s[2] / n, s[3] / n}}}, nil
}

func runSpaceToDepth(c *Call, out []*Tensor) error {
	n, err := c.blockSize()
	if err != nil {
		return err
	}
	s := c.In[0].Shape
	// By output: image, row in block, column in block, channel, row, column.
	shape := []int{s[0], n, n, s[1], s[2] / n, s[3] / n}
	plane := s[2] * s[3]
	from := []int{s[1] * plane, s[3], 1, plane, n * s[3], n}
	between(out[0], c.In[0]).strided(newWalk(shape, strides(shape), from), 0, 0)
	return nil
}

func inferTrilu(c *Call) ([]Type, error) {
	_, err := c.Attributes.Int("upper", 1)
	err = firstError(err, c.wantRank(0, 2, max(2, len(c.In[0].Shape))), c.wantType(1, I32, I64), c.wantScalar(1))
	return []Type{{c.In[0].DType, c.In[0].Shape}}, err
}

func runTrilu(c *Call, out []*Tensor) error {
	upper, err := c.Attributes.Int("upper", 1)
	k := []int{0}
	if err == nil && c.has(1) {
		k, err = c.ints(1)
	}
	if err != nil {
		return err
	}
	if err := runCopy(c, out); err != nil {
		return err
	}
	s, move := out[0].Shape, between(out[0], out[0])
	rows, columns := s[len(s)-2], s[len(s)-1]
	for i := range Elements(s[:len(s)-1]) {
		diagonal := i%rows + k[0]
		if upper != 0 {
			move.zero(i*columns, max(0, min(diagonal, columns)))
		} else {
			kept := max(0, min(diagonal+1, columns))
			move.zero(i*columns+kept, columns-kept)
		}
	}
	return nil
}

// sequenceAxes are the attributes: one is 0, the other 1.
func (c *Call) sequenceAxes() (batch, time int, err error) {
	batch, err = c.Attributes.Int("batch_axis", 1)
	time, err2 := c.Attributes.Int("time_axis", 0)
	if err := firstError(err, err2); err != nil {
		return 0, 0, err
	}
	if batch+time != 1 || batch*time != 0 {
		return 0, 0, fmt.Errorf("attributes \"batch_axis\" and \"time_axis\" are %d and %d, want 0 and 1 or 1 and 0", batch, time)
	}
	return batch, time, nil
}

func inferReverseSequence(c *Call) ([]Type, error) {
	batch, _, err := c.sequenceAxes()
	err = firstError(err, c.wantRank(0, 2, max(2, len(c.In[0].Shape))), c.wantType(1, I32, I64))
	if err == nil {
		err = c.wantShape(1, c.In[0].Shape[batch])
	}
	return []Type{{c.In[0].DType, c.In[0].Shape}}, err
}

func runReverseSequence(c *Call, out []*Tensor) error {
	batch, time, err := c.sequenceAxes()
	if err != nil {
		return err
	}
	lengths, err := c.ints(1)
	if err != nil {
		return err
	}
	shape := c.In[0].Shape
	s, move := strides(shape), between(out[0], c.In[0])
	block := Elements(shape[2:])
	for b, n := range lengths {
		if n < 0 || n > shape[time] {
			return fmt.Errorf("length %d of sequence %d is outside 0..%d", n, b, shape[time])
		}
		for t := range shape[time] {
			from := t
			if t < n {
				from = n - 1 - t
			}
			move.copy(b*s[batch]+t*s[time], b*s[batch]+from*s[time], block)
		}
	}
	return nil
}
