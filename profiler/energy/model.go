// Package energy finds out how much energy an operator uses: from a meter
// where the machine has one that can be read, else from a model of the
// operator's activity. A modelled figure ranks operators and networks by
// energy; it is not what a wattmeter would show, and whoever stores it marks
// it with [ModelSource].
package energy

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"
)

// ModelSource marks a figure that a model made.
const ModelSource = "modelled"

// Coefficients are a model of energy: what each part of an operator's activity
// costs.
type Coefficients struct {
	PicojoulePerMAC  float64 `json:"pj_per_mac"`
	PicojoulePerByte float64 `json:"pj_per_byte"`
	StaticWatt       float64 `json:"static_w"` // as long as it lasts
}

// Literature are the coefficients of a general-purpose core in a 7 nm process.
//
// Arithmetic and memory are the 7 nm column of Jouppi et al., "Ten Lessons
// From Three Generations Shaped Google's TPUv4i" (ISCA 2021), Table 2, which
// scales the 45 nm figures of Horowitz, "Computing's Energy Problem" (ISSCC
// 2014), Figure 1.1.9: FP32 multiply 1.31 pJ, FP32 add 0.38 pJ, 8 bytes from a
// 1 MB SRAM 14 pJ. A core's cost to fetch, decode and schedule an instruction,
// 70 pJ in Horowitz, is scaled by the 2.6 that is the geometric mean of the
// same table and shared by the 8 lanes of a 256-bit vector. The constant
// power, 2 W for one busy core with its share of leakage and clock, is an
// assumption.
var Literature = Coefficients{PicojoulePerMAC: 1.31 + 0.38 + 70/2.6/8, PicojoulePerByte: 14.0 / 8, StaticWatt: 2}

// Activity is what an operator does in one run.
type Activity struct {
	MACs, Bytes int64
	LatencyNS   float64
}

// parts are in units of which each costs its coefficient in pJ.
func (a Activity) parts() [3]float64 {
	return [...]float64{float64(a.MACs), float64(a.Bytes), a.LatencyNS * picojoulePerWattNS}
}

const (
	picojoulePerWattNS = 1e3
	mjPerPicojoule     = 1e-9
)

// Millijoules is the energy of one run.
func (c Coefficients) Millijoules(a Activity) float64 {
	x := a.parts()
	return (x[0]*c.PicojoulePerMAC + x[1]*c.PicojoulePerByte + x[2]*c.StaticWatt) * mjPerPicojoule
}

// Fit returns the coefficients by which the energies mj, each in mJ, of
// activities have the least mean square of relative errors with none of them
// negative (non-negative least squares, Lawson and Hanson 1974; of three
// coefficients, all sets that are not zero are tried). It fails where nothing
// can be told from them.
func Fit(work []Activity, mj []float64) (Coefficients, error) {
	best, least := Coefficients{}, math.Inf(1)
	for set := 1; set < 8; set++ {
		var used []int
		for part := range 3 {
			if set>>part&1 == 1 {
				used = append(used, part)
			}
		}
		if len(work) < len(used) {
			continue
		}
		x, y := mat.NewDense(len(work), len(used), nil), mat.NewVecDense(len(work), nil)
		for i, a := range work {
			parts := a.parts()
			for j, part := range used {
				x.Set(i, j, parts[part]*mjPerPicojoule/mj[i])
			}
			y.SetVec(i, 1)
		}
		var solved mat.VecDense
		if solved.SolveVec(x, y) != nil || mat.Min(&solved) < 0 {
			continue // they cannot be told apart, or one would be negative
		}
		var all [3]float64
		for j, part := range used {
			all[part] = solved.AtVec(j)
		}
		c, squares := Coefficients{all[0], all[1], all[2]}, 0.0
		for i, a := range work {
			squares += math.Pow(c.Millijoules(a)/mj[i]-1, 2)
		}
		if squares < least {
			best, least = c, squares
		}
	}
	if math.IsInf(least, 1) || math.IsNaN(least) {
		return Coefficients{}, errors.New("energy: these energies do not tell a model's coefficients")
	}
	return best, nil
}
