package operator

import "fmt"

// Attributes are a node's, by their ONNX names: int64, float32, string,
// []int64, []float32, []string or *Tensor.
type Attributes map[string]any

// attribute is the attribute of that name as a T, the default where it is not
// given. A wrong type is an error.
func attribute[T any](a Attributes, name string, missing T) (T, error) {
	v, ok := a[name]
	if !ok {
		return missing, nil
	}
	x, ok := v.(T)
	if !ok {
		return missing, fmt.Errorf("attribute %q is a %T, want a %T", name, v, missing)
	}
	return x, nil
}

// Int is an attribute that is a whole number, the default where not given.
func (a Attributes) Int(name string, missing int) (int, error) {
	v, err := attribute(a, name, int64(missing))
	if err == nil && int64(int32(v)) != v {
		// No attribute that says a size, an axis or a choice is larger.
		v = max(min(v, 1<<31-1), -1<<31)
	}
	return int(v), err
}

// Float is an attribute that is a number, the default where not given.
func (a Attributes) Float(name string, missing float32) (float32, error) {
	return attribute(a, name, missing)
}

// String is an attribute that is text, the default where not given.
func (a Attributes) String(name, missing string) (string, error) {
	return attribute(a, name, missing)
}

// Ints is an attribute that is a list of whole numbers, nil where not given.
func (a Attributes) Ints(name string) ([]int, error) {
	v, err := attribute[[]int64](a, name, nil)
	if v == nil {
		return nil, err
	}
	list := make([]int, len(v))
	for i, x := range v {
		list[i] = int(max(min(x, 1<<31-1), -1<<31))
	}
	return list, err
}

// Tensor is an attribute that is a tensor, nil where not given.
func (a Attributes) Tensor(name string) (*Tensor, error) {
	return attribute[*Tensor](a, name, nil)
}
