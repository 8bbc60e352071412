package supernet

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hwprofd/hwprofd/autograd"
	"github.com/hwprofd/hwprofd/dataset"
	"github.com/hwprofd/hwprofd/nas"
)

// scoringBatch is the number of images that are scored at a time: few, so that
// they stay in cache.
const scoringBatch = 32

// Evaluator gives the accuracy of subnets as they are, without training them
// further: it recalibrates their batch norms with some images and classifies
// others. It changes nothing in the supernet.
type Evaluator struct {
	supernet    *Supernet
	calibration *dataset.Images
	scoring     *dataset.Images
	tapes       []*autograd.Tape

	mu       sync.Mutex
	prepared map[int]*prepared // by resolution
}

// prepared are all images at one resolution, normalised, [N, C, H, W].
type prepared struct {
	calibration, scoring []float32
	labels               []int // of scoring
}

// Score is what an Evaluator found out about an architecture.
type Score struct {
	Accuracy   float64    // share of the scored images that are classified right
	Statistics Statistics // its recalibrated batch-norm statistics, for Export
}

// NewEvaluator makes an evaluator that recalibrates with one set of images,
// all in one batch (a few hundred of those that the supernet was trained with
// will do), scores with another, and evaluates that many architectures at a
// time as threads says.
func (s *Supernet) NewEvaluator(calibration, scoring *dataset.Images, threads int) (*Evaluator, error) {
	if threads < 1 {
		return nil, fmt.Errorf("supernet: %d threads", threads)
	}
	for _, images := range []*dataset.Images{calibration, scoring} {
		if images.N == 0 || images.C != len(s.mean) || len(images.Classes) != len(s.classes) {
			return nil, fmt.Errorf("supernet: %s has %d images of %d channels and %d classes; the supernet is for %d channels and %d classes",
				images.Name, images.N, images.C, len(images.Classes), len(s.mean), len(s.classes))
		}
	}
	e := &Evaluator{supernet: s, calibration: calibration, scoring: scoring, prepared: map[int]*prepared{}}
	for range threads {
		t := autograd.NewTape(1)
		t.SetGrad(false)
		e.tapes = append(e.tapes, t)
	}
	return e, nil
}

// Evaluate scores architectures, in the order given. The result depends on
// nothing but the weights, the architecture and the images. It must not be
// called from several goroutines at a time, nor while the supernet trains.
func (e *Evaluator) Evaluate(ctx context.Context, architectures ...nas.Architecture) ([]Score, error) {
	scores := make([]Score, len(architectures))
	failures := make([]error, len(e.tapes))
	var next atomic.Int64
	var wg sync.WaitGroup
	for i, tape := range e.tapes {
		wg.Go(func() {
			for failures[i] == nil {
				j := int(next.Add(1)) - 1
				if j >= len(architectures) {
					return
				}
				scores[j], failures[i] = e.evaluate(ctx, tape, architectures[j])
			}
		})
	}
	wg.Wait()
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	return scores, nil
}

func (e *Evaluator) evaluate(ctx context.Context, t *autograd.Tape, a nas.Architecture) (Score, error) {
	net, err := e.supernet.network(a)
	if err != nil {
		return Score{}, err
	}
	images := e.prepare(net)
	statistics, err := e.supernet.recalibrate(ctx, t, net, images.calibration)
	if err != nil {
		return Score{}, err
	}
	right, err := e.supernet.count(ctx, t, net, statistics, images.scoring, images.labels)
	if err != nil {
		return Score{}, err
	}
	return Score{Accuracy: float64(right) / float64(e.scoring.N), Statistics: statistics}, nil
}

func (e *Evaluator) prepare(net *network) *prepared {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, ok := e.prepared[net.resolution]
	if !ok {
		p = new(prepared)
		p.calibration, _ = e.supernet.input(e.calibration, all(e.calibration), net.resolution)
		p.scoring, p.labels = e.supernet.input(e.scoring, all(e.scoring), net.resolution)
		e.prepared[net.resolution] = p
	}
	return p
}

func all(images *dataset.Images) []int {
	indices := make([]int, images.N)
	for i := range indices {
		indices[i] = i
	}
	return indices
}

// recalibrate takes the statistics of one batch of pixels [N, C, H, W]. Each
// batch norm sees what the ones before it make of the same batch, so that one
// pass gives them all.
func (s *Supernet) recalibrate(ctx context.Context, t *autograd.Tape, net *network, pixels []float32) (Statistics, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer t.Reset()
	statistics := Statistics{}
	_, err := s.forward(t, net, net.batch(t, pixels), nil, func(mean, variance string, of autograd.Statistics) {
		statistics[mean], statistics[variance] = slices.Clone(of.Mean), slices.Clone(of.Variance)
	})
	return statistics, err
}

// count returns how many of the pixels [N, C, H, W] are classified as labelled.
func (s *Supernet) count(ctx context.Context, t *autograd.Tape, net *network, statistics Statistics, pixels []float32, labels []int) (int, error) {
	image := len(pixels) / len(labels)
	right := 0
	for first := 0; first < len(labels); first += scoringBatch {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		last := min(first+scoringBatch, len(labels))
		logits, err := s.forward(t, net, net.batch(t, pixels[first*image:last*image]), statistics, nil)
		if err != nil {
			return 0, err
		}
		classes := logits.Shape[1]
		for i, label := range labels[first:last] {
			row := logits.Data[i*classes:][:classes]
			if slices.Max(row) == row[label] && !slices.ContainsFunc(row, func(v float32) bool { return v != v }) {
				right++
			}
		}
		t.Reset()
	}
	return right, nil
}

// input makes the network's input [N, C, resolution, resolution] and labels of
// some images.
func (s *Supernet) input(images *dataset.Images, indices []int, resolution int) ([]float32, []int) {
	pixels := make([]float32, len(indices)*images.C*resolution*resolution)
	labels := make([]int, len(indices))
	transform := dataset.Transform{Resolution: resolution, Mean: s.mean, Deviation: s.std}
	images.Batch(pixels, labels, indices, transform, nil)
	return pixels, labels
}

// batch returns pixels, whole images of the network's resolution, as a tensor
// [N, C, H, W].
func (n *network) batch(t *autograd.Tape, pixels []float32) *autograd.Tensor {
	shape := slices.Clone(n.graph.Inputs[0].Shape)
	shape[0] = len(pixels) / (shape[1] * shape[2] * shape[3])
	return t.Constant(pixels, shape...)
}
