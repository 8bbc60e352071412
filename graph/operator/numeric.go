package operator

import (
	"fmt"
	"math"
)

// numeric is the loops that compute with numbers of one Go type. Data are
// slices of that type.
type numeric interface {
	unary(f string, to, x any)
	clip(to, x, least, most any)
	binary(f string, to, a, b any, w *walk) error
	compare(f string, to []bool, a, b any, w *walk)
	power(to, x, y any, w *walk)
	reduce(f string, to, x any, w *walk, count int)
	pick(to []int64, x any, outer, n, inner int, largest, last bool)
	accumulate(f string, to, x any, outer, n, inner int, exclusive, reverse bool)
	sort(x any, at, step int, largest bool, index []int)
	partOrder(x any, outer, n, inner int) func(a, b int) int
	scatter(f string, to, updates any, i, j, n int)
	matrixProduct(to, a, b any, w *walk, m, k, n int, sa, sb [2]int)
	scaledSum(to, c any, w *walk, alpha, beta float64)
	contract(to any, in []any, w *walk)
	series(to any, start, step any)
}

type numbers[T number] struct{}

// numericOf is the loops for a type of numbers, nil for others. Half types
// have none: their tensors are widened first.
func numericOf(d DType) numeric {
	switch d {
	case F32:
		return numbers[float32]{}
	case F64:
		return numbers[float64]{}
	case I8:
		return numbers[int8]{}
	case I16:
		return numbers[int16]{}
	case I32:
		return numbers[int32]{}
	case I64:
		return numbers[int64]{}
	case U8:
		return numbers[uint8]{}
	case U16:
		return numbers[uint16]{}
	case U32:
		return numbers[uint32]{}
	case U64:
		return numbers[uint64]{}
	}
	return nil
}

// wantNumbers checks that the inputs listed are of one type of numbers.
func (c *Call) wantNumbers(inputs ...int) error {
	for _, i := range inputs {
		if c.has(i) && numericOf(c.In[i].DType) == nil {
			return fmt.Errorf("input %d is of type %s, want numbers", i, c.In[i].DType)
		}
		if first := inputs[0]; c.has(i) && c.has(first) && c.given != nil && c.given[i] != c.given[first] {
			return fmt.Errorf("input %d is of type %s, want %s as input %d is", i, c.given[i], c.given[first], first)
		}
	}
	return c.wantSame(inputs...)
}

// wantIntegers checks that the inputs listed are of one type of whole numbers.
func (c *Call) wantIntegers(inputs ...int) error {
	for _, i := range inputs {
		if c.has(i) && !isInteger(c.In[i].DType) {
			return fmt.Errorf("input %d is of type %s, want whole numbers", i, c.In[i].DType)
		}
	}
	return c.wantSame(inputs...)
}

// wantIndices checks that input i is a list of whole numbers.
func (c *Call) wantIndices(i int) error {
	return firstError(c.wantType(i, I32, I64), c.wantRank(i, 0, 1))
}

func isInteger(d DType) bool { return !d.IsFloat() && numericOf(d) != nil }

func isFloat[T number]() bool {
	one, two := T(1), T(2)
	return one/two != 0
}

// lowest is minus infinity, or the least value of a type of whole numbers.
func lowest[T number]() T {
	var zero T
	switch {
	case isFloat[T]():
		return T(math.Inf(-1))
	case zero-1 > 0:
		return 0
	}
	return -highest[T]() - 1
}

// highest is infinity, or the largest value of a type of whole numbers.
func highest[T number]() T {
	var zero T
	switch {
	case isFloat[T]():
		return T(math.Inf(1))
	case zero-1 > 0:
		return zero - 1
	}
	v := T(1)
	for v*2+1 > v {
		v = v*2 + 1
	}
	return v
}

// larger is the maximum, NaN if either is.
func larger[T number](a, b T) T {
	if b > a || b != b {
		return b
	}
	return a
}

// smaller is the minimum, NaN if either is.
func smaller[T number](a, b T) T {
	if b < a || b != b {
		return b
	}
	return a
}
