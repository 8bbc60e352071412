package supernet

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hwprofd/hwprofd/autograd"
	"github.com/hwprofd/hwprofd/dataset"
	"github.com/hwprofd/hwprofd/inference"
)

func evaluator(t *testing.T, s *Supernet, threads int) *Evaluator {
	t.Helper()
	e, err := s.NewEvaluator(textures(40, 5), textures(50, 6), threads)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEvaluateChangesNothing(t *testing.T) {
	s := trainToy(t, toyConfig(5))
	var before [][]float32
	for _, p := range s.parameters {
		before = append(before, slices.Clone(p.Data))
	}
	all, err := evaluator(t, s, 1).Evaluate(t.Context(), architectures()...)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range s.parameters {
		if !slices.Equal(before[i], p.Data) {
			t.Errorf("%s has changed", p.Name)
		}
	}
	backwards := architectures()
	slices.Reverse(backwards)
	again, err := evaluator(t, s, 2).Evaluate(t.Context(), backwards...)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(again)
	if diff := cmp.Diff(all, again); diff != "" {
		t.Errorf("order or threads make a difference:\n%s", diff)
	}
}

// TestRecalibratedStatistics checks the first batch norm against the mean and
// variance of the stem's output, computed here.
func TestRecalibratedStatistics(t *testing.T) {
	s := newToy(t)
	images := textures(40, 5)
	e := evaluator(t, s, 1)
	scores, err := e.Evaluate(t.Context(), toy{}.Largest())
	if err != nil {
		t.Fatal(err)
	}
	pixels, _ := s.input(images, all(images), 12)
	tape := autograd.NewTape(1)
	y := tape.Conv2D(tape.Constant(pixels, 40, 1, 12, 12), s.stored["stem.weight"], nil, autograd.Conv2DOptions{
		Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1},
	})
	for c := range 8 {
		var sum, squares float64
		for n := range 40 {
			for _, v := range y.Data[(n*8+c)*36:][:36] {
				sum += float64(v)
				squares += float64(v) * float64(v)
			}
		}
		mean := sum / (40 * 36)
		variance := squares/(40*36) - mean*mean
		got := scores[0].Statistics
		if math.Abs(float64(got["stem.norm.mean"][c])-mean) > 1e-4 || math.Abs(float64(got["stem.norm.variance"][c])-variance) > 1e-3*variance {
			t.Errorf("channel %d: mean %v, variance %v; want %v, %v", c, got["stem.norm.mean"][c], got["stem.norm.variance"][c], mean, variance)
		}
	}
}

// TestExportGivesTheSameAnswers runs exported networks and compares logits with
// the supernet's and the accuracy with the evaluator's.
func TestExportGivesTheSameAnswers(t *testing.T) {
	s := trainToy(t, toyConfig(20))
	e := evaluator(t, s, 1)
	scores, err := e.Evaluate(t.Context(), architectures()...)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range architectures() {
		g, err := s.Export(a, scores[i])
		if err != nil {
			t.Fatal(err)
		}
		plan, err := inference.Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		net, err := s.network(a)
		if err != nil {
			t.Fatal(err)
		}
		pixels, labels := s.input(e.scoring, all(e.scoring), net.resolution)
		image := net.resolution * net.resolution
		tape := autograd.NewTape(1)
		logits, err := s.forward(tape, net, net.batch(tape, pixels), scores[i].Statistics, nil)
		if err != nil {
			t.Fatal(err)
		}
		right := 0
		for n, label := range labels {
			copy(plan.Inputs()[0].Data.([]float32), pixels[n*image:][:image])
			if err := plan.Run(); err != nil {
				t.Fatal(err)
			}
			out := plan.Outputs()[0].Data.([]float32)
			for c, v := range out {
				if want := logits.Data[n*4+c]; math.Abs(float64(v-want)) > 1e-4*(1+math.Abs(float64(want))) {
					t.Fatalf("%s: image %d: logit %d is %v, want %v", a, n, c, v, want)
				}
			}
			if slices.Max(out) == out[label] {
				right++
			}
		}
		if got := float64(right) / float64(len(labels)); got != scores[i].Accuracy {
			t.Errorf("%s: exported accuracy %v, evaluated %v", a, got, scores[i].Accuracy)
		}
		if g.Metadata["architecture"] != a.String() || g.Metadata["space"] != "toy" || g.Metadata["classes"] != "rows,columns,diagonals,noise" {
			t.Errorf("metadata %v", g.Metadata)
		}
	}
}

func TestExportRejectsForeignStatistics(t *testing.T) {
	s := newToy(t)
	scores, err := evaluator(t, s, 1).Evaluate(t.Context(), toy{}.Smallest())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Export(toy{}.Largest(), scores[0]); err == nil || !strings.Contains(err.Error(), "another architecture") {
		t.Errorf("error %v", err)
	}
}

func TestEvaluateRejects(t *testing.T) {
	s := newToy(t)
	wrong := textures(8, 1)
	wrong.Classes = wrong.Classes[:2]
	for name, images := range map[string]*dataset.Images{"no images": textures(0, 1), "other classes": wrong} {
		if _, err := s.NewEvaluator(textures(8, 1), images, 1); err == nil {
			t.Errorf("%s pass", name)
		}
	}
	if _, err := s.NewEvaluator(textures(8, 1), textures(8, 2), 0); err == nil {
		t.Error("no threads pass")
	}
	if _, err := evaluator(t, s, 2).Evaluate(t.Context(), toy{}.Largest()[1:]); err == nil {
		t.Error("a short vector passes")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := evaluator(t, s, 2).Evaluate(cancelled, toy{}.Largest()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
