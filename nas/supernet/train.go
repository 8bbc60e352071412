package supernet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/hwprofd/hwprofd/autograd"
	"github.com/hwprofd/hwprofd/dataset"
	"github.com/hwprofd/hwprofd/nas"
)

// Config says what to train, on what, for how long.
type Config struct {
	Space      nas.Space
	Train      *dataset.Images
	Validation *dataset.Images // for the training curve only; part of it is used

	// One of the two. With a number of steps, the same configuration gives
	// the same weights, bit for bit, for any number of threads and any number
	// of interruptions. With a budget, the learning rate follows the share of
	// it that is spent, so that training ends in time and fully annealed
	// however fast the machine is and whatever else it does. Time spent before
	// an interruption counts.
	Steps  int
	Budget time.Duration

	Seed    uint64
	Threads int // 0: as many as the machine has cores

	CheckpointPath  string        // "": keep none
	CheckpointEvery time.Duration // 0: only at the end and when interrupted

	Progress func(Progress) // called after each step; may be nil
}

// Progress is where a training stands.
type Progress struct {
	Step    int           // done
	Share   float64       // of the steps or of the budget that is spent, in [0, 1]
	Elapsed time.Duration // with all interrupted runs, without the time between
	Left    time.Duration
	Loss    float64 // of the largest architecture in the last step, nats
}

// Training is the record of a training, as kept in its checkpoint.
type Training struct {
	Seed     uint64
	Images   string // name of the training set
	Step     int    // steps done
	Elapsed  time.Duration
	Finished bool
	Curve    []Point
}

// Point is a point of the training curve.
type Point struct {
	Step     int
	Seconds  float64
	Loss     float64 // mean over the steps since the last point, of the largest architecture, nats
	Smallest float64 // accuracy on validation images, share in [0, 1]
	Largest  float64
}

// How a supernet is trained; found by trying on Fashion-MNIST within 90 s on
// two cores.
const (
	batchSize       = 32
	learningRate    = 0.05
	warmUp          = 0.05 // share of the training
	momentum        = 0.9
	weightDecay     = 1e-4
	gradientLimit   = 5 // Euclidean norm
	smoothing       = 0.1
	studentLabels   = 0.5 // share in a student's target
	randomSubnets   = 2
	largestAlone    = 0.2 // share of the training before subnets join
	curvePoints     = 10
	calibrationSize = 256
	curveImages     = 500
)

// trainer is a training under way.
type trainer struct {
	Config
	supernet  *Supernet
	sampler   Sampler
	objective Objective
	optimizer autograd.SGD
	tape      *autograd.Tape
	batches   *dataset.Batches
	evaluator *Evaluator

	training  Training
	lossSum   float64 // of the largest since the last point of the curve
	lossCount int
	resumed   time.Duration // elapsed before this run
	started   time.Time
	saved     time.Time
}

// Train trains a supernet with slices of shared tensors, the sandwich rule and
// in-place distillation. If there is a file at the checkpoint's path it goes
// on from there; a finished one is returned as it is. When ctx is cancelled,
// Train writes a checkpoint and returns the context's error.
func Train(ctx context.Context, c Config) (*Supernet, error) {
	t, err := newTrainer(c)
	if err != nil {
		return nil, err
	}
	if err := t.resume(); err != nil {
		return nil, err
	}
	if err := t.run(ctx); err != nil {
		return nil, err
	}
	t.supernet.training = t.training
	return t.supernet, nil
}

func newTrainer(c Config) (*trainer, error) {
	if c.Space == nil || c.Train == nil || c.Validation == nil {
		return nil, errors.New("supernet: training needs a space, training and validation images")
	}
	if (c.Steps > 0) == (c.Budget > 0) || c.Steps < 0 || c.Budget < 0 {
		return nil, fmt.Errorf("supernet: training for %d steps and %v; want a positive number of one of them", c.Steps, c.Budget)
	}
	if c.Threads == 0 {
		c.Threads = runtime.GOMAXPROCS(0)
	}
	s, err := New(c.Space, Slices{}, c.Train, c.Seed)
	if err != nil {
		return nil, err
	}
	batches, err := dataset.NewBatches(c.Train.N, batchSize, c.Seed)
	if err != nil {
		return nil, fmt.Errorf("supernet: %w", err)
	}
	t := &trainer{
		Config:    c,
		batches:   batches,
		supernet:  s,
		sampler:   Sandwich{Random: randomSubnets, Alone: largestAlone},
		objective: InPlaceDistillation{Smoothing: smoothing, Labels: studentLabels},
		optimizer: autograd.SGD{
			Momentum: momentum, Nesterov: true, WeightDecay: weightDecay,
			Decays: func(p *autograd.Tensor) bool { return s.decays[p] },
		},
		tape:     autograd.NewTape(c.Threads),
		training: Training{Seed: c.Seed, Images: c.Train.Name},
	}
	calibration, _, err := c.Train.Split(min(calibrationSize, c.Train.N), c.Seed)
	if err != nil {
		return nil, fmt.Errorf("supernet: %w", err)
	}
	scoring, _, err := c.Validation.Split(min(curveImages, c.Validation.N), c.Seed)
	if err != nil {
		return nil, fmt.Errorf("supernet: %w", err)
	}
	t.evaluator, err = s.NewEvaluator(calibration, scoring, c.Threads)
	return t, err
}

// resume reads the checkpoint if there is one.
func (t *trainer) resume() error {
	if t.CheckpointPath == "" {
		return nil
	}
	c, err := autograd.ReadCheckpoint(t.CheckpointPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("supernet: %w; remove the file to train from the start", err)
	}
	if err := t.restore(c); err != nil {
		return fmt.Errorf("supernet: %s: %w", t.CheckpointPath, err)
	}
	return nil
}

func (t *trainer) run(ctx context.Context) error {
	t.resumed, t.started, t.saved = t.training.Elapsed, time.Now(), time.Now()
	steps := 0 // of this run
	for !t.training.Finished {
		end := t.share() >= 1
		if t.Budget > 0 && steps > 0 {
			// No step is begun that would likely end too late.
			step := (t.training.Elapsed - t.resumed) / time.Duration(steps)
			end = end || t.training.Elapsed+step > t.Budget
		}
		err := t.extendCurve(ctx, end)
		if err == nil && end {
			t.training.Finished = true
			break
		}
		var loss float64
		if err == nil {
			loss, err = t.step(ctx)
		}
		if err != nil {
			if ctx.Err() == nil {
				return err
			}
			return errors.Join(ctx.Err(), t.save())
		}
		steps++
		t.training.Step++
		t.training.Elapsed = t.resumed + time.Since(t.started)
		t.lossSum, t.lossCount = t.lossSum+loss, t.lossCount+1
		if t.CheckpointEvery > 0 && time.Since(t.saved) >= t.CheckpointEvery {
			if err := t.save(); err != nil {
				return err
			}
		}
		if t.Progress != nil {
			t.Progress(t.progress(loss))
		}
	}
	return t.save()
}

// shareAt is how much of the training is done after a number of steps and a
// time, in [0, 1].
func (t *trainer) shareAt(step int, elapsed time.Duration) float64 {
	if t.Steps > 0 {
		return min(float64(step)/float64(t.Steps), 1)
	}
	return min(elapsed.Seconds()/t.Budget.Seconds(), 1)
}

func (t *trainer) share() float64 { return t.shareAt(t.training.Step, t.training.Elapsed) }

func (t *trainer) progress(loss float64) Progress {
	p := Progress{Step: t.training.Step, Share: t.share(), Elapsed: t.training.Elapsed, Loss: loss}
	if p.Left = max(t.Budget-p.Elapsed, 0); t.Steps > 0 {
		p.Left = time.Duration(float64(p.Elapsed) * (1 - p.Share) / p.Share)
	}
	return p
}

// rate is the learning rate at a share of the training: linear warm-up, then
// half a cosine down to 0.
func rate(share float64) float32 {
	const steps = 1_000_000
	return float32(autograd.Cosine(int(share*steps), steps, warmUp*steps, learningRate))
}

// step makes one step of the optimiser and returns the loss of the first pass,
// the largest architecture's. Where it fails, nothing but gradients is changed.
func (t *trainer) step(ctx context.Context) (loss float64, err error) {
	rng := rand.New(rand.NewPCG(t.Seed, uint64(t.training.Step)<<8|sampleStream))
	autograd.ZeroGrad(t.supernet.parameters)
	var teacher *autograd.Tensor
	for i, pass := range t.sampler.Plan(t.Space, t.share(), rng) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		value, logits, err := t.pass(pass, teacher)
		if err != nil {
			return 0, err
		}
		if pass.Role == Teacher {
			teacher = logits
		}
		if i == 0 {
			loss = value
		}
	}
	if norm := autograd.ClipNorm(t.supernet.parameters, gradientLimit); math.IsNaN(norm) || math.IsInf(norm, 0) {
		return 0, fmt.Errorf("supernet: step %d: the gradient is %v; training has diverged", t.training.Step, norm)
	}
	t.optimizer.LearningRate = rate(t.share())
	t.optimizer.Step(t.supernet.parameters)
	return loss, nil
}

// pass adds the gradient of one pass to that of the parameters. It returns the
// loss and a copy of the logits [N, classes].
func (t *trainer) pass(p Pass, teacher *autograd.Tensor) (float64, *autograd.Tensor, error) {
	net, err := t.supernet.network(p.Architecture)
	if err != nil {
		return 0, nil, err
	}
	pixels, labels := t.supernet.input(t.Train, t.batches.At(t.training.Step), net.resolution)
	t.tape.Reset()
	logits, err := t.supernet.forward(t.tape, net, net.batch(t.tape, pixels), nil, nil)
	if err != nil {
		return 0, nil, err
	}
	loss, err := t.objective.Loss(t.tape, p.Role, logits, labels, teacher)
	if err != nil {
		return 0, nil, err
	}
	t.tape.Backward(loss, p.Weight)
	kept := autograd.NewTensor(logits.Shape...)
	copy(kept.Data, logits.Data)
	return float64(loss.Data[0]), kept, nil
}

// extendCurve adds a point to the training curve if one is due.
func (t *trainer) extendCurve(ctx context.Context, end bool) error {
	var last Point
	if n := len(t.training.Curve); n > 0 {
		last = t.training.Curve[n-1]
	}
	lastShare := t.shareAt(last.Step, time.Duration(last.Seconds*float64(time.Second)))
	if t.training.Step == last.Step || !end && int(lastShare*curvePoints) == int(t.share()*curvePoints) {
		return nil
	}
	scores, err := t.evaluator.Evaluate(ctx, t.Space.Largest(), t.Space.Smallest())
	if err != nil {
		return err
	}
	t.training.Curve = append(t.training.Curve, Point{
		Step:     t.training.Step,
		Seconds:  t.training.Elapsed.Seconds(),
		Loss:     t.lossSum / float64(t.lossCount),
		Largest:  scores[0].Accuracy,
		Smallest: scores[1].Accuracy,
	})
	t.lossSum, t.lossCount = 0, 0
	return nil
}
