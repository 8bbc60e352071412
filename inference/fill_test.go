package inference

import (
	"slices"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/graph/operator"
)

func TestFillInputs(t *testing.T) {
	fill := func(seed uint64, inputs ...*operator.Tensor) error { return (&Plan{inputs: inputs}).FillInputs(seed) }
	floats := func() *operator.Tensor {
		return &operator.Tensor{DType: operator.F32, Shape: []int{3}, Data: make([]float32, 3)}
	}
	x, y, z := floats(), floats(), floats()
	ids := &operator.Tensor{DType: operator.I64, Shape: []int{2}, Data: make([]int64, 2)}
	mask := &operator.Tensor{DType: operator.Bool, Shape: []int{1}, Data: make([]bool, 1)}
	half := &operator.Tensor{DType: operator.F16, Shape: []int{1}, Data: make([]uint16, 1)}
	for _, err := range []error{fill(1, x, ids, mask, half), fill(1, y), fill(2, z)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if a, b := x.Data.([]float32), y.Data.([]float32); !slices.Equal(a, b) || slices.Equal(a, z.Data.([]float32)) || slices.Max(a) > 1 || slices.Min(a) < -1 {
		t.Errorf("a seed gives %v and %v, another %v", a, b, z.Data)
	}
	if !slices.Equal(ids.Data.([]int64), []int64{1, 1}) || !mask.Data.([]bool)[0] {
		t.Errorf("integers are %v, booleans %v", ids.Data, mask.Data)
	}
	if h := half.Data.([]uint16)[0]; h == 0 || h&0x7fff > 0x3c00 {
		t.Errorf("half is %#x", h)
	}
	text := &operator.Tensor{Shape: []int{1}, Data: []string{""}}
	if err := fill(1, x, text); err == nil || !strings.Contains(err.Error(), "input 1") {
		t.Errorf("a text: %v", err)
	}
}
