package compat

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/graph/zoo"
)

// operatorKeys are workloads of every family that latency tables hold, with
// each kind of epilogue, as outside runtimes are given them.
func operatorKeys() (keys []string) {
	for _, epilogue := range []string{"none", "relu", "relu6", "hswish", "hsigmoid", "sigmoid", "silu", "gelu", "gelutanh", "tanh", "add", "add.relu", "add.hswish"} {
		keys = append(keys,
			"conv2d/f32/n1c6h9w8/k8r3s3/stride1.pad1.dil1.group1/"+epilogue,
			"linear/f32/n3c10/k7/"+epilogue)
		if epilogue[:3] != "add" {
			keys = append(keys, "add/f32/n1c4h5w6/k4r5s6/"+epilogue, "mul/f32/n1c4h5w6/k4r1s1/"+epilogue)
		}
	}
	for _, op := range []string{"relu", "relu6", "hswish", "hsigmoid", "sigmoid", "silu", "gelu", "gelutanh", "tanh",
		"erf", "exp", "log", "sqrt", "reciprocal", "neg", "abs", "clip", "quantize", "globalavgpool", "instancenorm",
		"reducesum", "reducemean", "reducemax", "reducemin"} {
		keys = append(keys, op+"/f32/n1c4h5w6")
	}
	for _, op := range []string{"sub", "div", "pow", "min", "max"} {
		keys = append(keys, op+"/f32/n1c4h5w6/k4r1s1")
	}
	return append(keys,
		"conv2d/f32/n1c8h9w9/k8r5s5/stride2.pad2.dil1.group8/relu",
		"conv2d/f32/n1c4h9w9/k8r3s1/stride2x1.pad0x1x2x3.dil2x1.group2/none",
		"matmul/f32/n2c8h6/k10", "attention/f32/n1c3h10w10/k3r16s16/none", "attention/f32/n1c4h10w10/k2r16s16/causal",
		"attention/f32/n1c3h5w10/k3r16s16/mask", "maxpool/f32/n1c4h9w9/r3s3/stride2.pad1", "avgpool/f32/n1c4h8w9/r2s3/stride2.pad0",
		"softmax/f32/n6c30", "logsoftmax/f32/n6c30", "layernorm/f32/n6c30", "rmsnorm/f32/n6c30", "groupnorm/f32/n1c8h5w5/group2",
		"conv2d/u8/n1c16h9w9/k8r3s3/stride1.pad1.dil1.group1/none", "linear/u8/n4c32/k16/none", "add/u8/n1c4h5w6/k4r5s6/none",
		"globalavgpool/u8/n1c16h7w7", "dequantize/u8/n1c4h5w6", "argmax/f32/n1c4h5w1",
	)
}

// TestOperators writes each workload as the model of one operator that outside
// runtimes are given, and checks that ONNX Runtime computes what we do, and that
// reading it gives the workload again.
func TestOperators(t *testing.T) {
	skipWithModels(t)
	keys := operatorKeys()
	small := zoo.Options{Size: 32, Width: 0.25, Depth: 1, Classes: 10}
	for _, name := range zoo.Names() {
		g, err := zoo.Build(name, small)
		if err != nil {
			continue // a network that has no such size
		}
		fused, err := graph.Fuse(g)
		if err != nil {
			t.Fatal(err)
		}
		workloads, err := fused.Workloads()
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range workloads {
			if w.Detail != "" { // those without fields of their own
				keys = append(keys, w.String())
			}
		}
	}
	dir := t.TempDir()
	var paths []string
	seen := map[string]bool{}
	for _, key := range keys {
		if seen[key] {
			continue
		}
		seen[key] = true
		w, err := graph.ParseWorkload(key)
		if err != nil {
			t.Error(err)
			continue
		}
		g, err := graph.FromWorkload(w, 1)
		if err != nil {
			if w.Detail == "" {
				t.Error(err)
			}
			continue
		}
		path := filepath.Join(dir, fmt.Sprintf("%03d.onnx", len(paths)))
		if err := onnx.Write(path, g); err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		again, err := onnx.Read(path)
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		fused, err := graph.Fuse(again)
		if err != nil {
			t.Fatal(err)
		}
		if list, err := fused.Workloads(); err != nil || len(list) != 1 || list[0].String() != key {
			t.Errorf("%s: read again, it is %v (%v)", key, list, err)
		}
		paths = append(paths, path)
	}
	t.Logf("%d models", len(paths))
	t.Run("outputs", func(t *testing.T) { compare(t, paths, read(t, paths)) })
}
