package operator

import (
	"cmp"
	"fmt"
	"slices"
)

func init() {
	define("TopK", definition{least: 2, most: 2, outputs: 2, infer: inferTopK, run: runTopK})
	define("Unique", definition{least: 1, most: 1, outputs: 4, infer: inferUnique, run: runUnique})
}

func inferTopK(c *Call) ([]Type, error) {
	x := c.In[0]
	a, err := c.axisAttribute(-1)
	_, err2 := c.Attributes.Int("largest", 1)
	_, err3 := c.Attributes.Int("sorted", 1)
	if err := firstError(err, err2, err3, c.wantNumbers(0), c.wantType(1, I32, I64), c.wantScalar(1)); err != nil {
		return nil, err
	}
	k, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	if k[0] < 0 || k[0] > x.Shape[a] {
		return nil, fmt.Errorf("%d elements are wanted of axis %d of shape %v", k[0], a, x.Shape)
	}
	shape := with(x.Shape, a, k[0])
	return c.types(Type{x.DType, shape}, Type{I64, shape})
}

func runTopK(c *Call, out []*Tensor) error {
	a, err := c.axisAttribute(-1)
	largest, err2 := c.Attributes.Int("largest", 1)
	if err := firstError(err, err2); err != nil {
		return err
	}
	k, err := c.ints(1)
	if err != nil {
		return err
	}
	x := c.In[0]
	outer, n, inner := split3(x.Shape, a)
	if k[0] == 0 {
		return nil
	}
	number, index := numericOf(x.DType), make([]int, n)
	var values elements
	if out[0] != nil {
		values = between(out[0], x)
	}
	for i := range outer {
		for j := range inner {
			from := i*n*inner + j
			number.sort(x.Data, from, inner, largest != 0, index)
			for r, m := range index[:k[0]] {
				to := (i*k[0]+r)*inner + j
				if values != nil {
					values.copy(to, from+m*inner, 1)
				}
				if len(out) > 1 && out[1] != nil {
					out[1].Data.([]int64)[to] = int64(m)
				}
			}
		}
	}
	return nil
}

// sort orders the indices of elements that stand a step apart, equal ones by
// index; NaN is larger than any number.
func (numbers[T]) sort(x any, at, step int, largest bool, index []int) {
	v := x.([]T)[at:]
	for i := range index {
		index[i] = i
	}
	slices.SortFunc(index, func(a, b int) int {
		order := compareNumbers(v[a*step], v[b*step])
		if largest {
			order = -order
		}
		return cmp.Or(order, a-b)
	})
}

// compareNumbers is cmp.Compare with NaN above all numbers.
func compareNumbers[T number](a, b T) int {
	switch {
	case a < b || a == a && b != b:
		return -1
	case a > b || a != a && b == b:
		return 1
	}
	return 0
}

// unique is what Unique finds: parts of its input along an axis.
type unique struct {
	axis    int
	shape   []int   // the input's, or flattened
	first   []int   // where each unique part occurs first, in their order
	counts  []int64 // how often
	inverse []int64 // for each part of the input, which unique one it is
}

func (c *Call) unique() (*unique, error) {
	x := c.In[0]
	u := &unique{shape: x.Shape}
	sorted, err := c.Attributes.Int("sorted", 1)
	if err != nil {
		return nil, err
	}
	if _, ok := c.Attributes["axis"]; ok {
		if u.axis, err = c.axisAttribute(0); err != nil {
			return nil, err
		}
	} else {
		u.shape = []int{Elements(x.Shape)}
	}
	if x.Data == nil {
		return nil, &NotConstantError{0}
	}
	if x.DType == Bool {
		x = New(U8, x.Shape...)
		cast(x, c.In[0])
	}
	outer, n, inner := split3(u.shape, u.axis)
	compare := numericOf(x.DType).partOrder(x.Data, outer, n, inner)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, compare)
	u.inverse = make([]int64, n)
	for i, part := range order {
		if i == 0 || compare(order[i-1], part) != 0 {
			u.first = append(u.first, part)
			u.counts = append(u.counts, 0)
		}
		u.counts[len(u.counts)-1]++
		u.inverse[part] = int64(len(u.first) - 1)
	}
	if sorted == 0 {
		u.sortByFirst()
	}
	return u, nil
}

// sortByFirst orders unique parts by where they occur first.
func (u *unique) sortByFirst() {
	order := make([]int, len(u.first))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return u.first[a] - u.first[b] })
	first, counts, now := make([]int, len(order)), make([]int64, len(order)), make([]int64, len(order))
	for i, o := range order {
		first[i], counts[i], now[o] = u.first[o], u.counts[o], int64(i)
	}
	for i, o := range u.inverse {
		u.inverse[i] = now[o]
	}
	u.first, u.counts = first, counts
}

// partOrder compares parts of a tensor, by their indices along the middle of
// three dimensions, element by element.
func (numbers[T]) partOrder(x any, outer, n, inner int) func(a, b int) int {
	v := x.([]T)
	return func(a, b int) int {
		for i := range outer {
			p, q := (i*n+a)*inner, (i*n+b)*inner
			for j := range inner {
				if order := compareNumbers(v[p+j], v[q+j]); order != 0 {
					return order
				}
			}
		}
		return 0
	}
}

func inferUnique(c *Call) ([]Type, error) {
	u, err := c.unique()
	if err != nil {
		return nil, err
	}
	n := len(u.first)
	return c.types(Type{c.In[0].DType, with(u.shape, u.axis, n)}, Type{I64, []int{n}},
		Type{I64, []int{u.shape[u.axis]}}, Type{I64, []int{n}})
}

func runUnique(c *Call, out []*Tensor) error {
	u, err := c.unique()
	if err != nil {
		return err
	}
	outer, n, inner := split3(u.shape, u.axis)
	for k, t := range out {
		switch {
		case t == nil:
		case k == 0:
			move, to := between(t, c.In[0]), 0
			for i := range outer {
				for _, part := range u.first {
					move.copy(to, (i*n+part)*inner, inner)
					to += inner
				}
			}
		case k == 1:
			for i, part := range u.first {
				t.Data.([]int64)[i] = int64(part)
			}
		case k == 2:
			copy(t.Data.([]int64), u.inverse)
		case k == 3:
			copy(t.Data.([]int64), u.counts)
		}
	}
	return nil
}
