package main

import (
	"fmt"
	"math"
	"reflect"
	"slices"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// tolerance is how far numbers may be from what is expected, as in numpy's
// assert_allclose: absolute + relative * |expected|.
type tolerance struct {
	relative, absolute float64
}

// compare reports in what got differs from want.
func (tol tolerance) compare(got, want *operator.Tensor) error {
	switch {
	case got.DType != want.DType:
		return fmt.Errorf("its type is %s, want %s", got.DType, want.DType)
	case !slices.Equal(got.Shape, want.Shape):
		return fmt.Errorf("its shape is %v, want %v", got.Shape, want.Shape)
	}
	if !want.DType.IsFloat() {
		return compareExactly(got.Data, want.Data)
	}
	x, y := float64s(got), float64s(want)
	wrong, worst, at := 0, 0.0, 0
	for i := range y {
		if tol.close(x[i], y[i]) {
			continue
		}
		wrong++
		if d := math.Abs(x[i] - y[i]); d > worst || wrong == 1 || math.IsNaN(d) {
			worst, at = d, i
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d elements differ, the most element %d: %v, want %v", wrong, len(y), at, x[at], y[at])
	}
	return nil
}

func (tol tolerance) close(x, y float64) bool {
	switch {
	case math.IsNaN(x) || math.IsNaN(y):
		return math.IsNaN(x) && math.IsNaN(y)
	case math.IsInf(x, 0) || math.IsInf(y, 0):
		return x == y
	}
	return math.Abs(x-y) <= tol.absolute+tol.relative*math.Abs(y)
}

func compareExactly(got, want any) error {
	x, y := reflect.ValueOf(got), reflect.ValueOf(want)
	wrong, at := 0, -1
	for i := range y.Len() {
		if !x.Index(i).Equal(y.Index(i)) {
			if wrong++; at < 0 {
				at = i
			}
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d elements differ, the first element %d: %v, want %v", wrong, y.Len(), at, x.Index(at), y.Index(at))
	}
	return nil
}

// float64s are the elements of a floating-point tensor.
func float64s(t *operator.Tensor) []float64 {
	if x, ok := t.Data.([]float64); ok {
		return x
	}
	x, _ := t.Floats()
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}
