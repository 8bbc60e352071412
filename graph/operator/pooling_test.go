package operator

import (
	"testing"

	"pgregory.net/rapid"
)

// The indices of MaxPool lead to its maxima, in either order of counting.
func TestMaxPoolIndicesLeadToMaxima(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(1, 4), 5, 5).Draw(t, "shape")
		x := drawDoubles(t, "x", shape...)
		last := rapid.Bool().Draw(t, "first dimension fastest")
		a := Attributes{"kernel_shape": []int64{2, 2, 2}, "pads": []int64{1, 0, 1, 0, 1, 1}, "strides": []int64{2, 1, 2}}
		if last {
			a["storage_order"] = int64(1)
		}
		got, err := Evaluate("MaxPool", a, []*Tensor{x}, 2)
		if err != nil {
			t.Fatal(err)
		}
		size := shape[2] * shape[3] * shape[4]
		for i, index := range got[1].Data.([]int64) {
			at, within := int(index)/size, int(index)%size
			if last {
				d, h, w := within%shape[2], within/shape[2]%shape[3], within/shape[2]/shape[3]
				within = (d*shape[3]+h)*shape[4] + w
			}
			if planes := len(got[0].Data.([]float64)) / (shape[0] * shape[1]); at != i/planes {
				t.Fatalf("maximum %d is in image %d", i, at)
			}
			if v := x.Data.([]float64)[at*size+within]; v != got[0].Data.([]float64)[i] {
				t.Fatalf("index %d leads to %g, not to the maximum %g", index, v, got[0].Data.([]float64)[i])
			}
		}
	})
}
