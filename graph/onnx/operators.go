package onnx

import (
	"slices"

	"github.com/hwprofd/hwprofd/graph"
)

// operators reads each supported operator of ONNX's own domain, in all the
// versions that opset 7 and later have of it.
var operators = map[string]func(*node) error{
	"Add":                (*node).readAdd,
	"AveragePool":        (*node).readAveragePool,
	"BatchNormalization": (*node).readBatchNormalization,
	"Clip":               (*node).readClip,
	"Constant":           (*node).readConstant,
	"ConstantOfShape":    (*node).readConstantOfShape,
	"Conv":               (*node).readConv,
	"Div":                (*node).readDiv,
	"Dropout":            (*node).readDropout,
	"Flatten":            (*node).readFlatten,
	"Gemm":               (*node).readGemm,
	"GlobalAveragePool":  (*node).readGlobalAveragePool,
	"HardSigmoid":        (*node).readHardSigmoid,
	"HardSwish":          (*node).readHardSwish,
	"Identity":           (*node).readIdentity,
	"MatMul":             (*node).readMatMul,
	"MaxPool":            (*node).readMaxPool,
	"Mul":                (*node).readMul,
	"Relu":               (*node).readRelu,
	"Reshape":            (*node).readReshape,
	"Sigmoid":            (*node).readSigmoid,
	"Softmax":            (*node).readSoftmax,
	"Sub":                (*node).readSub,
	"Sum":                (*node).readSum,
}

func (n *node) unary(kind graph.Kind) error {
	x, err := n.activation(0)
	if err != nil {
		return err
	}
	return n.last(kind, graph.Attributes{}, x)
}

func (n *node) readRelu() error      { return n.unary(graph.Relu) }
func (n *node) readSigmoid() error   { return n.unary(graph.Sigmoid) }
func (n *node) readHardSwish() error { return n.unary(graph.HardSwish) }

func (n *node) readGlobalAveragePool() error {
	x, err := n.activation(0)
	if err != nil {
		return err
	}
	if len(x.Shape) != 4 {
		return unsupportedf("input has shape %v; only [N C H W] is supported", x.Shape)
	}
	return n.last(graph.GlobalAveragePool, graph.Attributes{}, x)
}

func (n *node) readIdentity() error {
	if n.has(0) && n.inputs[0].constant != nil {
		return n.become(n.inputs[0])
	}
	return n.unary(graph.Identity)
}

// readDropout reads it as Identity, which it is in inference.
func (n *node) readDropout() error {
	if n.has(2) {
		training, err := n.constant(2)
		if err != nil {
			return err
		}
		if slices.Contains(training.constant.ints, 1) {
			return unsupportedf("training mode")
		}
	}
	return n.readIdentity()
}

func (n *node) readBatchNormalization() error {
	x, err := n.activation(0)
	if err != nil {
		return err
	}
	inputs := []*graph.Value{x}
	for i, role := range []graph.Role{graph.RoleScale, graph.RoleShift, graph.RoleMean, graph.RoleVariance} {
		o, err := n.floats(i + 1)
		if err != nil {
			return err
		}
		v, err := n.given(o, role, o.constant.shape)
		if err != nil {
			return err
		}
		inputs = append(inputs, v)
	}
	training, err := n.int("training_mode", 0)
	if err != nil {
		return err
	}
	spatial, err := n.int("spatial", 1)
	if err != nil {
		return err
	}
	if training != 0 || spatial != 1 {
		return unsupportedf("training mode, or statistics per element")
	}
	epsilon, err := n.float("epsilon", 1e-5)
	if err != nil {
		return err
	}
	return n.last(graph.BatchNormalization, graph.Attributes{Epsilon: epsilon}, inputs...)
}

func (n *node) readFlatten() error {
	x, err := n.activation(0)
	if err != nil {
		return err
	}
	axis, err := n.int("axis", 1)
	if err != nil {
		return err
	}
	return n.last(graph.Flatten, graph.Attributes{Axis: axis}, x)
}

func (n *node) readReshape() error {
	shape, err := n.constant(1)
	if err != nil {
		return err
	}
	allowZero, err := n.int("allowzero", 0)
	if err != nil {
		return err
	}
	target := shape.constant.ints
	if target == nil {
		return unsupportedf("its shape is not of type INT64")
	}
	if allowZero != 0 && slices.Contains(target, 0) {
		return unsupportedf("it makes a tensor without elements")
	}
	x, err := n.activation(0)
	if err != nil {
		return err
	}
	return n.last(graph.Reshape, graph.Attributes{Shape: target}, x)
}

func (n *node) readSoftmax() error {
	x, err := n.activation(0)
	if err != nil {
		return err
	}
	rank := len(x.Shape)
	missing := -1
	if n.opset < 13 {
		missing = 1
	}
	axis, err := n.int("axis", missing)
	if err != nil {
		return err
	}
	if axis < 0 {
		axis += rank
	}
	if axis < 0 || axis >= rank {
		return unsupportedf("axis %d of rank %d", axis, rank)
	}
	after := product(x.Shape[axis+1:])
	switch {
	case after == 1:
		return n.last(graph.Softmax, graph.Attributes{Axis: axis}, x)
	case n.opset >= 13:
		return unsupportedf("axis %d of %v is not the last", axis, x.Shape)
	}
	// Before opset 13 it is taken over all dimensions from axis on.
	flat, err := n.inner("flat", graph.Flatten, graph.Attributes{Axis: axis}, x)
	if err != nil {
		return err
	}
	soft, err := n.inner("softmax", graph.Softmax, graph.Attributes{Axis: 1}, flat)
	if err != nil {
		return err
	}
	return n.last(graph.Reshape, graph.Attributes{Shape: x.Shape}, soft)
}
