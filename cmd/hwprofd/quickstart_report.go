package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/nas/supernet"
	"github.com/hwprofd/hwprofd/report"
)

func (q *quickstart) writeReport(context.Context, time.Duration) error {
	accuracy, err := q.check.accuracy(q.predictor)
	if err != nil {
		return err
	}
	best := slices.MaxFunc(q.check.Picks, func(a, b pickResult) int { return cmp.Compare(a.Accuracy, b.Accuracy) })
	data := report.Data{
		Title:   "Pareto-optimal networks for this device",
		Created: time.Now(),
		Facts: []report.Fact{
			{Value: fmt.Sprintf("%.1f%%", 100*accuracy.MedianError), Label: fmt.Sprintf("median error of the predicted latency, %d networks never measured before", accuracy.N)},
			{Value: fmt.Sprintf("%.0f%%", 100*accuracy.Coverage), Label: fmt.Sprintf("of those inside their %.0f%% interval", 100*q.check.Networks[0].Predicted.Coverage)},
			{Value: fmt.Sprintf("%.1f%%", best.Accuracy), Label: "of held-out images right, by the most accurate pick"},
			{Value: fmt.Sprintf("%.2f×", q.outcome.Hypervolume/q.outcome.RandomHypervolume), Label: "hypervolume of random search with as many evaluations"},
		},
		Explored: q.points(q.outcome.Evaluated),
		Random:   q.points(q.outcome.Control),
		Front:    q.points(q.outcome.Front),
		Training: trainingCurves(q.supernet.Training()),
		Table:    q.table,
	}
	for _, c := range q.check.Networks {
		data.Networks = append(data.Networks, report.Comparison{
			Name:        c.Name,
			PredictedNS: c.Predicted.LatencyNS, LowNS: c.Predicted.LowNS, HighNS: c.Predicted.HighNS,
			MeasuredNS: c.Measured.LatencyMedianNS, CI95NS: c.Measured.LatencyCI95NS,
		})
	}
	for _, p := range q.check.Picks {
		g, err := onnx.Read(q.folder.path(p.File))
		if err != nil {
			return err
		}
		prediction, err := q.predictor.PredictGraph(g)
		if err != nil {
			return err
		}
		data.Picks = append(data.Picks, report.Pick{
			Name: p.Pick, Architecture: p.Architecture, File: p.File,
			Accuracy: p.Accuracy / 100, Images: q.images.test.N, Prediction: prediction,
			MeasuredNS: p.Measured.LatencyMedianNS, CI95NS: p.Measured.LatencyCI95NS,
			MACs: p.MACs, Params: p.Params,
		})
	}
	return report.WriteHTML(q.folder.report(), data)
}

// points are evaluations in the plane of latency and accuracy.
func (q *quickstart) points(evaluations []nas.Evaluation) []report.Point {
	accuracy, latency := q.outcome.index("accuracy"), q.outcome.index("latency")
	points := make([]report.Point, len(evaluations))
	for i, e := range evaluations {
		points[i] = report.Point{LatencyNS: e.Values[latency], Accuracy: e.Values[accuracy] / 100}
	}
	return points
}

func trainingCurves(t supernet.Training) []report.TrainingCurve {
	loss := report.TrainingCurve{Name: "largest subnet, training", Kind: "loss"}
	largest := report.TrainingCurve{Name: "largest subnet", Kind: "accuracy"}
	smallest := report.TrainingCurve{Name: "smallest subnet", Kind: "accuracy"}
	for _, p := range t.Curve {
		loss.Steps, loss.Values = append(loss.Steps, p.Step), append(loss.Values, p.Loss)
		largest.Steps, largest.Values = append(largest.Steps, p.Step), append(largest.Values, p.Largest)
		smallest.Steps, smallest.Values = append(smallest.Steps, p.Step), append(smallest.Values, p.Smallest)
	}
	return []report.TrainingCurve{loss, largest, smallest}
}

// conclude prints what was found, in ten lines.
func (q *quickstart) conclude() error {
	accuracy, err := q.check.accuracy(q.predictor)
	if err != nil {
		return err
	}
	say := q.progress.say
	say("")
	say("Done in %s. What was found on this machine:", shortDuration(q.spent()))
	say("  table      %d workloads, %d whole networks", len(q.table.Rows), len(q.table.Networks))
	say("  predictor  %d networks never measured before: median error %.1f%%, worst %.1f%%; %.0f%% inside the %.0f%% interval",
		accuracy.N, 100*accuracy.MedianError, 100*accuracy.MaxError, 100*accuracy.Coverage, 100*q.check.Networks[0].Predicted.Coverage)
	say("  search     hypervolume %.4f, random search with as many evaluations %.4f", q.outcome.Hypervolume, q.outcome.RandomHypervolume)
	for _, p := range q.check.Picks {
		say("  %-20s %.1f%% of held-out images; predicted %s (%s to %s), measured %s ±%.1f%%", p.File, p.Accuracy,
			nanoseconds(p.Predicted.LatencyNS), nanoseconds(p.Predicted.LowNS), nanoseconds(p.Predicted.HighNS),
			nanoseconds(p.Measured.LatencyMedianNS), 100*p.Measured.LatencyCI95NS/p.Measured.LatencyMedianNS)
	}
	say("  files      %s", q.folder.dir)
	say("  report     %s", q.folder.report())
	return nil
}

// spent is the time that all steps took, over all runs.
func (q *quickstart) spent() time.Duration {
	var sum time.Duration
	for _, d := range q.folder.state.Spent {
		sum += d
	}
	return sum
}
