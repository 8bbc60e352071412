package graph_test

import (
	"fmt"
	"log"

	"github.com/hwprofd/hwprofd/graph"
)

// A small network is built, fused, and listed as the work that it is.
func Example() {
	b := graph.NewBuilder("tiny")
	x := b.Input("image", 1, 1, 28, 28)
	y := b.Activation(graph.OpRelu6, b.BatchNorm("stem.bn", b.Conv("stem", x, 8, 3, 3, 2, 1, 1, false)))
	z := b.BatchNorm("depthwise.bn", b.Conv("depthwise", y, 8, 3, 3, 1, 1, 8, false))
	y = b.Add(z, y)
	g, err := b.Build(b.Linear("classifier", b.Flatten(b.GlobalAveragePool(y)), 10))
	if err != nil {
		log.Fatal(err)
	}
	fused, err := graph.Fuse(g)
	if err != nil {
		log.Fatal(err)
	}
	workloads, err := fused.Workloads()
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range workloads {
		fmt.Println(w)
	}
	fmt.Println(g.MACs(), "multiply-accumulates,", g.Params(), "parameters")
	// Output:
	// conv2d/f32/n1c1h28w28/k8r3s3/stride2.pad1.dil1.group1/relu6
	// conv2d/f32/n1c8h14w14/k8r3s3/stride1.pad1.dil1.group8/add
	// globalavgpool/f32/n1c8h14w14
	// linear/f32/n1c8/k10/none
	// 28304 multiply-accumulates, 266 parameters
}

func ExampleParseWorkload() {
	w, err := graph.ParseWorkload("conv2d/f32/n1c64h56w56/k128r3s3/stride2.pad1.dil1.group1/relu")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%dx%dx%d, %d MACs, %d bytes\n", w.K, w.OutH(), w.OutW(), w.MACs(), w.Bytes())
	// Output: 128x28x28, 57802752 MACs, 1499648 bytes
}
