package operator

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Type is the element type and shape of a tensor.
type Type struct {
	DType DType
	Shape []int
}

// Argument is what is known of an input before anything runs.
type Argument struct {
	Type
	Constant *Tensor // nil where it is computed
}

// Call is one use of an operator: its attributes and what it reads.
type Call struct {
	Attributes Attributes
	// In has an entry for each input, nil for an optional one left out. While
	// types are inferred only constants have data; the others' Data is nil.
	In []*Tensor
	// Outputs is the number of outputs that the node lists.
	Outputs int
	// given are the types of inputs before those of half types were widened.
	given []DType
}

// NotConstantError says that the types of outputs depend on the elements of an
// input that is not known before the run.
type NotConstantError struct{ Input int }

func (e *NotConstantError) Error() string {
	return fmt.Sprintf("input %d is not constant, and the shape of the output depends on it", e.Input)
}

// UnsupportedError says which use of an operator is not defined here, though
// ONNX has it.
type UnsupportedError struct{ Reason string }

func (e *UnsupportedError) Error() string { return e.Reason }

// Is lets errors.Is find errors.ErrUnsupported.
func (e *UnsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

func unsupportedf(format string, args ...any) error {
	return &UnsupportedError{fmt.Sprintf(format, args...)}
}

// definition is an operator.
type definition struct {
	least, most int // inputs; most < 0 is no limit
	outputs     int // at most; < 0 is no limit
	// infer returns the types of c.Outputs outputs, and checks attributes and
	// input types: what it accepts, run computes without panic.
	infer func(c *Call) ([]Type, error)
	// run fills out, whose types are those of infer; entries of unused outputs
	// are nil. All of c.In have data. It reports what only data can show, such
	// as an index out of range.
	run func(c *Call, out []*Tensor) error
	// exact operators take half types as they are (moves, casts); others get
	// them widened to F32, and their outputs narrowed.
	exact bool
}

// definitions are all operators, by ONNX name. Each file adds its own.
var definitions = map[string]*definition{}

func define(name string, d definition) { definitions[name] = &d }

// Names are the operators that are defined, sorted.
func Names() []string { return slices.Sorted(maps.Keys(definitions)) }

// Defined reports whether there is an operator of that name.
func Defined(name string) bool { return definitions[name] != nil }

// Infer returns the types of an operator's outputs. Arguments are nil for
// inputs left out; outputs is how many outputs the node lists. Errors of type
// [NotConstantError] and [UnsupportedError] tell what is only not possible
// here; others say what is wrong with the node.
func Infer(name string, a Attributes, args []*Argument, outputs int) ([]Type, error) {
	d := definitions[name]
	if d == nil {
		return nil, unsupportedf("operator %s is not defined", name)
	}
	c := &Call{Attributes: a, In: make([]*Tensor, len(args)), Outputs: outputs, given: make([]DType, len(args))}
	var half DType
	for i, arg := range args {
		if arg == nil {
			continue
		}
		err := CheckShape(arg.Shape)
		if arg.Constant != nil {
			err = arg.Constant.Check()
		}
		if err != nil {
			return nil, fmt.Errorf("input %d: %w", i, err)
		}
		c.In[i] = arg.Constant
		if arg.Constant == nil {
			c.In[i] = &Tensor{DType: arg.DType, Shape: arg.Shape}
		}
		c.given[i] = c.In[i].DType
		if arg.DType.IsHalf() && !d.exact {
			half = arg.DType
			c.In[i] = widened(c.In[i])
		}
	}
	types, err := d.inferChecked(c)
	if err != nil {
		return nil, err
	}
	for i := range types {
		if half != "" && types[i].DType == F32 {
			types[i].DType = half
		}
		if err := CheckShape(types[i].Shape); err != nil {
			return nil, fmt.Errorf("output %d: %w", i, err)
		}
	}
	return types, nil
}

func (d *definition) inferChecked(c *Call) ([]Type, error) {
	if n := len(c.In); n < d.least || d.most >= 0 && n > d.most {
		return nil, fmt.Errorf("%d inputs, want %d to %d", n, d.least, d.most)
	}
	for i := range d.least {
		if c.In[i] == nil {
			return nil, fmt.Errorf("input %d is missing", i)
		}
	}
	if c.Outputs < 1 {
		return nil, errors.New("no outputs")
	}
	if d.outputs >= 0 && c.Outputs > d.outputs {
		return nil, unsupportedf("%d outputs, of which there are %d", c.Outputs, d.outputs)
	}
	types, err := d.infer(c)
	if err == nil && len(types) != c.Outputs {
		err = errors.New("it has not as many outputs as listed")
	}
	return types, err
}

// Run computes an operator. in has nil for inputs left out, out for outputs
// not wanted; the types of out are those that Infer gives. out is overwritten.
func Run(name string, a Attributes, in, out []*Tensor) error {
	d := definitions[name]
	if d == nil {
		return unsupportedf("operator %s is not defined", name)
	}
	c := &Call{Attributes: a, In: make([]*Tensor, len(in)), Outputs: len(out), given: make([]DType, len(in))}
	for i, t := range in {
		if t == nil {
			continue
		}
		if err := t.Check(); err != nil {
			return fmt.Errorf("input %d: %w", i, err)
		}
		c.given[i], c.In[i] = t.DType, t
		if !d.exact {
			c.In[i] = widened(t)
		}
	}
	if err := d.checkOutputs(c, out); err != nil {
		return err
	}
	wide := make([]*Tensor, len(out))
	used := false
	for i, t := range out {
		used = used || t != nil
		wide[i] = t
		if isHalf(t) && !d.exact {
			wide[i] = New(F32, t.Shape...)
		}
	}
	if !used {
		return nil
	}
	if err := d.run(c, wide); err != nil {
		return err
	}
	for i, t := range out {
		if wide[i] != t {
			narrow(t.DType, t.Data.([]uint16), wide[i].Data.([]float32))
		}
	}
	return nil
}

// checkOutputs checks that out have the types that c, whose half types are
// widened, infers.
func (d *definition) checkOutputs(c *Call, out []*Tensor) error {
	types, err := d.inferChecked(c)
	if err != nil {
		return err
	}
	for i, t := range out {
		if t == nil {
			continue
		}
		if err := t.Check(); err != nil {
			return fmt.Errorf("output %d: %w", i, err)
		}
		want := types[i]
		if isHalf(t) && want.DType == F32 && !d.exact {
			want.DType = t.DType
		}
		if t.DType != want.DType || !slices.Equal(t.Shape, want.Shape) {
			return fmt.Errorf("output %d is %s %v, want %s %v", i, t.DType, t.Shape, want.DType, want.Shape)
		}
	}
	return nil
}

func isHalf(t *Tensor) bool { return t != nil && t.DType.IsHalf() }

// widened is t in single precision where it is of a half type.
func widened(t *Tensor) *Tensor {
	if !isHalf(t) {
		return t
	}
	w := &Tensor{DType: F32, Shape: t.Shape}
	if t.Data != nil {
		w.Data = widen(t.DType, t.Data.([]uint16))
	}
	return w
}

// Evaluate infers and runs: it returns the outputs of an operator on tensors.
func Evaluate(name string, a Attributes, in []*Tensor, outputs int) ([]*Tensor, error) {
	args := make([]*Argument, len(in))
	for i, t := range in {
		if t != nil {
			args[i] = &Argument{Type: Type{t.DType, t.Shape}, Constant: t}
		}
	}
	types, err := Infer(name, a, args, outputs)
	if err != nil {
		return nil, err
	}
	out := make([]*Tensor, outputs)
	for i, t := range types {
		out[i] = New(t.DType, t.Shape...)
	}
	return out, Run(name, a, in, out)
}

// has reports whether input i is given.
func (c *Call) has(i int) bool { return i < len(c.In) && c.In[i] != nil }

// ints are the elements of input i, which must be an integer constant.
func (c *Call) ints(i int) ([]int, error) {
	if c.In[i].Data == nil {
		return nil, &NotConstantError{i}
	}
	v, ok := c.In[i].Ints()
	if !ok {
		return nil, fmt.Errorf("input %d is of type %s, want integers", i, c.In[i].DType)
	}
	list := make([]int, len(v))
	for j, x := range v {
		list[j] = int(max(min(x, 1<<31-1), -1<<31))
	}
	return list, nil
}

// axis is a dimension of a tensor of the given rank; negative ones count from
// the end.
func axis(a, rank int) (int, error) {
	if a < -rank || a >= rank {
		return 0, fmt.Errorf("axis %d is outside rank %d", a, rank)
	}
	return (a + rank) % max(rank, 1), nil
}
