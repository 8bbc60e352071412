package nas_test

import (
	"fmt"

	"github.com/hwprofd/hwprofd/nas"
)

func Example() {
	objectives := []nas.Objective{
		{Name: "accuracy", Unit: "%", Maximize: true},
		{Name: "latency", Unit: "ms"},
	}
	evaluations := []nas.Evaluation{
		{Architecture: nas.Architecture{0, 0}, Values: []float64{80, 1}},
		{Architecture: nas.Architecture{0, 1}, Values: []float64{79, 2}}, // beaten by the first
		{Architecture: nas.Architecture{1, 0}, Values: []float64{88, 3}},
		{Architecture: nas.Architecture{1, 1}, Values: []float64{90, 9}},
	}
	front := nas.Front(evaluations, objectives)
	for _, e := range front {
		fmt.Println(e.Architecture, e.Values)
	}
	knee, _ := nas.Knee(front, objectives)
	volume, err := nas.Hypervolume(front, objectives, []float64{70, 10})
	fmt.Println("knee", knee.Architecture, "hypervolume", volume, err)
	// Output:
	// 0.0 [80 1]
	// 1.0 [88 3]
	// 1.1 [90 9]
	// knee 1.0 hypervolume 148 <nil>
}
