package counters_test

import (
	"fmt"
	"log"
	"runtime"

	"github.com/hwprofd/hwprofd/profiler/counters"
)

// What is counted depends on the machine, which is why no output is checked.
func Example() {
	runtime.LockOSThread() // the counters are those of a thread
	defer runtime.UnlockOSThread()
	set, err := counters.Open()
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	counts, err := set.Measure(func() { _ = make([]byte, 1<<20) })
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range counts {
		fmt.Println(c.Name, c.Value)
	}
	for _, m := range set.Missing() {
		fmt.Println(m.Name, "is not counted:", m.Err)
	}
}
