package kernels

import (
	"fmt"
)

// algorithm is a way to compute a convolution.
type algorithm uint8

const (
	unfoldedGemm    algorithm = iota // matrix product with the unfolded image, NCHW
	linearLayer                      // images of one element a channel, NCHW
	planarDepthwise                  // NCHW
	directTiles                      // tiles on NCHWc
	directPlanes                     // tiles on planes of NCHW, result in NCHWc
	winograd4                        // Winograd's F(4x4, 3x3) on NCHWc
	winograd2                        // F(2x2, 3x3)
	blocksDepthwise                  // NCHWc
)

// String returns the name of a.
func (a algorithm) String() string {
	return [...]string{
		"unfolded GEMM", "linear", "depthwise on planes", "direct", "direct on planes",
		"winograd F(4x4,3x3)", "winograd F(2x2,3x3)", "depthwise",
	}[a]
}

// layouts returns the layouts that a works on.
func (a algorithm) layouts() (in, out Layout) {
	switch a {
	case directTiles, winograd4, winograd2, blocksDepthwise:
		return Blocked, Blocked
	case directPlanes:
		return Planar, Blocked
	}
	return Planar, Planar
}

// candidates calls f with every algorithm that can compute s.
func (s Conv2D) candidates(f func(algorithm)) {
	f(unfoldedGemm)
	if s.single() {
		f(linearLayer)
	}
	if s.depthwise() {
		f(planarDepthwise)
		f(blocksDepthwise)
	}
	if s.winograd() {
		f(winograd4)
		f(winograd2)
	}
	f(directTiles)
	f(directPlanes)
}

// winograd reports whether Winograd's method can compute s.
func (s Conv2D) winograd() bool {
	return s.R == 3 && s.S == 3 && s.StrideH == 1 && s.StrideW == 1 && s.DilationH == 1 && s.DilationW == 1 && s.Groups == 1
}

// wholeBlocks reports whether the channels of every group are blocks of their
// own.
func (s Conv2D) wholeBlocks() bool {
	c := tiles.width
	return s.Groups == 1 || s.C/s.Groups%c == 0 && s.K/s.Groups%c == 0
}

// selectAlgorithm is the rule that says which algorithm computes s, given the
// layouts of input and output, and why. Where the algorithm's layouts are
// others, the images are converted before or after it.
func (s Conv2D) selectAlgorithm(in, out Layout) (a algorithm, why string) {
	a, best, second := s.fastest(in, out)
	switch {
	case a == planarDepthwise:
		return a, "one channel a group, in planes"
	case a == blocksDepthwise:
		return a, "one channel a group"
	case a == linearLayer:
		return a, "one pixel an image"
	case second == 0:
		return a, "the only way for these layouts"
	}
	return a, fmt.Sprintf("estimated to take %.2g of the time of the next best", best/second)
}

// fastest returns the algorithm that is expected to compute s in the least
// time, that time and the one of the next best, or 0 if there is none.
func (s Conv2D) fastest(in, out Layout) (a algorithm, best, second float64) {
	planar := in == Planar && out == Planar
	switch {
	case s.depthwise() && planar:
		return planarDepthwise, 0, 0
	case s.depthwise():
		return blocksDepthwise, 0, 0
	case s.single() && planar:
		return linearLayer, 0, 0
	}
	s.candidates(func(c algorithm) {
		// Leaving blocks to come back to them pays only where groups share them.
		workIn, workOut := c.layouts()
		if s.wholeBlocks() && (in == Blocked && workIn == Planar || out == Blocked && workOut == Planar) {
			return
		}
		t, ok := s.estimate(c, in, out)
		switch {
		case !ok:
		case best == 0 || t < best:
			a, best, second = c, t, best
		case second == 0 || t < second:
			second = t
		}
	})
	return a, best, second
}

// estimate returns about how many nanoseconds a takes on one thread of the
// processor that the coefficients were fitted on, Cascade Lake at 2.5 GHz with
// AVX-512; others differ, but mostly by a factor. It fails for algorithms that
// are chosen by other means.
func (s Conv2D) estimate(a algorithm, in, out Layout) (ns float64, ok bool) {
	var (
		c, rows  = tiles.width, tiles.rows
		cg, kg   = s.C / s.Groups, s.K / s.Groups
		terms    = cg * s.R * s.S
		outH     = s.OutH()
		outW     = s.OutW()
		inputs   = s.N * s.H * s.W
		outputs  = s.N * outH * outW
		planes   = blocks(kg) * c * s.Groups // output channels with those that fill blocks
		source   = blocks(cg) * c * s.Groups
		single   = s.R*s.S == 1
		straight = single && s.pointwise()
	)
	// Panels of two blocks; the last may be one, which takes more than half
	// the time. step is a multiplication of a row by a panel.
	panels := float64(blocks(kg)/2) + 0.6*float64(blocks(kg)%2)
	step := 1.0
	switch tiles.base {
	case neon:
		step = 2
	case portable:
		step = 16
	}
	// A tile takes no less time than one of four rows.
	tileSteps := func(pixels, tiles int) float64 {
		return step * float64(tiles) * max(float64(pixels)/float64(tiles), 4)
	}

	f := func(coefficient float64, amount ...int) {
		for _, x := range amount {
			coefficient *= float64(x)
		}
		ns += coefficient
	}
	moved := func(n int) { ns += movedTime(n) }
	workIn, workOut := a.layouts()
	switch {
	case workIn != in:
		moved(inputs * source)
	case in == Blocked && a == directTiles && s.Groups > 1 && cg%c != 0:
		moved(2 * inputs * source)
	}
	switch {
	case workOut != out:
		moved(outputs * planes)
	case out == Blocked && s.Groups > 1 && kg%c != 0:
		moved(2 * outputs * planes)
	}

	switch a {
	case directTiles, directPlanes:
		count, pixels := 0, outW // tiles, and pixels that they share
		switch {
		case outH*outW == 1:
			pixels = s.N
			count = split(s.N, rows).count
		case single:
			pixels = outH * outW
			count = s.N * split(pixels, rows).count
			pixels *= s.N
		case outW == rows/2:
			pixels = outputs
			count = (s.N*outH + 1) / 2
		default:
			pixels = outputs
			count = s.N * outH * split(outW, rows).count
		}
		work := tileSteps(pixels, count) * panels * float64(s.Groups)
		columns, perTile, copied, call := segmentChannels(cg, c), 68.0, 0.46, 170.0
		switch {
		case a == directTiles && tiles.blocks != nil && columns%blockColumns == 0:
			columns, perTile = 2*c, 40
			if b := blocks(kg); b > 1 { // none is left single
				work *= float64(b) / 2 / panels
			}
		case a == directPlanes:
			columns, perTile, copied, call = 1, 35, 2.1, 770
			source = s.C
			if s.DilationW == 1 {
				columns = s.S
			}
		}
		f(0.43*work, terms)
		f(2.8*panels, count, s.Groups, terms/columns)
		f(perTile*panels, count, s.Groups)
		f(0.068, terms, planes)
		switch {
		case straight:
		case single && a == directPlanes:
			f(9.5, outputs, s.C)
		case single:
			f(12, outputs, blocks(cg), s.Groups)
		default:
			f(copied, inputs, source)
		}
		return ns + call, true
	case winograd4, winograd2:
		size, read, written := 4, 0.3, 0.07
		if a == winograd2 {
			size, read = 2, 0.21
		}
		elements := (size + 2) * (size + 2)
		patches := s.N * ((outH + size - 1) / size) * ((outW + size - 1) / size)
		count := winogradBlockCount(s, size, patches)
		// Every block of tiles reads all weights, the slower the more of them come
		// from beyond the second-level cache. In tiles that could be multiplied
		// meanwhile:
		weights := min(max(2*float64(4*elements*s.C*planes)/(1<<20)+1.5, 2), 14)
		f(0.44*step*panels*(float64(patches)+weights*float64(count)), elements, s.C)
		if 4*elements*(s.C+planes)*((patches+count-1)/count) > 1<<20 { // do not stay there
			written = 0.35
		}
		f(45, (blocks(kg)+1)/2, elements, split(patches, rows).count+count)
		f(read, patches, elements, source)
		f(written, patches, elements, planes)
		return 1.15 * ns, true
	case unfoldedGemm:
		across := split(outH*outW, 2*c).count * s.N
		packed, perStep := 0.56, 0.47
		if straight {
			across, packed, perStep = split(outputs, 2*c).count, 0.15, 0.42
		}
		f(perStep*step, across, s.Groups, terms, kg)
		f(packed, across, 2*c, terms, s.Groups)
		f(0.19, outputs, s.K)
		if !straight {
			f(0.72, inputs, s.C)
		}
		return ns + 1500, true
	}
	return 0, false
}

// movedTime is what it takes to change the layout of n elements; more than the
// second-level cache holds take longer.
func movedTime(n int) float64 {
	if n > 200000 {
		return 0.5 * float64(n)
	}
	return 0.23 * float64(n)
}

// ConvolutionAlgorithm returns the name of the algorithm that computes s with
// input and output in the given layouts, and the reason for it.
func ConvolutionAlgorithm(s Conv2D, in, out Layout) (name, why string) {
	a, why := s.selectAlgorithm(in, out)
	return a.String(), why
}

// NamedAlgorithm is an algorithm for a convolution.
type NamedAlgorithm struct {
	Name    string
	In, Out Layout  // that it works on
	NS      float64 // estimated time, see [ConversionTime]
}

// ConvolutionAlgorithms lists the algorithms for s. Those for one channel a
// group, and for images of one pixel, have no others beside them.
func ConvolutionAlgorithms(s Conv2D) []NamedAlgorithm {
	var list []NamedAlgorithm
	add := func(a algorithm, ns float64) {
		in, out := a.layouts()
		list = append(list, NamedAlgorithm{a.String(), in, out, ns})
	}
	products := float64(s.outputSize() * (s.C / s.Groups) * s.R * s.S)
	switch {
	case s.depthwise():
		add(planarDepthwise, 0.1*products*float64(s.StrideW)) // by rows of the image
		add(blocksDepthwise, 0.03*products)
		return list
	case s.single():
		add(linearLayer, 0.1*products)
		return list
	}
	s.candidates(func(a algorithm) {
		in, out := a.layouts()
		if ns, ok := s.estimate(a, in, out); ok {
			add(a, ns)
		}
	})
	return list
}

func (s Conv2D) algorithmOf(name string) (found algorithm, ok bool) {
	s.candidates(func(a algorithm) {
		if a.String() == name {
			found, ok = a, true
		}
	})
	return found, ok
}

// ConversionTime is what n images of c channels and hw pixels take to change
// their layout. Like the times of algorithms it is an estimate in nanoseconds
// on one thread of the machine that the rule was fitted on, to be compared with
// these.
func ConversionTime(n, c, hw int) float64 { return movedTime(BlockedSize(n, c, hw)) }
