package target_test

import (
	"context"
	"fmt"
	"os"

	"github.com/hwprofd/hwprofd/profiler/target"
)

func ExampleOpen() {
	t, err := target.Open("kitchen", target.Options{Say: func(line string) { fmt.Fprintln(os.Stderr, line) }})
	if err != nil {
		fmt.Println(err)
		return
	}
	table, err := t.Profile(context.Background(), target.Job{Output: "kitchen.lut.parquet", Args: []string{"--space=mobile28"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(table.Rows), "rows")
	// Output: target: "kitchen": not a target: want ssh://[USER@]HOST[:PORT], adb or adb:SERIAL
}
