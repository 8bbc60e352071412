package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/graph/operator"
)

func addShapeFlag(cmd *cobra.Command, shapes *[]string) {
	cmd.Flags().StringArrayVar(shapes, "shape", nil, "shape of an input whose dimensions the model leaves open, such as image=1x3x224x224; may be repeated")
}

// parseShapes reads the values of --shape.
func parseShapes(list []string) (map[string][]int, error) {
	shapes := make(map[string][]int, len(list))
	for _, s := range list {
		name, text, ok := cutLast(s, "=")
		if !ok || name == "" {
			return nil, usagef("--shape %q: want the form input=1x3x224x224", s)
		}
		if _, twice := shapes[name]; twice {
			return nil, usagef("--shape %q: input %q has a shape already", s, name)
		}
		shape := []int{}
		for _, part := range strings.Split(text, "x") {
			d, err := strconv.ParseUint(part, 10, 31)
			if err != nil || d < 1 || d > operator.MaxDim {
				return nil, usagef("--shape %q: dimension %q is not a number from 1 to %d", s, part, operator.MaxDim)
			}
			shape = append(shape, int(d))
		}
		shapes[name] = shape
	}
	return shapes, nil
}

// cutLast cuts s around the last separator: names of inputs may hold one.
func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// shapedGraph is the network that the flags name, with the shapes given.
func shapedGraph(model string, shapes []string, spaceName, architecture string) (*graph.Graph, string, error) {
	if len(shapes) == 0 {
		return namedGraph(model, spaceName, architecture)
	}
	if model == "" {
		return nil, "", usagef("--shape goes with --model")
	}
	g, err := readModel(model, shapes)
	return g, model, err
}

// readModel reads a model with the shapes of --shape.
func readModel(path string, shapes []string) (*graph.Graph, error) {
	given, err := parseShapes(shapes)
	if err != nil {
		return nil, err
	}
	return onnx.ReadWith(path, onnx.Options{Shapes: given})
}
