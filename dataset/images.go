// Package dataset holds labelled images to train and judge networks with: a
// sample of Fashion-MNIST that is part of the program, and readers of the
// standard files of MNIST, Fashion-MNIST and CIFAR-10.
//
// [Images] keeps the pixels as they are in the files. [Images.Batch] turns
// some of them into a network's input: augmented, resized and normalised, in
// memory of the caller. [Batches] says which images form the batch of a
// training step.
package dataset

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Images is a set of labelled images.
type Images struct {
	Name       string
	N, C, H, W int      // images, channels, height and width in pixels
	Pixels     []uint8  // [N, C, H, W]
	Labels     []uint8  // [N], indices of Classes
	Classes    []string // names
}

// Split draws n of the images at random, the same ones for the same seed, and
// returns them and the rest, both in their former order. It is an error if
// there are fewer than n.
func (s *Images) Split(n int, seed uint64) (drawn, rest *Images, err error) {
	if n < 0 || n > s.N {
		return nil, nil, fmt.Errorf("dataset: %s: cannot draw %d of %d images", s.Name, n, s.N)
	}
	take := make([]bool, s.N)
	for _, i := range rand.New(rand.NewPCG(seed, 0)).Perm(s.N)[:n] {
		take[i] = true
	}
	drawn, rest = s.sized(n), s.sized(s.N-n)
	for i := range s.N {
		if take[i] {
			drawn.add(s, i)
		} else {
			rest.add(s, i)
		}
	}
	return drawn, rest, nil
}

// PerClass returns the first n images of every class, in their former order.
// It is an error if a class has fewer.
func (s *Images) PerClass(n int) (*Images, error) {
	out := s.sized(n * len(s.Classes))
	count := make([]int, len(s.Classes))
	for i, label := range s.Labels {
		if count[label]++; count[label] <= n {
			out.add(s, i)
		}
	}
	for label, have := range count {
		if have < n {
			return nil, fmt.Errorf("dataset: %s: class %s has %d images, wanted are %d", s.Name, s.Classes[label], have, n)
		}
	}
	return out, nil
}

// sized returns an empty set like s with room for n images.
func (s *Images) sized(n int) *Images {
	out := *s
	out.N = 0
	out.Pixels = make([]uint8, 0, n*s.C*s.H*s.W)
	out.Labels = make([]uint8, 0, n)
	return &out
}

// add appends the i-th image of from.
func (s *Images) add(from *Images, i int) {
	size := s.C * s.H * s.W
	s.Pixels = append(s.Pixels, from.Pixels[i*size:(i+1)*size]...)
	s.Labels = append(s.Labels, from.Labels[i])
	s.N++
}

// Moments returns the mean and the standard deviation of every channel, [C],
// of pixel values scaled to [0, 1].
func (s *Images) Moments() (mean, deviation []float32) {
	hw := s.H * s.W
	for c := range s.C {
		var histogram [256]int
		for i := range s.N {
			for _, v := range s.Pixels[(i*s.C+c)*hw:][:hw] {
				histogram[v]++
			}
		}
		var sum, squares float64
		for v, count := range histogram {
			x := float64(v) / 255
			sum += x * float64(count)
			squares += x * x * float64(count)
		}
		m := float64(max(s.N*hw, 1))
		mean = append(mean, float32(sum/m))
		deviation = append(deviation, float32(math.Sqrt(max(squares/m-sum/m*sum/m, 0))))
	}
	return mean, deviation
}
