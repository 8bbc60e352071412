package profiler

import (
	"context"
	"errors"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
)

// ErrNoGraph says that a runtime does not tell what it makes of a model.
var ErrNoGraph = errors.New("the runtime does not tell what it makes of a model")

// GraphNodes counts the nodes of the model that the runtime makes of a workload,
// by its own words and without running it; those that change layouts, and the
// borders, do not count.
func (p *Program) GraphNodes(ctx context.Context, w graph.Workload, seed uint64) (int, error) {
	s, _, err := p.LoadWorkload(ctx, w, seed)
	if err != nil {
		return 0, err
	}
	return p.graphNodes(ctx, s)
}

// GraphNodesOf is GraphNodes of a network or pair.
func (p *Program) GraphNodesOf(ctx context.Context, n NamedGraph, seed uint64) (int, error) {
	s, _, err := p.LoadNetwork(ctx, n, seed)
	if err != nil {
		return 0, err
	}
	return p.graphNodes(ctx, s)
}

func (p *Program) graphNodes(ctx context.Context, s Session) (count int, err error) {
	defer func() { _ = s.Close() }()
	if !slices.Contains(p.can, "graph") {
		return 0, ErrNoGraph
	}
	var reply struct {
		Graph []NodeTime `json:"graph"`
	}
	if err := p.ask(ctx, request{Op: "graph"}, &reply); err != nil {
		return 0, err
	}
	if reply.Graph == nil {
		return 0, p.broken(`the reply to "graph" has no "graph"`)
	}
	for _, n := range reply.Graph {
		if !n.Layout && !isBorder(n) {
			count++
		}
	}
	return count, nil
}
