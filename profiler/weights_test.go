package profiler

import (
	"math"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
)

func TestReplicate(t *testing.T) {
	w, err := graph.ParseWorkload("conv2d/f32/n1c4h5w5/k4r3s3/stride1.pad1.dil1.group1/add.relu")
	if err != nil {
		t.Fatal(err)
	}
	g, err := graph.FromWorkload(w, 1)
	if err != nil {
		t.Fatal(err)
	}
	p, err := inference.CompilePart(replicate(g, 5))
	if err != nil {
		t.Fatal(err)
	}
	list := p.Workloads()
	if len(list) != 5 || len(p.Inputs()) != 2 || len(p.Outputs()) != 1 {
		t.Fatalf("%d workloads, %d inputs and %d outputs, want 5, 2 and 1", len(list), len(p.Inputs()), len(p.Outputs()))
	}
	for _, got := range list {
		if got != w {
			t.Errorf("workload %s, want %s", got, w)
		}
	}
	// All copies write to the same memory.
	if one, err := inference.CompilePart(g); err != nil || p.ArenaBytes() != one.ArenaBytes() {
		t.Errorf("the copies take %d bytes for tensors, one takes %d (error %v)", p.ArenaBytes(), one.ArenaBytes(), err)
	}
}

func TestWithWeightsKeepsTheGraph(t *testing.T) {
	b := graph.NewBuilder("net")
	g, err := b.Build(b.Linear("second", b.Linear("first", b.Input("x", 1, 3), 4), 2))
	if err != nil {
		t.Fatal(err)
	}
	given := g.Parameters()[0]
	given.Data = make([]float32, 12)
	filled := WithWeights(g, 1)
	for i, v := range filled.Parameters() {
		if v.Data == nil {
			t.Errorf("parameter %q has no data", v.Name)
		}
		if original := g.Parameters()[i]; original != given && original.Data != nil {
			t.Errorf("parameter %q of the given graph was filled", original.Name)
		}
	}
	if filled.Parameters()[0] != given {
		t.Error("data that was given is replaced")
	}
}

// TestReplicatePlain checks workloads of plain operators: of several outputs,
// without some inputs, and of other types.
func TestReplicatePlain(t *testing.T) {
	for _, name := range []string{
		"split/f32/4x6+i64[2:4]/4x2+4x4/axis=1",
		"resize/f32/1x1x4x4+_+f32[1.0:1.0:2.0:2.0]/1x1x8x8/coordinate_transformation_mode=asymmetric,mode=nearest",
		"lstm/f32/5x1x3+c1x16x3+c1x16x4+c1x32/_+1x1x4/hidden_size=4",
		"gather/f32/c100x8+i64:1x5/1x5x8/-",
		"transpose/f32/2x3x4/3x2x4/perm=[1:0:2]",
		"attention/f32/n1c12h12w12/k12r8s8/causal",
		"layernorm/f32/n3c10",
		"sub/f32/n1c3h4w5/k3r1s1",
		"reducemean/f32/n2c3h4w5",
		"softmax/f32/2x3x4/2x3x4/axis=1",
		"conv2d/u8/n1c4h5w5/k6r3s3/stride1.pad1.dil1.group1/none",
		"add/u8/n1c4h5w5/k4r5s5/none",
		"globalavgpool/u8/n1c4h5w5",
		"maxpool/u8/n1c64h6w6/r3s3/stride2.pad1",
		"quantize/f32/n1c2h3w4",
		"dequantize/u8/n1c2h3w4",
		"cast/i64/6/f32:6/to=1",
	} {
		w, err := graph.ParseWorkload(name)
		if err != nil {
			t.Error(err)
			continue
		}
		g, err := graph.FromWorkload(w, 1)
		if err != nil {
			t.Error(err)
			continue
		}
		p, err := inference.CompilePart(replicate(g, 3))
		if err != nil {
			t.Error(err)
			continue
		}
		if got := p.Workloads(); len(got) != 3 || got[0] != w || got[2] != w {
			t.Errorf("%s: the plan does %v", name, got)
		}
		if err := p.Run(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDraws wants as many numbers as asked for, of the asked scale, the same for
// one seed, and rows of a matrix that differ though the numbers repeat.
func TestDraws(t *testing.T) {
	const rows, columns = 3, 65536
	data := make([]float32, rows*columns)
	newDraws(7).fill(data, 0.5)
	var mean, square float64
	for _, v := range data {
		if v < -0.5 || v >= 0.5 {
			t.Fatalf("%g is not in [-0.5, 0.5)", v)
		}
		mean += float64(v) / float64(len(data))
		square += float64(v) * float64(v) / float64(len(data))
	}
	if math.Abs(mean) > 0.005 || math.Abs(square-1.0/12) > 0.002 {
		t.Errorf("mean %g, mean square %g; want those of uniform numbers, 0 and 1/12", mean, square)
	}
	same := 0
	for i := range columns {
		if data[i] == data[columns+i] {
			same++
		}
	}
	if same > columns/100 {
		t.Errorf("%d of %d numbers of two rows are the same", same, columns)
	}
	again := make([]float32, 100)
	d := newDraws(7)
	d.fill(again[:33], 0.5)
	d.fill(again[33:], 0.5)
	for i, v := range again {
		if v != data[i] {
			t.Fatalf("the same seed draws %g as number %d, then %g", data[i], i, v)
		}
	}
}
