package onnx

import (
	"fmt"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// normalizers turn operators of older opsets into those of the newest, or into
// simpler ones that are the same in inference. Operators whose attributes and
// inputs have not changed since opset 7 need none.
var normalizers map[string]func(*node) error

func init() {
	normalizers = map[string]func(*node) error{
		"BatchNormalization":           (*node).normalizeBatchNormalization,
		"CastLike":                     (*node).normalizeCastLike,
		"Clip":                         (*node).normalizeClip,
		"Constant":                     (*node).readConstant,
		"DFT":                          (*node).normalizeDFT,
		"Dropout":                      (*node).normalizeDropout,
		"GridSample":                   (*node).normalizeGridSample,
		"GroupNormalization":           (*node).normalizeGroupNormalization,
		"Hardmax":                      (*node).normalizeFlattening,
		"LogSoftmax":                   (*node).normalizeFlattening,
		"Pad":                          (*node).normalizePad,
		"PRelu":                        (*node).normalizePRelu,
		"QuantizeLinear":               (*node).normalizeQuantizeLinear,
		"Resize":                       (*node).normalizeResize,
		"RoiAlign":                     (*node).normalizeRoiAlign,
		"Scatter":                      (*node).normalizeScatter,
		"SimplifiedLayerNormalization": (*node).normalizeSimplifiedLayerNormalization,
		"Slice":                        (*node).normalizeSlice,
		"Softmax":                      (*node).normalizeFlattening,
		"Split":                        (*node).normalizeSplit,
		"Squeeze":                      axesUntil(13),
		"Sum":                          (*node).normalizeSum,
		"TopK":                         (*node).normalizeTopK,
		"Unsqueeze":                    axesUntil(13),
		"Upsample":                     (*node).normalizeUpsample,
		"ReduceSum":                    axesUntil(13),
	}
	for _, op := range []string{"Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor"} {
		normalizers[op] = (*node).normalizeBroadcast
	}
	for op, normalize := range map[string]func(*node) error{
		"Cast": (*node).normalizeCast, "Concat": (*node).normalizeConcat, "Gemm": (*node).normalizeGemm, "Reshape": (*node).normalizeReshape,
	} {
		normalizers[op] = normalize
	}
	for _, op := range []string{"L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"} {
		normalizers["Reduce"+op] = axesUntil(18)
	}
}

// axesUntil makes the attribute axes, which operators had until that opset,
// the second input.
func axesUntil(opset int) func(*node) error {
	return func(n *node) error {
		if n.opset < opset {
			return n.moveInts("axes", 1)
		}
		return nil
	}
}

// moveInts makes an attribute an input.
func (n *node) moveInts(name string, input int) error {
	v, ok := n.attributes[name]
	if !ok {
		return nil
	}
	x, ok := v.([]int64)
	if !ok {
		return fmt.Errorf("attribute %q is a %T, want whole numbers", name, v)
	}
	if n.has(input) {
		return fmt.Errorf("attribute %q and input %d are both given", name, input)
	}
	delete(n.attributes, name)
	n.set(input, n.int64s(name, x...))
	return nil
}

// moveFloat makes an attribute an input of the type of input 0.
func (n *node) moveFloat(name string, input int) error {
	v, ok := n.attributes[name]
	if !ok {
		return nil
	}
	x, ok := v.(float32)
	if !ok {
		return fmt.Errorf("attribute %q is a %T, want a number", name, v)
	}
	if n.has(input) {
		return fmt.Errorf("attribute %q and input %d are both given", name, input)
	}
	delete(n.attributes, name)
	c := n.constant(name, &operator.Tensor{DType: operator.F32, Shape: []int{}, Data: []float32{x}})
	if n.has(0) && n.in[0].DType != operator.F32 {
		var err error
		if c, err = n.inner(name+".cast", "Cast", operator.Attributes{"to": int64(dataType(n.in[0].DType))}, c); err != nil {
			return err
		}
	}
	n.set(input, c)
	return nil
}

func (n *node) readConstant() error {
	if len(n.attributes) != 1 {
		return fmt.Errorf("%d attributes, want one, the value", len(n.attributes))
	}
	t := &operator.Tensor{Shape: []int{}}
	for name, value := range n.attributes {
		switch x := value.(type) {
		case *operator.Tensor:
			t = x
		case float32:
			t.DType, t.Data = operator.F32, []float32{x}
		case int64:
			t.DType, t.Data = operator.I64, []int64{x}
		case []float32:
			t.DType, t.Data, t.Shape = operator.F32, x, []int{len(x)}
		case []int64:
			t.DType, t.Data, t.Shape = operator.I64, x, []int{len(x)}
		default:
			return unsupportedf("attribute %q", name)
		}
	}
	if err := n.charge(t.DType, t.Shape); err != nil {
		return err
	}
	v := &graph.Value{Name: n.out[0], Role: graph.RoleConstant}
	v.Fill(t)
	for _, a := range n.proto.Attribute {
		n.noteFourBits(v, a.GetT().GetDataType())
	}
	return n.become(v)
}

// normalizeFlattening reads Softmax and its like: before opset 13 they are
// taken over all dimensions from axis on.
func (n *node) normalizeFlattening() error {
	if n.opset >= 13 {
		return nil
	}
	if !n.has(0) {
		return fmt.Errorf("input 0 is missing")
	}
	axis, err := n.attributes.Int("axis", 1)
	if err != nil {
		return err
	}
	shape := n.in[0].Shape
	if axis < 0 {
		axis += len(shape)
	}
	if axis < 0 || axis > len(shape) {
		return fmt.Errorf("axis %d is outside rank %d", axis, len(shape))
	}
	if axis < len(shape) && operator.Elements(shape[axis+1:]) == 1 {
		n.attributes = operator.Attributes{"axis": int64(axis)}
		return nil
	}
	flat, err := n.inner("flat", "Flatten", operator.Attributes{"axis": int64(axis)}, n.in[0])
	if err != nil {
		return err
	}
	y, err := n.inner("rows", n.op, operator.Attributes{"axis": int64(-1)}, flat)
	if err != nil {
		return err
	}
	return n.reshapeLast(y, shape)
}

// reshapeLast makes the output v in another shape.
func (n *node) reshapeLast(v *graph.Value, shape []int) error {
	a := operator.Attributes{}
	for _, size := range shape {
		if size == 0 {
			a["allowzero"] = int64(1)
		}
	}
	n.op, n.attributes, n.in = "Reshape", a, []*graph.Value{v, n.int64s("shape", int64s(shape)...)}
	return nil
}

// normalizeSum reads a sum of more than one as additions.
func (n *node) normalizeSum() error {
	if len(n.in) < 2 {
		n.op = "Identity"
		return nil
	}
	for len(n.in) > 2 {
		if !n.has(0) || !n.has(1) {
			return fmt.Errorf("an input is missing")
		}
		x, err := n.inner("sum", "Add", nil, n.in[0], n.in[1])
		if err != nil {
			return err
		}
		n.in = append([]*graph.Value{x}, n.in[2:]...)
	}
	n.op = "Add"
	return nil
}

// normalizeDropout reads it as Identity, which it is in inference.
func (n *node) normalizeDropout() error {
	if n.opset < 12 {
		delete(n.attributes, "ratio")
		if on, err := n.attributes.Int("is_test", 1); err != nil {
			return err
		} else if on != 1 && n.opset < 7 {
			return unsupportedf("training mode")
		}
		delete(n.attributes, "is_test")
	}
	delete(n.attributes, "seed")
	if n.has(2) {
		t := n.in[2].Tensor()
		if t == nil {
			return n.mustBeConstant(2, "whether it is training")
		}
		if on, ok := t.Data.([]bool); !ok || len(on) != 1 {
			return fmt.Errorf("input 2 is of type %s and shape %v, want one bool", t.DType, t.Shape)
		} else if on[0] {
			return nil // which only a ratio of 0 makes certain
		}
	}
	if len(n.out) == 1 && n.has(0) {
		n.op, n.attributes, n.in = "Identity", operator.Attributes{}, n.in[:1]
	}
	return nil
}

func (n *node) normalizeBatchNormalization() error {
	if n.opset >= 14 {
		return nil
	}
	if spatial, err := n.attributes.Int("spatial", 1); err != nil {
		return err
	} else if spatial != 1 {
		return unsupportedf("statistics per element")
	}
	delete(n.attributes, "spatial")
	if on, err := n.attributes.Int("is_test", 1); err != nil {
		return err
	} else if on != 1 && n.opset < 7 {
		return unsupportedf("training mode")
	}
	delete(n.attributes, "is_test")
	if len(n.out) > 1 {
		return unsupportedf("training mode")
	}
	return nil
}

func (n *node) normalizeClip() error {
	if n.opset >= 11 {
		return nil
	}
	if err := n.moveFloat("min", 1); err != nil {
		return err
	}
	return n.moveFloat("max", 2)
}

func (n *node) normalizePad() error {
	if n.opset >= 11 {
		return nil
	}
	if err := n.moveInts("pads", 1); err != nil {
		return err
	}
	return n.moveFloat("value", 2)
}

func (n *node) normalizeSlice() error {
	if n.opset >= 10 {
		return nil
	}
	for i, name := range []string{"starts", "ends", "axes"} {
		if err := n.moveInts(name, 1+i); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) normalizeSplit() error {
	if n.opset < 13 {
		if err := n.moveInts("split", 1); err != nil {
			return err
		}
	}
	if n.opset < 18 && !n.has(1) {
		n.attributes["num_outputs"] = int64(len(n.out))
		axis, err := n.attributes.Int("axis", 0)
		if err != nil {
			return err
		}
		if n.has(0) {
			shape := n.in[0].Shape
			if axis < 0 {
				axis += len(shape)
			}
			if axis >= 0 && axis < len(shape) && shape[axis]%len(n.out) != 0 {
				return fmt.Errorf("%d outputs do not split dimension %d of %v evenly", len(n.out), axis, shape)
			}
		}
	}
	return nil
}

func (n *node) normalizeTopK() error {
	if n.opset >= 10 {
		return nil
	}
	if v, ok := n.attributes["k"].(int64); ok {
		n.attributes["k"] = []int64{v}
	}
	return n.moveInts("k", 1)
}

func (n *node) normalizeScatter() error {
	n.op = "ScatterElements"
	return nil
}

func (n *node) normalizeRoiAlign() error {
	if n.opset < 16 {
		n.attributes["coordinate_transformation_mode"] = "output_half_pixel"
	}
	return nil
}

func (n *node) normalizeGridSample() error {
	switch n.attributes["mode"] {
	case "bilinear":
		n.attributes["mode"] = "linear"
	case "bicubic":
		n.attributes["mode"] = "cubic"
	}
	return nil
}

// normalizeGroupNormalization gives each channel the scale and bias of its
// group, of which opset 18 had one a group.
func (n *node) normalizeGroupNormalization() error {
	if n.opset >= 21 {
		return nil
	}
	groups, err := n.attributes.Int("num_groups", 0)
	if err != nil {
		return err
	}
	if !n.has(0) || !n.has(1) || !n.has(2) || len(n.in[0].Shape) < 2 || groups < 1 || n.in[0].Shape[1]%groups != 0 {
		return fmt.Errorf("it needs an input [N C ...], scale, bias and a num_groups that divides C; num_groups is %d", groups)
	}
	channels := n.in[0].Shape[1]
	for i, name := range []string{1: "scale", 2: "bias"} {
		if i == 0 {
			continue
		}
		if len(n.in[i].Shape) != 1 || n.in[i].Shape[0] != groups {
			return fmt.Errorf("%s has shape %v, want [%d]", name, n.in[i].Shape, groups)
		}
		v, err := n.inner(name+".column", "Reshape", nil, n.in[i], n.int64s(name+".shape", int64(groups), 1))
		if err != nil {
			return err
		}
		if v, err = n.inner(name+".repeated", "Expand", nil, v, n.int64s(name+".shape", int64(groups), int64(channels/groups))); err != nil {
			return err
		}
		if n.in[i], err = n.inner(name+".channels", "Reshape", nil, v, n.int64s(name+".shape", int64(channels))); err != nil {
			return err
		}
	}
	return nil
}

// normalizeDFT makes the axis an input, which it is since opset 20, and states
// the one that is meant before where none is given.
func (n *node) normalizeDFT() error {
	if n.opset >= 20 {
		return nil
	}
	axis, err := n.attributes.Int("axis", 1)
	if err != nil {
		return err
	}
	delete(n.attributes, "axis")
	n.set(2, n.constant("axis", &operator.Tensor{DType: operator.I64, Shape: []int{}, Data: []int64{int64(axis)}}))
	return nil
}

// normalizeSimplifiedLayerNormalization reads the name that ONNX Runtime gave
// RMSNormalization before ONNX had it.
func (n *node) normalizeSimplifiedLayerNormalization() error {
	n.op = "RMSNormalization"
	return nil
}
