package transfer

import (
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/hwprofd/hwprofd/graph"
)

// Prior variances of what the logarithm of a workload's latency on a new device
// differs by from the mean of the known devices. How the cross-validated error
// depends on them is in docs/transfer.md: little.
const (
	varianceMean     = 0.1  // a power of the mean known device
	varianceDevices  = 1    // known devices' own deviations from their mean
	varianceFamily   = 0.3  // a factor for each family of workloads
	varianceInFamily = 0.05 // powers of shapes and work, for each family
	varianceShape    = 0.03 // powers of shapes and work
	varianceNear     = 0.05 // neighbours in shape and work, within a family
	varianceRow      = 0.01 // each workload for itself
	// likeWeight is how much more a known device counts in the mean for each
	// thing that it has in common with the new one.
	likeWeight = 0.7
	// leaveOut is how many measurements at most are predicted from the others to
	// see how far intervals have to reach.
	leaveOut = 30
	// tableRehearsals is how often each known device plays the new one.
	tableRehearsals = 4
)

// workloadProcess is a Gaussian process over the logarithms of workloads'
// latencies on a new device, given those on known ones: co-kriging with the
// devices as covariates (Journel and Huijbregts, "Mining Geostatistics", 1978).
type workloadProcess struct {
	mean     []float64   // prior, but for the level
	features [][]float64 // linear ones, scaled by their prior deviation
	shape    [][]float64
	family   []int
}

// newWorkloadProcess is of known devices' latencies, logs[device][workload]. In
// its mean those count more that are alike, in so many things, to the new one.
func newWorkloadProcess(workloads []graph.Workload, logs [][]float64, alike []float64) *workloadProcess {
	n := len(workloads)
	p := &workloadProcess{mean: make([]float64, n), features: make([][]float64, n), shape: shapesOf(workloads), family: familiesOf(workloads)}
	plain := make([]float64, n)
	total := 0.0
	centred := make([][]float64, len(logs))
	for d, l := range logs {
		mean, _ := moments(l)
		centred[d] = make([]float64, n)
		weight := math.Exp(likeWeight * alike[d])
		total += weight
		for i, v := range l {
			centred[d][i] = v - mean
			p.mean[i] += weight * (v - mean)
			plain[i] += (v - mean) / float64(len(logs))
		}
	}
	families := slices.Max(p.family) + 1
	for i := range n {
		p.mean[i] /= total
		shape := p.shape[i]
		add := func(variance float64, values ...float64) {
			for _, v := range values {
				p.features[i] = append(p.features[i], math.Sqrt(variance)*v)
			}
		}
		add(level, 1)
		add(varianceMean, plain[i])
		for d := range centred {
			add(varianceDevices/float64(len(logs)), centred[d][i]-plain[i])
		}
		add(varianceShape/float64(len(shape)), shape...)
		for f := range families {
			own := make([]float64, 1+len(shape))
			if f == p.family[i] {
				own[0] = 1
				copy(own[1:], shape)
			}
			add(varianceFamily, own[0])
			add(varianceInFamily/float64(len(shape)), own[1:]...)
		}
	}
	return p
}

func familiesOf(workloads []graph.Workload) []int {
	number := map[string]int{}
	out := make([]int, len(workloads))
	for i, w := range workloads {
		name := w.Family() + "/" + string(w.DType)
		if _, ok := number[name]; !ok {
			number[name] = len(number)
		}
		out[i] = number[name]
	}
	return out
}

// shapesOf are standardised logarithms of workloads' work and shapes.
func shapesOf(workloads []graph.Workload) [][]float64 {
	out := make([][]float64, len(workloads))
	for i, w := range workloads {
		for _, v := range []int64{w.MACs(), w.Bytes(), w.Params(), int64(w.H), int64(w.C), int64(w.K)} {
			out[i] = append(out[i], math.Log1p(float64(v)))
		}
	}
	for x := range out[0] {
		column := make([]float64, len(out))
		for i := range out {
			column[i] = out[i][x]
		}
		mean, deviation := moments(column)
		for i := range out {
			out[i][x] = (out[i][x] - mean) / deviation
		}
	}
	return out
}

// covariance of two workloads, without what each has for itself.
func (p *workloadProcess) covariance(i, j int) float64 {
	sum := 0.0
	b := p.features[j]
	for x, v := range p.features[i] {
		sum += v * b[x]
	}
	if p.family[i] == p.family[j] {
		distance := 0.0
		for x, v := range p.shape[i] {
			distance += (v - p.shape[j][x]) * (v - p.shape[j][x])
		}
		sum += varianceNear * math.Exp(-distance/2/float64(len(p.shape[i])))
	}
	return sum
}

// given predicts all workloads from the logarithms of some, whose variances of
// measuring are noise.
func (p *workloadProcess) given(which []int, y, noise []float64) (answer, error) {
	k, n := len(which), len(p.mean)
	within := mat.NewSymDense(k, nil)
	rest := mat.NewVecDense(k, nil)
	for a, i := range which {
		for b, j := range which[:a+1] {
			within.SetSym(a, b, p.covariance(i, j))
		}
		within.SetSym(a, a, within.At(a, a)+varianceRow+noise[a])
		rest.SetVec(a, y[a]-p.mean[i])
	}
	var factor mat.Cholesky
	var alpha mat.VecDense
	if !factor.Factorize(within) || factor.SolveVecTo(&alpha, rest) != nil {
		return answer{}, errors.New("transfer: no model can be fitted to the measurements")
	}
	// The amplitude, with a prior that says 1 as two measurements would.
	amplitude := (mat.Dot(rest, &alpha) + 2) / float64(k+2)
	out := answer{make([]float64, n), make([]float64, n)}
	inParallel(n, func(i int) {
		cross, solved := mat.NewVecDense(k, nil), mat.NewVecDense(k, nil)
		for a, j := range which {
			cross.SetVec(a, p.covariance(i, j))
		}
		out.mean[i] = p.mean[i] + mat.Dot(cross, &alpha)
		variance := p.covariance(i, i)
		if factor.SolveVecTo(solved, cross) == nil {
			variance -= mat.Dot(cross, solved)
		}
		out.deviation[i] = math.Sqrt(amplitude * (max(variance, 0) + varianceRow))
	})
	return out, nil
}

// complete predicts all workloads of a new device from some latencies; alike
// are the number of things that known devices have in common with the new one
// (nil), or with a known one.
func complete(workloads []graph.Workload, logs [][]float64, alike func(known *int) []float64, which []int, y, noise []float64, seed uint64) (*prediction, error) {
	p := newWorkloadProcess(workloads, logs, alike(nil))
	a, err := p.given(which, y, noise)
	if err != nil {
		return nil, err
	}
	out := &prediction{answer: a}
	var wrong []weighted
	for at := range min(len(which), leaveOut) {
		others := func(v []float64) []float64 { return slices.Concat(v[:at], v[at+1:]) }
		left, err := p.given(slices.Concat(which[:at], which[at+1:]), others(y), others(noise))
		if err != nil {
			return nil, err
		}
		i := which[at]
		wrong = append(wrong, weighted{math.Abs(y[at]-left.mean[i]) / math.Hypot(left.deviation[i], math.Sqrt(noise[at])), 1})
	}
	rehearsed, err := rehearseTables(workloads, logs, alike, len(which), seed)
	if err != nil {
		return nil, err
	}
	out.errors = distributionOf(append(wrong, rehearsed...))
	return out, nil
}

// rehearseTables are the errors of known devices' workloads, each device
// predicted from a few of its own and the others, over their deviations.
func rehearseTables(workloads []graph.Workload, logs [][]float64, alike func(known *int) []float64, size int, seed uint64) ([]weighted, error) {
	if len(logs) < 2 {
		return nil, nil
	}
	n := len(workloads)
	size = min(size, n/2, rehearsalSize)
	var out []weighted
	for d := range logs {
		others := slices.Concat(logs[:d], logs[d+1:])
		likeness := alike(&d)
		p := newWorkloadProcess(workloads, others, slices.Concat(likeness[:d], likeness[d+1:]))
		rng := rand.New(rand.NewPCG(seed, uint64(d)))
		for range tableRehearsals {
			order := rng.Perm(n)
			y := make([]float64, size)
			for a, i := range order[:size] {
				y[a] = logs[d][i]
			}
			a, err := p.given(order[:size], y, make([]float64, size))
			if err != nil {
				return nil, err
			}
			weight := pastWeight / float64(n-size) / float64(tableRehearsals*len(logs))
			for _, i := range order[size:] {
				out = append(out, weighted{math.Abs(logs[d][i]-a.mean[i]) / a.deviation[i], weight})
			}
		}
	}
	return out, nil
}

// chooseWorkloads picks k workloads to measure: one by one that which reduces the
// variance of targets most, each a weighted sum of workloads' logarithms; of
// workloads themselves where there are no targets. noise is the variance of
// measuring each.
func (p *workloadProcess) chooseWorkloads(k int, targets []map[int]float64, noise []float64, rng *rand.Rand) []int {
	n := len(p.mean)
	pool := rng.Perm(n)[:min(max(candidates, 2*k), n)]
	columns := len(pool) + len(targets)
	covariance := make([]float64, len(pool)*columns)
	inParallel(len(pool), func(r int) {
		row := covariance[r*columns : (r+1)*columns]
		for c, j := range pool {
			row[c] = p.covariance(pool[r], j)
		}
		for c, target := range targets {
			for _, i := range slices.Sorted(maps.Keys(target)) {
				row[len(pool)+c] += target[i] * p.covariance(pool[r], i)
			}
		}
	})
	counts := 0
	if len(targets) > 0 {
		counts = len(pool)
	}
	variances := make([]float64, len(pool))
	for r, i := range pool {
		variances[r] = varianceRow + noise[i]
	}
	return greedy(covariance, columns, counts, variances, k, pool)
}
