package kernels_test

import (
	"fmt"
	"log"

	"github.com/hwprofd/hwprofd/kernels"
)

// A 3x3 box filter over an image of ones, with zeros around it: the border
// counts fewer neighbours.
func Example() {
	shape := kernels.Conv2D{
		N: 1, C: 1, H: 3, W: 4, K: 1, R: 3, S: 3, StrideH: 1, StrideW: 1,
		PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, DilationH: 1, DilationW: 1, Groups: 1,
	}
	image := []float32{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	weight := []float32{1, 1, 1, 1, 1, 1, 1, 1, 1}
	conv, err := kernels.PackConv2D(shape, weight, []float32{-5})
	if err != nil {
		log.Fatal(err)
	}
	var ws kernels.Workspace
	out := make([]float32, shape.OutH()*shape.OutW())
	conv.Forward(&ws, out, image, nil, kernels.ReLU)
	for y := range shape.OutH() {
		fmt.Println(out[y*shape.OutW() : (y+1)*shape.OutW()])
	}
	// Output:
	// [0 1 1 0]
	// [1 4 4 1]
	// [0 1 1 0]
}
