package onnx

import (
	"errors"
	"fmt"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// normalizeUpsample reads it as Resize, its successor.
func (n *node) normalizeUpsample() error {
	if n.opset < 9 {
		scales, ok := n.attributes["scales"].([]float32)
		if !ok {
			return errors.New("attribute \"scales\" is missing or no list of numbers")
		}
		n.set(1, n.constant("scales", &operator.Tensor{DType: operator.F32, Shape: []int{len(scales)}, Data: scales}))
	}
	n.op = "Resize"
	return n.resizeOfOpset10()
}

func (n *node) normalizeResize() error {
	if n.opset < 11 {
		return n.resizeOfOpset10()
	}
	// Inputs of the wrong kind are left out, or, by some, without elements.
	for i := 1; i < len(n.in); i++ {
		if v := n.in[i]; v != nil && v.Elements() == 0 {
			n.in[i] = nil
		}
	}
	for len(n.in) > 1 && n.in[len(n.in)-1] == nil {
		n.in = n.in[:len(n.in)-1]
	}
	return nil
}

// resizeOfOpset10 is Resize with the coordinates of opset 10 and before: x /
// scale, and of the two nearest elements the lower where it enlarges, the upper
// where it makes smaller.
func (n *node) resizeOfOpset10() error {
	if !n.has(0) || !n.has(1) {
		return errors.New("it needs an input and scales")
	}
	mode, err := n.attributes.String("mode", "nearest")
	if err != nil {
		return err
	}
	scales := n.in[1]
	n.attributes = operator.Attributes{"mode": mode, "coordinate_transformation_mode": "asymmetric"}
	switch mode {
	case "nearest":
		t := scales.Tensor()
		if t == nil {
			return &NotConstantError{Inputs: n.origins(scales), Err: &operator.NotConstantError{Input: 1}}
		}
		list, ok := t.Floats()
		if !ok {
			return fmt.Errorf("its scales are of type %s", t.DType)
		}
		up, down := false, false
		for _, x := range list {
			up, down = up || x > 1, down || x < 1
		}
		if up && down {
			return unsupportedf("scales %v, which enlarge and make smaller", list)
		}
		n.attributes["nearest_mode"] = "floor"
		if down {
			n.attributes["nearest_mode"] = "ceil"
		}
	case "bilinear":
		n.attributes["mode"] = "linear"
	}
	n.in = n.in[:1]
	n.set(2, scales)
	return nil
}
