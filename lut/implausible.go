package lut

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
)

// Warning is a row that is possible, but not plausible.
type Warning struct {
	Row  int    `json:"row"` // counted from 0
	Key  string `json:"key"`
	What string `json:"what"`
}

const (
	minFactor = 1.5 // below, no row is far off its neighbours
	minSigmas = 6
)

// Implausible finds rows that are far off what the rows with the nearest shapes
// say, and rows that are faster than the processor can compute or load: a row
// is far off where it differs from a fit through its neighbours by a factor of
// more than 1.5 and by more than six times what is usual among rows like it.
func (t *Table) Implausible() []Warning {
	warnings := t.belowRoofline()
	ip := NewInterpolator(t)
	for _, g := range ip.groups {
		if len(g.points) >= minGroup {
			warnings = append(warnings, g.outliers(t)...)
		}
	}
	slices.SortFunc(warnings, func(a, b Warning) int { return cmp.Or(a.Row-b.Row, cmp.Compare(a.What, b.What)) })
	return warnings
}

func (g *rowGroup) outliers(t *Table) []Warning {
	g.leaveOneOut()
	absolute := make([]float64, len(g.errors))
	for i, e := range g.errors {
		absolute[i] = math.Abs(e)
	}
	slices.Sort(absolute)
	const madToSigma = 1.4826
	limit := max(math.Log(minFactor), minSigmas*madToSigma*absolute[len(absolute)/2])
	var warnings []Warning
	for i, p := range g.points {
		e := g.errors[i]
		if math.Abs(e) <= limit {
			continue
		}
		how := "slower"
		if e < 0 {
			how = "faster"
		}
		warnings = append(warnings, Warning{p.row, t.Rows[p.row].Key, fmt.Sprintf("%.2gx %s than the nearest shapes say; they differ by %.2gx from theirs", math.Exp(math.Abs(e)), how, math.Exp(absolute[len(absolute)/2]))})
	}
	return warnings
}

// Bounds of any processor that the table may be of: what is above them is no
// measurement of the whole work.
const (
	maxClock = 6.5e9 // cycles a second
	maxLoad  = 256.  // bytes a cycle and core, of the first-level cache
)

func isMatrixUnit(isa string) bool {
	return strings.HasPrefix(isa, "amx") || strings.HasPrefix(isa, "sme")
}

// maxMACs are multiply-accumulates a cycle and core.
func (t *Table) maxMACs(dtype string) float64 {
	macs := 32. // two units of 16 lanes, or four of 8
	if slices.ContainsFunc(t.Meta.Device.ISA, isMatrixUnit) {
		macs = 1024
	}
	return macs * 4 / float64(max(graph.DType(dtype).Size(), 1))
}

func (t *Table) belowRoofline() []Warning {
	if t.Meta.Device.Arch == "" || len(t.Meta.Device.CPUs) == 0 || t.Meta.Runtime != OwnRuntime {
		return nil // such as a published table, or a runtime that uses a GPU
	}
	var warnings []Warning
	cores := float64(t.Meta.Threads)
	for i := range t.Rows {
		r := &t.Rows[i]
		macs := float64(r.MACs)
		if r.Op == string(graph.OpConv2D) && r.R > 1 && r.S > 1 {
			macs /= 4 // Winograd's and Fourier's methods need fewer
		}
		rate := t.maxMACs(r.DType) * maxClock * cores / 1e9
		if got := macs / r.LatencyMedianNS; got > rate {
			warnings = append(warnings, Warning{i, r.Key, fmt.Sprintf("%.3g GMAC/s are more than any such processor computes with %g threads (%.3g)", got, cores, rate)})
			continue
		}
		rate = maxLoad * maxClock * cores / 1e9
		if got := float64(r.Bytes) / r.LatencyMedianNS; got > rate {
			warnings = append(warnings, Warning{i, r.Key, fmt.Sprintf("%.3g GB/s are more than any processor loads with %g threads (%.3g)", got, cores, rate)})
		}
	}
	return warnings
}
