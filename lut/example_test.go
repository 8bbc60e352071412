package lut_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

func Example() {
	dir, err := os.MkdirTemp("", "lut")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "pi4.lut.parquet")

	w, err := graph.ParseWorkload("conv2d/f32/n1c64h56w56/k128r3s3/stride2.pad1.dil1.group1/relu")
	if err != nil {
		log.Fatal(err)
	}
	row := lut.NewRow(w)
	row.LatencyMedianNS, row.LatencyMeanNS, row.RawMedianNS = 812_000, 815_300, 820_100
	row.LatencyP10NS, row.LatencyP90NS, row.LatencyCI95NS = 803_000, 840_000, 4_100
	row.Samples, row.Stable = 120, true
	row.MeasuredAt = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

	info, err := device.Detect()
	if err != nil {
		log.Fatal(err)
	}
	table := &lut.Table{
		Meta: lut.Meta{
			Schema: lut.Schema, Device: info, Fingerprint: info.Fingerprint(),
			Runtime: "hwprofd", RuntimeVersion: "0.1", Threads: 1, Created: row.MeasuredAt,
		},
		Rows: []lut.Row{row},
	}
	if err := table.Write(path); err != nil {
		log.Fatal(err)
	}

	read, err := lut.Read(path)
	if err != nil {
		log.Fatal(err)
	}
	found, ok := read.Lookup(w)
	fmt.Printf("%v: %.0f ± %.1f µs, %d MACs\n", ok, found.LatencyMedianNS/1e3, found.LatencyCI95NS/1e3, found.MACs)
	// Output: true: 812 ± 4.1 µs, 57802752 MACs
}
