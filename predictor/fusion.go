package predictor

import (
	"fmt"
	"math"
)

// Measured is a latency with the half width of its 95% interval, in ns.
type Measured struct {
	NS, CI95 float64
}

// Verdict is what measurements say about two neighbouring operators.
type Verdict string

// The verdicts.
const (
	VerdictFused   Verdict = "fused"
	VerdictApart   Verdict = "apart"
	VerdictUnclear Verdict = "unclear" // measure longer
)

// DecideFusion tells from the latency of two operators alone, of both in one
// model, and of a model that does nothing, whether a runtime fuses them. Two
// models have the cost of a call twice, so that operators that are not fused
// save one call when they are in one model; fused ones save more: the second
// need not read and write its tensor any more. The idea is that of nn-Meter's
// test cases (Zhang et al., MobiSys 2021, section 4), which compare with a fixed
// part of the smaller operator; here the saving's 95% interval decides whether
// it is nothing, and where it reaches from nothing to half of the second
// operator, nothing is decided.
func DecideFusion(first, second, together, empty Measured) (Verdict, error) {
	for name, m := range map[string]Measured{"first": first, "second": second, "together": together} {
		if !(m.NS > 0) || math.IsInf(m.NS, 1) || !(m.CI95 >= 0) {
			return "", fmt.Errorf("predictor: fusion: latency of %s is %g ns ± %g; want a positive number and a half width", name, m.NS, m.CI95)
		}
	}
	if !(empty.NS >= 0) || !(empty.CI95 >= 0) {
		return "", fmt.Errorf("predictor: fusion: latency of an empty model is %g ns ± %g", empty.NS, empty.CI95)
	}
	saving := first.NS + second.NS - together.NS - empty.NS
	half := math.Hypot(math.Hypot(first.CI95, second.CI95), math.Hypot(together.CI95, empty.CI95))
	// Beyond the call, the second operator takes this long; a fused one is
	// expected to save most of it.
	work := max(0, min(first.NS, second.NS)-empty.NS)
	switch {
	case saving-half > 0 && saving > work/2:
		return VerdictFused, nil
	case saving+half < work/2:
		return VerdictApart, nil
	}
	return VerdictUnclear, nil
}
