package kernels

import (
	"fmt"
	"time"
)

// PackedExpansion is a pointwise convolution and a depthwise convolution of its
// result, as mobile networks have them, computed side by side: what the first
// makes of some rows, in a panel of channels, is read by the second while it is
// in the second-level cache, and is never whole. Images are in the layout
// [Blocked].
type PackedExpansion struct {
	expand    *direct
	depthwise *blockedDepthwise
	channels  int // of the input
	bands     []expansionBand
	rows      int // most rows of a band, of the result between
}

// expansionBand is some rows of the output, and the rows that they are made of.
type expansionBand struct {
	from, to   int // of the output
	first, end int // of the result between
	lines      []depthwiseLine
}

// Sizes in bytes: of the result between, from which on it is worth while not to
// have it whole, and of a band of it, with its input.
const (
	expansionLeast = 512 << 10
	expansionBytes = 640 << 10
)

// ExpansionFits reports whether a convolution and the depthwise one of its
// result can be computed as a [PackedExpansion], and had better be.
func ExpansionFits(expand, depthwise Conv2D) bool {
	s := depthwise
	return expand.fitsBefore(s) && 4*expand.K*s.H*s.W >= expansionLeast
}

// fitsBefore reports whether both convolutions can be computed side by side.
func (s Conv2D) fitsBefore(depthwise Conv2D) bool {
	d := depthwise
	same := d.N == s.N && d.C == s.K && d.K == s.K && d.H == s.H && d.W == s.W
	return same && s.pointwise() && !s.single() && s.Groups == 1 && d.Groups == d.C &&
		d.PadTop < d.R && d.PadBottom < d.R && d.DilationH == 1 && d.R <= d.H && tiles.width == depthwiseBlocks.width
}

// PackExpansion lays out the weights of two convolutions as those of
// [PackConv2D]. It fails if they do not follow each other or a slice does not
// fit.
func PackExpansion(expand, depthwise Conv2D, weight, bias, depthwiseWeight, depthwiseBias []float32) (*PackedExpansion, error) {
	for _, c := range []struct {
		shape        Conv2D
		weight, bias []float32
	}{{expand, weight, bias}, {depthwise, depthwiseWeight, depthwiseBias}} {
		if err := c.shape.Validate(); err != nil {
			return nil, err
		}
		if len(c.weight) != c.shape.weightSize() || c.bias != nil && len(c.bias) != c.shape.K {
			return nil, fmt.Errorf("kernels: expansion: %d weights and %d biases, want %d and %d", len(c.weight), len(c.bias), c.shape.weightSize(), c.shape.K)
		}
	}
	if !expand.fitsBefore(depthwise) {
		return nil, fmt.Errorf("kernels: expansion: %+v does not fit before %+v", expand, depthwise)
	}
	e := &PackedExpansion{
		expand:    newDirect(expand, Blocked, weight, bias),
		depthwise: packDepthwiseBlocked(depthwise, depthwiseWeight, depthwiseBias),
		channels:  expand.C,
	}
	e.cut()
	e.expand.out.block = e.rows * depthwise.W * tiles.width // of a panel, that starts where the scratch does
	return e, nil
}

// cut makes bands of such a number of rows that one fits the cache.
func (e *PackedExpansion) cut() {
	s, pixel := e.depthwise.shape, 4*tiles.width
	_, vectors := e.expand.phases[0].panels.start(0)
	fit := expansionBytes / (s.W * pixel * (vectors + blocks(e.channels)))
	outputs := max((fit-s.R)/s.StrideH+1, 1)
	parts := split(s.OutH(), outputs)
	for i := range parts.count {
		b := expansionBand{from: parts.start(i), to: parts.start(i + 1)}
		b.first = max(b.from*s.StrideH-s.PadTop, 0)
		b.end = min((b.to-1)*s.StrideH-s.PadTop+s.R, s.H)
		for _, l := range e.depthwise.lines[b.from:b.to] {
			l.src -= b.first * s.W * pixel
			b.lines = append(b.lines, l)
		}
		e.bands = append(e.bands, b)
		e.rows = max(e.rows, b.end-b.first)
	}
}

// expansionJob is a call of a PackedExpansion. A part is a panel of channels of
// a band of an image.
type expansionJob struct {
	e         *PackedExpansion
	dst, src  []float32
	expand    directJob
	depthwise depthwiseJob
	workers   []expansionWorker
	share     float64
}

type expansionWorker struct {
	expand          directJob
	tile            directWorker
	strip           depthwiseStrip
	between         []float32
	expanded, whole time.Duration
}

// Forward computes dst = depthwiseAct(depthwise(act(expand(src) + bias)) +
// depthwiseBias) for images in the layout [Blocked].
func (e *PackedExpansion) Forward(ws *Workspace, dst, src []float32, act, depthwiseAct Activation) {
	s, width := e.depthwise.shape, tiles.width
	checkLength("expansion", "input", len(src), BlockedSize(s.N, e.channels, s.H*s.W))
	checkLength("expansion", "output", len(dst), BlockedSize(s.N, s.K, s.OutH()*s.OutW()))
	j := &ws.expansion
	j.e, j.dst, j.src = e, dst, src
	j.expand.start(e.expand, nil, src, nil, act)
	j.expand.p = &e.expand.phases[0]
	j.depthwise.start(e.depthwise, dst, nil, nil, depthwiseAct)
	for len(j.workers) < threadCount() {
		j.workers = append(j.workers, expansionWorker{})
	}
	for i := range j.workers[:threadCount()] {
		w := &j.workers[i]
		w.between = grow(w.between, 3*e.rows*s.W*width)
		w.expanded, w.whole = 0, 0
	}
	shareOut(s.N*len(e.bands)*e.expand.phases[0].panels.count, s.N*s.H*s.W*s.C*e.channels, j)
	var expanded, whole time.Duration
	for i := range j.workers {
		w := &j.workers[i]
		expanded, whole = expanded+w.expanded, whole+w.whole
		w.expand, w.strip = directJob{}, depthwiseStrip{}
	}
	j.share = float64(expanded) / float64(max(whole, 1))
	j.e, j.dst, j.src, j.expand, j.depthwise = nil, nil, nil, directJob{}, depthwiseJob{}
}

// ExpansionShare is the part that the pointwise convolution had in the time of
// the last call of [PackedExpansion.Forward], from 0 to 1.
func (ws *Workspace) ExpansionShare() float64 { return ws.expansion.share }

func (j *expansionJob) part(i, worker int) {
	start := time.Now()
	e, w := j.e, &j.workers[worker]
	p := &e.expand.phases[0]
	panel, rest := i%p.panels.count, i/p.panels.count
	band, image := &e.bands[rest%len(e.bands)], rest/len(e.bands)
	s, width := e.depthwise.shape, tiles.width

	block, vectors := p.panels.start(panel)
	w.expand = j.expand
	w.expand.dst = w.between
	r := directRegion{
		job: &w.expand, worker: &w.tile, rows: 1, cols: (band.end - band.first) * s.W,
		src: j.src[image*e.expand.in.image+band.first*s.W*width:], srcPixel: width,
		dst: -block * e.expand.out.block, dstPixel: width,
	}
	r.run(0, panel, panel+1)
	expanded := time.Now()

	for v := range vectors {
		plane := image*e.depthwise.blocks() + block + v
		to := j.dst[(plane*s.OutH()+band.from)*s.OutW()*width:][:(band.to-band.from)*s.OutW()*width]
		j.depthwise.strip(&w.strip, block+v, to, w.between[v*e.expand.out.block:], nil, band.lines)
	}
	w.expanded += expanded.Sub(start)
	w.whole += time.Since(start)
}
