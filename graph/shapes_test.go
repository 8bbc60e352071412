package graph

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInferShape(t *testing.T) {
	conv := func(stride, dilation [2]int, pad [4]int, group int) Attributes {
		return Attributes{Stride: stride, Dilation: dilation, Pad: pad, Group: group}
	}
	one := [2]int{1, 1}
	plain := conv(one, one, [4]int{}, 1)
	pool := func(kernel, stride [2]int, pad [4]int) Attributes {
		return Attributes{Kernel: kernel, Stride: stride, Pad: pad}
	}
	for _, c := range []struct {
		name   string
		kind   Kind
		a      Attributes
		inputs [][]int
		want   []int
		err    string
	}{
		{"same", Conv, conv(one, one, [4]int{1, 1, 1, 1}, 1), [][]int{{1, 3, 8, 8}, {16, 3, 3, 3}}, []int{1, 16, 8, 8}, ""},
		{"bias", Conv, plain, [][]int{{2, 3, 8, 9}, {16, 3, 1, 1}, {16}}, []int{2, 16, 8, 9}, ""},
		{"stride", Conv, conv([2]int{2, 3}, one, [4]int{1, 1, 1, 1}, 1), [][]int{{1, 3, 7, 8}, {4, 3, 3, 3}}, []int{1, 4, 4, 3}, ""},
		{"one-sided padding", Conv, conv([2]int{2, 2}, one, [4]int{0, 0, 1, 2}, 1), [][]int{{1, 3, 8, 8}, {4, 3, 3, 3}}, []int{1, 4, 4, 4}, ""},
		{"dilation", Conv, conv(one, [2]int{2, 1}, [4]int{}, 1), [][]int{{1, 3, 8, 8}, {4, 3, 3, 3}}, []int{1, 4, 4, 6}, ""},
		{"depthwise", Conv, conv(one, one, [4]int{}, 6), [][]int{{1, 6, 5, 5}, {6, 1, 5, 5}}, []int{1, 6, 1, 1}, ""},
		{"wrong channels", Conv, plain, [][]int{{1, 3, 8, 8}, {16, 4, 1, 1}}, nil, "does not fit input"},
		{"wrong group", Conv, conv(one, one, [4]int{}, 2), [][]int{{1, 4, 8, 8}, {3, 2, 1, 1}}, nil, "with group 2"},
		{"wrong bias", Conv, plain, [][]int{{1, 3, 8, 8}, {16, 3, 1, 1}, {3}}, nil, "bias is [3]"},
		{"window too large", Conv, plain, [][]int{{1, 3, 2, 8}, {16, 3, 3, 1}}, nil, "larger than the padded input"},
		{"no stride", Conv, conv([2]int{0, 1}, one, [4]int{}, 1), [][]int{{1, 3, 8, 8}, {16, 3, 1, 1}}, nil, "stride"},
		{"no dilation", Conv, conv(one, [2]int{}, [4]int{}, 1), [][]int{{1, 3, 8, 8}, {16, 3, 1, 1}}, nil, "dilation"},
		{"negative padding", Conv, conv(one, one, [4]int{-1, 0, 0, 0}, 1), [][]int{{1, 3, 8, 8}, {16, 3, 1, 1}}, nil, "padding"},
		{"flat input", Conv, plain, [][]int{{1, 3}, {16, 3, 1, 1}}, nil, "want [N C H W]"},
		{"too few inputs", Conv, plain, [][]int{{1, 3, 8, 8}}, nil, "1 inputs"},
		{"too many inputs", Relu, Attributes{}, [][]int{{1}, {1}}, nil, "2 inputs"},
		{"zero dimension", Relu, Attributes{}, [][]int{{1, 0}}, nil, "below 1"},
		{"huge", Relu, Attributes{}, [][]int{{1 << 20, 1 << 20}}, nil, "too large"},

		{"batch norm", BatchNormalization, Attributes{}, [][]int{{1, 3, 2, 2}, {3}, {3}, {3}, {3}}, []int{1, 3, 2, 2}, ""},
		{"batch norm of others", BatchNormalization, Attributes{}, [][]int{{1, 3, 2, 2}, {3}, {3}, {4}, {3}}, nil, "want [3]"},
		{"batch norm of a vector", BatchNormalization, Attributes{}, [][]int{{3}, {3}, {3}, {3}, {3}}, nil, "want [N C ...]"},

		{"linear", Linear, Attributes{}, [][]int{{2, 3}, {5, 3}, {5}}, []int{2, 5}, ""},
		{"linear without bias", Linear, Attributes{}, [][]int{{2, 3}, {5, 3}}, []int{2, 5}, ""},
		{"linear of rows of rows", Linear, Attributes{}, [][]int{{2, 4, 3}, {5, 3}}, []int{2, 4, 5}, ""},
		{"linear of a transposed weight", Linear, Attributes{Transposed: true}, [][]int{{2, 3}, {3, 5}, {5}}, []int{2, 5}, ""},
		{"linear of a vector", Linear, Attributes{}, [][]int{{3}, {5, 3}}, nil, "want [... in]"},
		{"linear of others", Linear, Attributes{}, [][]int{{2, 4}, {5, 3}}, nil, "takes 3 features"},
		{"linear with wrong bias", Linear, Attributes{}, [][]int{{2, 3}, {5, 3}, {3}}, nil, "bias is [3]"},

		{"add", Add, Attributes{}, [][]int{{1, 3, 2, 2}, {1, 3, 2, 2}}, []int{1, 3, 2, 2}, ""},
		{"broadcast", Mul, Attributes{}, [][]int{{1, 3, 2, 2}, {1, 3, 1, 1}}, []int{1, 3, 2, 2}, ""},
		{"broadcast the first", Add, Attributes{}, [][]int{{1, 3, 1, 1}, {1, 3, 2, 2}}, nil, "does not broadcast"},
		{"ranks differ", Add, Attributes{}, [][]int{{1, 3}, {3}}, nil, "does not broadcast"},

		{"max pool", MaxPool, pool([2]int{3, 3}, [2]int{2, 2}, [4]int{1, 1, 1, 1}), [][]int{{1, 3, 8, 7}}, []int{1, 3, 4, 4}, ""},
		{"average pool", AveragePool, pool([2]int{2, 1}, [2]int{1, 2}, [4]int{}), [][]int{{1, 3, 8, 7}}, []int{1, 3, 7, 4}, ""},
		{"padding only", MaxPool, pool([2]int{2, 2}, one, [4]int{2, 0, 0, 0}), [][]int{{1, 3, 8, 8}}, nil, "not smaller"},
		{"no kernel", MaxPool, pool([2]int{0, 2}, one, [4]int{}), [][]int{{1, 3, 8, 8}}, nil, "kernel"},
		{"mean", GlobalAveragePool, Attributes{}, [][]int{{2, 3, 8, 7}}, []int{2, 3, 1, 1}, ""},
		{"mean of rank 3", GlobalAveragePool, Attributes{}, [][]int{{2, 3, 8}}, nil, "want [N C H W]"},

		{"flatten", Flatten, Attributes{Axis: 1}, [][]int{{2, 3, 4}}, []int{2, 12}, ""},
		{"flatten all", Flatten, Attributes{Axis: 0}, [][]int{{2, 3, 4}}, []int{1, 24}, ""},
		{"flatten none", Flatten, Attributes{Axis: 3}, [][]int{{2, 3, 4}}, []int{24, 1}, ""},
		{"flatten from the end", Flatten, Attributes{Axis: -1}, [][]int{{2, 3, 4}}, []int{6, 4}, ""},
		{"flatten beyond", Flatten, Attributes{Axis: 4}, [][]int{{2, 3, 4}}, nil, "outside rank"},

		{"reshape", Reshape, Attributes{Shape: []int{4, 6}}, [][]int{{2, 3, 4}}, []int{4, 6}, ""},
		{"reshape the rest", Reshape, Attributes{Shape: []int{0, -1}}, [][]int{{2, 3, 4}}, []int{2, 12}, ""},
		{"reshape to others", Reshape, Attributes{Shape: []int{5, 5}}, [][]int{{2, 3, 4}}, nil, "does not fit"},
		{"reshape to no whole rest", Reshape, Attributes{Shape: []int{5, -1}}, [][]int{{2, 3, 4}}, nil, "does not fit"},
		{"reshape with two rests", Reshape, Attributes{Shape: []int{-1, -1}}, [][]int{{2, 3, 4}}, nil, "does not fit"},
		{"reshape to a negative", Reshape, Attributes{Shape: []int{-2, -12}}, [][]int{{2, 3, 4}}, nil, "does not fit"},
		{"reshape keeping nothing", Reshape, Attributes{Shape: []int{24, 1, 1, 0}}, [][]int{{2, 3, 4}}, nil, "does not fit"},
		{"reshape to more than there is", Reshape, Attributes{Shape: []int{48, -1}}, [][]int{{2, 3, 4}}, nil, "does not fit"},

		{"softmax", Softmax, Attributes{Axis: -1}, [][]int{{2, 3}}, []int{2, 3}, ""},
		{"softmax before ones", Softmax, Attributes{Axis: 1}, [][]int{{2, 3, 1, 1}}, []int{2, 3, 1, 1}, ""},
		{"softmax in the middle", Softmax, Attributes{Axis: 1}, [][]int{{2, 3, 4}}, nil, "not the last"},
		{"softmax beyond", Softmax, Attributes{Axis: 2}, [][]int{{2, 3}}, nil, "outside rank"},

		{"residual", Conv, Attributes{Stride: one, Dilation: one, Group: 1, Epilogue: Epilogue{Add: true}}, [][]int{{1, 3, 8, 8}, {4, 3, 1, 1}, {4}, {1, 4, 8, 8}}, []int{1, 4, 8, 8}, ""},
		{"residual without bias", Conv, Attributes{Stride: one, Dilation: one, Group: 1, Epilogue: Epilogue{Add: true}}, [][]int{{1, 3, 8, 8}, {4, 3, 1, 1}, {1, 4, 8, 8}}, []int{1, 4, 8, 8}, ""},
		{"wrong residual", Conv, Attributes{Stride: one, Dilation: one, Group: 1, Epilogue: Epilogue{Add: true}}, [][]int{{1, 3, 8, 8}, {4, 3, 1, 1}, {1, 4, 1, 1}}, nil, "residual"},
		{"residual of a linear layer", Linear, Attributes{Epilogue: Epilogue{Add: true}}, [][]int{{1, 3}, {4, 3}, {4}, {1, 4}}, []int{1, 4}, ""},
		{"activation of a pool", GlobalAveragePool, Attributes{Epilogue: Epilogue{Activation: OpRelu}}, [][]int{{1, 3, 2, 2}}, nil, "not supported"},
		{"no activation", Conv, Attributes{Stride: one, Dilation: one, Group: 1, Epilogue: Epilogue{Activation: OpSoftmax}}, [][]int{{1, 3, 8, 8}, {4, 3, 1, 1}}, nil, "no activation"},
		{"unknown", Kind("Fancy"), Attributes{}, [][]int{{1}}, nil, "unknown kind"},
	} {
		t.Run(string(c.kind)+" "+c.name, func(t *testing.T) {
			n := &Node{Name: "node", Kind: c.kind, Attributes: c.a, Outputs: []*Value{{Name: "y"}}}
			for _, shape := range c.inputs {
				n.Inputs = append(n.Inputs, &Value{DType: F32, Shape: shape})
			}
			err := n.InferShape()
			switch {
			case c.err == "" && err != nil:
				t.Fatal(err)
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Fatalf("error %v does not say %q", err, c.err)
			case err != nil && !strings.Contains(err.Error(), `"node"`):
				t.Errorf("error %v does not name the node", err)
			}
			if diff := cmp.Diff(c.want, n.Outputs[0].Shape); diff != "" {
				t.Errorf("shape (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInferShapesOfGraph(t *testing.T) {
	g, err := mobile(2)
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string][]int)
	for _, n := range g.Nodes {
		want[n.Name] = n.Outputs[0].Shape
		n.Outputs[0].Shape = nil
	}
	if err := InferShapes(g); err != nil {
		t.Fatal(err)
	}
	for _, n := range g.Nodes {
		if diff := cmp.Diff(want[n.Name], n.Outputs[0].Shape); diff != "" {
			t.Errorf("%s (-want +got):\n%s", n.Name, diff)
		}
	}
	g.Inputs[0].Shape = []int{1, 3, 28, 28}
	if err := InferShapes(g); err == nil || !strings.Contains(err.Error(), `"stem"`) {
		t.Errorf("three channels for one: error %v", err)
	}
}
