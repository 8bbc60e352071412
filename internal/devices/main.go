// Command devices makes one machine pretend to be eight: instruction sets, one
// and two threads, batches of 1 and 8, float and int8. It measures the same
// networks and their workloads on each, and then completes the table of each
// from ten of its rows and the tables of the others.
//
//	devices measure FOLDER [DEVICE ...]   writes FOLDER/DEVICE.lut.parquet, by default of all
//	devices compare FOLDER                prints the table of docs/transfer.md
package main

import (
	"errors"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "devices:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) >= 2 && args[0] == "measure":
		return measure(args[1], args[2:])
	case len(args) == 2 && args[0] == "compare":
		return compare(os.Stdout, args[1])
	}
	return errors.New("usage: devices measure FOLDER [DEVICE ...] | devices compare FOLDER")
}
