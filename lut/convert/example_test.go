package convert_test

import (
	"fmt"
	"log"

	"github.com/hwprofd/hwprofd/lut/convert"
)

func Example() {
	table := "block,choice,latency_ms\n1,0,0.35\n1,1,0.71\n"
	published, err := convert.Parse([]byte(table), "pixel1.csv", convert.SinglePath)
	if err != nil {
		log.Fatal(err)
	}
	for i := range published.Records {
		fmt.Println(published.LatencyMS(i), "ms")
	}
	// Output:
	// 0.35 ms
	// 0.71 ms
}
