package zoo_test

import (
	"fmt"
	"log"

	"github.com/hwprofd/hwprofd/graph/zoo"
)

func Example() {
	g, err := zoo.Build("mobilenetv2", zoo.Options{Size: 96, Width: 0.5})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(g.Inputs[0].Shape, g.Outputs[0].Shape, len(g.Nodes), "nodes,", g.Params(), "parameters")
	// Output:
	// [1 3 96 96] [1 1000] 152 nodes, 1968680 parameters
}
