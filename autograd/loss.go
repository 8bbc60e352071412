package autograd

import (
	"fmt"
	"math"

	"github.com/hwprofd/hwprofd/kernels"
)

// Softmax returns the softmax of every row of x [N, C].
func (t *Tape) Softmax(x *Tensor) *Tensor {
	n, c := x.rows("Softmax")
	y := t.empty(n, c)
	kernels.Softmax(n, c, y.Data, x.Data)
	t.record(node{backward: softmaxBackward, out: y, in: [3]*Tensor{x}})
	return y
}

func softmaxBackward(t *Tape, n *node) {
	_, c := n.out.rows("Softmax")
	for i := 0; i < len(n.out.Data); i += c {
		y, g := n.out.Data[i:i+c], n.out.Grad[i:i+c]
		dot := kernels.Dot(y, g)
		for j := range g {
			g[j] = y[j] * (g[j] - dot)
		}
	}
	t.pass(n, n.in[0])
}

// CrossEntropy returns the mean over the batch of the cross-entropy between
// the softmax of logits [N, C] and the labels, in nats: [1]. A share of the
// target, smoothing, is spread evenly over all classes (Szegedy et al.,
// "Rethinking the Inception Architecture", 2016, section 7).
func (t *Tape) CrossEntropy(logits *Tensor, labels []int, smoothing float32) *Tensor {
	n, c := logits.rows("CrossEntropy")
	if len(labels) != n {
		panic(fmt.Sprintf("autograd: CrossEntropy of %d rows with %d labels", n, len(labels)))
	}
	target := t.empty(n, c)
	for i, label := range labels {
		if label < 0 || label >= c {
			panic(fmt.Sprintf("autograd: CrossEntropy with label %d of %d classes", label, c))
		}
		row := target.Data[i*c : (i+1)*c]
		for j := range row {
			row[j] = smoothing / float32(c)
		}
		row[label] += 1 - smoothing
	}
	return t.SoftCrossEntropy(logits, target)
}

// SoftCrossEntropy returns the mean over the batch of the cross-entropy
// between the softmax of logits [N, C] and the probabilities target [N, C], in
// nats: [1]. No gradient goes to target.
func (t *Tape) SoftCrossEntropy(logits, target *Tensor) *Tensor {
	n, c := logits.rows("SoftCrossEntropy")
	sameShape("SoftCrossEntropy", logits, target)
	y := t.empty(1)
	var sum float64
	for i := 0; i < len(logits.Data); i += c {
		row := logits.Data[i : i+c]
		norm := logSumExp(row)
		for j, p := range target.Data[i : i+c] {
			sum += float64(p) * (norm - float64(row[j]))
		}
	}
	y.Data[0] = float32(sum / float64(n))
	t.record(node{backward: crossEntropyBackward, out: y, in: [3]*Tensor{logits, t.Detach(target)}})
	return y
}

func crossEntropyBackward(t *Tape, n *node) {
	logits, target := n.in[0], n.in[1]
	rows, c := logits.rows("SoftCrossEntropy")
	g, fresh := t.gradient(logits)
	if fresh {
		clear(g)
	}
	d := n.out.Grad[0] / float32(rows)
	for i := 0; i < len(g); i += c {
		norm := logSumExp(logits.Data[i : i+c])
		var mass float32
		for _, p := range target.Data[i : i+c] {
			mass += p
		}
		for j := range c {
			q := float32(math.Exp(float64(logits.Data[i+j]) - norm))
			g[i+j] += d * (mass*q - target.Data[i+j])
		}
	}
}

func logSumExp(row []float32) float64 {
	top := math.Inf(-1)
	for _, v := range row {
		top = max(top, float64(v))
	}
	var sum float64
	for _, v := range row {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}
