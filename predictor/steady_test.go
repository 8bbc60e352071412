package predictor

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/hwprofd/hwprofd/lut"
)

// TestSteadier has networks of one workload whose times as corrected differ more
// than as timed, or less, and wants the times that agree at the corrected level.
func TestSteadier(t *testing.T) {
	const level = 0.9 // of the corrected times, as part of those timed
	w := conv(8, 8, 8, 3, 1, 1, "relu").String()
	for _, test := range []struct{ corrected, timed float64 }{{0.06, 0.01}, {0.01, 0.06}} {
		rng := rand.New(rand.NewPCG(3, 3))
		var networks []lut.Network
		for range 40 {
			timed := 1e6 * math.Exp(test.timed*rng.NormFloat64())
			corrected := level * 1e6 * math.Exp(test.corrected*rng.NormFloat64())
			networks = append(networks, lut.Network{
				Use: "fit", Workloads: []string{w}, Shares: []float64{1},
				LatencyMedianNS: corrected, LatencyCI95NS: 0.1 * corrected, RawMedianNS: timed,
			})
		}
		got, err := steadier(networks)
		if err != nil {
			t.Fatal(err)
		}
		var squares, sum float64
		for _, n := range got {
			e := math.Log(n.LatencyMedianNS / (level * 1e6))
			sum += e / 40
			squares += e * e / 40
			if math.Abs(n.LatencyCI95NS/n.LatencyMedianNS-0.1) > 1e-9 {
				t.Errorf("interval of %g about %g, want a tenth", n.LatencyCI95NS, n.LatencyMedianNS)
			}
		}
		if spread := math.Sqrt(squares); spread > 0.03 || math.Abs(sum) > 0.04 {
			t.Errorf("corrected times differ by %g, timed by %g: taken were some that differ by %g, at %+g from their level", test.corrected, test.timed, spread, sum)
		}
	}
}
