package nas

import (
	"fmt"
	"slices"
)

// Hypervolume is the exact volume, in the product of the objectives' units,
// that the evaluations dominate up to the reference point, which has one value
// an objective. Points that are infeasible, or no better than the reference in
// some objective, add nothing. It slices along the last objective and recurses
// (HSO: While et al., "A faster algorithm for calculating hypervolume", 2006):
// n log n time for two objectives, n^2 log n for three.
func Hypervolume(evaluations []Evaluation, objectives []Objective, reference []float64) (float64, error) {
	if len(reference) != len(objectives) {
		return 0, fmt.Errorf("nas: hypervolume: reference point has %d values for %d objectives", len(reference), len(objectives))
	}
	var gains [][]float64 // distance on the better side of the reference
	for _, e := range evaluations {
		if len(e.Values) != len(objectives) {
			return 0, fmt.Errorf("nas: hypervolume: architecture %s has %d values for %d objectives", e.Architecture, len(e.Values), len(objectives))
		}
		if e.Violation != 0 {
			continue
		}
		gain := make([]float64, len(objectives))
		inside := true
		for i, o := range objectives {
			gain[i] = reference[i] - e.Values[i]
			if o.Maximize {
				gain[i] = -gain[i]
			}
			inside = inside && gain[i] > 0
		}
		if inside {
			gains = append(gains, gain)
		}
	}
	if len(objectives) == 0 {
		return 0, nil
	}
	return dominatedVolume(gains, len(objectives)), nil
}

// dominatedVolume is the volume of the union of the boxes from the origin to
// each point, in the first d dimensions. It reorders points.
func dominatedVolume(points [][]float64, d int) float64 {
	if len(points) == 0 {
		return 0
	}
	slices.SortFunc(points, func(a, b []float64) int {
		switch {
		case a[d-1] > b[d-1]:
			return -1
		case a[d-1] < b[d-1]:
			return 1
		}
		return 0
	})
	if d == 1 {
		return points[0][0]
	}
	// Between two neighbouring values of the last objective, the cross
	// section is the volume of the points that reach as far.
	var volume, widest float64
	section := make([][]float64, 0, len(points))
	for i, p := range points {
		next := 0.0
		if i+1 < len(points) {
			next = points[i+1][d-1]
		}
		if d == 2 {
			widest = max(widest, p[0])
			volume += widest * (p[1] - next)
			continue
		}
		section = append(section, p)
		if p[d-1] > next {
			volume += dominatedVolume(slices.Clone(section), d-1) * (p[d-1] - next)
		}
	}
	return volume
}
