// Package space holds the search spaces, one file each. A space turns a
// vector of choices into a network (nas.Space.Lower) and says nothing about
// how networks are trained, costed or searched.
package space

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/operator"
	"github.com/hwprofd/hwprofd/nas"
)

// A maker makes a space for images of a number of channels and classes; of those
// that it was published with where nothing else is known.
type maker struct {
	channels, classes int
	make              func(channels, classes int) (nas.Space, error)
}

var makers = map[string]maker{
	"autoformer-tiny": {3, 1000, func(channels, classes int) (nas.Space, error) { return NewAutoFormer(channels, classes) }},
	"fbnet":           {3, 1000, func(channels, classes int) (nas.Space, error) { return NewFBNet(channels, classes) }},
	"mobile28":        {1, 10, func(channels, classes int) (nas.Space, error) { return NewMobile28(channels, classes) }},
	"nasbench201":     {3, 10, func(channels, classes int) (nas.Space, error) { return NewNASBench201(channels, classes) }},
	"ofa-mobilenetv3": {3, 1000, func(channels, classes int) (nas.Space, error) { return NewOFAMobileNetV3(channels, classes) }},
}

// Names lists the spaces that ByName knows, sorted.
func Names() []string { return slices.Sorted(maps.Keys(makers)) }

// ByName makes the named space for images of the given number of channels and
// classes.
func ByName(name string, channels, classes int) (nas.Space, error) {
	m, err := named(name)
	if err != nil {
		return nil, err
	}
	return m.make(channels, classes)
}

// Published makes the named space for the images that it was published for.
func Published(name string) (nas.Space, error) {
	m, err := named(name)
	if err != nil {
		return nil, err
	}
	return m.make(m.channels, m.classes)
}

func named(name string) (maker, error) {
	m, ok := makers[name]
	if !ok {
		return maker{}, fmt.Errorf("space: no space is called %q; there is: %s", name, strings.Join(Names(), ", "))
	}
	return m, nil
}

func checkImages(name string, channels, classes int) error {
	if channels < 1 || classes < 2 {
		return fmt.Errorf("space: %s for %d channels and %d classes; want at least 1 channel and 2 classes", name, channels, classes)
	}
	return nil
}

// last takes the last choice of every decision.
func last(decisions []nas.Decision) nas.Architecture {
	a := make(nas.Architecture, len(decisions))
	for i, d := range decisions {
		a[i] = len(d.Choices) - 1
	}
	return a
}

func numerals(values []int) []string {
	s := make([]string, len(values))
	for i, v := range values {
		s[i] = strconv.Itoa(v)
	}
	return s
}

func stageName(stage int) string { return "stage" + strconv.Itoa(stage+1) }

func blockName(stage, block int) string {
	return stageName(stage) + ".block" + strconv.Itoa(block+1)
}

// classify ends the network with a linear layer on x [N, width] whose output is
// "logits".
func classify(b *graph.Builder, space string, a nas.Architecture, x *graph.Value, classes int) (*graph.Graph, error) {
	logits := b.Linear("classifier", x, classes)
	logits.Name = "logits"
	g, err := b.Build(logits)
	if err != nil {
		return nil, fmt.Errorf("space: %s %s: %w", space, a, err)
	}
	return g, nil
}

func reshape(b *graph.Builder, name string, x *graph.Value, shape ...int64) *graph.Value {
	to := b.Constant(name+".shape", &operator.Tensor{DType: operator.I64, Shape: []int{len(shape)}, Data: shape})
	return b.Operator("Reshape", name, nil, x, to)
}

func transpose(b *graph.Builder, name string, x *graph.Value, permutation ...int64) *graph.Value {
	return b.Operator("Transpose", name, operator.Attributes{"perm": permutation}, x)
}
