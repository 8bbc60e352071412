package operator

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// indices are all of a shape, in order.
func indices(shape []int) [][]int {
	list := [][]int{{}}
	for _, d := range shape {
		var next [][]int
		for _, index := range list {
			for i := range d {
				next = append(next, append(slices.Clone(index), i))
			}
		}
		list = next
	}
	return list
}

// at is where an index of a row-major tensor is, 0 for dimensions of size 1.
func at(shape, index []int) int {
	place := 0
	for i, d := range shape {
		place *= d
		if d > 1 {
			place += index[i]
		}
	}
	return place
}

func drawShape(t *rapid.T, least, most int) []int {
	return rapid.SliceOfN(rapid.IntRange(0, 4), least, most).Draw(t, "shape")
}

// counted is a tensor of 0, 1, 2 ...
func counted(shape []int) *Tensor {
	x := New(I64, shape...)
	for i := range x.Data.([]int64) {
		x.Data.([]int64)[i] = int64(i)
	}
	return x
}

func vector(values ...int) *Tensor {
	x := New(I64, len(values))
	for i, v := range values {
		x.Data.([]int64)[i] = int64(v)
	}
	return x
}

func evaluate(t rapid.TB, name string, a Attributes, in ...*Tensor) *Tensor {
	out, err := Evaluate(name, a, in, 1)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out[0]
}

func TestTransposeMovesEachElement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := counted(drawShape(t, 0, 5))
		rank := len(x.Shape)
		axes := make([]int64, rank)
		for i := range axes {
			axes[i] = int64(i)
		}
		perm := rapid.Permutation(axes).Draw(t, "perm")
		y := evaluate(t, "Transpose", Attributes{"perm": perm}, x)
		for i, index := range indices(y.Shape) {
			from := make([]int, rank)
			for d, p := range perm {
				from[p] = index[d]
			}
			if got, want := y.Data.([]int64)[i], int64(at(x.Shape, from)); got != want {
				t.Fatalf("element %v is %d, want %d", index, got, want)
			}
		}
		inverse := make([]int64, rank)
		for i, p := range perm {
			inverse[p] = int64(i)
		}
		z := evaluate(t, "Transpose", Attributes{"perm": inverse}, y)
		if err := near(z, x, 0, 0); err != nil {
			t.Fatal(err)
		}
	})
}

func TestBroadcastIsIndexing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		full := drawShape(t, 0, 5)
		part := func(label string) *Tensor {
			shape := slices.Clone(full[rapid.IntRange(0, len(full)).Draw(t, label):])
			for i := range shape {
				if rapid.Bool().Draw(t, label) {
					shape[i] = 1
				}
			}
			return counted(shape)
		}
		a, b := part("a"), part("b")
		y := evaluate(t, "Sub", nil, a, b)
		for i, index := range indices(y.Shape) {
			p, q := index[len(index)-len(a.Shape):], index[len(index)-len(b.Shape):]
			if got, want := y.Data.([]int64)[i], int64(at(a.Shape, p)-at(b.Shape, q)); got != want {
				t.Fatalf("%v - %v: element %v is %d, want %d", a.Shape, b.Shape, index, got, want)
			}
		}
		if !slices.Contains(full, 0) {
			z := evaluate(t, "Expand", nil, a, vector(full...))
			for i, index := range indices(full) {
				if got, want := z.Data.([]int64)[i], int64(at(a.Shape, index[len(index)-len(a.Shape):])); got != want {
					t.Fatalf("expanded %v: element %v is %d, want %d", a.Shape, index, got, want)
				}
			}
		}
	})
}

// taken are the indices that a slice of n elements takes, by counting.
func taken(start, end, step, n int) (list []int) {
	if start < 0 {
		start += n
	}
	if end < 0 {
		end += n
	}
	for i := range n {
		if step < 0 {
			i = n - 1 - i
		}
		first := max(start, 0)
		if step < 0 {
			// Not as numpy: what starts before the first element takes that.
			first = max(0, min(start, n-1))
		}
		if (i-first)%step == 0 && (i-first)/step >= 0 && (step > 0 && i < end || step < 0 && i > end) {
			list = append(list, i)
		}
	}
	return list
}

func TestSliceTakesWhatCountingTakes(t *testing.T) {
	bound := rapid.OneOf(rapid.IntRange(-6, 6), rapid.SampledFrom([]int{-1 << 62, 1 << 62, -1 << 31, 1<<31 - 1}))
	rapid.Check(t, func(t *rapid.T) {
		x := counted(drawShape(t, 1, 4))
		var starts, ends, axes, steps []int
		kept := make([][]int, len(x.Shape))
		for a, n := range x.Shape {
			kept[a] = taken(0, n, 1, n)
			if !rapid.Bool().Draw(t, "slice") {
				continue
			}
			start, end := bound.Draw(t, "start"), bound.Draw(t, "end")
			step := rapid.SampledFrom([]int{-1 << 40, -3, -2, -1, 1, 2, 3, 1 << 40}).Draw(t, "step")
			kept[a] = taken(start, end, step, n)
			starts, ends, steps = append(starts, start), append(ends, end), append(steps, step)
			axes = append(axes, a-rapid.SampledFrom([]int{0, len(x.Shape)}).Draw(t, "negative"))
		}
		y := evaluate(t, "Slice", nil, x, vector(starts...), vector(ends...), vector(axes...), vector(steps...))
		for a, list := range kept {
			if y.Shape[a] != len(list) {
				t.Fatalf("shape %v, want %d of axis %d", y.Shape, len(list), a)
			}
		}
		for i, index := range indices(y.Shape) {
			from := make([]int, len(index))
			for a, j := range index {
				from[a] = kept[a][j]
			}
			if got, want := y.Data.([]int64)[i], int64(at(x.Shape, from)); got != want {
				t.Fatalf("element %v is %d, want %d", index, got, want)
			}
		}
	})
}

func TestSplitAndConcatAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := drawShape(t, 1, 4)
		a := rapid.IntRange(0, len(shape)-1).Draw(t, "axis")
		sizes := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 4).Draw(t, "sizes")
		shape[a] = 0
		for _, n := range sizes {
			shape[a] += n
		}
		x, attributes := counted(shape), Attributes{"axis": int64(a)}
		parts, err := Evaluate("Split", attributes, []*Tensor{x, vector(sizes...)}, len(sizes))
		if err != nil {
			t.Fatal(err)
		}
		if err := near(evaluate(t, "Concat", attributes, parts...), x, 0, 0); err != nil {
			t.Fatal(err)
		}
	})
}

func TestEinsumMultipliesMatrices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, m, k, n := rapid.IntRange(0, 3).Draw(t, "b"), rapid.IntRange(0, 4).Draw(t, "m"),
			rapid.IntRange(0, 4).Draw(t, "k"), rapid.IntRange(0, 4).Draw(t, "n")
		x, y := counted([]int{b, m, k}), counted([]int{b, k, n})
		want := evaluate(t, "MatMul", nil, x, y)
		if err := near(evaluate(t, "Einsum", Attributes{"equation": "...ij,...jk->...ik"}, x, y), want, 0, 0); err != nil {
			t.Fatal(err)
		}
		for i, index := range indices(want.Shape) {
			sum := int64(0)
			for l := range k {
				sum += int64(at(x.Shape, []int{index[0], index[1], l}) * at(y.Shape, []int{index[0], l, index[2]}))
			}
			if got := want.Data.([]int64)[i]; got != sum {
				t.Fatalf("element %v is %d, want %d", index, got, sum)
			}
		}
	})
}

// TestHalfRoundTrip goes through all numbers of both types, and rounds what
// lies between two.
func TestHalfRoundTrip(t *testing.T) {
	for _, d := range []DType{F16, BF16} {
		for bits := range 1 << 16 {
			v := FromHalf(d, uint16(bits))
			if back := ToHalf(d, v); v == v && back != uint16(bits) || v != v && FromHalf(d, back) == FromHalf(d, back) {
				t.Fatalf("%s %#x is %g and goes back to %#x", d, bits, v, back)
			}
			next := FromHalf(d, uint16(bits)+1)
			if v != v || next != next || next-next != 0 || bits&0x7fff == 0x7fff {
				continue
			}
			even := uint16(bits + bits&1)
			if got := ToHalf(d, float32((float64(v)+float64(next))/2)); got != even {
				t.Fatalf("%s: half way from %g to %g goes to %#x, want %#x", d, v, next, got, even)
			}
		}
	}
}
