package predictor

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Picked widens the interval of a network that was picked because it is
// predicted to cost the least of so many that were compared. The one that
// looks cheapest owes this in part to its error (the winner's curse), so that
// its cost lies above the interval more often than that of a network drawn at
// random: the upper end is moved to where the largest of as many errors, of
// p.Spread, stays below; the lower end is left. It assumes errors that are independent and
// about normal, and networks whose costs are about the same; where either is
// not so, the interval is wider than it needs to be. That is the projection
// interval of Andrews, Kitagawa and McCloskey, "Inference on winners"
// (Quarterly Journal of Economics 139(1), 2024), with the level split as for
// the interval of a single network.
//
// The energy's interval is widened likewise. With one compared, or none, p is
// returned as it is.
func Picked(p Prediction, compared int) Prediction {
	if compared <= 1 {
		return p
	}
	width := p.Spread * distuv.UnitNormal.Quantile(math.Pow((1+p.Coverage)/2, 1/float64(compared)))
	plain := math.Log(p.HighNS / p.LatencyNS)
	if width <= plain {
		return p
	}
	p.HighNS = p.LatencyNS * math.Exp(width)
	// The latency's part of the energy's interval; what the energy itself is
	// unsure by stays, so that intervals remain nested.
	if energy := math.Log(p.EnergyHigh / p.EnergyMJ); p.EnergySource != "" {
		p.EnergyHigh = p.EnergyMJ * math.Exp(math.Sqrt(energy*energy+width*width-plain*plain))
	}
	return p
}
