package onnx

import (
	"fmt"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// listOperators make, change and read sequences of tensors, with which exporters
// write lists of their languages. How many tensors there are is known when the
// model is read, so that none is left in the graph. Each returns its output.
var listOperators map[string]func(*node) (symbol, error)

func init() {
	listOperators = map[string]func(*node) (symbol, error){
		"ConcatFromSequence": (*node).concatList,
		"SequenceAt":         (*node).listAt,
		"SequenceConstruct":  (*node).makeList,
		"SequenceEmpty":      (*node).makeList,
		"SequenceErase":      (*node).eraseFromList,
		"SequenceInsert":     (*node).insertInList,
		"SequenceLength":     (*node).listLength,
		"SplitToSequence":    (*node).splitToList,
	}
}

func (n *node) readList() error {
	if since := firstOpset[n.op]; since > n.opset {
		return unsupportedf("it is an operator of opset %d and later", since)
	}
	if err := n.readAttributes(); err != nil {
		return err
	}
	n.nameOutputs()
	if len(n.out) != 1 {
		return fmt.Errorf("%d outputs, want one", len(n.out))
	}
	y, err := listOperators[n.op](n)
	if err != nil {
		return err
	}
	return n.becomeSymbols([]symbol{y})
}

// list is input 0.
func (n *node) list() ([]*graph.Value, error) {
	if len(n.lists) == 0 || n.lists[0] == nil {
		return nil, fmt.Errorf("input 0 is no sequence")
	}
	return n.lists[0].list, nil
}

// place is input i, one of so many places, by default the last. Negative ones
// count back from the end of a list of size elements.
func (n *node) place(i, size, places int) (int, error) {
	if !n.has(i) {
		return places - 1, nil
	}
	t := n.in[i].Tensor()
	if t == nil {
		return 0, n.mustBeConstant(i, "the place in a sequence")
	}
	list, ok := t.Ints()
	if !ok || len(list) != 1 {
		return 0, fmt.Errorf("input %d is of type %s and shape %v, want one whole number", i, t.DType, t.Shape)
	}
	at := clampInt(list[0])
	if at < 0 {
		at += size
	}
	if at < 0 || at >= places {
		return 0, fmt.Errorf("place %d is outside a sequence of %d", list[0], size)
	}
	return at, nil
}

func (n *node) makeList() (symbol, error) {
	for i := range n.in {
		if !n.has(i) {
			return symbol{}, fmt.Errorf("input %d is missing", i)
		}
	}
	return symbol{isList: true, list: n.in}, nil
}

func (n *node) insertInList() (symbol, error) {
	list, err := n.list()
	if err != nil {
		return symbol{}, err
	}
	if !n.has(1) {
		return symbol{}, fmt.Errorf("input 1 is missing")
	}
	if n.count -= len(list); n.count < 0 { // each copies the list
		return symbol{}, fmt.Errorf("more than %d nodes and elements of sequences", maxNodes)
	}
	at, err := n.place(2, len(list), len(list)+1)
	if err != nil {
		return symbol{}, err
	}
	return symbol{isList: true, list: slices.Insert(slices.Clone(list), at, n.in[1])}, nil
}

func (n *node) eraseFromList() (symbol, error) {
	list, err := n.list()
	if err != nil {
		return symbol{}, err
	}
	if n.count -= len(list); n.count < 0 {
		return symbol{}, fmt.Errorf("more than %d nodes and elements of sequences", maxNodes)
	}
	at, err := n.place(1, len(list), len(list))
	if err != nil {
		return symbol{}, err
	}
	return symbol{isList: true, list: slices.Delete(slices.Clone(list), at, at+1)}, nil
}

func (n *node) listAt() (symbol, error) {
	list, err := n.list()
	if err != nil {
		return symbol{}, err
	}
	if !n.has(1) {
		return symbol{}, fmt.Errorf("input 1 is missing")
	}
	at, err := n.place(1, len(list), len(list))
	if err != nil {
		return symbol{}, err
	}
	return n.named(symbol{value: list[at]}, n.out[0])
}

func (n *node) listLength() (symbol, error) {
	list, err := n.list()
	if err != nil {
		return symbol{}, err
	}
	v := &graph.Value{Name: n.out[0], Role: graph.RoleConstant}
	v.Fill(&operator.Tensor{DType: operator.I64, Shape: []int{}, Data: []int64{int64(len(list))}})
	return symbol{value: v}, nil
}

func (n *node) concatList() (symbol, error) {
	list, err := n.list()
	if err != nil {
		return symbol{}, err
	}
	axis, err := n.attributes.Int("axis", 0)
	if err != nil {
		return symbol{}, err
	}
	stacked, err := n.attributes.Int("new_axis", 0)
	if err != nil {
		return symbol{}, err
	}
	if stacked == 0 {
		return n.joined(list, axis, n.out[0])
	}
	return n.stacked(list, axis, n.out[0])
}

// joined are tensors one behind the other.
func (n *node) joined(list []*graph.Value, axis int, name string) (symbol, error) {
	if len(list) == 0 {
		return symbol{}, unsupportedf("joining no tensors")
	}
	values, err := n.emit(n.name, "Concat", operator.Attributes{"axis": int64(axis)}, list, []string{name})
	if err != nil {
		return symbol{}, err
	}
	return symbol{value: values[0]}, nil
}

// stacked are tensors side by side in a new dimension.
func (n *node) stacked(list []*graph.Value, axis int, name string) (symbol, error) {
	lifted := make([]*graph.Value, len(list))
	axes := n.int64s("axes", int64(axis))
	for i, v := range list {
		var err error
		if lifted[i], err = n.inner(fmt.Sprintf("%s.%d.lifted", name, i), "Unsqueeze", nil, v, axes); err != nil {
			return symbol{}, err
		}
	}
	return n.joined(lifted, axis, name)
}

func (n *node) splitToList() (symbol, error) {
	if !n.has(0) {
		return symbol{}, fmt.Errorf("input 0 is missing")
	}
	shape := n.in[0].Shape
	axis, err := n.attributes.Int("axis", 0)
	if err != nil {
		return symbol{}, err
	}
	keep, err := n.attributes.Int("keepdims", 1)
	if err != nil {
		return symbol{}, err
	}
	if axis < 0 {
		axis += len(shape)
	}
	if axis < 0 || axis >= len(shape) {
		return symbol{}, fmt.Errorf("axis %d is outside shape %v", axis, shape)
	}
	sizes, err := n.splitSizes(shape[axis])
	if err != nil {
		return symbol{}, err
	}
	list := make([]*graph.Value, len(sizes))
	begin, along := int64(0), n.int64s("axis", int64(axis))
	for i, size := range sizes {
		from, to := n.int64s(fmt.Sprintf("%d.begin", i), begin), n.int64s(fmt.Sprintf("%d.end", i), begin+size)
		begin += size
		if list[i], err = n.inner(fmt.Sprintf("%d.part", i), "Slice", nil, n.in[0], from, to, along); err != nil {
			return symbol{}, err
		}
		if keep == 0 && !n.has(1) {
			if list[i], err = n.inner(fmt.Sprintf("%d.element", i), "Squeeze", nil, list[i], along); err != nil {
				return symbol{}, err
			}
		}
	}
	return symbol{isList: true, list: list}, nil
}

// splitSizes are the sizes of the parts of a dimension: 1 by default, a number
// for all but a smaller last one, or a list.
func (n *node) splitSizes(whole int) ([]int64, error) {
	each := []int64{1}
	single := true
	if n.has(1) {
		t := n.in[1].Tensor()
		if t == nil {
			return nil, n.mustBeConstant(1, "the size of parts")
		}
		var ok bool
		if each, ok = t.Ints(); !ok || len(t.Shape) > 1 {
			return nil, fmt.Errorf("input 1 is of type %s and shape %v, want a whole number or a list", t.DType, t.Shape)
		}
		single = len(t.Shape) == 0
	}
	if !single {
		sum := int64(0)
		for _, size := range each {
			if size < 0 || size > int64(whole) {
				return nil, fmt.Errorf("a part of %d of a dimension of %d", size, whole)
			}
			sum += size
		}
		if sum != int64(whole) {
			return nil, fmt.Errorf("parts of %v of a dimension of %d", each, whole)
		}
		return each, nil
	}
	if each[0] < 1 {
		return nil, fmt.Errorf("parts of %d elements, want 1 or more", each[0])
	}
	if n.count -= whole / int(min(each[0], int64(whole)+1)); n.count < 0 {
		return nil, fmt.Errorf("more than %d nodes and elements of sequences", maxNodes)
	}
	var sizes []int64
	for at := int64(0); at < int64(whole); at += each[0] {
		sizes = append(sizes, min(each[0], int64(whole)-at))
	}
	return sizes, nil
}
