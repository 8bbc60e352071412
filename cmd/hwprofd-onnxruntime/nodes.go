//go:build linux || darwin

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

type nodeTime struct {
	Name string  `json:"name"`
	Op   string  `json:"op"`
	NS   float64 `json:"ns"`
	// Layout is set where the node only brings a tensor into another layout, or
	// to another place, between what the model asks for.
	Layout bool `json:"layout,omitempty"`
}

// layoutOps are the operators that ONNX Runtime puts between others for that.
var layoutOps = map[string]bool{"ReorderInput": true, "ReorderOutput": true, "MemcpyFromHost": true, "MemcpyToHost": true}

// nodes runs the model n times with ONNX Runtime's own profile and returns the
// mean time of each node. The profile's times are cut to whole microseconds;
// half of one is added to each, which is right in the mean.
func (a *adapter) nodes(n int) ([]nodeTime, error) {
	s, err := a.api.newSession(a.model, a.options, a.inputs, written{profile: filepath.Join(a.folder, "profile")})
	if err != nil {
		return nil, err
	}
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
	return readProfile(data, n)
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
	place, seen := map[string]int{}, map[string]int{}
	for _, e := range events {
		if e.Category != "Node" || !strings.HasSuffix(e.Name, kernel) {
			continue
		}
		name := strings.TrimSuffix(e.Name, kernel)
		key := e.Args.Index + " " + name
		if seen[key]++; seen[key] == 1 {
			place[key] = len(nodes)
			nodes = append(nodes, nodeTime{Name: name, Op: e.Args.Op, NS: cut, Layout: layoutOps[e.Args.Op]})
			continue
		}
		nodes[place[key]].NS += 1e3 * e.Duration / float64(n)
	}
	for key, times := range seen {
		if times != n+1 {
			return nil, fmt.Errorf("ONNX Runtime's profile has node %q %d times in %d runs", key, times, n+1)
		}
	}
	return nodes, nil
}
