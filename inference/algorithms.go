package inference

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/kernels"
)

// Timing is what a workload was measured to take.
type Timing struct {
	// Algorithm that it was computed by, as a [Step] names it; empty where the
	// choice was that of a plan without measurements.
	Algorithm string
	NS        float64 // median
	CI95NS    float64 // half-width of its 95% interval
}

// ByTimings has a plan use what was measured on the machine it is to run on,
// with the same number of threads: timings are those of a workload, none where
// it was not measured. A convolution is computed by another algorithm than the
// rule's where the intervals say that it is faster, and layouts are assigned by
// the measured times. Compile fails where a timing names an algorithm that
// cannot compute the workload.
func ByTimings(timings func(w graph.Workload) []Timing) Option {
	return func(o *options) { o.timings = timings }
}

// By has a part be computed by the algorithm of a name, one of [Alternatives].
func By(algorithm string) Option { return func(o *options) { o.algorithm = algorithm } }

// Alternatives names the algorithms that may well be faster for w on some machine
// than the one that [CompilePart] uses: those that are estimated to take no more
// than four times as long as the one that is estimated to be the fastest.
func Alternatives(w graph.Workload) []string {
	const furthest = 4
	if w.Op != graph.OpConv2D || w.DType != graph.F32 || w.Validate() != nil {
		return nil
	}
	s := convolutionShape(w)
	in, out := partLayouts(w)
	rule, _ := kernels.ConvolutionAlgorithm(s, in, out)
	list := kernels.ConvolutionAlgorithms(s)
	best := math.Inf(1)
	for _, a := range list {
		best = min(best, a.NS)
	}
	var names []string
	for _, a := range list {
		if a.Name != rule && a.NS <= furthest*best {
			names = append(names, a.Name)
		}
	}
	return names
}

// partLayouts are those of a convolution by itself.
func partLayouts(w graph.Workload) (in, out kernels.Layout) {
	switch {
	case !shapeMakesBlocks(convolutionShape(w)):
		return kernels.Planar, kernels.Planar
	case w.C <= fewChannels:
		return kernels.Planar, kernels.Blocked
	}
	return kernels.Blocked, kernels.Blocked
}

// decision says which algorithm computes a convolution, and why.
type decision struct{ algorithm, why string }

// timedConvolution is a decision with the time that it takes.
type timedConvolution struct {
	decision
	ns float64
}

// convolution returns how n is best computed with its first input in the layout
// in, and its output in out; false if it is not to be.
func (c *costs) convolution(n *graph.Node, in, out kernels.Layout) (timedConvolution, bool) {
	w, _ := n.Workload()
	s := convolutionShape(w)
	measured := c.measured[n]
	scale := c.scaleOf(n)
	partIn, partOut := partLayouts(w)
	partRule, _ := kernels.ConvolutionAlgorithm(s, partIn, partOut)
	timing := func(name string) (Timing, bool) {
		if t, ok := measured[name]; ok {
			return t, true
		}
		t, ok := measured[""]
		return t, ok && name == partRule
	}

	rule, why := kernels.ConvolutionAlgorithm(s, in, out)
	var natives []kernels.NamedAlgorithm
	for _, a := range kernels.ConvolutionAlgorithms(s) {
		if a.In == in && a.Out == out {
			natives = append(natives, a)
		}
	}
	best := timedConvolution{decision: decision{rule, why}}
	if i := slices.IndexFunc(natives, func(a kernels.NamedAlgorithm) bool { return a.Name == rule }); i >= 0 {
		best.ns = natives[i].NS * scale
	} else if len(natives) > 0 && shapeMakesBlocks(s) {
		best.decision = decision{natives[0].Name, "the one for the layouts around it"}
		best.ns = natives[0].NS * scale
	} else if shapeMakesBlocks(s) {
		return best, false
	}
	first, known := timing(best.algorithm)
	if !known {
		return best, true
	}
	best.ns = first.NS
	if len(measured) > 1 {
		best.why = "measured: no other is clearly faster"
	}
	fastest := first.NS
	for _, a := range kernels.ConvolutionAlgorithms(s) {
		t, ok := timing(a.Name)
		native := a.In == in && a.Out == out
		switch {
		case !ok || t.NS+t.CI95NS >= first.NS-first.CI95NS:
		case native && t.NS < best.ns:
			best = timedConvolution{decision{a.Name, fmt.Sprintf("measured: %.2f of the time of %s", t.NS/first.NS, first.nameOr(rule))}, t.NS}
		case !native && t.NS < fastest && best.ns == first.NS:
			fastest = t.NS
			best.why = fmt.Sprintf("measured: %s takes %.2f of the time, but the image would have to be brought into another layout", a.Name, t.NS/first.NS)
		}
	}
	return best, true
}

func (t Timing) nameOr(rule string) string {
	if t.Algorithm != "" {
		return t.Algorithm
	}
	return rule
}

// checkTimings makes a map of timings by algorithm, each of which can compute w.
func checkTimings(w graph.Workload, list []Timing) (map[string]Timing, error) {
	byName := make(map[string]Timing, len(list))
	var names []string
	if w.Op == graph.OpConv2D {
		for _, a := range kernels.ConvolutionAlgorithms(convolutionShape(w)) {
			names = append(names, a.Name)
		}
	}
	for _, t := range list {
		if t.Algorithm != "" && !slices.Contains(names, t.Algorithm) {
			return nil, fmt.Errorf("%s was measured by %q, which is no algorithm of this version for it; there are %s: measure it again",
				w, t.Algorithm, cmp.Or(strings.Join(names, ", "), "none"))
		}
		if !(t.NS > 0) || !(t.CI95NS >= 0) {
			return nil, fmt.Errorf("%s was measured to take %g ± %g ns", w, t.NS, t.CI95NS)
		}
		byName[t.Algorithm] = t
	}
	return byName, nil
}
