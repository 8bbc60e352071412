package graph

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// names holds each operator's canonical name with costs worked out by hand.
var names = []struct {
	name          string
	outH, outW    int
	macs, params  int64
	read, written int64 // bytes
	family        string
}{
	{"conv2d/f32/n1c64h56w56/k128r3s3/stride2.pad1.dil1.group1/relu", 28, 28,
		28 * 28 * 128 * 64 * 9, 128*64*9 + 128, 4 * (64*56*56 + 128*64*9 + 128), 4 * 128 * 28 * 28, "conv2d"},
	{"conv2d/f32/n2c8h5w7/k8r3s3/stride1.pad1.dil1.group8/add.hswish", 5, 7,
		2 * 5 * 7 * 8 * 9, 8*9 + 8, 4 * (2*8*35 + 80 + 2*8*35), 4 * 2 * 8 * 35, "depthwise"},
	{"conv2d/f32/n1c8h5w7/k16r1s1/stride1.pad0.dil1.group1/add", 5, 7,
		5 * 7 * 8 * 16, 8*16 + 16, 4 * (8*35 + 144 + 16*35), 4 * 16 * 35, "pointwise"},
	{"conv2d/f32/n1c4h9w9/k8r3s1/stride2x1.pad0x1x2x3.dil2x1.group2/none", 4, 13,
		4 * 13 * 8 * 2 * 3, 8*2*3 + 8, 4 * (4*81 + 56), 4 * 8 * 52, "conv2d"},
	{"linear/f32/n1c1280/k1000/none", 0, 0, 1280000, 1281000, 4 * (1280 + 1281000), 4000, "linear"},
	{"linear/f32/n3c4/k5/sigmoid", 0, 0, 60, 25, 4 * (12 + 25), 60, "linear"},
	{"add/f32/n1c64h56w56/k64r56s56/none", 56, 56, 0, 0, 8 * 64 * 56 * 56, 4 * 64 * 56 * 56, "add"},
	{"mul/f32/n2c64h56w56/k64r1s1/hsigmoid", 56, 56, 0, 0, 8 * (64*56*56 + 64), 8 * 64 * 56 * 56, "mul"},
	{"relu/f32/n1c64h56w56", 56, 56, 0, 0, 4 * 64 * 56 * 56, 4 * 64 * 56 * 56, "relu"},
	{"relu6/f32/n1c1h1w1", 1, 1, 0, 0, 4, 4, "relu6"},
	{"hswish/f32/n1c1h1w2", 1, 2, 0, 0, 8, 8, "hswish"},
	{"hsigmoid/f32/n1c1h2w1", 2, 1, 0, 0, 8, 8, "hsigmoid"},
	{"sigmoid/f32/n1c2h1w1", 1, 1, 0, 0, 8, 8, "sigmoid"},
	{"maxpool/f32/n1c64h56w56/r3s3/stride2.pad1", 28, 28, 0, 0, 4 * 64 * 56 * 56, 4 * 64 * 28 * 28, "maxpool"},
	{"avgpool/f32/n1c4h5w6/r2s3/stride1x2.pad0", 4, 2, 0, 0, 4 * 4 * 30, 4 * 4 * 8, "avgpool"},
	{"globalavgpool/f32/n1c64h7w7", 1, 1, 0, 0, 4 * 64 * 49, 4 * 64, "globalavgpool"},
	{"softmax/f32/n1c10", 0, 0, 0, 0, 40, 40, "softmax"},
}

func TestWorkloadNameAndCost(t *testing.T) {
	for _, c := range names {
		w, err := ParseWorkload(c.name)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := w.String(); got != c.name {
			t.Errorf("%s prints as %s", c.name, got)
		}
		if w.OutH() != c.outH || w.OutW() != c.outW {
			t.Errorf("%s: output %dx%d, want %dx%d", c.name, w.OutH(), w.OutW(), c.outH, c.outW)
		}
		if w.MACs() != c.macs || w.Params() != c.params {
			t.Errorf("%s: %d MACs and %d parameters, want %d and %d", c.name, w.MACs(), w.Params(), c.macs, c.params)
		}
		if w.BytesRead() != c.read || w.BytesWritten() != c.written || w.Bytes() != c.read+c.written {
			t.Errorf("%s: %d bytes read and %d written, want %d and %d", c.name, w.BytesRead(), w.BytesWritten(), c.read, c.written)
		}
		if w.Family() != c.family {
			t.Errorf("%s: family %q, want %q", c.name, w.Family(), c.family)
		}
	}
}

func TestParseWorkloadRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"":                                     "unknown operator",
		"conv3d/f32/n1c1h1w1":                  "unknown operator",
		"relu/f32/n1c64h56w56/":                "4 parts",
		"relu/f32":                             "2 parts",
		"relu/f4/n1c64h56w56":                  "element type",
		"relu/f32/n1c64h56":                    `"w"`,
		"relu/f32/n1c64h56w56x":                "left over",
		"relu/f32/n01c64h56w56":                "not canonical",
		"relu/f32/n0c64h56w56":                 "n is 0",
		"relu/f32/n-1c64h56w56":                "invalid syntax",
		"relu/f32/n1c99999999h1w1":             "c is 99999999",
		"relu/f32/n1c1h99999999999999999999w1": "out of range",
		"relu/f32/n1c64000h5600w5600":          "more than",
		"conv2d/f32/n1c4h8w8/k4r3s3/stride2x2.pad1.dil1.group1/none":     "not canonical",
		"conv2d/f32/n1c4h8w8/k4r3s3/stride2x.pad1.dil1.group1/none":      "invalid syntax",
		"conv2d/f32/n1c4h8w8/k4r3s3/stride2.pad1x1x1x1.dil1.group1/none": "not canonical",
		"conv2d/f32/n1c4h8w8/k4r3s3/stride2.pad1.dil1.group3/none":       "group 3",
		"conv2d/f32/n1c4h8w8/k4r9s9/stride2.pad0.dil1.group1/none":       "larger than the padded input",
		"conv2d/f32/n1c4h8w8/k4r3s3/stride2.pad1.dil1.group1/":           "epilogue",
		"conv2d/f32/n1c4h8w8/k4r3s3/stride2.pad1.dil1.group1/relu.add":   "epilogue",
		"conv2d/f32/n1c4h8w8/k4r3s3/stride2.pad1.dil1.group1/add.":       "epilogue",
		"conv2d/f32/n1c4h8w8/k4r3s3/stride2.pad1.dil1.group1/softmax":    "epilogue",
		"linear/f32/n1c4/k4/sub":                                         "unknown epilogue",
		"add/f32/n1c4h8w8/k3r8s8/none":                                   "broadcast",
		"maxpool/f32/n1c4h8w8/r3s3/stride2.pad3":                         "padding",
	} {
		w, err := ParseWorkload(name)
		if err == nil {
			t.Errorf("%q is read as %+v", name, w)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %q does not say %q", name, err, want)
		}
	}
}

func TestValidateRefusesUnusedFields(t *testing.T) {
	w := Workload{Op: OpRelu, DType: F32, N: 1, C: 1, H: 1, W: 1, K: 2}
	if err := w.Validate(); err == nil || !strings.Contains(err.Error(), "relu has none") {
		t.Errorf("k on a relu: error %v", err)
	}
	w.K, w.Epilogue = 0, "none"
	if err := w.Validate(); err == nil || !strings.Contains(err.Error(), "relu has none") {
		t.Errorf("epilogue on a relu: error %v", err)
	}
}

// genWorkload draws valid workloads of every operator.
func genWorkload(t *rapid.T) Workload {
	dim := func(name string, most int) int { return rapid.IntRange(1, most).Draw(t, name) }
	w := Workload{
		Op: rapid.SampledFrom([]Op{OpConv2D, OpLinear, OpAdd, OpMul, OpRelu, OpRelu6, OpHardSwish, OpHardSigmoid,
			OpSigmoid, OpSiLU, OpGELU, OpGELUTanh, OpTanh, OpMaxPool, OpAvgPool, OpGlobalAvgPool, OpSoftmax,
			OpMatMul, OpAttention, OpSub, OpDiv, OpPow, OpMin, OpMax, OpErf, OpExp, OpLog, OpSqrt, OpReciprocal, OpNeg,
			OpAbs, OpClip, OpQuantize, OpLogSoftmax, OpLayerNorm, OpRMSNorm, OpGroupNorm, OpInstanceNorm,
			OpReduceSum, OpReduceMean, OpReduceMax, OpReduceMin}).Draw(t, "op"),
		DType: F32, N: dim("n", 3), C: dim("c", 8), H: dim("h", 9), W: dim("w", 9),
	}
	activations := []string{"none", "relu", "relu6", "hswish", "hsigmoid", "sigmoid", "silu", "gelu", "gelutanh", "tanh"}
	pad := func(most int) {
		p := rapid.SliceOfN(rapid.IntRange(0, most), 4, 4).Draw(t, "pad")
		w.PadTop, w.PadLeft, w.PadBottom, w.PadRight = p[0], p[1], p[2], p[3]
		w.StrideH, w.StrideW = dim("strideH", 3), dim("strideW", 3)
	}
	switch w.Op {
	case OpConv2D:
		w.Group = dim("group", 4)
		w.C, w.K = w.Group*dim("inGroup", 3), w.Group*dim("outGroup", 3)
		w.R, w.S = dim("r", 3), dim("s", 3)
		w.DilationH, w.DilationW = dim("dilationH", 2), dim("dilationW", 2)
		pad(3)
		w.H, w.W = max(w.H, 5), max(w.W, 5)
		epilogues := activations
		for _, a := range activations[1:] {
			epilogues = append(epilogues, "add."+a)
		}
		w.Epilogue = rapid.SampledFrom(append(epilogues, "add")).Draw(t, "epilogue")
	case OpLinear:
		w.H, w.W, w.K = 0, 0, dim("k", 8)
		w.Epilogue = rapid.SampledFrom(append(activations, "add", "add.relu")).Draw(t, "epilogue")
	case OpAdd, OpMul, OpSub, OpDiv, OpPow, OpMin, OpMax:
		w.K, w.R, w.S = 1, 1, 1
		if rapid.Bool().Draw(t, "channels") {
			w.K = w.C
		}
		if rapid.Bool().Draw(t, "plane") {
			w.R, w.S = w.H, w.W
		}
		if w.Op != OpAdd && w.Op != OpMul {
			break
		}
		w.Epilogue = rapid.SampledFrom(activations).Draw(t, "epilogue")
	case OpMaxPool, OpAvgPool:
		w.R, w.S = min(dim("r", 3), w.H), min(dim("s", 3), w.W)
		pad(min(w.R, w.S) - 1)
	case OpSoftmax, OpLogSoftmax, OpLayerNorm, OpRMSNorm:
		w.H, w.W = 0, 0
	case OpReduceSum, OpReduceMean, OpReduceMax, OpReduceMin:
		w.C, w.H = w.C+1, w.H+1
	case OpMatMul:
		w.W, w.K = 0, dim("k", 8)
	case OpGroupNorm:
		w.Group = dim("group", 3)
		w.C = w.Group * dim("inGroup", 3)
	case OpAttention:
		w.K = dim("kvHeads", 3)
		w.C = w.K * dim("shared", 3)
		w.R, w.S = dim("r", 4), dim("s", 4)
		w.Epilogue = rapid.SampledFrom([]string{"none", "causal", "mask", "causal.mask"}).Draw(t, "mask")
	}
	return w
}

func TestWorkloadRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genWorkload(t)
		if err := w.Validate(); err != nil {
			t.Fatal(err)
		}
		got, err := ParseWorkload(w.String())
		if err != nil {
			t.Fatal(err)
		}
		if got != w {
			t.Fatalf("%s: read as %+v, want %+v", w, got, w)
		}
	})
}

func TestFromWorkloadRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genWorkload(t)
		g, err := FromWorkload(w, 1)
		if err != nil {
			t.Fatal(err)
		}
		fused, err := Fuse(g)
		if err != nil {
			t.Fatal(err)
		}
		list, err := fused.Workloads()
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != 1 || list[0] != w {
			t.Fatalf("the graph of %s does %v", w, list)
		}
		for _, v := range g.Parameters() {
			if !v.Filled() {
				t.Fatalf("%s has no data", v.Name)
			}
		}
		if list[0].Params() != g.Params() || list[0].MACs() != g.MACs() {
			t.Fatalf("graph has %d parameters and %d MACs, workload %d and %d", g.Params(), g.MACs(), w.Params(), w.MACs())
		}
	})
}

func TestFromWorkloadSeed(t *testing.T) {
	w, err := ParseWorkload("linear/f32/n1c8/k4/none")
	if err != nil {
		t.Fatal(err)
	}
	weight := func(seed uint64) float32 {
		g, err := FromWorkload(w, seed)
		if err != nil {
			t.Fatal(err)
		}
		return g.Nodes[0].Inputs[1].Data[0]
	}
	if weight(1) != weight(1) || weight(1) == weight(2) {
		t.Error("weights do not depend on the seed alone")
	}
}

func FuzzParseWorkload(f *testing.F) {
	for _, c := range names {
		f.Add(c.name)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w, err := ParseWorkload(s)
		if err != nil {
			return
		}
		if w.String() != s {
			t.Errorf("%q is read as %s", s, w)
		}
		if err := w.Validate(); err != nil {
			t.Error(err)
		}
		if w.MACs() < 0 || w.Bytes() <= 0 {
			t.Errorf("%s: %d MACs, %d bytes", w, w.MACs(), w.Bytes())
		}
	})
}

func BenchmarkWorkloadString(b *testing.B) {
	w, err := ParseWorkload(names[0].name)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		_ = w.String()
	}
}

func TestTypical(t *testing.T) {
	seen := make(map[Workload]bool)
	for _, w := range Typical() {
		if err := w.Validate(); err != nil {
			t.Error(err)
		}
		if seen[w] {
			t.Errorf("%s is there twice", w)
		}
		seen[w] = true
	}
	for _, name := range []string{
		"conv2d/f32/n1c3h224w224/k64r7s7/stride2.pad3.dil1.group1/relu",
		"conv2d/f32/n1c512h28w28/k1024r1s1/stride2.pad0.dil1.group1/none",
		"conv2d/f32/n1c512h7w7/k512r3s3/stride1.pad1.dil1.group1/relu",
		"conv2d/f32/n1c672h14w14/k672r5s5/stride2.pad2.dil1.group672/hswish",
	} {
		if w, err := ParseWorkload(name); err != nil || !seen[w] {
			t.Errorf("%s is not there, %v", name, err)
		}
	}
}
