package operator

import (
	"fmt"
	"slices"
	"strings"
)

func init() {
	define("Einsum", definition{least: 1, most: -1, outputs: 1, infer: inferEinsum, run: runEinsum})
}

// maxProducts bounds the work, which several small inputs can make endless: a
// walk visits all labels at once.
const maxProducts = 1 << 42

// einsum is the equation: the label of each dimension of each input and of the
// output. Dimensions of an ellipsis are labelled by -1, -2 ... from the last.
type einsum struct {
	in  [][]int
	out []int
	// Sizes of labels.
	size map[int]int
}

func (c *Call) einsum() (*einsum, error) {
	equation, err := c.Attributes.String("equation", "")
	if err != nil {
		return nil, err
	}
	left, right, explicit := strings.Cut(strings.ReplaceAll(equation, " ", ""), "->")
	terms := strings.Split(left, ",")
	if len(terms) != len(c.In) {
		return nil, fmt.Errorf("equation %q has %d terms for %d inputs", equation, len(terms), len(c.In))
	}
	e := &einsum{size: map[int]int{}}
	uses, hidden := map[int]int{}, 0
	for i, term := range terms {
		if c.In[i] == nil {
			return nil, fmt.Errorf("input %d is missing", i)
		}
		shape := c.In[i].Shape
		labels, err := einsumLabels(term, len(shape))
		if err != nil {
			return nil, fmt.Errorf("equation %q, input %d: %w", equation, i, err)
		}
		for d, label := range labels {
			if n, known := e.size[label]; known && n != 1 && shape[d] != 1 && n != shape[d] {
				return nil, fmt.Errorf("equation %q: dimension %d of input %d is %d, and another of that label %d", equation, d, i, shape[d], n)
			} else if !known || n == 1 {
				e.size[label] = shape[d]
			}
			uses[label]++
			hidden = max(hidden, -label)
		}
		e.in = append(e.in, labels)
	}
	if !explicit {
		for label := -hidden; label < 0; label++ {
			e.out = append(e.out, label)
		}
		for label := range rune(128) {
			if uses[int(label)] == 1 {
				e.out = append(e.out, int(label))
			}
		}
		return e, nil
	}
	rank := len(right)
	if strings.Contains(right, "...") {
		rank += hidden - len("...")
	}
	if e.out, err = einsumLabels(right, rank); err != nil {
		return nil, fmt.Errorf("equation %q, output: %w", equation, err)
	}
	for i, label := range e.out {
		if uses[label] == 0 || slices.Contains(e.out[:i], label) {
			return nil, fmt.Errorf("equation %q: a label of the output occurs twice or in no input", equation)
		}
	}
	return e, nil
}

// einsumLabels are the labels of the dimensions of a tensor of that rank.
func einsumLabels(term string, rank int) ([]int, error) {
	before, after, ellipsis := strings.Cut(term, "...")
	hidden := rank - len(before) - len(after)
	if hidden < 0 || !ellipsis && hidden > 0 {
		return nil, fmt.Errorf("term %q is for other than %d dimensions", term, rank)
	}
	var labels []int
	for _, r := range before {
		labels = append(labels, int(r))
	}
	for i := range hidden {
		labels = append(labels, i-hidden)
	}
	for _, r := range after {
		labels = append(labels, int(r))
	}
	for _, l := range labels {
		if l >= 0 && !(l >= 'a' && l <= 'z' || l >= 'A' && l <= 'Z') {
			return nil, fmt.Errorf("term %q has a label that is no letter", term)
		}
	}
	return labels, nil
}

func inferEinsum(c *Call) ([]Type, error) {
	e, err := c.einsum()
	if err != nil {
		return nil, err
	}
	all := make([]int, len(c.In))
	for i := range all {
		all[i] = i
	}
	shape := make([]int, len(e.out))
	for i, label := range e.out {
		shape[i] = e.size[label]
	}
	work := 1.0
	for _, n := range e.size {
		work *= float64(n)
	}
	if work > maxProducts {
		return nil, unsupportedf("the equation takes %.0f products of elements", work)
	}
	return []Type{{c.In[0].DType, shape}}, c.wantNumbers(all...)
}

// runEinsum walks all labels, those of the output first, and adds up products.
func runEinsum(c *Call, out []*Tensor) error {
	e, err := c.einsum()
	if err != nil {
		return err
	}
	labels := slices.Clone(e.out)
	for _, list := range e.in {
		for _, label := range list {
			if !slices.Contains(labels, label) {
				labels = append(labels, label)
			}
		}
	}
	steps := make([][]int, 1, len(e.in)+1)
	shape, data := make([]int, len(labels)), make([]any, len(e.in))
	steps[0] = append(strides(out[0].Shape), make([]int, len(labels)-len(e.out))...)
	for i, list := range e.in {
		s := make([]int, len(labels))
		for d, step := range strides(c.In[i].Shape) {
			if c.In[i].Shape[d] != 1 {
				s[slices.Index(labels, list[d])] += step
			}
		}
		steps, data[i] = append(steps, s), c.In[i].Data
	}
	for i, label := range labels {
		shape[i] = e.size[label]
	}
	numericOf(c.In[0].DType).contract(out[0].Data, data, newWalk(shape, steps...))
	return nil
}

func (numbers[T]) contract(to any, in []any, w *walk) {
	x := make([][]T, len(in))
	for i, v := range in {
		x[i] = v.([]T)
	}
	y := to.([]T)
	if !isFloat[T]() {
		clear(y)
		contract(y, x, w)
		return
	}
	sum := make([]float64, len(y))
	contract(sum, x, w)
	for i, v := range sum {
		y[i] = T(v)
	}
}

func contract[A, T number](sum []A, x [][]T, w *walk) {
	if w.empty {
		return
	}
	t, step := w.step(0), make([]int, len(x))
	for k := range x {
		step[k] = w.step(k + 1)
	}
	w.rows(func(n int, at []int) {
		o := at[0]
		if len(x) == 2 {
			a, b, i, j := x[0], x[1], at[1], at[2]
			for range n {
				sum[o] += A(a[i]) * A(b[j])
				o += t
				i += step[0]
				j += step[1]
			}
			return
		}
		for r := range n {
			p := A(1)
			for k, v := range x {
				p *= A(v[at[k+1]+r*step[k]])
			}
			sum[o] += p
			o += t
		}
	})
}
