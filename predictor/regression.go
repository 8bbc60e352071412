package predictor

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/hwprofd/hwprofd/graph"
)

const (
	// minRows is how many rows a family needs for a regression of its own.
	minRows = 10
	// maxRows bounds the rows of a Gaussian process, whose cost is cubic, and
	// maxSearchRows those that its hyperparameters are chosen on. Of more
	// rows, evenly spaced ones by size are taken.
	maxRows       = 400
	maxSearchRows = 150
	// minTreeRows and maxTreeRows bound those of boosted trees.
	minTreeRows = 30
	maxTreeRows = 2000
	// treeNoise is the variance, as a part of that of the targets, at which a
	// row counts half.
	treeNoise = 0.1
	folds     = 8
	// maxStrange bounds the rows that say how far rows usually are from others.
	maxStrange = 128
	// weakPrior keeps the additive model's coefficients finite where columns
	// are collinear.
	weakPrior = 1e-6
	// worthwhile is by how much the mean error of ln(ns) must fall for a kind
	// to be preferred to a simpler one.
	worthwhile = 0.001
)

// sample is a measured workload.
type sample struct {
	workload graph.Workload
	ns       float64
	noise    float64 // standard deviation of ln(ns)
	// predicted rows are those of a table that was completed.
	predicted bool
}

// The kinds of regression, from the simplest on.
const (
	additive        = "additive"         // non-negative least squares on the quantities of work
	ridge           = "ridge"            // additive times the exponential of a ridge regression on log features
	gaussianProcess = "gaussian process" // additive times the exponential of a Gaussian process on log features
	boostedTrees    = "boosted trees"    // additive times the exponential of boosted trees on log features
)

// candidate is a kind with what was chosen for it.
type candidate struct {
	kind     string
	hyper    hyper
	boosting boosting
}

// regression predicts the latency of workloads of one family: that of an
// additive model, corrected by a process on the logarithm of its relative
// error.
type regression struct {
	kind     string
	rows     int
	spread   float64 // root mean square of the cross-validated error of ln(ns)
	additive []float64
	encoder  *encoder
	process  *process    // of ridge and gaussianProcess
	trees    *trees      // of boostedTrees
	rowsAt   [][]float64 // of boostedTrees, the encoded rows
	scale    float64     // standard deviation of the targets of process and trees
	low      float64     // the correction stays within [low, high]
	high     float64
	typical  float64 // usual strangeness of unseen rows
	compared []Candidate
	choice   candidate // not kept in files
}

// fitRegression chooses among the kinds by the mean absolute error of ln(ns)
// in cross-validation, the simpler one where that makes no difference, and fits
// the winner to all samples.
func fitRegression(samples []sample, d describer) *regression {
	samples = bySize(samples)
	e := newEncoder(samples, d)
	search := thin(samples, maxSearchRows)
	base := fitAdditive(search, d)
	x, y, own, scale := corrections(search, e, base)
	if scale > 0 {
		for i := range own {
			y[i] /= scale
			own[i] /= scale * scale
		}
	}
	candidates := []candidate{{kind: additive}}
	if scale > 0 && len(e.kept) > 0 {
		candidates = append(candidates,
			candidate{kind: ridge, hyper: bestHyper(ridgeGrid(), x, y, own)},
			candidate{kind: gaussianProcess, hyper: bestHyper(smoothGrid(), x, y, own)})
		if len(samples) >= minTreeRows {
			candidates = append(candidates, candidate{kind: boostedTrees, boosting: usualBoosting})
		}
	}
	var compared []Candidate
	var best *regression
	least := math.Inf(1)
	for _, c := range candidates {
		errors, typical, ok := crossValidate(samples, e, c)
		if !ok {
			continue
		}
		var mean float64
		for _, v := range errors {
			mean += math.Abs(v) / float64(len(errors))
		}
		compared = append(compared, Candidate{Kind: c.kind, Error: mean})
		if best != nil && mean > least-worthwhile {
			continue
		}
		if r, ok := fitKind(samples, e, c); ok {
			best, least = r, mean
			r.spread, r.typical, r.rows, r.choice = rootMeanSquare(errors), typical, len(samples), c
		}
	}
	best.compared = compared
	return best
}

func bySize(samples []sample) []sample {
	samples = slices.Clone(samples)
	slices.SortFunc(samples, func(a, b sample) int {
		return cmp.Or(cmp.Compare(a.workload.MACs(), b.workload.MACs()), cmp.Compare(a.workload.Bytes(), b.workload.Bytes()),
			cmp.Compare(a.workload.String(), b.workload.String()))
	})
	return samples
}

// again fits what was chosen to part of the samples.
func (r *regression) again(samples []sample, d describer) *regression {
	samples = bySize(samples)
	e := newEncoder(samples, d)
	next, ok := fitKind(samples, e, r.choice)
	if !ok {
		next, _ = fitKind(samples, e, candidate{kind: additive})
	}
	next.spread, next.typical, next.rows = r.spread, r.typical, len(samples)
	return next
}

// thin returns at most n of the samples, evenly spaced.
func thin[T any](samples []T, n int) []T {
	if len(samples) <= n {
		return samples
	}
	kept := make([]T, n)
	for i := range kept {
		kept[i] = samples[i*len(samples)/n]
	}
	return kept
}

// crossValidate returns the error of ln(ns) at each sample as predicted from
// other folds, and the root mean square of the strangeness of some of them there.
func crossValidate(samples []sample, e *encoder, c candidate) (errors []float64, typical float64, ok bool) {
	type outcome struct {
		errors, strange []float64
		ok              bool
	}
	outcomes := make([]outcome, min(folds, len(samples)))
	var fits sync.WaitGroup
	for fold := range outcomes {
		fits.Go(func() {
			var rest, held []sample
			for i, s := range samples {
				// Neighbours in size go to different folds.
				if i%folds == fold {
					held = append(held, s)
				} else {
					rest = append(rest, s)
				}
			}
			r, ok := fitKind(rest, e, c)
			if !ok {
				return
			}
			o := outcome{ok: true}
			for _, s := range held {
				o.errors = append(o.errors, math.Log(s.ns/r.predict(s.workload)))
			}
			if r.kind != additive {
				for _, s := range thin(held, maxStrange/folds) {
					o.strange = append(o.strange, r.strangeness(s.workload))
				}
			}
			outcomes[fold] = o
		})
	}
	fits.Wait()
	var strange []float64
	for _, o := range outcomes {
		if !o.ok {
			return nil, 0, false
		}
		errors, strange = append(errors, o.errors...), append(strange, o.strange...)
	}
	return errors, rootMeanSquare(strange), true
}

func fitKind(samples []sample, e *encoder, c candidate) (*regression, bool) {
	r := &regression{kind: c.kind, encoder: e, additive: fitAdditive(samples, e.describer)}
	if c.kind == additive {
		return r, true
	}
	most := maxRows
	if c.kind == boostedTrees {
		most = maxTreeRows
	}
	x, y, own, scale := corrections(thin(samples, most), e, r.additive)
	if scale == 0 {
		return nil, false
	}
	r.scale, r.low, r.high = scale, slices.Min(y)-0.5, slices.Max(y)+0.5
	for i := range y {
		y[i] /= scale
		own[i] /= scale * scale
	}
	if c.kind == boostedTrees {
		weights := make([]float64, len(y))
		for i := range own {
			weights[i] = 1 / (1 + own[i]/treeNoise)
		}
		r.trees, r.rowsAt = c.boosting.grow(x, y, weights), thin(x, maxRows)
		return r, true
	}
	var ok bool
	r.process, ok = condition(c.hyper, x, y, own)
	return r, ok
}

func fitAdditive(samples []sample, d describer) []float64 {
	var columns [][]float64
	var y, noise []float64
	for _, s := range samples {
		columns, y, noise = append(columns, d.work(s.workload)), append(y, s.ns), append(noise, s.noise)
	}
	return solveRelative(columns, y, noise, make([]prior, len(columns[0])), weakPrior)
}

// corrections are the encoded samples, the logarithm of measured over additive
// latency, its noise variance, and its root mean square.
func corrections(samples []sample, e *encoder, base []float64) (x [][]float64, y, own []float64, scale float64) {
	for _, s := range samples {
		x = append(x, e.encode(s.workload))
		y = append(y, math.Log(s.ns/dot(base, e.describer.work(s.workload))))
		own = append(own, s.noise*s.noise)
	}
	if scale = rootMeanSquare(y); scale < 1e-9 {
		scale = 0
	}
	return x, y, own, scale
}

// predict returns the latency in ns.
func (r *regression) predict(w graph.Workload) float64 {
	ns := dot(r.additive, r.encoder.describer.work(w))
	if r.kind == additive {
		return ns
	}
	x := r.encoder.encode(w)
	var correction float64
	if r.trees != nil {
		correction = r.trees.predict(x)
	} else {
		correction = r.process.mean(x)
	}
	return ns * math.Exp(min(max(correction*r.scale, r.low), r.high))
}

// strangeness is how far w is from the rows: the standard deviation of the
// process there, or the distance to the nearest row of the trees.
func (r *regression) strangeness(w graph.Workload) float64 {
	x := r.encoder.encode(w)
	if r.process != nil {
		return r.process.deviation(x)
	}
	nearest := math.Inf(1)
	for _, row := range r.rowsAt {
		nearest = min(nearest, squaredDistance(x, row))
	}
	return math.Sqrt(nearest)
}

// uncertainty is the standard deviation of ln(ns) to expect at w: the
// cross-validated one, more where w is further from all rows than they are
// from each other.
func (r *regression) uncertainty(w graph.Workload) float64 {
	if r.kind == additive || r.typical == 0 {
		return r.spread
	}
	return r.spread * max(1, r.strangeness(w)/r.typical)
}
