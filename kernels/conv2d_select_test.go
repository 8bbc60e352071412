package kernels

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

// selectionShapes returns 200 convolutions of networks of many kinds, in
// planes and in blocks: of all sizes, batches, strides, dilations and groups.
func selectionShapes() (shapes []Conv2D, layouts [][2]Layout) {
	r := newRand(200)
	pick := func(from ...int) int { return from[r.IntN(len(from))] }
	for len(shapes) < 200 {
		k := pick(1, 1, 1, 3, 3, 3, 3, 5, 7)
		s := squareConv2D(pick(3, 8, 16, 24, 32, 40, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512, 960, 1024, 2048), pick(1, 7, 7, 8, 10, 14, 14, 19, 28, 28, 35, 56, 56, 80, 112, 224),
			pick(6, 16, 24, 32, 48, 64, 96, 128, 192, 256, 320, 512, 576, 1024), k, pick(1, 1, 1, 2))
		s.N = pick(1, 1, 1, 2, 4, 8)
		switch pick(0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4) {
		case 1: // dilated
			s.DilationH, s.DilationW = 2, 2
			s.PadTop, s.PadLeft, s.PadBottom, s.PadRight = 2*s.PadTop, 2*s.PadLeft, 2*s.PadBottom, 2*s.PadRight
		case 2: // grouped
			s.Groups = pick(2, 4, 8, 32)
			s.C, s.K = (s.C+31)/32*32, (s.K+31)/32*32
		case 3: // one row
			s.W, s.H, s.R, s.PadTop, s.PadBottom, s.DilationH, s.StrideH = s.H*pick(4, 16), 1, 1, 0, 0, 1, 1
		case 4:
			s.PadTop, s.PadLeft = 0, 0
		}
		if s.C == 3 {
			s.K = min(s.K, 96)
		}
		if s.Validate() != nil || s.depthwise() {
			continue
		}
		work := s.outputSize() * (s.C / s.Groups) * s.R * s.S
		if work > 120e6 || work < 20e3 || s.inputSize()+s.outputSize() > 4e6 {
			continue
		}
		shapes = append(shapes, s)
		in, out := Blocked, Blocked
		switch r.IntN(5) {
		case 0, 1:
			in, out = Planar, Planar
		case 2:
			if s.C == 3 {
				in = Planar
			}
		}
		layouts = append(layouts, [2]Layout{in, out})
	}
	return shapes, layouts
}

// BenchmarkConv2DSelection measures every algorithm on 200 shapes, and reports
// for how many of them the one selected takes at most 5% longer than the best:
//
//	go test -run xxx -bench Conv2DSelection/quarter=0 -benchtime 1x ./kernels
//
// The shapes are in four parts; -v lists each.
func BenchmarkConv2DSelection(b *testing.B) {
	shapes, layouts := selectionShapes()
	for quarter := range 4 {
		b.Run(fmt.Sprintf("quarter=%d", quarter), func(b *testing.B) {
			good, all := 0, 0
			var ws Workspace
			for i := quarter; i < len(shapes); i += 4 {
				chosen, list := measureCandidates(b, &ws, shapes[i], layouts[i][0], layouts[i][1])
				all++
				line := ""
				for _, c := range list {
					mark := ""
					if c.algorithm == chosen {
						mark = "*"
						if float64(c.time) <= 1.05*float64(list[0].time) {
							good++
						} else {
							mark = "***"
						}
					}
					line += fmt.Sprintf("  %v%s %.0fus", c.algorithm, mark, float64(c.time)/1e3)
				}
				if testing.Verbose() {
					s := shapes[i]
					fmt.Printf("n%dc%dh%dw%d k%dr%ds%d stride%d dil%d group%d %v %v:%s\n", s.N, s.C, s.H, s.W, s.K, s.R, s.S, s.StrideW, s.DilationW, s.Groups, layouts[i][0], layouts[i][1], line)
				}
			}
			b.ReportMetric(100*float64(good)/float64(all), "%good")
		})
	}
}

// candidateTime is how long an algorithm takes.
type candidateTime struct {
	algorithm algorithm
	time      time.Duration
}

// measureCandidates times all algorithms for s in turn, and returns them best
// first, and the one that is selected.
func measureCandidates(b *testing.B, ws *Workspace, s Conv2D, in, out Layout) (chosen algorithm, list []candidateTime) {
	chosen, _ = s.selectAlgorithm(in, out)
	src, dst := Aligned[float32](in.Size(s.N, s.C, s.H*s.W)), Aligned[float32](out.Size(s.N, s.K, s.OutH()*s.OutW()))
	weight := make([]float32, s.weightSize())
	var calls []func()
	s.candidates(func(a algorithm) {
		p, err := packConv2D(s, in, out, a, weight, nil)
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, candidateTime{a, time.Hour})
		calls = append(calls, func() { p.Forward(ws, dst, src, nil, ReLU) })
	})
	for range 7 {
		for i, call := range calls {
			call()
			for range 3 {
				start := time.Now()
				call()
				list[i].time = min(list[i].time, time.Since(start))
			}
		}
	}
	slices.SortFunc(list, func(x, y candidateTime) int { return int(x.time - y.time) })
	return chosen, list
}

// What the rule selects for blocks is among the algorithms that are listed, and
// each of those computes what the rule's does.
func TestConvolutionAlgorithms(t *testing.T) {
	shapes, _ := selectionShapes()
	shapes = append(shapes, squareConv2D(64, 1, 32, 1, 1))
	depthwise := squareConv2D(48, 14, 48, 3, 1)
	depthwise.Groups = 48
	for i, s := range append(shapes, depthwise) {
		var names []string
		for _, a := range ConvolutionAlgorithms(s) {
			names = append(names, a.Name)
		}
		in, out := Blocked, Blocked
		if s.single() || !s.wholeBlocks() && !s.depthwise() {
			in, out = Planar, Planar
		}
		if name, _ := ConvolutionAlgorithm(s, in, out); !slices.Contains(names, name) {
			t.Errorf("%+v: %q is selected, listed are %q", s, name, names)
		}
		if s.N*s.K*s.OutH()*s.OutW()*s.C*s.R*s.S > 4e6 || i%4 > 0 {
			continue
		}
		r, ws := newRand(uint64(i)), Workspace{}
		src, weight, bias := randomSlice(r, s.inputSize()), randomSlice(r, s.weightSize()), randomSlice(r, s.K)
		want, got := make([]float32, s.outputSize()), make([]float32, s.outputSize())
		p, err := PackConv2D(s, weight, bias)
		if err != nil {
			t.Fatal(err)
		}
		p.Forward(&ws, want, src, nil, ReLU)
		for _, name := range names {
			p, err := PackConv2DBy(name, s, Planar, Planar, weight, bias)
			if err != nil {
				t.Fatal(err)
			}
			p.Forward(&ws, got, src, nil, ReLU)
			for k := range got {
				if math.Abs(float64(got[k]-want[k])) > 1e-4*(1+math.Abs(float64(want[k])))*math.Sqrt(float64(s.C*s.R*s.S)) {
					t.Fatalf("%+v by %s: element %d is %g, want %g", s, name, k, got[k], want[k])
				}
			}
		}
	}
	if _, err := PackConv2DBy("winograd F(4x4,3x3)", squareConv2D(8, 8, 8, 1, 1), Planar, Planar, make([]float32, 64), nil); err == nil {
		t.Error("Winograd's method was packed for a window of 1x1")
	}
}
