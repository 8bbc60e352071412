package predictor

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// within is what the times of workloads inside of whole networks tell: of each
// workload its mean over the networks, but for what weights cost that outgrow
// the caches, which is a matter of the network.
type within struct {
	seen  map[graph.Workload]*occurrences
	made  map[int][]graph.Workload // what each network consists of
	knots []float64                // sizes of weights in bytes
	spill []float64                // ns a byte of weights between each of them and the next
	// counts is what a byte of weights counts as, by family.
	counts map[string]float64
}

// occurrences of one workload.
type occurrences struct {
	networks []int // that have it, each once for each place, ascending
	places   []surroundings
	ns       []float64 // there, the mean where it is in a place several times
	bytes    float64   // that its weights count as
	free     []float64 // ns, without the part for weights
	noise    float64   // standard deviation of ln(ns) of one network
}

const (
	// scarceNetworks is how many networks' worth of the noise over all families
	// goes into that of each.
	scarceNetworks = 10
	// leastWithin is the least relative standard deviation that is assumed of a
	// workload's time in one network.
	leastWithin = 0.01
	// spillPull is the pull of weights' cost towards none.
	spillPull = 1e-4
	// mostSpilled is the largest part of a workload's time that its weights cost.
	mostSpilled = 0.85
)

// sharedTime is the part of a disturbed network's time that has to be in
// workloads of other networks for these to tell by how much it was slowed down.
const sharedTime = 0.3

// observeWithin collects from the networks that tell the times of workloads.
// Disturbed ones count after the others, as much faster as the workloads that
// they share with these say. It is nil where there are fewer than minOverhead.
func observeWithin(networks, disturbed []lut.Network, caches []float64) (*within, error) {
	v := &within{seen: map[graph.Workload]*occurrences{}, made: map[int][]graph.Workload{}}
	count := 0
	for i, n := range networks {
		times, made, err := timesWithin(n)
		if err != nil {
			return nil, err
		}
		if times == nil {
			continue
		}
		count++
		v.add(i, times, made, 1)
	}
	if count < minOverhead {
		return nil, nil
	}
	levels := make(map[graph.Workload]float64, len(v.seen))
	for w, o := range v.seen {
		for _, ns := range o.ns {
			levels[w] += math.Log(ns) / float64(len(o.ns))
		}
	}
	for i, n := range disturbed {
		times, made, err := timesWithin(n)
		if err != nil {
			return nil, err
		}
		var shared, whole, slower float64
		for _, w := range sortedWorkloads(times) {
			ns := total(times[w])
			whole += ns
			if level, ok := levels[w]; ok {
				shared += ns
				slower += ns * (math.Log(ns/float64(len(times[w]))) - level)
			}
		}
		if times != nil && shared >= sharedTime*whole {
			v.add(len(networks)+i, times, made, math.Exp(-slower/shared))
		}
	}
	v.fitSpill(caches)
	v.judge()
	return v, nil
}

// slowdown is by how much longer, in ln(ns), workloads take in the second
// networks than in the first: the median over those in both, by their time. It
// is false where these take too little of the second networks' time.
func slowdown(networks, others []lut.Network) (ns float64, ok bool, err error) {
	first, second := map[graph.Workload][]float64{}, map[graph.Workload][]float64{}
	for list, into := range map[*[]lut.Network]map[graph.Workload][]float64{&networks: first, &others: second} {
		for _, n := range *list {
			times, _, err := timesWithin(n)
			if err != nil {
				return 0, false, err
			}
			for w, ns := range times {
				into[w] = append(into[w], total(ns)/float64(len(ns)))
			}
		}
	}
	type difference struct{ log, time float64 }
	var list []difference
	var shared, whole float64
	for _, w := range sortedWorkloads(second) {
		time := total(second[w])
		whole += time
		if first[w] != nil {
			shared += time
			list = append(list, difference{middle(logs(second[w])) - middle(logs(first[w])), time})
		}
	}
	if shared == 0 || shared < sharedTime*whole {
		return 0, false, nil
	}
	slices.SortStableFunc(list, func(a, b difference) int { return cmp.Compare(a.log, b.log) })
	var below float64
	for _, d := range list {
		if below += d.time; below >= shared/2 {
			return d.log, true, nil
		}
	}
	return 0, false, nil
}

func logs(values []float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = math.Log(v)
	}
	return out
}

// steadyWithin is how far, in ln(ns), the time in a network may be from those in
// others to count in full.
const steadyWithin = 0.03

// middle is Huber's estimate of location (Annals of Mathematical Statistics 35,
// 1964): a mean in which values beyond steadyWithin count by that distance. It is
// NaN for no values.
func middle(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := quantile(sorted, 0.5)
	for range 20 {
		var sum, weight float64
		for _, v := range sorted {
			w := 1.0
			if d := math.Abs(v - at); d > steadyWithin {
				w = steadyWithin / d
			}
			sum += w * v
			weight += w
		}
		at = sum / weight
	}
	return at
}

// timesWithin are the times of the workloads of a network, each as often as it
// is there, and all of them in order; nil where the network does not tell.
func timesWithin(n lut.Network) (times map[graph.Workload][]float64, workloads []graph.Workload, err error) {
	if n.Shares == nil {
		return nil, nil, nil
	}
	if workloads, err = networkWorkloads(n); err != nil {
		return nil, nil, err
	}
	times = map[graph.Workload][]float64{}
	for k, w := range workloads {
		times[w] = append(times[w], n.Shares[k]*n.LatencyMedianNS)
	}
	return times, workloads, nil
}

func (v *within) add(network int, times map[graph.Workload][]float64, made []graph.Workload, factor float64) {
	v.made[network] = made
	type spot struct {
		workload graph.Workload
		place    surroundings
	}
	var spots []spot
	here := map[spot][]float64{}
	next := map[graph.Workload]int{}
	for i, place := range surroundingsOf(made) {
		s := spot{made[i], place}
		if here[s] == nil {
			spots = append(spots, s)
		}
		here[s] = append(here[s], times[made[i]][next[made[i]]])
		next[made[i]]++
	}
	for _, s := range spots {
		o := v.seen[s.workload]
		if o == nil {
			o = &occurrences{bytes: weightBytes(s.workload)}
			v.seen[s.workload] = o
		}
		o.networks, o.places = append(o.networks, network), append(o.places, s.place)
		o.ns = append(o.ns, factor*total(here[s])/float64(len(here[s])))
	}
}

// fitSpill learns what weights cost by their size from how the time of the same
// workload differs between networks. Weights of a network are read once in each
// run: where all of them do not fit into a cache, none stays there. What a byte
// costs grows with their size up to that of the last cache, from a part of the
// second one on, which holds activations as well.
func (v *within) fitSpill(caches []float64) {
	if len(caches) >= 2 {
		for size := caches[1] / 4; size <= caches[len(caches)-1]; size *= 2 {
			v.knots = append(v.knots, size)
		}
	}
	v.spill = make([]float64, len(v.knots))
	order, all := sortedWorkloads(v.seen), v.allBytes()
	v.solveSpill(order, all)
	v.boundBytes(order, all)
	all = v.allBytes()
	for _, o := range v.seen {
		o.free = make([]float64, len(o.ns))
		for i, n := range o.networks {
			o.free[i] = max(o.ns[i]-v.rate(all[n])*o.bytes, (1-mostSpilled)*o.ns[i])
		}
	}
}

// solveSpill learns the slopes, given the bytes of all weights of each network.
func (v *within) solveSpill(order []graph.Workload, all map[int]float64) {
	steps := make([][]float64, max(len(v.knots)-1, 0)) // slopes if a byte costs 1 from the next knot on
	for k := range steps {
		steps[k] = slopes(v.knots, k+1)
	}
	var columns [][]float64
	var y []float64
	for _, w := range order {
		o := v.seen[w]
		if o.bytes == 0 {
			continue
		}
		for _, place := range o.distinctPlaces() {
			var ns []float64
			var networks []int
			for i, n := range o.networks {
				if o.places[i] == place {
					ns, networks = append(ns, o.ns[i]), append(networks, n)
				}
			}
			if len(ns) < 2 {
				continue
			}
			mean := total(ns) / float64(len(ns))
			means := make([]float64, len(steps))
			rows := make([][]float64, len(ns))
			for i, n := range networks {
				rows[i] = make([]float64, len(steps))
				for k := range steps {
					rows[i][k] = o.bytes / all[n] * spilled(v.knots, steps[k], all[n]) / mean
					means[k] += rows[i][k] / float64(len(ns))
				}
			}
			// Long workloads matter more, but one of many networks no more than a few.
			importance := math.Sqrt(mean / math.Sqrt(float64(len(ns))))
			for i, row := range rows {
				for k := range row {
					row[k] = importance * (row[k] - means[k])
				}
				columns = append(columns, row)
				y = append(y, importance*(ns[i]/mean-1))
			}
		}
	}
	if len(columns) > 0 && len(steps) > 0 {
		for k, more := range solveNonNegative(columns, y, make([]prior, len(steps)), spillPull) {
			for i := range v.spill {
				v.spill[i] += more * steps[k][i]
			}
		}
	}
}

// boundBytes lets fewer bytes count of workloads whose weights would cost most
// of their time by what a byte costs: they hide a part of it behind computing.
// So a workload costs the same as before in most networks that it was seen in,
// and too little in those whose weights cost nothing. What a byte of a family
// counts as follows for workloads not seen.
func (v *within) boundBytes(order []graph.Workload, all map[int]float64) {
	counted, bytes := map[string]float64{}, map[string]float64{}
	for _, w := range order {
		o := v.seen[w]
		if o.bytes == 0 {
			continue
		}
		var bounds []float64
		for i, n := range o.networks {
			if rate := v.rate(all[n]); rate > 0 {
				bounds = append(bounds, mostSpilled*o.ns[i]/rate)
			}
		}
		if len(bounds) > 0 {
			slices.Sort(bounds)
			o.bytes = min(o.bytes, quantile(bounds, 0.5))
		}
		counted[family(w)] += o.bytes
		bytes[family(w)] += weightBytes(w)
	}
	v.counts = map[string]float64{}
	for f, all := range bytes {
		v.counts[f] = counted[f] / all
	}
}

// allBytes are those that the weights of each network count as.
func (v *within) allBytes() map[int]float64 {
	all := make(map[int]float64, len(v.made))
	for i, made := range v.made {
		for _, w := range made {
			all[i] += v.seen[w].bytes
		}
	}
	return all
}

// rate is what a byte costs where all weights count as that many.
func (v *within) rate(all float64) float64 {
	if all == 0 {
		return 0
	}
	return v.once(all) / all
}

// weighing says what the weights of workloads count as that no network has.
type weighing struct {
	// MostRate is what a byte costs at most, in ns; 0 where networks do not tell.
	MostRate float64 `json:"most_ns_a_byte"`
	// Counts is what a byte counts as, by family, where it is not 1.
	Counts map[string]float64 `json:"counts,omitempty"`
}

func (v *within) weighing() weighing {
	g := weighing{Counts: v.counts}
	if n := len(v.knots); n > 0 { // a byte costs the most where the weights are as large as the last cache
		g.MostRate = v.rate(v.knots[n-1])
	}
	return g
}

// bytes are what the weights of a workload count as that takes ns without them.
// As within networks, they cost no more than a part of its time, even where a
// byte costs the most.
func (g weighing) bytes(w graph.Workload, ns float64) float64 {
	bytes := weightBytes(w)
	count, ok := g.Counts[family(w)]
	if !ok {
		count, ok = g.Counts[coarseFamily(w)]
	}
	if ok {
		bytes *= count
	}
	if g.MostRate > 0 {
		bytes = min(bytes, mostSpilled/(1-mostSpilled)*ns/g.MostRate)
	}
	return bytes
}

// slopes are those, between the knots, of what all weights cost if a byte costs
// 1 ns where there are knots[from] of them or more, and nothing where there are
// knots[from-1].
func slopes(knots []float64, from int) []float64 {
	s := make([]float64, len(knots))
	for i := range s {
		switch {
		case i >= from:
			s[i] = 1
		case i == from-1:
			s[i] = knots[from] / (knots[from] - knots[from-1])
		}
	}
	return s
}

// spilled is what all weights cost, by slopes between knots.
func spilled(knots, slopes []float64, weights float64) (ns float64) {
	for i, slope := range slopes {
		ns += slope * between(knots, i, weights)
	}
	return ns
}

func (v *within) once(weights float64) float64 { return spilled(v.knots, v.spill, weights) }

// judge sets the noise of workloads: what those of a family differ by between
// networks.
func (v *within) judge() {
	squares, degrees := map[string]float64{}, map[string]float64{}
	var allSquares, allDegrees float64
	for _, w := range sortedWorkloads(v.seen) { // so that sums repeat bit for bit
		o := v.seen[w]
		mean, factors := o.meanLog(-1), map[surroundings]float64{}
		for _, s := range o.distinctPlaces() {
			factors[s] = math.Log(o.factor(s, -1))
		}
		for i, ns := range o.free {
			d := math.Log(ns) - mean - factors[o.places[i]]
			squares[family(w)] += d * d
		}
		degrees[family(w)] += float64(max(len(o.free)-len(factors), 0))
	}
	for _, f := range slices.Sorted(maps.Keys(squares)) {
		allSquares += squares[f]
		allDegrees += degrees[f]
	}
	all := leastWithin * leastWithin
	if allDegrees > 0 {
		all = max(all, allSquares/allDegrees)
	}
	for w, o := range v.seen {
		f := family(w)
		o.noise = max(leastWithin, math.Sqrt((squares[f]+scarceNetworks*all)/(degrees[f]+scarceNetworks)))
	}
}

// meanLog is the middle of ln(ns) over the networks other than the given one; NaN
// where there is no other.
func (o *occurrences) meanLog(without int) float64 {
	var values []float64
	for i, ns := range o.free {
		if o.networks[i] != without {
			values = append(values, math.Log(ns))
		}
	}
	return middle(values)
}

// of is the time of w in a network, weights aside, and its noise; without, if
// not negative, is a network that does not count unless it is the only one.
func (v *within) of(w graph.Workload, without int) (ns, noise float64, ok bool) {
	o := v.seen[w]
	if o == nil {
		return 0, 0, false
	}
	mean, n := o.meanLog(without), len(o.free)
	if math.IsNaN(mean) {
		mean = o.meanLog(-1)
	} else if slices.Contains(o.networks, without) {
		n--
	}
	return math.Exp(mean), o.noise / math.Sqrt(float64(n)), true
}

// shift is how much longer workloads take in a network than alone, in ln(ns),
// which changes with how long they take, and the standard deviation about it.
// Large workloads find their data further away in a network, small ones as near.
type shift struct {
	mean, slope float64 // at the middle, and a unit of ln(ns)
	middle      float64 // ln(ns)
	least, most float64 // ln(ns), between which it changes
	spread      float64
}

const (
	// assumedShift is the spread where too few workloads tell.
	assumedShift = 0.15
	// pulledShift is how many workloads' worth of those of all families goes into
	// the shift of each.
	pulledShift = 3
	// pulledSlope is the pull of a slope towards none, in workloads that are a factor
	// of e from the middle.
	pulledSlope = 30
)

func (s shift) at(ns float64) float64 {
	return s.mean + s.slope*(min(max(math.Log(ns), s.least), s.most)-s.middle)
}

// shifts compares workloads that were measured alone with themselves inside of
// networks, by family; that of "" is for families where there are none.
func (v *within) shifts(alone map[graph.Workload]cost) map[string]shift {
	sizes, differences := map[string][]float64{}, map[string][]float64{}
	for _, w := range sortedWorkloads(v.seen) {
		if c, ok := alone[w]; ok {
			ns, _, _ := v.of(w, -1)
			for _, f := range []string{family(w), ""} {
				sizes[f] = append(sizes[f], math.Log(c.ns))
				differences[f] = append(differences[f], math.Log(ns/c.ns))
			}
		}
	}
	all := shift{spread: assumedShift}
	if list := differences[""]; len(list) >= pulledShift {
		all.mean = total(list) / float64(len(list))
		all.spread = deviation(list, all.mean)
	}
	shifts := map[string]shift{"": all}
	for f, list := range differences {
		if f == "" {
			continue
		}
		n, x := float64(len(list)), sizes[f]
		s := shift{mean: (total(list) + pulledShift*all.mean) / (n + pulledShift), middle: total(x) / n, least: slices.Min(x), most: slices.Max(x)}
		var xx, xy float64
		for i := range x {
			xx += (x[i] - s.middle) * (x[i] - s.middle)
			xy += (x[i] - s.middle) * (list[i] - s.mean)
		}
		s.slope = xy / (xx + pulledSlope)
		var squares float64
		for i := range x {
			d := list[i] - s.at(math.Exp(x[i]))
			squares += d * d
		}
		s.spread = math.Sqrt((squares + pulledShift*all.spread*all.spread) / (n + pulledShift))
		shifts[f] = s
	}
	return shifts
}

func deviation(values []float64, mean float64) float64 {
	var squares float64
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return math.Sqrt(squares / float64(len(values)))
}

func sortedWorkloads[V any](m map[graph.Workload]V) []graph.Workload {
	names := make(map[graph.Workload]string, len(m))
	list := make([]graph.Workload, 0, len(m))
	for w := range m {
		names[w] = w.String()
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b graph.Workload) int {
		if names[a] < names[b] {
			return -1
		}
		return 1
	})
	return list
}
