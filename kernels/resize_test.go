package kernels

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// resizeWeight is the weight of pixel i of the input, which may lie beyond its
// edge, at coordinate x.
func (r Resize2D) resizeWeight(x float64, i int) float64 {
	d := math.Abs(x - float64(i))
	switch r.Mode {
	case ResizeNearest:
		nearest := math.Floor(x)
		switch r.Rounding {
		case RoundCeil:
			nearest = math.Ceil(x)
		case RoundPreferCeil:
			nearest = math.Floor(x + 0.5)
		case RoundPreferFloor:
			nearest = math.Ceil(x - 0.5)
		}
		if float64(i) == nearest {
			return 1
		}
		return 0
	case ResizeLinear:
		return max(1-d, 0)
	}
	const a = -0.75
	switch {
	case d <= 1:
		return (a+2)*d*d*d - (a+3)*d*d + 1
	case d < 2:
		return a*d*d*d - 5*a*d*d + 8*a*d - 4*a
	}
	return 0
}

// coordinate is where pixel i of the output lies.
func (r Resize2D) coordinate(i, size, out int, scale float64) float64 {
	if scale == 0 {
		scale = float64(out) / float64(size)
	}
	switch r.Coordinates {
	case AlignCorners:
		if out == 1 {
			return 0
		}
		return float64(i) * float64(size-1) / float64(out-1)
	case Asymmetric:
		return float64(i) / scale
	case PyTorchHalfPixel:
		if out == 1 {
			return 0
		}
	}
	return (float64(i)+0.5)/scale - 0.5
}

func TestResize(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			size := func(name string) int { return rapid.IntRange(1, 20).Draw(t, name) }
			r := Resize2D{
				Planes: rapid.IntRange(0, 2).Draw(t, "planes"), H: size("h"), W: size("w"), OutH: size("outH"), OutW: size("outW"),
				Mode:        ResizeMode(rapid.IntRange(0, 2).Draw(t, "mode")),
				Coordinates: ResizeCoordinates(rapid.IntRange(0, 3).Draw(t, "coordinates")),
				Rounding:    ResizeRounding(rapid.IntRange(0, 3).Draw(t, "rounding")),
			}
			if rapid.Bool().Draw(t, "same") {
				r.OutW = r.W
			}
			if rapid.Bool().Draw(t, "same") {
				r.OutH = r.H
			}
			src := randomSlice(newRand(rapid.Uint64().Draw(t, "seed")), r.Planes*r.H*r.W)
			dst, check := guarded(make([]float32, r.Planes*r.OutH*r.OutW))
			Resize(&ws, r, dst, src)
			check(t, "Resize")
			want := make([]expectation, len(dst))
			for i := range want {
				x, y, plane := i%r.OutW, i/r.OutW%r.OutH, i/r.OutW/r.OutH
				h, w := r.coordinate(y, r.H, r.OutH, 0), r.coordinate(x, r.W, r.OutW, 0)
				for k := -2; k < r.H+2; k++ {
					for l := -2; l < r.W+2; l++ {
						weight := r.resizeWeight(h, k) * r.resizeWeight(w, l)
						if weight != 0 {
							row, column := min(max(k, 0), r.H-1), min(max(l, 0), r.W-1)
							want[i].add(weight * float64(src[(plane*r.H+row)*r.W+column]))
						}
					}
				}
				want[i].magnitude += 0.5 // of weights that nearly vanish
			}
			checkClose(t, fmt.Sprintf("%+v", r), dst, want)
		})
	})
}

// Values of PyTorch's interpolate.
func TestResizeMatchesPyTorch(t *testing.T) {
	var ws Workspace
	src := []float32{1, 2, 4, 8}
	for _, c := range []struct {
		r    Resize2D
		want []float32
	}{
		{Resize2D{OutH: 1, OutW: 6, Mode: ResizeLinear, Coordinates: PyTorchHalfPixel}, []float32{1, 1.5, 2.3333333, 3.6666667, 6, 8}},
		{Resize2D{OutH: 1, OutW: 6, Mode: ResizeLinear, Coordinates: AlignCorners}, []float32{1, 1.6, 2.4, 3.6, 5.6, 8}},
		{Resize2D{OutH: 1, OutW: 6, Coordinates: Asymmetric, Rounding: RoundFloor}, []float32{1, 1, 2, 4, 4, 8}},
	} {
		c.r.Planes, c.r.H, c.r.W = 1, 1, 4
		dst := make([]float32, 6)
		Resize(&ws, c.r, dst, src)
		requireClose(t, "Resize", dst, c.want, 1e-6)
	}
}

func TestResizeRepeats(t *testing.T) {
	var ws Workspace
	r := Resize2D{Planes: 9, H: 100, W: 90, OutH: 200, OutW: 190, Mode: ResizeCubic}
	src, dst := randomSlice(newRand(1), r.Planes*r.H*r.W), make([]float32, r.Planes*r.OutH*r.OutW)
	sameBits(t, func() []float32 { Resize(&ws, r, dst, src); return dst })
}

func BenchmarkResize(b *testing.B) {
	var ws Workspace
	for name, mode := range map[string]ResizeMode{"nearest": ResizeNearest, "linear": ResizeLinear, "cubic": ResizeCubic} {
		r := Resize2D{Planes: 64, H: 56, W: 56, OutH: 112, OutW: 112, Mode: mode}
		src, dst := randomSlice(newRand(1), r.Planes*r.H*r.W), Aligned[float32](r.Planes*r.OutH*r.OutW)
		b.Run(name+"/f32/n1c64h56w56/h112w112", func(b *testing.B) {
			for b.Loop() {
				Resize(&ws, r, dst, src)
			}
			reportGBs(b, 4*(len(src)+len(dst)))
		})
	}
}
