package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// blockChannels returns [planes, H, W] images of channels channels in blocks.
// Lanes without a channel are finite, as the layout promises, and large.
func blockChannels(images, channels, plane, width int, src []float32) []float32 {
	blocks := (channels + width - 1) / width
	dst := unaligned(images * blocks * plane * width)
	for i := range dst {
		dst[i] = 1e30
	}
	for n := range images {
		for c := range channels {
			for p := range plane {
				dst[((n*blocks+c/width)*plane+p)*width+c%width] = src[(n*channels+c)*plane+p]
			}
		}
	}
	return dst
}

// amongNaN returns a copy of x between NaN, which tell if they are read.
func amongNaN(x []float32) []float32 {
	const guard = 256
	all := make([]float32, len(x)+2*guard)
	for i := range all {
		all[i] = float32(math.NaN())
	}
	copy(all[guard:], x)
	return all[guard : guard+len(x)]
}

// unblockChannels is the inverse of blockChannels.
func unblockChannels(images, channels, plane, width int, src []float32) []float32 {
	blocks := (channels + width - 1) / width
	dst := make([]float32, images*channels*plane)
	for n := range images {
		for c := range channels {
			for p := range plane {
				dst[(n*channels+c)*plane+p] = src[((n*blocks+c/width)*plane+p)*width+c%width]
			}
		}
	}
	return dst
}

func checkDepthwiseBlocked(t rapid.TB, s Conv2D, act Activation, hasBias, hasResidual, inPlace bool, poisoned bool, seed uint64) {
	t.Helper()
	r := newRand(seed)
	width := depthwiseBlocks.width
	inPlane, outPlane := s.H*s.W, s.OutH()*s.OutW()
	src, weight := randomSlice(r, s.inputSize()), randomSlice(r, s.weightSize())
	if poisoned {
		poison(r, src)
	}
	var bias, residual []float32
	if hasBias {
		bias = randomSlice(r, s.K)
	}
	if hasResidual {
		residual = randomSlice(r, s.outputSize())
	}
	want := make([]expectation, s.outputSize())
	depthwiseTerms(s, func(_, d, i, w int) { want[d].add(float64(src[i]) * float64(weight[w])) })
	for i := range want {
		if bias != nil {
			want[i].add(float64(bias[i/outPlane%s.K]))
		}
		if residual != nil {
			want[i].add(float64(residual[i]))
		}
		want[i] = activated(act, want[i])
	}
	d := packDepthwiseBlocked(s, weight, bias)
	dst, check := guarded(make([]float32, s.N*d.blocks()*outPlane*width))
	if hasResidual {
		residual = blockChannels(s.N, s.K, outPlane, width, residual)
		if inPlace {
			copy(dst, residual)
			residual = dst
		}
	}
	var ws Workspace
	d.forward(&ws, dst, amongNaN(blockChannels(s.N, s.C, inPlane, width, src)), residual, act)
	check(t, "forward")
	checkClose(t, fmt.Sprintf("%+v", s), unblockChannels(s.N, s.K, outPlane, width, dst), want)
}

// TestDepthwiseBlocked compares with the sum that defines the convolution.
func TestDepthwiseBlocked(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			s := drawDepthwise(t)
			s.N = min(s.N, 2)
			if rapid.Bool().Draw(t, "few taps") { // the kernels for certain sizes
				s.S = rapid.SampledFrom([]int{3, 5, 7}).Draw(t, "S'")
				s.StrideW = rapid.IntRange(1, 2).Draw(t, "strideW'")
				s.DilationW = 1
				s.PadLeft %= s.S
				s.PadRight += s.S
			}
			s.C = rapid.IntRange(1, 2*depthwiseBlocks.width).Draw(t, "C'")
			s.K, s.Groups = s.C*max(1, rapid.IntRange(-2, 5).Draw(t, "multiplier")), s.C
			checkDepthwiseBlocked(t, s, rapid.SampledFrom(activations).Draw(t, "activation"),
				rapid.Bool().Draw(t, "bias"), rapid.Bool().Draw(t, "residual"), rapid.Bool().Draw(t, "in place"),
				rapid.IntRange(0, 3).Draw(t, "poison") == 0, rapid.Uint64().Draw(t, "seed"))
		})
	})
}

// TestDepthwiseStripTwins holds the assembly to its Go twin: spans of every
// length, with and without columns missing at their ends.
func TestDepthwiseStripTwins(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		k := depthwiseBlocks
		rapid.Check(t, func(t *rapid.T) {
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			draw := func(low, high int, name string) int { return rapid.IntRange(low, high).Draw(t, name) }
			pixel := 4 * k.width
			size, stride := 2*draw(1, 3, "size")+1, draw(1, 2, "stride")
			run, twin := k.columns[size][stride], func(t *depthwiseStrip) { depthwiseColumnsPortable(t, k.width, size, stride) }
			longest := k.outputs[size]
			if run == nil || rapid.Bool().Draw(t, "taps") {
				run, twin, longest = k.taps, func(t *depthwiseStrip) { depthwiseTapsPortable(t, k.width) }, 30
			}
			rows, lines := draw(0, 4, "rows"), draw(1, 3, "lines")
			x := depthwiseStrip{
				weightRow: size * pixel, srcOutput: stride * pixel, srcTap: draw(1, 2, "dilation") * pixel,
				activation: draw(tileLinear, tileHardSigmoid, "activation"), high: 6,
			}
			var spans []depthwiseSpan
			columns, outputs := 0, 0
			for range draw(1, 3, "spans") {
				count, first := draw(1, longest, "count"), draw(0, size-1, "first")
				if k.exact && longest == 7 {
					count, first = longest, first/2
				}
				all := (count-1)*stride + size
				end := draw(0, all, "end")
				if rapid.Bool().Draw(t, "same size") || k.exact {
					first, end = min(first, size/2), max(end, all-size/2)
				}
				taps := draw(0, size, "taps")
				spans = append(spans, depthwiseSpan{
					src: (columns - first) * pixel, dst: outputs * pixel, count: count, first: first, end: end,
					weight: draw(0, size-taps, "weight") * pixel, taps: taps,
				})
				columns += all + size + first
				outputs += count
			}
			x.spans, x.spanCount = &spans[0], len(spans)
			x.srcRow, x.dstLine = columns*pixel, outputs*pixel
			var table []depthwiseLine
			for i := range lines {
				skipped := draw(0, rows, "skipped")
				table = append(table, depthwiseLine{src: i * x.srcRow, weight: skipped * x.weightRow, rows: rows - skipped})
			}
			x.lines, x.lineCount = &table[0], lines
			// The kernel for any shape reads all that its taps say.
			before, after := size*k.width, 2*size*k.width
			src := randomSlice(r, before+x.srcRow*(lines+rows)/4+after)
			weight, bias := randomSlice(r, (rows+1)*size*k.width), randomSlice(r, k.width)
			residual := randomSlice(r, lines*outputs*k.width)
			if draw(0, 3, "poison") == 0 {
				poison(r, src)
			}
			x.src, x.weight, x.bias = &src[before], &weight[0], &bias[0]
			if rapid.Bool().Draw(t, "residual") {
				x.residual = &residual[0]
			}
			got, check := guarded(make([]float32, len(residual)))
			want := slices.Clone(got)
			for _, side := range []struct {
				run func(*depthwiseStrip)
				dst []float32
			}{{run, got}, {twin, want}} {
				y := x
				y.dst = &side.dst[0]
				side.run(&y)
			}
			check(t, "strip")
			requireClose(t, "strip", got, want, 1e-4)
		})
	})
}

// TestDepthwiseBlockedRepeats: any number of threads gives the same bits, and
// no call allocates.
func TestDepthwiseBlockedRepeats(t *testing.T) {
	defer Threads(Threads(1))
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		r := newRand(3)
		multiplied := squareDepthwise(2, 23, 20, 3, 1)
		multiplied.K *= 3
		for _, s := range []Conv2D{squareDepthwise(1, 20, 40, 5, 1), squareDepthwise(2, 70, 14, 3, 2), multiplied} {
			width := depthwiseBlocks.width
			d := packDepthwiseBlocked(s, randomSlice(r, s.weightSize()), nil)
			src := randomSlice(r, s.N*d.blocks()*s.H*s.W*width)
			var want []float32
			for _, threads := range []int{1, 2, 3} {
				Threads(threads)
				dst := make([]float32, s.N*d.blocks()*s.OutH()*s.OutW()*width)
				for range 5 {
					d.forward(&ws, dst, src, nil, HardSwish)
					if want == nil {
						want = slices.Clone(dst)
					}
					for i := range dst {
						if math.Float32bits(dst[i]) != math.Float32bits(want[i]) {
							t.Fatalf("%d threads: element %d is %v, was %v", threads, i, dst[i], want[i])
						}
					}
				}
				if n := testing.AllocsPerRun(10, func() { d.forward(&ws, dst, src, nil, ReLU) }); n != 0 {
					t.Errorf("%d threads: %v allocations a call", threads, n)
				}
			}
		}
	})
}

// mobileNetDepthwise lists the distinct shapes of MobileNetV3-large, as
// channels, size, kernel and stride.
var mobileNetDepthwise = [][4]int{
	{16, 112, 3, 1}, {64, 112, 3, 2}, {72, 56, 3, 1}, {72, 56, 5, 2}, {120, 28, 5, 1}, {240, 28, 3, 2},
	{200, 14, 3, 1}, {184, 14, 3, 1}, {480, 14, 3, 1}, {672, 14, 3, 1}, {672, 14, 5, 1}, {672, 14, 5, 2}, {960, 7, 5, 1},
}

// BenchmarkDepthwise runs those shapes in blocks of channels.
func BenchmarkDepthwise(b *testing.B) {
	defer Use(Implementation())
	for _, name := range Implementations() {
		for _, shape := range mobileNetDepthwise {
			s := squareDepthwise(1, shape[0], shape[1], shape[2], shape[3])
			b.Run(name+"/"+depthwiseName(s), func(b *testing.B) {
				if err := Use(name); err != nil {
					b.Fatal(err)
				}
				random := rand.New(rand.NewPCG(1, 1))
				d := packDepthwiseBlocked(s, normal(random, 0, s.weightSize()), normal(random, 0, s.K))
				width := d.kernels.width
				src, dst := Aligned[float32](d.blocks()*s.H*s.W*width), Aligned[float32](d.blocks()*s.OutH()*s.OutW()*width)
				for i := range src {
					src[i] = float32(i%13) * .01
				}
				var ws Workspace
				for b.Loop() {
					d.forward(&ws, dst, src, nil, NoActivation)
				}
				reportGFLOPS(b, 2*s.outputSize()*s.R*s.S)
			})
		}
	}
}
