package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/graph/zoo"
	"github.com/hwprofd/hwprofd/kernels"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/profiler"
)

// pretended is a device that this machine pretends to be.
type pretended struct {
	name    string
	isa     string // "" for the best
	threads int
	batch   int
	int8    bool
}

var devices = []pretended{
	{"best", "", 1, 1, false},
	{"best-threads2", "", 2, 1, false},
	{"best-batch8", "", 1, 8, false},
	{"best-int8", "", 1, 1, true},
	{"avx2", "avx2", 1, 1, false},
	{"avx2-threads2-batch8", "avx2", 2, 8, false},
	{"avx2-int8", "avx2", 1, 1, true},
	{"portable", "portable", 1, 1, false},
}

func (d pretended) path(folder string) string {
	return filepath.Join(folder, d.name+".lut.parquet")
}

// on are the workloads that do on the device what w does on a float one with a
// batch of 1; in int8 an addition is one of its own, and pooling and the
// classifier stay in float.
func (d pretended) on(w graph.Workload) []graph.Workload {
	w.N = d.batch
	if !d.int8 || w.Op != graph.OpConv2D {
		return []graph.Workload{w}
	}
	epilogue := w.Epilogue
	w.DType, w.Epilogue = graph.U8, "none"
	if epilogue != "add" && epilogue != "add.relu" {
		return []graph.Workload{w}
	}
	out := graph.Workload{Op: graph.OpAdd, DType: graph.U8, N: w.N, C: w.K, H: w.OutH(), W: w.OutW(), K: w.K, R: w.OutH(), S: w.OutW(), Epilogue: "none"}
	return []graph.Workload{w, out}
}

func measure(folder string, names []string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		if !slices.ContainsFunc(devices, func(d pretended) bool { return d.name == name }) {
			return fmt.Errorf("there is no device %q", name)
		}
	}
	for _, d := range devices {
		if len(names) > 0 && !slices.Contains(names, d.name) {
			continue
		}
		start := time.Now()
		table, err := d.measure(folder)
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		fmt.Printf("%s: %d workloads, %d networks, %.0f s\n", d.name, len(table.Rows), len(table.Networks), time.Since(start).Seconds())
	}
	return nil
}

func (d pretended) measure(folder string) (*lut.Table, error) {
	isa := d.isa
	if isa == "" {
		isa = kernels.Implementations()[0]
	}
	if err := kernels.Use(isa); err != nil {
		return nil, err
	}
	defer kernels.Threads(kernels.Threads(d.threads))
	info, err := device.Detect()
	if err != nil {
		return nil, err
	}
	workloads, networks, err := d.items(folder)
	if err != nil {
		return nil, err
	}
	meta := lut.Meta{
		Schema: lut.Schema, Device: info, Fingerprint: info.Fingerprint(), Runtime: lut.OwnRuntime, RuntimeVersion: "(devel)",
		RuntimeOptions: map[string]string{"kernels": isa}, Threads: d.threads, Created: time.Now().UTC().Truncate(time.Second),
	}
	p := profiler.New(profiler.Options{Seed: 1, MaxPerItem: 250 * time.Millisecond, Budget: 80 * time.Second})
	return p.Run(context.Background(), d.path(folder), meta, workloads, networks)
}

// items are the panel's workloads and networks as the device has them.
func (d pretended) items(folder string) ([]graph.Workload, []profiler.NamedGraph, error) {
	single, err := panel(1)
	if err != nil {
		return nil, nil, err
	}
	batched, err := panel(d.batch)
	if err != nil {
		return nil, nil, err
	}
	var workloads []graph.Workload
	var networks []profiler.NamedGraph
	seen := map[graph.Workload]bool{}
	for i, g := range single {
		of, err := workloadsOf(g)
		if err != nil {
			return nil, nil, err
		}
		for _, w := range of {
			for _, own := range d.on(w) {
				if !seen[own] {
					seen[own] = true
					workloads = append(workloads, own)
				}
			}
		}
		g = batched[i]
		if d.int8 {
			if g, err = quantized(folder, g); err != nil {
				return nil, nil, err
			}
		}
		networks = append(networks, profiler.NamedGraph{Name: single[i].Name, Use: "test", Graph: g})
	}
	return workloads, networks, nil
}

// quantized is g in int8. It is kept in the folder, as it takes a while to make.
func quantized(folder string, g *graph.Graph) (*graph.Graph, error) {
	path := filepath.Join(folder, g.Name+".int8.onnx")
	if q, err := onnx.Read(path); !errors.Is(err, fs.ErrNotExist) {
		return q, err
	}
	q, err := zoo.Quantize(g, 1)
	if err != nil {
		return nil, err
	}
	return q, onnx.Write(path, q)
}
