//go:build linux || darwin

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type nodeTime struct {
	Name string  `json:"name"`
	Op   string  `json:"op"`
	NS   float64 `json:"ns"`
	// Layout is set where the node only brings a tensor into another layout, or
	// to another place, between what the model asks for.
	Layout bool `json:"layout,omitempty"`
	// Makes are the tensors that it computes.
	Makes []string `json:"makes,omitempty"`
}

// layoutOps are the operators that ONNX Runtime puts between others for that.
var layoutOps = map[string]bool{"ReorderInput": true, "ReorderOutput": true, "MemcpyFromHost": true, "MemcpyToHost": true}

// nodes runs the model n times with ONNX Runtime's own profile and returns the
// time of each node, with what it computes by the model as it is run. The
// profile's times are cut to whole microseconds; half of one is added to each,
// which is right in the mean.
func (a *adapter) nodes(n int) ([]nodeTime, error) {
	model := filepath.Join(a.folder, "profiled.onnx")
	s, err := a.api.newSession(a.model, a.options, a.inputs, written{profile: filepath.Join(a.folder, "profile"), model: model})
	if err != nil {
		return nil, err
	}
	defer os.Remove(model)
	defer s.close()
	err = s.run(n + 1) // the first is not counted
	path, failed := a.api.text(sessionEndProfiling, s.session)
	if err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, failed
	}
	defer os.Remove(path)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	a.garbage += len(data)
	nodes, err := readProfile(data, n)
	if err != nil {
		return nil, err
	}
	if data, err = os.ReadFile(model); err != nil {
		return nil, err
	}
	a.garbage += len(data)
	of, err := readGraph(data)
	if err != nil {
		return nil, fmt.Errorf("ONNX Runtime's model: %w", err)
	}
	makes(nodes, of)
	return nodes, nil
}

// blocked ends the names that ONNX Runtime gives to nodes in its blocked layout,
// of which the results are not the model's tensors any more. They begin with the
// name of the tensor that the node had made before.
const blocked = "_nchwc"

// makes sets what nodes of a profile make, by the nodes of the model.
func makes(nodes []nodeTime, of []graphNode) {
	outputs := map[string][]string{}
	for _, n := range of {
		if n.Name != "" {
			outputs[n.Name] = append(outputs[n.Name], n.outputs...)
		}
	}
	for i := range nodes {
		n := &nodes[i]
		n.Makes = slices.Clone(outputs[n.Name])
		if tensor, ok := strings.CutSuffix(n.Name, blocked); ok {
			n.Makes = append(n.Makes, tensor)
		}
	}
}

// readProfile reads a profile of ONNX Runtime, an array of trace events, of one
// run that is not counted and n more.
func readProfile(data []byte, n int) ([]nodeTime, error) {
	var events []struct {
		Category string  `json:"cat"`
		Name     string  `json:"name"`
		Duration float64 `json:"dur"` // us
		Args     struct {
			Op    string `json:"op_name"`
			Index string `json:"node_index"`
		} `json:"args"`
	}
	if err := json.Unmarshal(data, &events); err != nil {
		return nil, fmt.Errorf("ONNX Runtime's profile: %w", err)
	}
	const (
		kernel = "_kernel_time"
		cut    = 500 // ns
	)
	nodes := []nodeTime{}
	place, times := map[string]int{}, map[string][]float64{}
	for _, e := range events {
		if e.Category != "Node" || !strings.HasSuffix(e.Name, kernel) {
			continue
		}
		name := strings.TrimSuffix(e.Name, kernel)
		key := e.Args.Index + " " + name
		if _, seen := place[key]; !seen {
			place[key] = len(nodes)
			nodes = append(nodes, nodeTime{Name: name, Op: e.Args.Op, Layout: layoutOps[e.Args.Op]})
		}
		times[key] = append(times[key], 1e3*e.Duration+cut)
	}
	for key, all := range times {
		if len(all) != n+1 {
			return nil, fmt.Errorf("ONNX Runtime's profile has node %q %d times in %d runs", key, len(all), n+1)
		}
		nodes[place[key]].NS = middleMean(all[1:])
	}
	return nodes, nil
}

// middleMean is the mean of the middle half of values, which it sorts: an
// interruption does not touch it.
func middleMean(values []float64) (mean float64) {
	slices.Sort(values)
	quarter := len(values) / 4
	middle := values[quarter : len(values)-quarter]
	for _, v := range middle {
		mean += v / float64(len(middle))
	}
	return mean
}
