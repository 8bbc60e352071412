package benchmark_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/hwprofd/hwprofd/benchmark"
)

func Example() {
	results := func(source string, ns int) *benchmark.Results {
		var text strings.Builder
		fmt.Fprintln(&text, "fingerprint: 9889570a1743")
		for i := range 8 {
			fmt.Fprintf(&text, "BenchmarkKernels/relu/f32/n1c16h7w7 100 %d ns/op\n", ns+i)
		}
		r, err := benchmark.Parse(source, strings.NewReader(text.String()), "")
		if err != nil {
			log.Fatal(err)
		}
		return r
	}
	report, err := benchmark.Compare(results("old.txt", 1000), results("new.txt", 1100), benchmark.Options{Threshold: 0.05, Alpha: 0.05})
	if err != nil {
		log.Fatal(err)
	}
	for _, change := range report.Slower() {
		fmt.Printf("%s is slower: %.2f times as long\n", change.Name, change.Ratio)
	}
	// Output:
	// relu/f32/n1c16h7w7 is slower: 1.10 times as long
}
