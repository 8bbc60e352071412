package profiler_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/profiler"
)

func Example() {
	w, err := graph.ParseWorkload("conv2d/f32/n1c16h14w14/k32r1s1/stride1.pad0.dil1.group1/relu")
	if err != nil {
		log.Fatal(err)
	}
	p := profiler.New(profiler.Options{MaxPerItem: 50 * time.Millisecond})
	row, err := p.Workload(context.Background(), w)
	if err != nil {
		log.Fatal(err)
	}
	// row.LatencyMedianNS is the time of one run; half-width of its 95%
	// interval, percentiles, raw median and energy stand beside it.
	fmt.Println(row.Key)
	fmt.Println(row.LatencyMedianNS > 0, row.EnergyMJ != nil)
	// Output:
	// conv2d/f32/n1c16h14w14/k32r1s1/stride1.pad0.dil1.group1/relu
	// true true
}
