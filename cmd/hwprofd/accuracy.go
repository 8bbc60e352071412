package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hwprofd/hwprofd/dataset"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/inference"
)

// modelAccuracy classifies images with an ONNX file as it is and returns the
// share that is right. The file's metadata say how images are to be prepared.
func modelAccuracy(ctx context.Context, path string, images *dataset.Images) (float64, error) {
	g, err := onnx.Read(path)
	if err != nil {
		return 0, err
	}
	transform, err := transformOf(g)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	plan, err := inference.Compile(g)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	input, isFloat := plan.Inputs()[0].Data.([]float32)
	output, floatsOut := plan.Outputs()[0].Data.([]float32)
	if !isFloat || !floatsOut {
		return 0, fmt.Errorf("%s: want an input and an output of type %s", path, graph.F32)
	}
	label := make([]int, 1)
	right := 0
	for i := range images.N {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		images.Batch(input, label, []int{i}, transform, nil)
		if err := plan.Run(); err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		if slices.Index(output, slices.Max(output)) == label[0] {
			right++
		}
	}
	return float64(right) / float64(images.N), nil
}

// transformOf reads how a model that this program exported wants its images.
func transformOf(g *graph.Graph) (dataset.Transform, error) {
	if len(g.Inputs) != 1 || len(g.Inputs[0].Shape) != 4 || g.Inputs[0].Shape[0] != 1 || g.Inputs[0].Shape[2] != g.Inputs[0].Shape[3] || len(g.Outputs) != 1 {
		return dataset.Transform{}, fmt.Errorf("want one input [1, C, r, r] and one output")
	}
	mean, err := channelNumbers(g, "normalization.mean")
	if err != nil {
		return dataset.Transform{}, err
	}
	deviation, err := channelNumbers(g, "normalization.std")
	if err != nil {
		return dataset.Transform{}, err
	}
	return dataset.Transform{Resolution: g.Inputs[0].Shape[2], Mean: mean, Deviation: deviation}, nil
}

func channelNumbers(g *graph.Graph, key string) ([]float32, error) {
	text, ok := g.Metadata[key]
	if !ok {
		return nil, fmt.Errorf("metadata %q is missing; was the file written by hwprofd?", key)
	}
	fields := strings.Split(text, ",")
	if len(fields) != g.Inputs[0].Shape[1] {
		return nil, fmt.Errorf("metadata %q has %d numbers for %d channels", key, len(fields), g.Inputs[0].Shape[1])
	}
	numbers := make([]float32, len(fields))
	for i, field := range fields {
		v, err := strconv.ParseFloat(field, 32)
		if err != nil {
			return nil, fmt.Errorf("metadata %q: %w", key, err)
		}
		numbers[i] = float32(v)
	}
	return numbers, nil
}
