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
// teacher gave in the same step (Yu and Huang, "Universally Slimmable
// Networks", 2019, section 4.2), in part or not at all from labels.
type InPlaceDistillation struct {
	Smoothing float32 // share of a label that is spread over all classes, in [0, 1)
	Labels    float32 // share of the label in a student's target, in [0, 1]
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
	target := t.Softmax(teacher)
	classes := teacher.Shape[1]
	for i, label := range labels {
		row := target.Data[i*classes:][:classes]
		for j := range row {
			row[j] *= 1 - d.Labels
		}
		row[label] += d.Labels
	}
	return t.SoftCrossEntropy(logits, target), nil
}
