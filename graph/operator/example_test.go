package operator_test

import (
	"fmt"
	"log"

	"github.com/hwprofd/hwprofd/graph/operator"
)

func Example() {
	a := &operator.Tensor{DType: operator.F32, Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}}
	b := &operator.Tensor{DType: operator.F32, Shape: []int{2, 1}, Data: []float32{10, 100}}
	out, err := operator.Evaluate("MatMul", nil, []*operator.Tensor{a, b}, 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out[0].Shape, out[0].Data)
	// Output:
	// [2 1] [210 430]
}
