package main

import (
	"fmt"
	"slices"
	"strings"
)

// bar is a claim of the table: how our times are to compare with the better of
// some peers' over a group of shapes.
type bar struct {
	name  string
	peers []string // prefixes of their names
	// belongs tells whether a shape is of the group; kind and dtype are those
	// of its rows.
	kind, dtype string // an empty kind is any
	belongs     func(shape string) bool
	mean        float64 // most that the geometric mean of the ratios may be, 0 for no bar
	worst       float64 // most that any ratio may be, 0 for no bar
	peak        float64 // least share of the machine's peak, 0 for no bar
	peakShape   func(shape string) bool
	threads     int                    // only with so many, 0 for any number
	amount      func(x float64) string // writes what is compared; nil for times
}

// bars are the claims, in the order of the table.
var bars = []bar{
	{
		name: "SGEMM, square, B given at each call", peers: blas, kind: "gemm", dtype: "f32",
		belongs: isOne(squares), mean: 1, worst: 1 / .95,
		peak: .85, peakShape: isOne([]string{"m1024n1024k1024", "m2048n2048k2048"}),
	},
	{
		name: "SGEMM, skinny and as in convolutions, B given at each call", peers: blas, kind: "gemm", dtype: "f32",
		belongs: not(isOne(append(squares, "m64n64k64", "m128n128k128"))), mean: 1, worst: 1 / .85,
	},
	{
		name: "SGEMM, square below 256 (no bar)", peers: blas, kind: "gemm", dtype: "f32",
		belongs: isOne([]string{"m64n64k64", "m128n128k128"}),
	},
	{
		name: "SGEMM, B packed once", peers: runtimes, kind: "gemm", dtype: "f32", belongs: all, mean: 1,
	},
	{
		name: "convolutions, one group", peers: runtimes, kind: "conv", dtype: "f32",
		belongs: ungrouped, mean: 1, worst: 1.25,
	},
	{
		name: "of these 3x3 with stride 1 (Winograd)", peers: runtimes, kind: "conv", dtype: "f32",
		belongs: both(ungrouped, contains("r3s1")), mean: .85,
	},
	{
		name: "depthwise convolutions", peers: runtimes, kind: "conv", dtype: "f32",
		belongs: not(ungrouped), mean: 1, worst: 1.3,
	},
	{
		name: "attention, 12 heads, 512 queries", peers: runtimes, kind: "attention", dtype: "f32",
		belongs: isOne([]string{"h12q512kv512d64"}), worst: .5,
	},
	{
		name: "attention, 3 heads, 196 queries", peers: runtimes, kind: "attention", dtype: "f32",
		belongs: isOne([]string{"h3q196kv196d64"}), worst: .7,
	},
	{
		name: "attention, decoding over 4096 positions", peers: runtimes, kind: "attention", dtype: "f32",
		belongs: isOne([]string{"h12q1kv4096d64"}), worst: .8,
	},
	{
		name: "attention, other shapes (no bar)", peers: runtimes, kind: "attention", dtype: "f32",
		belongs: not(isOne([]string{"h12q512kv512d64", "h3q196kv196d64", "h12q1kv4096d64"})),
	},
	{
		name: "int8 GEMM against the VNNI peak", peers: []string{"machine"}, kind: "gemm", dtype: "u8s8",
		belongs: all, worst: 1 / .7,
	},
	{
		name: "int8 convolutions of ResNet-50, together, against the network", peers: runtimes, kind: "int8", dtype: "u8s8",
		belongs: all, worst: .9,
	},
	{
		name: "training, forward and backward", peers: []string{"pytorch"}, kind: "backward", dtype: "f32",
		belongs: all, mean: .7,
	},
	network("net_resnet50", 1, .7), network("net_mobilenetv3", 1, .5), network("net_vit_tiny", 1, .7),
	network("net_bert_128", 1, .85), network("net_efficientnet_b0", 1, .7),
	network("net_resnet50_qdq", 1, .85), network("net_resnet50_b8", 1, .8),
	network("net_resnet50", 2, .8), network("net_mobilenetv3", 2, .8), network("net_vit_tiny", 2, .8),
	network("net_bert_128", 2, 0), network("net_efficientnet_b0", 2, 0),
	network("net_resnet50_qdq", 2, 0), network("net_resnet50_b8", 2, 0),
	{
		name: "from reading ResNet-50 to its first result", peers: runtimes, kind: "load", dtype: "f32",
		belongs: all, worst: 1,
	},
	{
		name: "memory of tensors against one each", peers: []string{"naive"}, kind: "arena", dtype: "f32",
		belongs: all, worst: .35, amount: mebibytes,
	},
	{
		name: "a run against the sum of its kernels, ResNet-50", peers: []string{"kernels"}, kind: "overhead", dtype: "f32",
		belongs: isOne([]string{"net_resnet50"}), worst: 1.02,
	},
	{
		name: "a run against the sum of its kernels, MobileNetV3", peers: []string{"kernels"}, kind: "overhead", dtype: "f32",
		belongs: isOne([]string{"net_mobilenetv3"}), worst: 1.06,
	},
	{
		name: "AVX2 against AVX-512, where compute-bound", peers: []string{"hwprofd"}, dtype: "f32",
		belongs: computeBound, worst: 2.2,
	},
}

var (
	blas     = []string{"openblas", "blis"}
	runtimes = []string{"onednn", "onnxruntime"}
	squares  = []string{"m256n256k256", "m512n512k512", "m1024n1024k1024", "m2048n2048k2048"}
)

// network is the claim for one network of the peers' models.
func network(name string, threads int, worst float64) bar {
	return bar{name: "network " + name, peers: runtimes, kind: "net", dtype: "f32", belongs: isOne([]string{name}), worst: worst, threads: threads}
}

func mebibytes(bytes float64) string { return fmt.Sprintf("%.1f MiB", bytes/(1<<20)) }

func all(string) bool { return true }

func isOne(shapes []string) func(string) bool {
	return func(shape string) bool { return slices.Contains(shapes, shape) }
}

func not(belongs func(string) bool) func(string) bool {
	return func(shape string) bool { return !belongs(shape) }
}

func both(a, b func(string) bool) func(string) bool {
	return func(shape string) bool { return a(shape) && b(shape) }
}

func contains(part string) func(string) bool {
	return func(shape string) bool { return strings.Contains(shape, part) }
}

func ungrouped(shape string) bool { return strings.HasSuffix(shape, "g1") }

// computeBound leaves out products of few rows, which wait for memory, and
// depthwise convolutions, which may.
func computeBound(shape string) bool {
	return !strings.HasPrefix(shape, "m1n") && !strings.HasPrefix(shape, "m8n") && (strings.HasPrefix(shape, "m") || ungrouped(shape))
}

// isOf tells whether a peer is one of those of b.
func (b *bar) isOf(peer string) bool {
	return slices.ContainsFunc(b.peers, func(prefix string) bool { return strings.HasPrefix(peer, prefix) })
}

// shapeName is the name of a shape without what only tells the peers' programs
// apart: all peers of a shape are to be found under one name.
func shapeName(kind, shape string) string {
	if kind == "gemm" || kind == "conv" || kind == "attention" {
		shape = strings.TrimPrefix(shape, kind+"_")
	}
	return strings.TrimSuffix(shape, "_fused")
}
