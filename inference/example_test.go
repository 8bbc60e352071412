package inference_test

import (
	"fmt"
	"log"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/inference"
)

func Example() {
	// A network of one convolution that sums the four corners and edges
	// around each pixel.
	b := graph.NewBuilder("neighbours")
	x := b.Input("x", 1, 1, 3, 3)
	g, err := b.Build(b.Activation(graph.OpRelu, b.Conv("sum", x, 1, 3, 3, 1, 1, 1, false)))
	if err != nil {
		log.Fatal(err)
	}
	g.Parameters()[0].Data = []float32{1, 1, 1, 1, 0, 1, 1, 1, 1}

	p, err := inference.Compile(g)
	if err != nil {
		log.Fatal(err)
	}
	copy(p.Inputs()[0].Data.([]float32), []float32{1, 2, 3, 4, 5, 6, 7, 8, 9})
	if err := p.Run(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Outputs()[0].Data)
	fmt.Println(p.Workloads()[0])
	// Output:
	// [11 19 13 23 40 27 17 31 19]
	// conv2d/f32/n1c1h3w3/k1r3s3/stride1.pad1.dil1.group1/relu
}
