package operator

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// geometry is a convolution drawn at random, of doubles.
type geometry struct {
	attributes    Attributes
	x, weights    *Tensor
	group         int
	kernel        []int
	strides       []int
	pads          []int
	dilations     []int
	batch, inputs int
}

func drawDoubles(t *rapid.T, label string, shape ...int) *Tensor {
	x := New(F64, shape...)
	n := Elements(shape)
	copy(x.Data.([]float64), rapid.SliceOfN(rapid.Float64Range(-2, 2), n, n).Draw(t, label))
	return x
}

func drawGeometry(t *rapid.T) *geometry {
	g := &geometry{attributes: Attributes{}, group: rapid.IntRange(1, 2).Draw(t, "group"), batch: rapid.IntRange(1, 2).Draw(t, "batch")}
	rank := rapid.IntRange(1, 3).Draw(t, "rank")
	small := func(label string, least, most, n int) (list []int) {
		return rapid.SliceOfN(rapid.IntRange(least, most), n, n).Draw(t, label)
	}
	size := small("size", 1, 5, rank)
	g.kernel, g.strides, g.dilations = small("kernel", 1, 3, rank), small("strides", 1, 3, rank), small("dilations", 1, 2, rank)
	g.pads = small("pads", 0, 2, 2*rank)
	for i := range rank { // the kernel has to fit
		if short := (g.kernel[i]-1)*g.dilations[i] + 1 - size[i] - g.pads[i] - g.pads[rank+i]; short > 0 {
			size[i] += short
		}
	}
	g.inputs = g.group * rapid.IntRange(1, 2).Draw(t, "channels")
	outputs := g.group * rapid.IntRange(1, 2).Draw(t, "filters")
	g.x = drawDoubles(t, "x", append([]int{g.batch, g.inputs}, size...)...)
	g.weights = drawDoubles(t, "weights", append([]int{outputs, g.inputs / g.group}, g.kernel...)...)
	g.attributes["group"] = int64(g.group)
	for name, v := range map[string][]int{"strides": g.strides, "dilations": g.dilations, "pads": g.pads} {
		g.attributes[name] = convertInts(v)
	}
	return g
}

func convertInts(v []int) []int64 {
	list := make([]int64, len(v))
	for i, x := range v {
		list[i] = int64(x)
	}
	return list
}

// indexOf is the index of each dimension of element i.
func indexOf(i int, shape []int) []int {
	at := make([]int, len(shape))
	for d := len(shape) - 1; d >= 0; d-- {
		at[d] = i % shape[d]
		i /= shape[d]
	}
	return at
}

// naive sums over every position of the kernel for every output alone.
func (g *geometry) naive(y *Tensor) {
	x, w, out := g.x.Data.([]float64), g.weights.Data.([]float64), y.Data.([]float64)
	rank := len(g.kernel)
	perGroup, filters := g.weights.Shape[1], g.weights.Shape[0]/g.group
	for i := range out {
		o := indexOf(i, y.Shape)
		for j := range Elements(g.weights.Shape[1:]) {
			k := indexOf(j, g.weights.Shape[1:])
			from, inside := (o[0]*g.inputs+o[1]/filters*perGroup)+k[0], true
			for d := range rank {
				at := o[2+d]*g.strides[d] - g.pads[d] + k[1+d]*g.dilations[d]
				inside = inside && at >= 0 && at < g.x.Shape[2+d]
				from = from*g.x.Shape[2+d] + at
			}
			if inside {
				out[i] += x[from] * w[o[1]*Elements(g.weights.Shape[1:])+j]
			}
		}
	}
}

func TestConvSumsOverItsWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGeometry(t)
		got, err := Evaluate("Conv", g.attributes, []*Tensor{g.x, g.weights}, 1)
		if err != nil {
			t.Fatal(err)
		}
		want := New(F64, got[0].Shape...)
		g.naive(want)
		if err := near(got[0], want, 1e-12, 1e-12); err != nil {
			t.Fatal(err)
		}
	})
}

// A transposed convolution is the adjoint of the convolution with the same
// weights: (A x) y = x (A' y).
func TestConvTransposeIsTheAdjoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGeometry(t)
		forth, err := Evaluate("Conv", g.attributes, []*Tensor{g.x, g.weights}, 1)
		if err != nil {
			t.Fatal(err)
		}
		y := drawDoubles(t, "y", forth[0].Shape...)
		// What the last window does not reach is output_padding.
		rest := make([]int64, len(g.kernel))
		for d, k := range g.kernel {
			size := (y.Shape[2+d]-1)*g.strides[d] + (k-1)*g.dilations[d] + 1 - g.pads[d] - g.pads[len(g.kernel)+d]
			rest[d] = int64(g.x.Shape[2+d] - size)
		}
		g.attributes["output_padding"] = rest
		back, err := Evaluate("ConvTranspose", g.attributes, []*Tensor{y, g.weights}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(back[0].Shape, g.x.Shape) {
			t.Fatalf("back to %v from %v", back[0].Shape, g.x.Shape)
		}
		a, b := dot(forth[0], y), dot(g.x, back[0])
		if math.Abs(a-b) > 1e-9*(1+math.Abs(a)) {
			t.Fatalf("%g and %g differ", a, b)
		}
	})
}

func dot(a, b *Tensor) (sum float64) {
	y := b.Data.([]float64)
	for i, v := range a.Data.([]float64) {
		sum += v * y[i]
	}
	return sum
}

func TestBadWindowsAreErrors(t *testing.T) {
	x, w := New(F32, 1, 4, 5, 5), New(F32, 4, 4, 3, 3)
	for name, a := range map[string]Attributes{
		"stride 0":            {"strides": []int64{0, 1}},
		"negative dilation":   {"dilations": []int64{1, -1}},
		"negative pad":        {"pads": []int64{0, 0, -1, 0}},
		"too few pads":        {"pads": []int64{1, 1}},
		"group":               {"group": int64(3)},
		"group 0":             {"group": int64(0)},
		"kernel":              {"kernel_shape": []int64{2, 2}},
		"no room":             {"dilations": []int64{3, 3}},
		"dilation overflows":  {"dilations": []int64{1 << 62, 1}},
		"padding overflows":   {"pads": []int64{1 << 62, 0, 1 << 62, 0}},
		"auto_pad":            {"auto_pad": "SAME"},
		"auto_pad is no text": {"auto_pad": int64(1)},
	} {
		if _, err := Evaluate("Conv", a, []*Tensor{x, w}, 1); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
	for _, kernel := range [][]int64{nil, {0, 1}, {2}, {6, 6}, {1 << 40, 1}, {-1, 1}} {
		for _, name := range []string{"MaxPool", "AveragePool", "LpPool"} {
			a := Attributes{"kernel_shape": kernel}
			if kernel == nil {
				a = Attributes{}
			}
			if _, err := Evaluate(name, a, []*Tensor{x}, 1); err == nil {
				t.Errorf("%s of kernel %v is no error", name, kernel)
			}
		}
	}
}

func BenchmarkConv3D(b *testing.B) {
	in := []*Tensor{New(F32, 1, 16, 16, 32, 32), New(F32, 32, 16, 3, 3, 3)}
	out := []*Tensor{New(F32, 1, 32, 16, 32, 32)}
	a := Attributes{"pads": []int64{1, 1, 1, 1, 1, 1}}
	for b.Loop() {
		if err := Run("Conv", a, in, out); err != nil {
			b.Fatal(err)
		}
	}
}
