package lut

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/spatial/kdtree"

	"github.com/hwprofd/hwprofd/graph"
)

// Interpolator estimates workloads that lie between rows of a table: of the
// same operator, window, stride, type and epilogue, with channels and
// resolutions between theirs. Each estimate is a fit through the nearest rows,
// linear in the logarithms of the dimensions, of the time for each
// multiply-accumulate, or for each byte where there are none.
type Interpolator struct {
	table  *Table
	groups map[graph.Workload]*rowGroup
}

// Estimate is the outcome of an interpolation.
type Estimate struct {
	LatencyNS float64
	// LowNS and HighNS are the limits between which 90% of the group's rows lay
	// when each was estimated from the others.
	LowNS, HighNS float64
	Rows          int // of the group
}

const (
	nearest       = 12  // rows of a fit
	minGroup      = 6   // rows of which an error can be told
	errorQuantile = 0.9 // of the errors when each row is left out
	minScale      = 0.1 // spread of logarithms that is usual among neighbours
)

// rowGroup are rows that differ in channels and resolution alone.
type rowGroup struct {
	points []point
	tree   *kdtree.Tree
	low    features
	high   features

	once   sync.Once
	errors []float64 // logarithm of measured over estimated, each row left out
	spread float64   // quantile of their absolute values
}

// features are logarithms to base 2.
type features [4]float64

type point struct {
	x    features
	y    float64 // logarithm of latency over work
	work float64 // logarithm
	row  int
}

// NewInterpolator groups the rows with warm caches.
func NewInterpolator(t *Table) *Interpolator {
	ip := &Interpolator{table: t, groups: map[graph.Workload]*rowGroup{}}
	for i := range t.Rows {
		r := &t.Rows[i]
		if r.Cache != CacheWarm {
			continue
		}
		w := r.workload()
		kind, x, work, ok := place(w)
		if !ok {
			continue
		}
		g := ip.groups[kind]
		if g == nil {
			g = &rowGroup{low: x, high: x}
			ip.groups[kind] = g
		}
		for d := range x {
			g.low[d], g.high[d] = min(g.low[d], x[d]), max(g.high[d], x[d])
		}
		g.points = append(g.points, point{x, math.Log(r.LatencyMedianNS) - work, work, i})
	}
	for _, g := range ip.groups {
		g.tree = kdtree.New(points(slices.Clone(g.points)), false)
	}
	return ip
}

// place splits a workload into what has to be equal and what may lie between.
func place(w graph.Workload) (kind graph.Workload, x features, work float64, ok bool) {
	if w.Detail != "" || w.C == 0 {
		return kind, x, 0, false
	}
	log := func(v int) float64 { return math.Log2(float64(max(v, 1))) }
	work = math.Log(float64(max(w.MACs(), 1)))
	if w.MACs() == 0 {
		work = math.Log(float64(max(w.Bytes(), 1)))
	}
	x = features{log(w.C), log(w.H), log(w.W)}
	kind = w
	if w.Family() == "depthwise" {
		kind.Group = -1
	} else if w.Op != graph.OpConv2D && w.Op != graph.OpLinear && w.Op != graph.OpMatMul && w.Op != graph.OpAttention {
		// The second operand of a sum or product follows the first, or is broadcast.
		follows := func(second, first int) int {
			if second == first && second > 1 {
				return -1
			}
			return second
		}
		if w.K > 0 {
			kind.K, kind.R, kind.S = follows(w.K, w.C), follows(w.R, w.H), follows(w.S, w.W)
		}
		kind.C, kind.H, kind.W = 0, 0, 0
		return kind, x, work, true
	} else {
		x[3] = log(w.K)
	}
	kind.C, kind.H, kind.W, kind.K = 0, 0, 0, 0
	return kind, x, work, true
}

// Estimate interpolates; ok is false where w is not between rows, or where too
// few rows are like it to tell an error.
func (ip *Interpolator) Estimate(w graph.Workload) (e Estimate, ok bool) {
	kind, x, work, ok := place(w)
	g := ip.groups[kind]
	if !ok || g == nil || len(g.points) < minGroup {
		return Estimate{}, false
	}
	for d := range x {
		if x[d] < g.low[d] || x[d] > g.high[d] {
			return Estimate{}, false
		}
	}
	g.leaveOneOut()
	y := g.fit(x, -1)
	e = Estimate{LatencyNS: math.Exp(y + work), Rows: len(g.points)}
	e.LowNS, e.HighNS = e.LatencyNS*math.Exp(-g.spread), e.LatencyNS*math.Exp(g.spread)
	return e, true
}

// leaveOneOut estimates each row from the others.
func (g *rowGroup) leaveOneOut() {
	g.once.Do(func() {
		g.errors = make([]float64, len(g.points))
		absolute := make([]float64, len(g.points))
		for i, p := range g.points {
			g.errors[i] = p.y - g.fit(p.x, p.row)
			absolute[i] = math.Abs(g.errors[i])
		}
		slices.Sort(absolute)
		at := int(math.Ceil(errorQuantile*float64(len(absolute)+1))) - 1
		g.spread = absolute[min(at, len(absolute)-1)]
	})
}

// fit is the estimate of y at x from the nearest rows without one. Of the rows,
// those far off the median of them all weigh little or nothing, so that a
// wrong one does not spoil its neighbours.
func (g *rowGroup) fit(x features, without int) float64 {
	keeper := kdtree.NewNKeeper(nearest + 1)
	g.tree.NearestSet(keeper, point{x: x})
	slices.SortFunc(keeper.Heap, func(a, b kdtree.ComparableDist) int { return cmp.Compare(a.Dist, b.Dist) })
	var near []point
	var distances, ys []float64
	for _, found := range keeper.Heap {
		if p, ok := found.Comparable.(point); ok && p.row != without && len(near) < nearest {
			near, distances, ys = append(near, p), append(distances, found.Dist), append(ys, p.y)
		}
	}
	if len(near) == 0 {
		return math.NaN()
	}
	center := median(ys)
	for i, y := range ys {
		ys[i] = math.Abs(y - center)
	}
	scale := 6 * max(median(ys), minScale)
	const n = 5
	a, b := mat.NewSymDense(n, nil), mat.NewVecDense(n, nil)
	for k, p := range near {
		row := [n]float64{1}
		for d := range x {
			row[d+1] = p.x[d] - x[d]
		}
		u := min(math.Abs(p.y-center)/scale, 1)
		weight := (1 - u*u) * (1 - u*u) / (distances[k] + 0.01)
		for i := range n {
			for j := i; j < n; j++ {
				a.SetSym(i, j, a.At(i, j)+weight*row[i]*row[j])
			}
			b.SetVec(i, b.AtVec(i)+weight*row[i]*(p.y-center))
		}
	}
	for i := 1; i < n; i++ { // a slight pull to time in proportion to work
		a.SetSym(i, i, a.At(i, i)+0.1)
	}
	var cholesky mat.Cholesky
	var solution mat.VecDense
	if !cholesky.Factorize(a) || cholesky.SolveVecTo(&solution, b) != nil {
		return center
	}
	return center + solution.AtVec(0)
}

// median orders v.
func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// The rest is what a k-d tree asks for.

func (p point) Compare(c kdtree.Comparable, d kdtree.Dim) float64 { return p.x[d] - c.(point).x[d] }
func (p point) Dims() int                                         { return len(p.x) }
func (p point) Distance(c kdtree.Comparable) float64 {
	sum := 0.0
	for d, v := range c.(point).x {
		sum += (p.x[d] - v) * (p.x[d] - v)
	}
	return sum
}

type points []point

func (p points) Index(i int) kdtree.Comparable         { return p[i] }
func (p points) Len() int                              { return len(p) }
func (p points) Slice(start, end int) kdtree.Interface { return p[start:end] }
func (p points) Pivot(d kdtree.Dim) int {
	slices.SortFunc(p, func(a, b point) int { return cmp.Compare(a.x[d], b.x[d]) })
	return len(p) / 2
}
