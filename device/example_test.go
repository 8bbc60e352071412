package device_test

import (
	"fmt"
	"log"

	"github.com/hwprofd/hwprofd/device"
)

func ExampleDetect() {
	info, err := device.Detect()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(info.Fingerprint()), "digits stand for", len(info.CPUs) > 0 && info.Threads > 0)
	// Output: 12 digits stand for true
}
