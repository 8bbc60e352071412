package predictor

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/predictor/internal/rank"
)

// Accuracy is how predictions compare with measurements of the same networks.
// Errors are |predicted - measured| / measured.
type Accuracy struct {
	N                               int
	MAPE                            float64 // mean error
	MedianError, P90Error, MaxError float64
	Within5, Within10, Within20     float64 // share of networks with an error of at most 5%, 10%, 20%
	Coverage                        float64 // share of measurements inside their interval
	MedianWidth                     float64 // median of (HighNS - LowNS) / 2 / LatencyNS
	Spearman                        float64 // rank correlation; 0 where all predictions or all measurements are equal
	Kendall                         float64 // rank correlation tau-b; 0 likewise
}

// comparedPair is a network's latency as predicted and as measured.
type comparedPair struct {
	predicted, low, high, measured float64
}

// Evaluate predicts measured networks and compares. For the figures to mean
// anything, the networks must not be those that the predictor was fitted to.
func (p *Predictor) Evaluate(networks []lut.Network) (Accuracy, error) {
	var pairs []comparedPair
	for _, network := range networks {
		workloads, err := networkWorkloads(network)
		if err != nil {
			return Accuracy{}, err
		}
		prediction, err := p.Predict(workloads)
		if err != nil {
			return Accuracy{}, fmt.Errorf("predictor: network %q: %w", network.Name, err)
		}
		pairs = append(pairs, comparedPair{prediction.LatencyNS, prediction.LowNS, prediction.HighNS, network.LatencyMedianNS})
	}
	return summarize(pairs)
}

func summarize(pairs []comparedPair) (Accuracy, error) {
	n := len(pairs)
	if n == 0 {
		return Accuracy{}, errors.New("predictor: no networks to evaluate on")
	}
	accuracy := Accuracy{N: n}
	var predicted, measured, relative, widths []float64
	for _, pair := range pairs {
		e := math.Abs(pair.predicted-pair.measured) / pair.measured
		accuracy.MAPE += e
		predicted, measured, relative = append(predicted, pair.predicted), append(measured, pair.measured), append(relative, e)
		widths = append(widths, (pair.high-pair.low)/2/pair.predicted)
		for _, within := range []struct {
			share *float64
			limit float64
		}{{&accuracy.Within5, 0.05}, {&accuracy.Within10, 0.10}, {&accuracy.Within20, 0.20}} {
			if e <= within.limit {
				*within.share++
			}
		}
		if pair.low <= pair.measured && pair.measured <= pair.high {
			accuracy.Coverage++
		}
	}
	for _, mean := range []*float64{&accuracy.MAPE, &accuracy.Within5, &accuracy.Within10, &accuracy.Within20, &accuracy.Coverage} {
		*mean /= float64(n)
	}
	accuracy.Spearman, accuracy.Kendall = rank.Spearman(predicted, measured), kendall(predicted, measured)
	slices.Sort(relative)
	slices.Sort(widths)
	accuracy.MedianError = quantile(relative, 0.5)
	accuracy.P90Error = quantile(relative, 0.9)
	accuracy.MaxError = relative[n-1]
	accuracy.MedianWidth = quantile(widths, 0.5)
	return accuracy, nil
}

// quantile interpolates between the order statistics of sorted values (Hyndman
// and Fan, "Sample quantiles in statistical packages", 1996, definition 7).
func quantile(sorted []float64, p float64) float64 {
	below, fraction := math.Modf(p * float64(len(sorted)-1))
	i := int(below)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + fraction*(sorted[i+1]-sorted[i])
}

// kendall is tau-b: of all pairs, those in the same order less those in the
// opposite one, over the geometric mean of those that each of a and b orders.
func kendall(a, b []float64) float64 {
	var agree, orderedA, orderedB float64
	for i := range a {
		for j := range i {
			x, y := cmp.Compare(a[i], a[j]), cmp.Compare(b[i], b[j])
			agree += float64(x * y)
			orderedA += float64(x * x)
			orderedB += float64(y * y)
		}
	}
	if orderedA == 0 || orderedB == 0 {
		return 0
	}
	return agree / math.Sqrt(orderedA*orderedB)
}
