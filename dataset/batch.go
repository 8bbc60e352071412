package dataset

import (
	"fmt"
	"math/rand/v2"
)

// Transform says how Batch makes a network's input of an image.
type Transform struct {
	Resolution int // height and width of the result, in pixels
	// Mean and Deviation of the channels, [C], as Moments returns them: a
	// pixel v in [0, 1] becomes (v - Mean) / Deviation. A channel whose
	// deviation is 0 becomes 0.
	Mean, Deviation []float32
	Shift           int  // moves each image by up to this many of its pixels each way; black moves in
	Flip            bool // mirrors every other image left to right, at random
}

// Batch writes the images of the given indices to dst
// [len(indices), C, Resolution, Resolution] and their labels to labels
// [len(indices)]. rng decides on shifts and flips; where it is nil there are
// none. Resizing takes the mean over the area that a pixel covers.
//
// Indices outside the set, a transform for another number of channels and
// slices of another length are programming errors and panic.
func (s *Images) Batch(dst []float32, labels []int, indices []int, tr Transform, rng *rand.Rand) {
	r := tr.Resolution
	size := s.C * r * r
	switch {
	case r < 1:
		panic(fmt.Sprintf("dataset: Batch with a resolution of %d pixels", r))
	case len(dst) != len(indices)*size || len(labels) != len(indices):
		panic(fmt.Sprintf("dataset: Batch of %d images of %d values into %d values and %d labels", len(indices), size, len(dst), len(labels)))
	case len(tr.Mean) != s.C || len(tr.Deviation) != s.C:
		panic(fmt.Sprintf("dataset: Batch of %d channels with %d means and %d deviations", s.C, len(tr.Mean), len(tr.Deviation)))
	}
	for k, i := range indices {
		v := view{height: s.H, width: s.W}
		if rng != nil {
			v.dy = rng.IntN(2*tr.Shift+1) - tr.Shift
			v.dx = rng.IntN(2*tr.Shift+1) - tr.Shift
			v.flip = tr.Flip && rng.IntN(2) == 1
		}
		labels[k] = int(s.Labels[i])
		for c := range s.C {
			plane := dst[k*size+c*r*r:][:r*r]
			v.pixels = s.Pixels[(i*s.C+c)*s.H*s.W:][:s.H*s.W]
			scale := float32(0)
			if tr.Deviation[c] > 0 {
				scale = 1 / tr.Deviation[c]
			}
			if r == s.H && r == s.W {
				v.copy(plane, scale/255, -tr.Mean[c]*scale)
			} else {
				v.resize(plane, r, scale/255, -tr.Mean[c]*scale)
			}
		}
	}
}

// view is one channel of an image, moved and mirrored.
type view struct {
	pixels        []uint8 // [height, width]
	height, width int
	dy, dx        int
	flip          bool
}

// row returns the stored row behind row y of the view, nil where it is black.
func (v *view) row(y int) []uint8 {
	if y -= v.dy; y < 0 || y >= v.height {
		return nil
	}
	return v.pixels[y*v.width : (y+1)*v.width]
}

// at returns pixel x of a stored row, as the view moves and mirrors it.
func (v *view) at(row []uint8, x int) uint8 {
	if v.flip {
		x = v.width - 1 - x
	}
	if x -= v.dx; uint(x) < uint(len(row)) {
		return row[x]
	}
	return 0
}

// copy writes scale·pixel + offset to dst [height, width].
func (v *view) copy(dst []float32, scale, offset float32) {
	for y := range v.height {
		row := v.row(y)
		out := dst[y*v.width : (y+1)*v.width]
		for x := range out {
			out[x] = scale*float32(v.at(row, x)) + offset
		}
	}
}

// resize writes scale·mean + offset to dst [r, r], the mean over the area
// that a pixel of dst covers. In units of 1/(height·r), source row i covers
// [i·r, (i+1)·r) and row y of dst [y·height, (y+1)·height), so that all
// overlaps are whole numbers; the same for columns.
func (v *view) resize(dst []float32, r int, scale, offset float32) {
	scale /= float32(v.height * v.width)
	for y := range r {
		top, bottom := y*v.height, (y+1)*v.height
		for x := range r {
			left, right := x*v.width, (x+1)*v.width
			sum := 0
			for i := top / r; i*r < bottom; i++ {
				row := v.row(i)
				if row == nil {
					continue
				}
				line := 0
				for j := left / r; j*r < right; j++ {
					line += int(v.at(row, j)) * (min(right, (j+1)*r) - max(left, j*r))
				}
				sum += line * (min(bottom, (i+1)*r) - max(top, i*r))
			}
			dst[y*r+x] = scale*float32(sum) + offset
		}
	}
}

// Batches says which images form the batch of each step of a training: every
// epoch passes through all images once, in an order that depends on the seed
// and the epoch alone, and leaves out what does not fill a batch.
type Batches struct {
	images, size int
	seed         uint64
	epoch        int
	order        []int // of epoch
}

// NewBatches returns the batches of size images out of a set of the given
// number.
func NewBatches(images, size int, seed uint64) (*Batches, error) {
	if size < 1 || size > images {
		return nil, fmt.Errorf("dataset: no batches of %d out of %d images", size, images)
	}
	b := &Batches{images: images, size: size, seed: seed, epoch: -1, order: make([]int, images)}
	return b, nil
}

// PerEpoch returns the number of batches of an epoch.
func (b *Batches) PerEpoch() int { return b.images / b.size }

// At returns the indices of the batch of a step, which counts from 0 over all
// epochs. They are valid until the next call.
func (b *Batches) At(step int) []int {
	if epoch := step / b.PerEpoch(); epoch != b.epoch {
		b.epoch = epoch
		for i := range b.order {
			b.order[i] = i
		}
		rand.New(rand.NewPCG(b.seed, uint64(epoch))).Shuffle(len(b.order), func(i, j int) {
			b.order[i], b.order[j] = b.order[j], b.order[i]
		})
	}
	from := step % b.PerEpoch() * b.size
	return b.order[from : from+b.size]
}
