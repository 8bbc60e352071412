package predictor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// FusionRule says whether a runtime does two neighbouring operators in one go.
type FusionRule struct {
	First  string `json:"first"`  // family of a workload, such as "depthwise", with what is fused into it already, such as "conv2d/add"
	Second string `json:"second"` // family of the workload after it
	Fused  bool   `json:"fused"`
	By     string `json:"by,omitempty"`      // ByAccount or ByTimes
	Pairs  int    `json:"pairs,omitempty"`   // that decided
	Others int    `json:"against,omitempty"` // of them, those that say otherwise
}

// What a rule is known by.
const (
	ByAccount = "account" // the runtime's own, of the nodes that it makes of a model
	ByTimes   = "times"   // measured together and apart
)

// FusionPair is two neighbours that were measured together and apart.
type FusionPair struct {
	First, Second graph.Workload
	// What they take within a network: without what a run costs of which the
	// work takes no time, and without changes of layout at the borders.
	Alone    [2]Measured
	Together Measured
	Times    Verdict // by these
	Account  Verdict // by the runtime's own account; empty where it gives none
}

// FusionPairs are the pairs in a table, with what each says about fusion. A pair
// of which a part has no row, because it could not be measured, is left out.
func FusionPairs(t *lut.Table) ([]FusionPair, error) {
	rows := map[string]*lut.Row{}
	for i := range t.Rows {
		if r := &t.Rows[i]; r.Cache == lut.CacheWarm {
			rows[r.Key] = r
		}
	}
	var pairs []FusionPair
	for _, n := range t.Networks {
		if n.Use != lut.UsePair {
			continue
		}
		workloads, err := networkWorkloads(n)
		if err != nil {
			return nil, err
		}
		if len(workloads) != 2 {
			return nil, fmt.Errorf("predictor: network %q is a pair of %d workloads", n.Name, len(workloads))
		}
		p := FusionPair{First: workloads[0], Second: workloads[1]}
		measured := func(ns, ci95 float64, samples int64, border *float64) Measured {
			return Measured{NS: withinNetwork(&t.Meta, ns, border), CI95: halfWidth(ns, ci95, samples)}
		}
		alone := [2]*lut.Row{rows[n.Workloads[0]], rows[n.Workloads[1]]}
		if alone[0] == nil || alone[1] == nil {
			continue
		}
		for i, r := range alone {
			p.Alone[i] = measured(r.LatencyMedianNS, r.LatencyCI95NS, r.Samples, r.BorderNS)
		}
		p.Together = measured(n.LatencyMedianNS, n.LatencyCI95NS, n.Samples, n.BorderNS)
		// The cost of a run has been taken off each of the three.
		if p.Times, err = DecideFusion(p.Alone[0], p.Alone[1], p.Together, Measured{}); err != nil {
			return nil, fmt.Errorf("%s: %w", n.Name, err)
		}
		if alone[0].RuntimeNodes != nil && alone[1].RuntimeNodes != nil && n.RuntimeNodes != nil {
			p.Account = VerdictApart
			if *n.RuntimeNodes < *alone[0].RuntimeNodes+*alone[1].RuntimeNodes {
				p.Account = VerdictFused
			}
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// withinNetwork is what a workload takes as part of a network, of what it takes
// as a model of its own.
func withinNetwork(meta *lut.Meta, ns float64, border *float64) float64 {
	const least = 0.02 // of ns, for what is lost in the noise of the rest
	rest := ns - meta.RuntimeOverheadNS
	if border != nil {
		rest -= *border
	}
	return max(rest, least*ns)
}

// fusionRules are those that the pairs in a table tell: what the runtime's own
// account of them says or, where it gives none, what their times decide.
func fusionRules(t *lut.Table) ([]FusionRule, error) {
	pairs, err := FusionPairs(t)
	if err != nil {
		return nil, err
	}
	type votes struct{ account, times map[Verdict]int }
	count := map[[2]string]votes{}
	for _, p := range pairs {
		kinds := [2]string{firstKind(p.First), p.Second.Family()}
		if count[kinds].times == nil {
			count[kinds] = votes{map[Verdict]int{}, map[Verdict]int{}}
		}
		count[kinds].account[p.Account]++
		count[kinds].times[p.Times]++
	}
	var rules []FusionRule
	for _, kinds := range slices.SortedFunc(maps.Keys(count), func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }) {
		for _, by := range []struct {
			name  string
			votes map[Verdict]int
		}{{ByAccount, count[kinds].account}, {ByTimes, count[kinds].times}} {
			fused, apart := by.votes[VerdictFused], by.votes[VerdictApart]
			if fused+apart == 0 {
				continue
			}
			rules = append(rules, FusionRule{
				First: kinds[0], Second: kinds[1], Fused: fused > apart, By: by.name, Pairs: fused + apart, Others: min(fused, apart),
			})
			break
		}
	}
	return rules, nil
}

// firstKind is what rules call the first of two neighbours.
func firstKind(w graph.Workload) string {
	if w.Epilogue == "" || w.Epilogue == "none" {
		return w.Family()
	}
	return w.Family() + "/" + w.Epilogue
}

// setRules takes rules, once the costs of what the table has are known.
func (p *Predictor) setRules(rules []FusionRule) {
	p.fusion, p.rules = rules, map[[2]string]bool{}
	for _, r := range rules {
		p.rules[[2]string{r.First, r.Second}] = r.Fused
	}
	if len(rules) == 0 {
		return
	}
	p.whole = map[string]bool{}
	for w, c := range p.memory.costs {
		if c.source == SourceNetwork {
			p.whole[firstKind(w)] = true
		}
	}
}

// Fusion lists what is known of the pairs that the runtime fuses.
func (p *Predictor) Fusion() []FusionRule { return slices.Clone(p.fusion) }

// cut takes workloads apart as far as the runtime does: what this package's
// graphs fuse it may not. What has a row of its own stays, and what is of a kind
// that networks tell the time of, whether the runtime does it in one go or not.
func (p *Predictor) cut(workloads []graph.Workload) []graph.Workload {
	if len(p.rules) == 0 {
		return workloads
	}
	list := make([]graph.Workload, 0, len(workloads))
	for _, w := range workloads {
		list = append(list, p.steps(w)...)
	}
	return list
}

// Cut returns the workloads as the runtime does them, by the rules of Fusion:
// those with an epilogue that it does not fuse are taken apart.
func (p *Predictor) Cut(workloads []graph.Workload) []graph.Workload {
	return slices.Clone(p.cut(workloads))
}

// steps are what the runtime does for a workload, one after the other.
func (p *Predictor) steps(w graph.Workload) []graph.Workload {
	if w.Epilogue == "" || w.Epilogue == "none" || w.Op == graph.OpAttention {
		return []graph.Workload{w}
	}
	p.memory.mu.RLock()
	steps, known := p.memory.cuts[w]
	measured := p.memory.costs[w].source == SourceTable || p.whole[firstKind(w)]
	p.memory.mu.RUnlock()
	if known {
		return steps
	}
	steps = []graph.Workload{w}
	first, second := unfused(w)
	if fused, ok := p.rules[[2]string{firstKind(first), second.Family()}]; !measured && (ok && !fused) {
		steps = append(slices.Clone(p.steps(first)), second)
	} else if !measured && first.Epilogue != "none" { // of the rest, too
		if rest := p.steps(first); len(rest) > 1 {
			steps = append(slices.Clone(rest), second)
		}
	}
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	if len(p.memory.cuts) < maxCached {
		p.memory.cuts[w] = steps
	}
	return steps
}

// unfused takes the last step off a workload with an epilogue.
func unfused(w graph.Workload) (first, second graph.Workload) {
	first = w
	rest, activation := "none", w.Epilogue
	if at := strings.LastIndexByte(w.Epilogue, '.'); at >= 0 {
		rest, activation = w.Epilogue[:at], w.Epilogue[at+1:]
	}
	first.Epilogue = rest
	second = graph.Workload{Op: graph.Op(activation), DType: w.DType, N: w.N, C: w.C, H: w.H, W: w.W}
	switch w.Op {
	case graph.OpConv2D:
		second.C, second.H, second.W = w.K, w.OutH(), w.OutW()
	case graph.OpLinear:
		second.N, second.C, second.H, second.W = 1, w.N, w.K, 1
		if w.N == 1 {
			second.C, second.H = w.K, 1
		}
	}
	if second.Op == graph.OpAdd {
		second.K, second.R, second.S, second.Epilogue = second.C, second.H, second.W, "none"
	}
	return first, second
}
