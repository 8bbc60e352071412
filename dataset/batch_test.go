package dataset

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawImages returns a small set of random pixels.
func drawImages(t *rapid.T) *Images {
	s := &Images{
		Name: "random", N: rapid.IntRange(1, 5).Draw(t, "N"), C: rapid.IntRange(1, 3).Draw(t, "C"),
		H: rapid.IntRange(1, 9).Draw(t, "H"), W: rapid.IntRange(1, 9).Draw(t, "W"), Classes: []string{"a", "b"},
	}
	s.Pixels = rapid.SliceOfN(rapid.Uint8(), s.N*s.C*s.H*s.W, s.N*s.C*s.H*s.W).Draw(t, "pixels")
	s.Labels = rapid.SliceOfN(rapid.Uint8Range(0, 1), s.N, s.N).Draw(t, "labels")
	return s
}

// plain is a transform to [0, 1] without augmentation.
func plain(s *Images, r int) Transform {
	tr := Transform{Resolution: r, Mean: make([]float32, s.C), Deviation: make([]float32, s.C)}
	for c := range tr.Deviation {
		tr.Deviation[c] = 1
	}
	return tr
}

func (s *Images) batch(tr Transform, rng *rand.Rand) ([]float32, []int) {
	dst := make([]float32, s.N*s.C*tr.Resolution*tr.Resolution)
	labels := make([]int, s.N)
	indices := make([]int, s.N)
	for i := range indices {
		indices[i] = i
	}
	s.Batch(dst, labels, indices, tr, rng)
	return dst, labels
}

func TestResizeAgreesWithSampling(t *testing.T) {
	// The mean over an area is the mean over r·H x r·W samples of each pixel.
	rapid.Check(t, func(t *rapid.T) {
		s := drawImages(t)
		r := rapid.IntRange(1, 12).Draw(t, "r")
		got, labels := s.batch(plain(s, r), nil)
		for i, label := range labels {
			if label != int(s.Labels[i]) {
				t.Fatalf("label %d of image %d, want %d", label, i, s.Labels[i])
			}
		}
		for plane := range s.N * s.C {
			for y := range r {
				for x := range r {
					var sum float64
					for a := range s.H {
						for b := range s.W {
							sum += float64(s.Pixels[plane*s.H*s.W+(y*s.H+a)/r*s.W+(x*s.W+b)/r])
						}
					}
					want := sum / float64(255*s.H*s.W)
					if v := float64(got[(plane*r+y)*r+x]); math.Abs(v-want) > 1e-6 {
						t.Fatalf("plane %d, row %d, column %d: %v, want %v", plane, y, x, v, want)
					}
				}
			}
		}
	})
}

func TestBatchNormalises(t *testing.T) {
	train, _, err := FashionMNISTSample()
	if err != nil {
		t.Fatal(err)
	}
	small, err := train.PerClass(20)
	if err != nil {
		t.Fatal(err)
	}
	tr := Transform{Resolution: 28}
	tr.Mean, tr.Deviation = small.Moments()
	dst, _ := small.batch(tr, nil)
	var sum, squares float64
	for _, v := range dst {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(dst))
	if mean, variance := sum/n, squares/n; math.Abs(mean) > 1e-4 || math.Abs(variance-1) > 1e-4 {
		t.Errorf("mean %v and variance %v after normalisation", mean, variance)
	}

	tr.Deviation = []float32{0}
	dst, _ = small.batch(tr, nil)
	if slices.Max(dst) != 0 || slices.Min(dst) != 0 {
		t.Error("a channel without deviation is not 0")
	}
}

func TestAugmentation(t *testing.T) {
	s := &Images{Name: "dot", N: 200, C: 1, H: 5, W: 7, Classes: []string{"a"}, Labels: make([]uint8, 200)}
	s.Pixels = make([]uint8, s.N*35)
	for i := range s.N {
		s.Pixels[i*35+2*7+1] = 255 // row 2, column 1; column 5 when mirrored
	}
	tr := plain(s, 35)
	tr.Shift, tr.Flip = 2, true
	dst, _ := s.batch(tr, rand.New(rand.NewPCG(1, 2)))
	seen := map[[2]int]int{}
	for i := range s.N {
		where := [2]int{-1, -1}
		for y := range s.H {
			for x := range s.W {
				// A pixel of 5 x 7 images is 7 x 5 of the 35 x 35 result.
				if dst[i*35*35+(y*7+3)*35+x*5+2] == 1 {
					where = [2]int{y, x}
				}
			}
		}
		seen[where]++
	}
	// Column 1 moves to -1..3 and, mirrored to 5, to 3..7; row 2 to 0..4.
	for _, where := range [][2]int{{0, 0}, {4, 3}, {0, 3}, {4, 6}, {2, 5}, {2, 1}, {-1, -1}} {
		if seen[where] == 0 {
			t.Errorf("in 200 images the pixel was never at %v", where)
		}
	}

	again, _ := s.batch(tr, rand.New(rand.NewPCG(1, 2)))
	other, _ := s.batch(tr, rand.New(rand.NewPCG(1, 3)))
	if !slices.Equal(dst, again) || slices.Equal(dst, other) {
		t.Error("augmentation does not depend on the seed alone")
	}
}

func TestBatchAllocatesNothing(t *testing.T) {
	train, _, err := FashionMNISTSample()
	if err != nil {
		t.Fatal(err)
	}
	indices := []int{5, 3, 9999}
	labels := make([]int, 3)
	tr := plain(train, 20)
	tr.Shift, tr.Flip = 2, true
	dst := make([]float32, 3*400)
	rng := rand.New(rand.NewPCG(1, 2))
	if n := testing.AllocsPerRun(5, func() { train.Batch(dst, labels, indices, tr, rng) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		images := rapid.IntRange(1, 50).Draw(t, "images")
		size := rapid.IntRange(1, images).Draw(t, "size")
		seed := rapid.Uint64().Draw(t, "seed")
		b, err := NewBatches(images, size, seed)
		if err != nil {
			t.Fatal(err)
		}
		for epoch := range 3 {
			seen := map[int]bool{}
			for i := range b.PerEpoch() {
				at := b.At(epoch*b.PerEpoch() + i)
				if len(at) != size {
					t.Fatalf("batch of %d, want %d", len(at), size)
				}
				for _, k := range at {
					if k < 0 || k >= images || seen[k] {
						t.Fatalf("image %d, outside the set or twice in an epoch", k)
					}
					seen[k] = true
				}
			}
		}
		// A step asked for out of order is the same.
		step := rapid.IntRange(0, 2*b.PerEpoch()).Draw(t, "step")
		fresh, _ := NewBatches(images, size, seed)
		if !slices.Equal(fresh.At(step), b.At(step)) {
			t.Fatalf("step %d depends on the steps before it", step)
		}
	})
	b, err := NewBatches(1000, 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	if first := slices.Clone(b.At(0)); slices.IsSorted(first) || slices.Equal(first, b.At(1)) {
		t.Error("images are not shuffled anew for each epoch")
	}
	if _, err := NewBatches(10, 11, 1); err == nil {
		t.Error("a batch larger than the set is no error")
	}
	if _, err := NewBatches(10, 0, 1); err == nil {
		t.Error("an empty batch is no error")
	}
}

func BenchmarkBatch(b *testing.B) {
	train, _, err := FashionMNISTSample()
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range []int{20, 28} {
		b.Run(map[int]string{20: "resize", 28: "copy"}[r], func(b *testing.B) {
			tr := plain(train, r)
			tr.Shift, tr.Flip = 2, true
			batches, _ := NewBatches(train.N, 64, 1)
			dst, labels := make([]float32, 64*r*r), make([]int, 64)
			rng := rand.New(rand.NewPCG(1, 2))
			for i := 0; b.Loop(); i++ {
				train.Batch(dst, labels, batches.At(i), tr, rng)
			}
		})
	}
}
