package space_test

import (
	"fmt"

	"github.com/hwprofd/hwprofd/nas/space"
)

func Example() {
	s, err := space.ByName("mobile28", 1, 10)
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := s.Lower(s.Smallest())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Decisions()[2].Name, s.Decisions()[2].Choices)
	fmt.Println(g.Inputs[0].Shape, "to", g.Outputs[0].Shape)
	// Output:
	// stage1.depth [1 2]
	// [1 1 20 20] to [1 10]
}
