package operator

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
)

// mutant is a use of an operator that was right before it was changed.
type mutant struct {
	r          *rand.Rand
	attributes Attributes
	in         []*Tensor
	unknown    []bool // inputs whose data Infer does not get
	outputs    int
	changes    []string
}

func (m *mutant) number() int64 {
	switch m.r.IntN(6) {
	case 0:
		return m.r.Int64N(1 << 40)
	case 1:
		return -m.r.Int64N(1 << 40)
	case 2:
		return int64(m.r.Uint64())
	}
	return m.r.Int64N(9) - 3
}

func (m *mutant) change() {
	i := m.r.IntN(len(m.in))
	x := m.in[i]
	names := slices.Sorted(maps.Keys(m.attributes))
	kind := m.r.IntN(10)
	if x == nil && kind < 6 || len(names) == 0 && kind > 7 {
		return
	}
	switch kind {
	case 0: // an element
		if n := Elements(x.Shape); n > 0 {
			at, v := m.r.IntN(n), New(I64)
			v.Data.([]int64)[0] = m.number()
			y := New(x.DType, x.Shape...)
			cast(y, x)
			one := New(x.DType)
			cast(one, v)
			between(y, one).copy(at, 0, 1)
			m.in[i] = y
		}
	case 1, 2: // a dimension
		shape := slices.Clone(x.Shape)
		switch d := m.r.IntN(len(shape) + 1); {
		case d == len(shape):
			shape = append(shape, m.r.IntN(3))
		case m.r.IntN(3) == 0:
			shape = slices.Delete(shape, d, d+1)
		default:
			shape[d] = max(0, min(shape[d]+m.r.IntN(5)-2, 64))
		}
		m.in[i] = m.resized(x, shape)
	case 3: // the type
		y := New(allTypes[m.r.IntN(len(allTypes))], x.Shape...)
		cast(y, x)
		m.in[i] = y
	case 4:
		m.in[i] = nil
	case 5:
		m.unknown[i] = true
	case 6:
		m.outputs = 1 + m.r.IntN(4)
	case 7:
		m.attributes[[]string{"axis", "axes", "mode", "keepdims", "dtype"}[m.r.IntN(5)]] = m.number()
	default:
		name := names[m.r.IntN(len(names))]
		switch v := m.attributes[name].(type) {
		case int64:
			m.attributes[name] = m.number()
		case float32:
			m.attributes[name] = float32(m.number())
		case string:
			m.attributes[name] = []string{"", v + "x", v[:len(v)/2]}[m.r.IntN(3)]
		case []int64:
			list := slices.Clone(v)
			if len(list) > 0 && m.r.IntN(3) > 0 {
				list[m.r.IntN(len(list))] = m.number()
			} else {
				list = append(list, m.number())
			}
			m.attributes[name] = list
		default:
			delete(m.attributes, name)
		}
	}
	m.changes = append(m.changes, fmt.Sprintf("%d of input %d", kind, i))
}

// resized has x's elements, again and again.
func (m *mutant) resized(x *Tensor, shape []int) *Tensor {
	y := New(x.DType, shape...)
	if n := Elements(x.Shape); n > 0 {
		for i := range Elements(shape) {
			between(y, x).copy(i, i%n, 1)
		}
	}
	return y
}

func (m *mutant) run(name string) (panicked any, err error) {
	defer func() { panicked = recover() }()
	args := make([]*Argument, len(m.in))
	for i, x := range m.in {
		if x != nil {
			args[i] = &Argument{Type: Type{x.DType, x.Shape}}
			if !m.unknown[i] {
				args[i].Constant = x
			}
		}
	}
	types, err := Infer(name, m.attributes, args, m.outputs)
	if err != nil {
		return nil, err
	}
	out := make([]*Tensor, len(types))
	for i, t := range types {
		if Elements(t.Shape) > 1<<16 {
			return nil, nil
		}
		if m.r.IntN(8) > 0 {
			out[i] = New(t.DType, t.Shape...)
		}
	}
	return nil, Run(name, m.attributes, m.in, out)
}

// TestMutantsDoNotPanic changes cases that are right a little, since what is
// drawn at random alone rarely gets past the first check.
func TestMutantsDoNotPanic(t *testing.T) {
	rounds := uint64(10)
	if testing.Short() {
		rounds = 2
	}
	files, _ := filepath.Glob("testdata/*.json.gz")
	runs, succeeded := 0, 0
	for _, file := range files {
		for _, c := range readONNXCases(t, file) {
			if len(c.Inputs) == 0 {
				continue
			}
			original := Attributes{}
			for name, v := range c.Attributes {
				original[name] = v.value(t)
			}
			in := tensorsOf(t, c.Inputs)
			for seed := range rounds {
				m := &mutant{r: rand.New(rand.NewPCG(seed, uint64(runs))), attributes: maps.Clone(original),
					in: slices.Clone(in), unknown: make([]bool, len(in)), outputs: len(c.Outputs)}
				for range 1 + m.r.IntN(3) {
					m.change()
				}
				runs++
				panicked, err := m.run(c.Operator)
				if panicked != nil {
					t.Errorf("%s (%s), round %d, changes %v, attributes %v: panic: %v", c.Name, c.Operator, seed, m.changes, m.attributes, panicked)
				}
				if err == nil {
					succeeded++
				}
			}
		}
	}
	t.Logf("%d of %d succeeded", succeeded, runs)
	if succeeded < runs/10 {
		t.Errorf("only %d of %d succeeded, which tests little", succeeded, runs)
	}
}
