package zoo

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
)

// small makes each network quick to compute by definition.
var small = map[string]Options{
	"resnet18":        {Size: 32, Width: 0.125, Depth: 1, Classes: 10},
	"resnet50":        {Size: 32, Width: 0.125, Depth: 1, Classes: 10},
	"mobilenetv1":     {Size: 32, Width: 0.125, Classes: 10},
	"mobilenetv2":     {Size: 32, Width: 0.25, Depth: 1, Classes: 10},
	"mobilenetv3":     {Size: 32, Width: 0.25, Classes: 10},
	"efficientnet_b0": {Size: 32, Width: 0.25, Depth: 1, Classes: 10},
	"vit_tiny":        {Size: 32, Depth: 2, Width: 0.4, Batch: 2, Classes: 10},
	"bert":            {Size: 6, Depth: 1, Width: 0.1, Batch: 2},
	"gpt_block":       {Size: 3, Width: 0.2},
	"tdnn":            {Size: 30, Width: 0.05, Classes: 10},
	"unet":            {Size: 16, Width: 0.05, Depth: 2},
}

// TestPublishedSizes compares with what papers and PyTorch's model library say
// of parameters, in millions, and multiply-accumulates, in billions.
func TestPublishedSizes(t *testing.T) {
	for name, want := range map[string]struct{ params, macs float64 }{
		"resnet18": {11.69, 1.81}, "resnet50": {25.56, 4.09}, "mobilenetv1": {4.23, 0.57}, "mobilenetv2": {3.50, 0.30},
		"mobilenetv3": {5.48, 0.22}, "efficientnet_b0": {5.29, 0.39}, "vit_tiny": {5.72, 1.26}, "tdnn": {4.94, 0},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := unfilled(name, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := float64(g.Params()) / 1e6; math.Abs(got/want.params-1) > 0.01 {
				t.Errorf("%.2f million parameters, want %.2f", got, want.params)
			}
			if got := float64(g.MACs()) / 1e9; want.macs > 0 && math.Abs(got/want.macs-1) > 0.03 {
				t.Errorf("%.3f billion multiply-accumulates, want %.3f", got, want.macs)
			}
		})
	}
}

// compute evaluates a graph by definition.
func compute(t *testing.T, g *graph.Graph) []*operator.Tensor {
	t.Helper()
	values := RandomInputs(g, 7)
	for _, v := range g.Parameters() {
		values[v] = v.Tensor()
	}
	for _, n := range g.Nodes {
		in := make([]*operator.Tensor, len(n.Inputs))
		for i, v := range n.Inputs {
			in[i] = values[v]
		}
		out, err := n.Compute(in)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range n.Outputs {
			values[v] = out[i]
		}
	}
	var out []*operator.Tensor
	for _, v := range g.Outputs {
		out = append(out, values[v])
	}
	return out
}

func TestSmall(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			g, err := Build(name, small[name])
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Validate(); err != nil {
				t.Fatal(err)
			}
			for i, y := range compute(t, g) {
				var sum, squares float64
				data := y.Data.([]float32)
				for _, x := range data {
					sum += float64(x)
					squares += float64(x) * float64(x)
				}
				n := float64(len(data))
				deviation := math.Sqrt(squares/n - sum/n*sum/n)
				if !(deviation > 1e-3 && deviation < 1e3) {
					t.Errorf("output %d has deviation %v: weights do not keep values at their size", i, deviation)
				}
			}
		})
	}
}

// TestVariants looks at half precision and int8: they compute about the same.
func TestVariants(t *testing.T) {
	for _, name := range Names() {
		g, err := Build(name, small[name])
		if err != nil {
			t.Fatal(err)
		}
		want := compute(t, g)[0]
		for variant, make := range map[string]func() (*graph.Graph, error){
			"half": func() (*graph.Graph, error) { return Half(g) },
			"int8": func() (*graph.Graph, error) { return Quantize(g, 7) },
		} {
			t.Run(name+"/"+variant, func(t *testing.T) {
				v, err := make()
				if err != nil {
					t.Fatal(err)
				}
				got, _ := compute(t, v)[0].Floats()
				var away, size float64
				for i, x := range want.Data.([]float32) {
					away += float64(got[i]-x) * float64(got[i]-x)
					size += float64(x) * float64(x)
				}
				if !(away < 0.1*size) {
					t.Errorf("it differs by %v of the output", math.Sqrt(away/size))
				}
			})
		}
	}
}

// TestWorkloadsStandAlone makes a graph of each workload that a network runs, as
// is done to measure it, and finds that workload again.
func TestWorkloadsStandAlone(t *testing.T) {
	for _, name := range Names() {
		g, err := Build(name, small[name])
		if err != nil {
			t.Fatal(err)
		}
		half, err := Half(g)
		if err != nil {
			t.Fatal(err)
		}
		quantized, err := Quantize(g, 1)
		if err != nil {
			t.Fatal(err)
		}
		for variant, g := range map[string]*graph.Graph{"f32": g, "f16": half, "int8": quantized} {
			fused, err := graph.Fuse(g)
			if err != nil {
				t.Fatal(err)
			}
			workloads, err := fused.Workloads()
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range workloads {
				alone, err := graph.FromWorkload(w, 1)
				if err != nil {
					t.Errorf("%s %s: %s: %v", name, variant, w, err)
					continue
				}
				if alone, err = graph.Fuse(alone); err != nil {
					t.Errorf("%s %s: %s: %v", name, variant, w, err)
					continue
				}
				got, err := alone.Workloads()
				if err != nil || len(got) != 1 || got[0] != w {
					t.Errorf("%s %s: %s alone is %v, %v", name, variant, w, got, err)
				}
			}
		}
	}
}

func TestBuildRepeats(t *testing.T) {
	for _, name := range Names() {
		o := small[name]
		first, err := Build(name, o)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Build(name, o)
		if err != nil {
			t.Fatal(err)
		}
		o.Seed = 1
		other, err := Build(name, o)
		if err != nil {
			t.Fatal(err)
		}
		same := func(a, b *graph.Graph) bool {
			for i, v := range a.Parameters() {
				if !cmp.Equal(v.Tensor(), b.Parameters()[i].Tensor()) {
					return false
				}
			}
			return true
		}
		if !same(first, again) {
			t.Errorf("%s: two builds differ", name)
		}
		if same(first, other) {
			t.Errorf("%s: another seed gives the same weights", name)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
	}{
		{"nothing", Options{}}, {"resnet18", Options{Batch: -1}}, {"resnet18", Options{Width: -1}}, {"resnet18", Options{Size: 1 << 30}},
		{"unet", Options{Size: 17}}, {"vit_tiny", Options{Size: 3}}, {"resnet18", Options{Width: math.NaN()}},
	} {
		if _, err := Build(c.name, c.o); err == nil {
			t.Errorf("%s with %+v is built", c.name, c.o)
		}
	}
}
