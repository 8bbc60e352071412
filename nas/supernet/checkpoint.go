package supernet

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hwprofd/hwprofd/autograd"
	"github.com/hwprofd/hwprofd/nas"
)

// A checkpoint's metadata hold a record under this key.
const recordKey = "supernet"

const recordVersion = 1

// record is everything about a training but the tensors.
type record struct {
	Version   int
	Space     string
	Images    int // in the training set
	Mean, Std []float32
	Classes   []string
	Training  Training
	LossSum   float64
	LossCount int
}

// save writes the checkpoint, if one is kept.
func (t *trainer) save() error {
	if t.CheckpointPath == "" {
		return nil
	}
	s := t.supernet
	text, err := json.Marshal(record{
		Version: recordVersion, Space: t.Space.Name(), Images: t.Train.N,
		Mean: s.mean, Std: s.std, Classes: s.classes,
		Training: t.training, LossSum: t.lossSum, LossCount: t.lossCount,
	})
	if err != nil {
		return fmt.Errorf("supernet: %w", err)
	}
	c := autograd.Checkpoint{Metadata: map[string]string{recordKey: string(text)}, Tensors: t.tensors()}
	if err := c.Write(t.CheckpointPath); err != nil {
		return fmt.Errorf("supernet: %w", err)
	}
	t.saved = time.Now()
	return nil
}

// tensors are the weights and their momentum.
func (t *trainer) tensors() []*autograd.Tensor {
	tensors := slices.Clone(t.supernet.parameters)
	for _, p := range t.supernet.parameters {
		tensors = append(tensors, t.optimizer.Velocity(p))
	}
	return tensors
}

// restore takes over a checkpoint of the same training.
func (t *trainer) restore(c *autograd.Checkpoint) error {
	r, err := readRecord(c, t.Space)
	if err != nil {
		return err
	}
	for _, same := range []struct {
		what      string
		have, ask any
	}{
		{"seed", r.Training.Seed, t.Seed},
		{"training images", r.Training.Images, t.Train.Name},
		{"number of training images", r.Images, t.Train.N},
	} {
		if same.have != same.ask {
			return fmt.Errorf("it was trained with %s %v, asked for is %v; choose another file or remove it", same.what, same.have, same.ask)
		}
	}
	if err := c.Restore(t.tensors()); err != nil {
		return err
	}
	t.training, t.lossSum, t.lossCount = r.Training, r.LossSum, r.LossCount
	return nil
}

func readRecord(c *autograd.Checkpoint, space nas.Space) (record, error) {
	var r record
	text, ok := c.Metadata[recordKey]
	if !ok {
		return r, errors.New("it is not a supernet's checkpoint")
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return r, fmt.Errorf("its record: %w", err)
	}
	if r.Version != recordVersion {
		return r, fmt.Errorf("its record has version %d, this program reads version %d", r.Version, recordVersion)
	}
	if r.Space != space.Name() {
		return r, fmt.Errorf("it is of space %s, asked for is %s", r.Space, space.Name())
	}
	return r, nil
}

// Load reads the supernet and the record of its training from a checkpoint,
// finished or not.
func Load(path string, space nas.Space) (*Supernet, error) {
	c, err := autograd.ReadCheckpoint(path)
	if err != nil {
		return nil, fmt.Errorf("supernet: %w", err)
	}
	s, err := load(c, space)
	if err != nil {
		return nil, fmt.Errorf("supernet: %s: %w", path, err)
	}
	return s, nil
}

func load(c *autograd.Checkpoint, space nas.Space) (*Supernet, error) {
	r, err := readRecord(c, space)
	if err != nil {
		return nil, err
	}
	s := &Supernet{space: space, sharing: Slices{}, mean: r.Mean, std: r.Std, classes: r.Classes, training: r.Training}
	if err := s.initialize(r.Training.Seed); err != nil {
		return nil, err
	}
	return s, c.Restore(s.parameters)
}
