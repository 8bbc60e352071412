package onnx

import (
	"fmt"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// loopBody is the graph that a Loop or Scan repeats.
func (n *node) loopBody(inputs, outputs int) (*onnxpb.GraphProto, error) {
	list, err := n.actualAttributes()
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		p := a.GetG()
		if a.GetName() != "body" || p == nil {
			continue
		}
		if len(p.SparseInitializer) > 0 {
			return nil, unsupportedf("sparse initializers")
		}
		if len(p.Input) != inputs || len(p.Output) != outputs {
			return nil, fmt.Errorf("its body has %d inputs and %d outputs, want %d and %d", len(p.Input), len(p.Output), inputs, outputs)
		}
		return p, nil
	}
	return nil, fmt.Errorf("attribute \"body\" is missing")
}

// round reads the body once more, on the inputs given, and returns its outputs.
func (n *node) round(p *onnxpb.GraphProto, index int, inputs []symbol) ([]symbol, error) {
	if n.count--; n.count < 0 {
		return nil, fmt.Errorf("more than %d nodes and rounds of loops", maxNodes)
	}
	if err := n.enter(); err != nil {
		return nil, err
	}
	defer n.leave()
	s := newScope(n.scope, n.scope.opsets)
	s.prefix = fmt.Sprintf("%s/%d/", n.name, index)
	if err := s.initialize(p.Initializer, nil); err != nil {
		return nil, err
	}
	for i, in := range p.Input {
		if err := s.define(in.GetName(), inputs[i]); err != nil {
			return nil, err
		}
	}
	s.use(p.Node)
	for _, out := range p.Output {
		s.used[out.GetName()] = true
	}
	for _, inner := range p.Node {
		if err := n.decoder.node(inner, s); err != nil {
			return nil, err
		}
	}
	results := make([]symbol, len(p.Output))
	for i, out := range p.Output {
		y, ok, err := n.lookup(out.GetName(), s)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("nothing in its body computes its output %q", out.GetName())
		}
		results[i] = y
	}
	return results, nil
}

// symbolOf is input i, whether tensor or list.
func (n *node) symbolOf(i int) symbol {
	if i < len(n.lists) && n.lists[i] != nil {
		return *n.lists[i]
	}
	if !n.has(i) {
		return symbol{absent: true}
	}
	return symbol{value: n.in[i]}
}

// constantOf is a symbol for one element. Names of what is made in each round hold
// its number: finding free ones takes as long as there are others alike.
func (n *node) constantOf(suffix string, d operator.DType, data any) symbol {
	return symbol{value: n.constant(suffix, &operator.Tensor{DType: d, Shape: []int{}, Data: data})}
}

// loop repeats its body as often as constants say.
func (n *node) loop() error {
	carried := len(n.proto.Input) - 2
	scanned := len(n.proto.Output) - carried
	if carried < 0 || scanned < 0 {
		return fmt.Errorf("%d inputs and %d outputs", len(n.proto.Input), len(n.proto.Output))
	}
	p, err := n.loopBody(2+carried, 1+carried+scanned)
	if err != nil {
		return err
	}
	most := int64(maxNodes) + 1
	if n.has(0) {
		t := n.in[0].Tensor()
		if t == nil {
			return n.mustBeConstant(0, "how often it is repeated")
		}
		list, ok := t.Ints()
		if !ok || len(list) != 1 {
			return fmt.Errorf("input 0 is of type %s and shape %v, want one whole number", t.DType, t.Shape)
		}
		most = min(most, list[0])
	}
	again := true
	if n.has(1) {
		t := n.in[1].Tensor()
		if t == nil {
			return n.mustBeConstant(1, "its condition")
		}
		if again, err = oneBool(t); err != nil {
			return err
		}
	}
	n.nameOutputs()
	var state []symbol
	for i := range carried {
		state = append(state, n.symbolOf(2+i))
	}
	rows := make([][]*graph.Value, scanned)
	for i := int64(0); again && i < most; i++ {
		inputs := append([]symbol{n.constantOf(fmt.Sprintf("%d.round", i), operator.I64, []int64{i}), n.constantOf(fmt.Sprintf("%d.condition", i), operator.Bool, []bool{true})}, state...)
		results, err := n.round(p, int(i), inputs)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(results, symbol.unknown) {
			return nil // what is not supported in it has been noted
		}
		condition := results[0].value
		if condition == nil || condition.Tensor() == nil {
			return unsupportedf("whether it goes on is computed from what is not constant")
		}
		if again, err = oneBool(condition.Tensor()); err != nil {
			return err
		}
		state = results[1 : 1+carried]
		for k, y := range results[1+carried:] {
			if y.value == nil {
				return fmt.Errorf("output %d of its body is no tensor", 1+carried+k)
			}
			rows[k] = append(rows[k], y.value)
		}
	}
	return n.endLoop(state, rows, nil)
}

// unknown reports whether a symbol stands behind what is not supported.
func (y symbol) unknown() bool { return y.value == nil && !y.isList && !y.absent }

func oneBool(t *operator.Tensor) (bool, error) {
	flags, ok := t.Data.([]bool)
	if !ok || len(flags) != 1 {
		return false, fmt.Errorf("the condition is of type %s and shape %v, want one bool", t.DType, t.Shape)
	}
	return flags[0], nil
}

// endLoop names what came of a loop: its state, and what each round gave, along
// axes or the first dimension.
func (n *node) endLoop(state []symbol, rows [][]*graph.Value, axes []int) error {
	results := make([]symbol, len(n.out))
	var err error
	for i, name := range n.out {
		switch k := i - len(state); {
		case name == "", k >= 0 && len(rows[k]) == 0 && !n.isUsed(n.proto.Output[i]):
			continue
		case k < 0:
			results[i], err = n.named(state[i], name)
		case len(rows[k]) == 0:
			err = unsupportedf("no round gives output %d, whose shape is not known", i)
		default:
			axis := 0
			if axes != nil {
				axis = axes[k]
			}
			results[i], err = n.stacked(rows[k], axis, name)
		}
		if err != nil {
			return err
		}
	}
	return n.becomeSymbols(results)
}

// scan repeats its body for each element along a dimension of its last inputs.
func (n *node) scan() error {
	if n.opset < 9 {
		return unsupportedf("with the batches of opset 8")
	}
	// The body is an attribute too, which has no value.
	numbers := operator.Attributes{}
	list, err := n.actualAttributes()
	if err != nil {
		return err
	}
	for _, a := range list {
		if a.GetName() != "body" {
			if numbers[a.GetName()], err = n.attribute(a); err != nil {
				return err
			}
		}
	}
	scans, err := numbers.Int("num_scan_inputs", 0)
	if err != nil {
		return err
	}
	carried := len(n.in) - scans
	scanned := len(n.proto.Output) - carried
	if scans < 1 || carried < 0 || scanned < 0 {
		return fmt.Errorf("%d inputs, %d outputs and num_scan_inputs of %d", len(n.in), len(n.proto.Output), scans)
	}
	p, err := n.loopBody(len(n.in), len(n.proto.Output))
	if err != nil {
		return err
	}
	each := func(name string, count int) ([]int, error) {
		list, err := numbers.Ints(name)
		if err == nil && len(list) == 0 {
			list = make([]int, count)
		}
		if err == nil && len(list) != count {
			err = fmt.Errorf("attribute %q has %d numbers, want %d", name, len(list), count)
		}
		return list, err
	}
	backwards, err1 := each("scan_input_directions", scans)
	axes, err2 := each("scan_input_axes", scans)
	outBackwards, err3 := each("scan_output_directions", scanned)
	outAxes, err4 := each("scan_output_axes", scanned)
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return err
		}
	}
	rounds := -1
	for k := range scans {
		if !n.has(carried + k) {
			return fmt.Errorf("input %d is missing, or no tensor", carried+k)
		}
		shape := n.in[carried+k].Shape
		if axes[k] < 0 {
			axes[k] += len(shape)
		}
		if axes[k] < 0 || axes[k] >= len(shape) {
			return fmt.Errorf("scan_input_axes %v are outside shape %v", axes, shape)
		}
		if rounds >= 0 && rounds != shape[axes[k]] {
			return fmt.Errorf("inputs have %d and %d elements to scan", rounds, shape[axes[k]])
		}
		rounds = shape[axes[k]]
	}
	n.nameOutputs()
	var state []symbol
	for i := range carried {
		state = append(state, n.symbolOf(i))
	}
	rows := make([][]*graph.Value, scanned)
	for i := range rounds {
		inputs := slices.Clone(state)
		for k := range scans {
			at := i
			if backwards[k] != 0 {
				at = rounds - 1 - i
			}
			v, err := n.inner(fmt.Sprintf("%d.%d.element", i, k), "Gather", operator.Attributes{"axis": int64(axes[k])}, n.in[carried+k],
				n.constantOf(fmt.Sprintf("%d.%d.at", i, k), operator.I64, []int64{int64(at)}).value)
			if err != nil {
				return err
			}
			inputs = append(inputs, symbol{value: v})
		}
		results, err := n.round(p, i, inputs)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(results, symbol.unknown) {
			return nil
		}
		state = results[:carried]
		for k, y := range results[carried:] {
			if y.value == nil {
				return fmt.Errorf("output %d of its body is no tensor", carried+k)
			}
			rows[k] = append(rows[k], y.value)
		}
	}
	for k, back := range outBackwards {
		if back != 0 {
			slices.Reverse(rows[k])
		}
	}
	return n.endLoop(state, rows, outAxes)
}
