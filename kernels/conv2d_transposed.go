package kernels

import "fmt"

// ConvTranspose2D is the shape of a transposed convolution, as in ONNX, of a
// batch of images [N, C, H, W] with weights [C, K/Groups, R, S] to
// [N, K, OutH, OutW]: element y, x of the input is added, times the weight at
// r, q, to element
//
//	y*StrideH - PadTop + r*DilationH, x*StrideW - PadLeft + q*DilationW
//
// of the output. It is the gradient of a convolution with respect to its
// input.
type ConvTranspose2D struct {
	N, C, H, W, K, R, S                  int
	StrideH, StrideW                     int
	PadTop, PadLeft, PadBottom, PadRight int // rows and columns of the output that are left out
	OutPadH, OutPadW                     int // rows and columns that are added at the end
	DilationH, DilationW                 int
	Groups                               int
}

// OutH returns the height of the output.
func (s ConvTranspose2D) OutH() int {
	return (s.H-1)*s.StrideH + (s.R-1)*s.DilationH + 1 + s.OutPadH - s.PadTop - s.PadBottom
}

// OutW returns the width of the output.
func (s ConvTranspose2D) OutW() int {
	return (s.W-1)*s.StrideW + (s.S-1)*s.DilationW + 1 + s.OutPadW - s.PadLeft - s.PadRight
}

// Validate reports the first thing that is wrong with the shape.
func (s ConvTranspose2D) Validate() error {
	for _, dim := range []struct {
		name       string
		value, min int
	}{
		{"N", s.N, 1}, {"C", s.C, 1}, {"H", s.H, 1}, {"W", s.W, 1}, {"K", s.K, 1}, {"R", s.R, 1}, {"S", s.S, 1},
		{"StrideH", s.StrideH, 1}, {"StrideW", s.StrideW, 1},
		{"DilationH", s.DilationH, 1}, {"DilationW", s.DilationW, 1}, {"Groups", s.Groups, 1},
		{"PadTop", s.PadTop, 0}, {"PadLeft", s.PadLeft, 0}, {"PadBottom", s.PadBottom, 0}, {"PadRight", s.PadRight, 0},
		{"OutPadH", s.OutPadH, 0}, {"OutPadW", s.OutPadW, 0},
	} {
		if dim.value < dim.min {
			return fmt.Errorf("kernels: transposed convolution: %s is %d, want at least %d", dim.name, dim.value, dim.min)
		}
	}
	switch {
	case s.C%s.Groups != 0 || s.K%s.Groups != 0:
		return fmt.Errorf("kernels: transposed convolution: %d groups do not divide %d input and %d output channels", s.Groups, s.C, s.K)
	case s.OutH() < 1 || s.OutW() < 1:
		return fmt.Errorf("kernels: transposed convolution: the output is %d by %d", s.OutH(), s.OutW())
	}
	return nil
}

func (s ConvTranspose2D) weightSize() int { return s.C * (s.K / s.Groups) * s.R * s.S }

// PackedConvTranspose2D is a transposed convolution with its weights laid out
// for inference.
type PackedConvTranspose2D struct {
	in, out border
	direct  *direct
}

// PackConvTranspose2D copies weight [C, K/Groups, R, S] and bias [K], which
// may be nil, for input and output in the given layouts. It fails if the shape
// is invalid or a slice has not its size.
func PackConvTranspose2D(s ConvTranspose2D, in, out Layout, weight, bias []float32) (*PackedConvTranspose2D, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if len(weight) != s.weightSize() {
		return nil, fmt.Errorf("kernels: transposed convolution: weight has %d elements, want %d", len(weight), s.weightSize())
	}
	if bias != nil && len(bias) != s.K {
		return nil, fmt.Errorf("kernels: transposed convolution: bias has %d elements, want %d", len(bias), s.K)
	}
	return &PackedConvTranspose2D{
		in:     border{in, Blocked, s.N, s.C, s.Groups, s.H * s.W},
		out:    border{out, Blocked, s.N, s.K, s.Groups, s.OutH() * s.OutW()},
		direct: newTransposed(s, weight, bias),
	}, nil
}

// newTransposed packs s, with the blocks of each group its own. Output pixels whose
// places have the same remainders modulo the stride meet the same positions
// of the kernel, at neighbouring pixels of the input: a phase each.
func newTransposed(s ConvTranspose2D, weight, bias []float32) *direct {
	outH, outW := s.OutH(), s.OutW()
	d := &direct{
		images: s.N, groups: s.Groups, h: s.H, w: s.W,
		in: groupView(Blocked, s.C, s.Groups, s.H, s.W), out: groupView(Blocked, s.K, s.Groups, outH, outW),
		outSize: BlockedSize(s.N*s.Groups, s.K/s.Groups, outH*outW),
	}
	for y := range min(s.StrideH, outH) {
		for x := range min(s.StrideW, outW) {
			p := phase{
				rows: (outH-y-1)/s.StrideH + 1, cols: (outW-x-1)/s.StrideW + 1,
				y0: y, x0: x, dy: s.StrideH, dx: s.StrideW, sy: 1, sx: 1,
			}
			for r := range s.R {
				for q := range s.S {
					// Output row y + i*stride gets position r of the kernel from input row i + dy.
					dy, okY := wholeQuotient(y+s.PadTop-r*s.DilationH, s.StrideH)
					dx, okX := wholeQuotient(x+s.PadLeft-q*s.DilationW, s.StrideW)
					if okY && okX {
						p.taps = append(p.taps, tap{dy, dx, r*s.S + q})
					}
				}
			}
			d.phases = append(d.phases, p)
		}
	}
	cg, kg := s.C/s.Groups, s.K/s.Groups
	d.pack(Blocked, cg, kg, 1, bias, func(k, c, index int) float32 {
		return weight[((k/kg*cg+c)*kg+k%kg)*s.R*s.S+index]
	})
	return d
}

// wholeQuotient returns a/b if it is whole.
func wholeQuotient(a, b int) (q int, ok bool) { return a / b, a%b == 0 }

// Forward computes dst = act(transposed convolution(src) + bias + residual),
// where src is [N, C, H, W], and dst and residual, which may be nil or dst
// itself, are [N, K, OutH, OutW], in the layouts that it was packed for.
func (p *PackedConvTranspose2D) Forward(ws *Workspace, dst, src, residual []float32, act Activation) {
	checkLength("ConvTranspose2D", "input", len(src), p.in.size())
	checkLength("ConvTranspose2D", "output", len(dst), p.out.size())
	if residual != nil {
		checkLength("ConvTranspose2D", "residual", len(residual), p.out.size())
	}
	src = p.in.enter(ws, &ws.otherIn, src)
	to, residual := p.out.target(ws, dst, residual)
	p.direct.forward(ws, to, src, residual, act)
	p.out.leave(ws, dst, to)
}
