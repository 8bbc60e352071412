package main

import (
	"math/rand/v2"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/nas/space"
	"github.com/hwprofd/hwprofd/predictor"
	"github.com/hwprofd/hwprofd/profiler"
)

// Of each space of the table, so many networks are measured once more with those
// that are evaluated, to tell what became of the device since, but no more of all
// spaces than a part of those.
const (
	againEach = 6
	againPart = 6
)

// networksAgain draws networks of the table to measure again with so many others.
func networksAgain(table *lut.Table, seed uint64, others int) ([]profiler.NamedGraph, error) {
	bySpace := map[string][]nas.Architecture{}
	var names []string
	spaces := map[string]nas.Space{}
	for _, n := range table.Networks {
		name, architecture, ok := strings.Cut(n.Name, ":")
		if !ok || n.Use != "fit" && n.Use != "calibrate" || networkFamily(n.Name) != name {
			continue
		}
		if spaces[name] == nil {
			s, err := space.Published(name)
			if err != nil {
				return nil, err
			}
			spaces[name] = s
			names = append(names, name)
		}
		a, err := nas.ParseArchitecture(architecture)
		if err != nil || nas.Validate(spaces[name], a) != nil {
			continue // of another version of the space
		}
		bySpace[name] = append(bySpace[name], a)
	}
	rng := rand.New(rand.NewPCG(seed, streamAgain))
	var again []profiler.NamedGraph
	for _, name := range names {
		s, of := spaces[name], bySpace[name]
		rng.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		for _, a := range of[:min(againEach, len(of), others/againPart/len(names))] {
			again = append(again, profiler.NamedGraph{Name: networkName(s, a), Use: "fit", Lower: func() (*graph.Graph, error) { return s.Lower(a) }})
		}
	}
	if len(again) < predictor.LeastDrift {
		return nil, nil // they would tell nothing
	}
	return again, nil
}

// drifted is a predictor for the device as it is now, by networks measured again
// other than those of a family, and what became of the device; p itself where these
// do not tell.
func (e *evaluation) drifted(p *predictor.Predictor, but string) (*predictor.Predictor, *predictor.Drift) {
	var again []lut.Network
	for _, n := range e.again {
		if networkFamily(n.Name) != but {
			again = append(again, n)
		}
	}
	if len(again) == 0 {
		return p, nil
	}
	d, err := p.Drift(again)
	if err != nil {
		e.progress.say("predictions are as of the table: %v", err)
		return p, nil
	}
	return p.Drifted(d), &d
}
