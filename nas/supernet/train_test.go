package supernet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hwprofd/hwprofd/dataset"
)

func sameWeights(t *testing.T, want, got *Supernet) {
	t.Helper()
	for i, p := range want.parameters {
		if !slices.Equal(p.Data, got.parameters[i].Data) {
			t.Errorf("%s differs", p.Name)
		}
	}
}

func TestTrainLearns(t *testing.T) {
	s := trainToy(t, toyConfig(60))
	curve := s.Training().Curve
	if len(curve) != curvePoints {
		t.Errorf("%d points on the curve, want %d", len(curve), curvePoints)
	}
	last := curve[len(curve)-1]
	if last.Largest < 0.9 || last.Loss > curve[0].Loss/2 {
		t.Errorf("curve from %+v to %+v", curve[0], last)
	}
	scores, err := evaluator(t, s, 1).Evaluate(t.Context(), architectures()...)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range architectures() {
		if scores[i].Accuracy < 0.5 { // chance is 0.25
			t.Errorf("%s has accuracy %v", a, scores[i].Accuracy)
		}
	}
}

func TestTrainIsDeterministic(t *testing.T) {
	c := toyConfig(6)
	one := trainToy(t, c)
	c.Threads = 2
	two := trainToy(t, c)
	sameWeights(t, one, two)
	if diff := cmp.Diff(withoutTime(one.Training()), withoutTime(two.Training())); diff != "" {
		t.Errorf("two threads make a difference:\n%s", diff)
	}
	c.Seed++
	other := trainToy(t, c)
	if slices.Equal(one.parameters[0].Data, other.parameters[0].Data) {
		t.Error("another seed gives the same weights")
	}
}

func TestInterruptedTrainingEndsTheSame(t *testing.T) {
	whole := trainToy(t, toyConfig(12))

	c := toyConfig(12)
	c.CheckpointPath = filepath.Join(t.TempDir(), "supernet.ckpt")
	for _, stop := range []int{1, 5, 6} {
		ctx, cancel := context.WithCancel(t.Context())
		c.Progress = func(p Progress) {
			if p.Step == stop {
				cancel()
			}
		}
		if _, err := Train(ctx, c); !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped at step %d: error %v", stop, err)
		}
		s, err := Load(c.CheckpointPath, toy{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Training().Step != stop || s.Training().Finished {
			t.Fatalf("stopped at step %d, checkpoint says %+v", stop, s.Training())
		}
	}
	c.Progress = nil
	resumed := trainToy(t, c)
	sameWeights(t, whole, resumed)
	if diff := cmp.Diff(withoutTime(whole.Training()), withoutTime(resumed.Training())); diff != "" {
		t.Errorf("interruptions make a difference:\n%s", diff)
	}

	// A finished training is read, not repeated.
	c.Progress = func(Progress) { t.Error("a finished training goes on") }
	again := trainToy(t, c)
	sameWeights(t, whole, again)
	if diff := cmp.Diff(resumed.Training(), again.Training()); diff != "" {
		t.Errorf("the record of a finished training changes:\n%s", diff)
	}
	loaded, err := Load(c.CheckpointPath, toy{})
	if err != nil {
		t.Fatal(err)
	}
	sameWeights(t, whole, loaded)
	if diff := cmp.Diff(again.Training(), loaded.Training()); diff != "" {
		t.Errorf("the loaded record differs:\n%s", diff)
	}
}

func TestTrainWithinBudget(t *testing.T) {
	c := toyConfig(0)
	c.Budget = 300 * time.Millisecond
	c.CheckpointPath = filepath.Join(t.TempDir(), "supernet.ckpt")
	c.CheckpointEvery = time.Nanosecond
	share := 0.0
	c.Progress = func(p Progress) {
		if p.Share < share || p.Share > 1 || p.Left != max(0, c.Budget-p.Elapsed) {
			t.Errorf("after a share of %v: %+v", share, p)
		}
		share = p.Share
		if _, err := os.Stat(c.CheckpointPath); err != nil {
			t.Error(err)
		}
	}
	s := trainToy(t, c)
	tr := s.Training()
	if !tr.Finished || tr.Step == 0 || len(tr.Curve) == 0 || tr.Curve[len(tr.Curve)-1].Step != tr.Step {
		t.Errorf("%+v", tr)
	}
}

func TestRateWarmsUpAndFallsToZero(t *testing.T) {
	if first, peak := rate(0), rate(warmUp); first > peak/100 || peak < learningRate*0.99 {
		t.Errorf("rate rises from %v to %v", first, peak)
	}
	for share := 0.06; share < 1; share += 0.01 {
		if rate(share) >= rate(share-0.01) {
			t.Errorf("rate does not fall at %v", share)
		}
	}
	if last := rate(1); last > learningRate*1e-6 {
		t.Errorf("rate ends at %v", last)
	}
}

func TestTrainRejects(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no space":            func(c *Config) { c.Space = nil },
		"no training images":  func(c *Config) { c.Train = nil },
		"too few images":      func(c *Config) { c.Train = textures(8, 1) },
		"steps and budget":    func(c *Config) { c.Budget = time.Second },
		"neither":             func(c *Config) { c.Steps = 0 },
		"negative steps":      func(c *Config) { c.Steps, c.Budget = -1, time.Second },
		"negative threads":    func(c *Config) { c.Threads = -1 },
		"other classes":       func(c *Config) { c.Train.Classes = c.Train.Classes[:3] },
		"unwritable folder":   func(c *Config) { c.CheckpointPath = filepath.Join("no", "such", "folder", "file") },
		"colour images":       func(c *Config) { c.Train = colour() },
		"colour to validate":  func(c *Config) { c.Validation = colour() },
		"checkpoint a folder": func(c *Config) { c.CheckpointPath = t.TempDir() },
	} {
		c := toyConfig(2)
		change(&c)
		if _, err := Train(t.Context(), c); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func colour() *dataset.Images {
	images := textures(256, 1)
	images.C, images.N, images.H = 3, 256/3, 12
	images.Labels = images.Labels[:images.N]
	return images
}

func TestCheckpointErrorsNameTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "supernet.ckpt")
	c := toyConfig(2)
	c.CheckpointPath = path
	trainToy(t, c)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(name string, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}

	other := c
	other.Seed++
	_, err = Train(t.Context(), other)
	expect("other seed", err, "seed 3, asked for is 4")
	other = c
	other.Train = textures(256, 9)
	_, err = Train(t.Context(), other)
	expect("other images", err, "training images textures1")
	_, err = Load(path, renamed{})
	expect("other space", err, "of space toy, asked for is renamed")

	for _, size := range []int{0, 5, 1000, len(whole) - 1} {
		if err := os.WriteFile(path, whole[:size], 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Train(t.Context(), c)
		expect("truncated", err, "remove the file")
		_, err = Load(path, toy{})
		expect("truncated", err, "")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = Load(path, toy{})
	expect("missing", err, "no such file")
}

type renamed struct{ toy }

func (renamed) Name() string { return "renamed" }

func TestResidualBranchesStartAtZero(t *testing.T) {
	for _, p := range newToy(t).parameters {
		want := float32(1)
		if p.Name == "project.norm.scale" {
			want = 0
		}
		if strings.HasSuffix(p.Name, ".scale") && slices.ContainsFunc(p.Data, func(v float32) bool { return v != want }) {
			t.Errorf("%s starts at %v, want %v", p.Name, p.Data, want)
		}
	}
}
