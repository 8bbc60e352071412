package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/nas/supernet"
)

func (q *quickstart) train(ctx context.Context, _ time.Duration) error {
	var err error
	if q.images, err = loadImages(""); err != nil {
		return err
	}
	q.supernet, err = supernet.Train(ctx, supernet.Config{
		Space: q.space, Train: q.images.train, Validation: q.images.validation,
		Budget: time.Duration(trainShare * float64(q.folder.state.Budget)),
		Seed:   q.folder.state.Seed, Threads: runtime.GOMAXPROCS(0),
		CheckpointPath: q.folder.checkpoint(), CheckpointEvery: checkpointEvery, Progress: q.progress.training,
	})
	if err != nil {
		return err
	}
	q.progress.say("      %s", trainingLine(q.supernet.Training()))
	return nil
}

func (q *quickstart) search(ctx context.Context, budget time.Duration) error {
	calibration, _, err := q.images.train.Split(calibrateImages, splitSeed)
	if err != nil {
		return err
	}
	threads := runtime.GOMAXPROCS(0)
	accuracy, err := q.supernet.NewEvaluator(calibration, q.images.validation, threads)
	if err != nil {
		return err
	}
	problem := &searchProblem{space: q.space, objectives: allObjectives, accuracy: accuracy, predictor: q.predictor}
	journal, err := openEvaluationJournal(q.folder.evaluations(), len(problem.objectives))
	if err != nil {
		return err
	}
	defer journal.Close()
	began := time.Now()
	q.outcome, err = problem.searchWithControl(ctx, q.folder.state.Seed, threads, journal, func(evaluations int) bool {
		spent := time.Since(began)
		q.progress.report(spent.Seconds()/budget.Seconds(), budget-spent, fmt.Sprintf("%d evaluations each of NSGA-II and random search", evaluations))
		return q.folder.state.Finished["search"] || evaluations > 0 && spent >= budget
	})
	if err != nil {
		return err
	}
	o := q.outcome
	q.progress.say("      %d evaluations each: hypervolume %.4f by NSGA-II, %.4f by random search; %d networks on the front",
		len(o.Evaluated), o.Hypervolume, o.RandomHypervolume, len(o.Front))
	return nil
}

// pickResult is a network of the front that was exported.
type pickResult struct {
	comparison
	Pick         string // smallest, knee, most accurate
	File         string
	Architecture string
	Estimated    float64 // accuracy on validation images with the supernet's weights, %
	Accuracy     float64 // accuracy of the ONNX file on held-out images, %
	MACs, Params int64
}

// export writes the picks as ONNX files and classifies held-out images with
// the files.
func (q *quickstart) export(ctx context.Context, _ time.Duration) error {
	if q.folder.state.Finished["export"] {
		if ok, err := readJSONFile(q.folder.check(), &q.check); ok || err != nil {
			return err
		}
	}
	calibration, _, err := q.images.train.Split(calibrateImages, splitSeed)
	if err != nil {
		return err
	}
	evaluator, err := q.supernet.NewEvaluator(calibration, q.images.validation, 1)
	if err != nil {
		return err
	}
	q.check.Picks = nil
	for i, e := range q.outcome.pickThree() {
		scores, err := evaluator.Evaluate(ctx, e.Architecture)
		if err != nil {
			return err
		}
		g, err := q.supernet.Export(e.Architecture, scores[0])
		if err != nil {
			return err
		}
		prediction, err := q.predictor.PredictGraph(g)
		if err != nil {
			return err
		}
		addCostMetadata(g, q.outcome.picked(prediction), q.device.Fingerprint())
		pick := pickResult{Pick: pickNames[i], File: pickNames[i] + ".onnx", Architecture: e.Architecture.String(), Estimated: 100 * scores[0].Accuracy}
		path := q.folder.path(pick.File)
		if err := onnx.Write(path, g); err != nil {
			return err
		}
		pick.MACs, pick.Params = g.MACs(), g.Params()
		if pick.Accuracy, err = modelAccuracy(ctx, path, q.images.test); err != nil {
			return err
		}
		pick.Accuracy *= 100
		q.check.Picks = append(q.check.Picks, pick)
		q.progress.say("      %s: architecture %s", path, e.Architecture)
	}
	return writeJSONFile(q.folder.check(), q.check)
}
