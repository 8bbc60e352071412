package transfer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/hwprofd/hwprofd/predictor/internal/rank"
)

// Protocol is a few-shot experiment: the training devices are known completely,
// some networks are measured on the target, all others are predicted.
type Protocol struct {
	Space   Space
	Known   *Table
	Train   []string // devices of Known
	Unknown *Table
	Target  string // a device of Unknown
	Samples int
	Repeats int
	Seed    uint64
	// Designed chooses which networks are measured, else they are drawn.
	Designed bool
}

// Draw is the outcome of one repetition.
type Draw struct {
	Spearman   float64 // of the networks that were not measured, as the rest
	Within5    float64 // share of predictions within 5% of the truth
	Within10   float64
	MAPE       float64 // mean absolute error over the truth
	Median     float64 // median of the same
	Coverage90 float64 // share of networks within their 90% interval
	Width90    float64 // median half-width of these over the prediction
	Seconds    float64 // of learning, fitting and predicting all networks
}

// Run repeats the experiment.
func (x Protocol) Run() ([]Draw, error) {
	truth := x.Unknown.Latency(x.Target)
	switch {
	case truth == nil:
		return nil, fmt.Errorf("transfer: %s: there is no column of device %q", x.Unknown.Path, x.Target)
	case x.Samples < 3:
		return nil, fmt.Errorf("transfer: %d samples, want at least 3", x.Samples)
	case x.Samples >= len(truth):
		return nil, fmt.Errorf("transfer: %s: %d samples of %d rows leave none to predict", x.Unknown.Path, x.Samples, len(truth))
	case x.Repeats < 1:
		return nil, fmt.Errorf("transfer: %d repeats, want at least 1", x.Repeats)
	case len(x.Train) == 0:
		return nil, fmt.Errorf("transfer: there is no training device")
	}
	it, err := x.items()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	prior, err := learn(it, x.Samples, x.Seed)
	if err != nil {
		return nil, fmt.Errorf("transfer: %s: %w", x.Known.Path, err)
	}
	learning := time.Since(start).Seconds()
	draws := make([]Draw, x.Repeats)
	for r := range draws {
		start := time.Now()
		rng := rand.New(rand.NewPCG(x.Seed, uint64(r)))
		var measured []int
		if x.Designed {
			measured = prior.choose(len(truth), x.Samples, rng)
		} else {
			measured = rng.Perm(len(truth))[:x.Samples]
		}
		times := make([]float64, len(measured))
		for i, m := range measured {
			times[i] = truth[m]
		}
		prediction, err := prior.predict(measured, times)
		if err != nil {
			return nil, fmt.Errorf("%w (%s, %s)", err, x.Unknown.Path, x.Target)
		}
		draws[r] = score(prediction, truth, measured)
		draws[r].Seconds = learning + time.Since(start).Seconds()
	}
	return draws, nil
}

// items are the architectures of Unknown, then those that only Known has.
func (x Protocol) items() (*items, error) {
	index := make(map[string]int, len(x.Unknown.Architectures))
	architectures := x.Unknown.Architectures
	for i, a := range architectures {
		index[a.String()] = i
	}
	place := make([]int, len(x.Known.Architectures))
	for i, a := range x.Known.Architectures {
		at, ok := index[a.String()]
		if !ok {
			at = len(architectures)
			architectures = append(architectures[:at:at], a)
		}
		place[i] = at
	}
	it := itemsOf(x.Space, architectures)
	for _, d := range x.Train {
		latency := x.Known.Latency(d)
		if latency == nil {
			return nil, fmt.Errorf("transfer: %s: there is no column of device %q", x.Known.Path, d)
		}
		column := make([]float64, len(architectures))
		for i := range column {
			column[i] = math.NaN()
		}
		for i, v := range latency {
			column[place[i]] = v
		}
		it.times = append(it.times, column)
		it.families = append(it.families, family(d))
	}
	return it, nil
}

// score compares with the truth what was not measured.
func score(p *prediction, truth []float64, measured []int) Draw {
	known := make(map[int]bool, len(measured))
	for _, m := range measured {
		known[m] = true
	}
	var d Draw
	var predicted, real, errors, widths []float64
	for i, t := range truth {
		if known[i] {
			continue
		}
		v := p.value(i)
		predicted, real = append(predicted, v), append(real, t)
		wrong := math.Abs(v-t) / t
		d.MAPE += wrong
		errors = append(errors, wrong)
		if wrong <= 0.05 {
			d.Within5++
		}
		if wrong <= 0.1 {
			d.Within10++
		}
		low, high, _ := p.interval(i, 0.9)
		if low <= t && t <= high {
			d.Coverage90++
		}
		widths = append(widths, (high-low)/2/v)
	}
	n := float64(len(real))
	d.MAPE, d.Within5, d.Within10, d.Coverage90 = d.MAPE/n, d.Within5/n, d.Within10/n, d.Coverage90/n
	d.Spearman, d.Median, d.Width90 = rank.Spearman(predicted, real), median(errors), median(widths)
	return d
}
