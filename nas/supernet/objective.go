package supernet

import (
	"errors"

	"github.com/hwprofd/hwprofd/autograd"
)

// Objective is what the subnets of a training step learn from.
type Objective interface {
	// Loss is the loss, of shape [1], of a pass in the given role with the
	// given logits [N, classes]. teacher holds the logits [N, classes] of the
	// last teacher of the step as a constant, and is nil where there was none.
	Loss(t *autograd.Tape, role Role, logits *autograd.Tensor, labels []int, teacher *autograd.Tensor) (*autograd.Tensor, error)
}

// InPlaceDistillation is cross-entropy with the labels, smoothed, for plain
// subnets and teachers. A student learns from the probabilities that the
// teacher gave in the same step, and not from labels (Yu and Huang,
// "Universally Slimmable Networks", 2019, section 4.2).
type InPlaceDistillation struct {
	Smoothing float32 // share of the target spread over all classes, in [0, 1)
}

var errNoTeacher = errors.New("supernet: the sampler plans a student before any teacher")

// Loss implements Objective.
func (d InPlaceDistillation) Loss(t *autograd.Tape, role Role, logits *autograd.Tensor, labels []int, teacher *autograd.Tensor) (*autograd.Tensor, error) {
	if role != Student {
		return t.CrossEntropy(logits, labels, d.Smoothing), nil
	}
	if teacher == nil {
		return nil, errNoTeacher
	}
	return t.SoftCrossEntropy(logits, t.Softmax(teacher)), nil
}
