package kernels

import "fmt"

// Conv2D is the shape of a two-dimensional convolution (cross-correlation, as
// in ONNX) of a batch of images [N, C, H, W] with weights
// [K, C/Groups, R, S] to [N, K, OutH, OutW].
type Conv2D struct {
	N, C, H, W, K, R, S                  int
	StrideH, StrideW                     int
	PadTop, PadLeft, PadBottom, PadRight int
	DilationH, DilationW                 int
	Groups                               int
}

// OutH returns the height of the output.
func (s Conv2D) OutH() int {
	return (s.H+s.PadTop+s.PadBottom-(s.R-1)*s.DilationH-1)/s.StrideH + 1
}

// OutW returns the width of the output.
func (s Conv2D) OutW() int {
	return (s.W+s.PadLeft+s.PadRight-(s.S-1)*s.DilationW-1)/s.StrideW + 1
}

// Validate reports the first thing that is wrong with the shape.
func (s Conv2D) Validate() error {
	for _, dim := range []struct {
		name  string
		value int
	}{
		{"N", s.N}, {"C", s.C}, {"H", s.H}, {"W", s.W}, {"K", s.K}, {"R", s.R}, {"S", s.S},
		{"StrideH", s.StrideH}, {"StrideW", s.StrideW},
		{"DilationH", s.DilationH}, {"DilationW", s.DilationW}, {"Groups", s.Groups},
	} {
		if dim.value < 1 {
			return fmt.Errorf("kernels: convolution: %s is %d, want at least 1", dim.name, dim.value)
		}
	}
	for _, pad := range []struct {
		name  string
		value int
	}{
		{"PadTop", s.PadTop}, {"PadLeft", s.PadLeft}, {"PadBottom", s.PadBottom}, {"PadRight", s.PadRight},
	} {
		if pad.value < 0 {
			return fmt.Errorf("kernels: convolution: %s is %d, want at least 0", pad.name, pad.value)
		}
	}
	switch {
	case s.C%s.Groups != 0 || s.K%s.Groups != 0:
		return fmt.Errorf("kernels: convolution: %d groups do not divide %d input and %d output channels", s.Groups, s.C, s.K)
	case (s.R-1)*s.DilationH+1 > s.H+s.PadTop+s.PadBottom:
		return fmt.Errorf("kernels: convolution: the dilated kernel is %d high, the padded image only %d", (s.R-1)*s.DilationH+1, s.H+s.PadTop+s.PadBottom)
	case (s.S-1)*s.DilationW+1 > s.W+s.PadLeft+s.PadRight:
		return fmt.Errorf("kernels: convolution: the dilated kernel is %d wide, the padded image only %d", (s.S-1)*s.DilationW+1, s.W+s.PadLeft+s.PadRight)
	}
	return nil
}

func (s Conv2D) inputSize() int  { return s.N * s.C * s.H * s.W }
func (s Conv2D) outputSize() int { return s.N * s.K * s.OutH() * s.OutW() }
func (s Conv2D) weightSize() int { return s.K * (s.C / s.Groups) * s.R * s.S }

// depthwise reports whether every channel is a group of its own, with one or
// more outputs. A single channel with several outputs is no such case.
func (s Conv2D) depthwise() bool { return s.Groups == s.C && (s.K == s.C || s.C > 1) }

// pointwise reports whether the image itself, as a matrix, is the operand of
// the multiplication.
func (s Conv2D) pointwise() bool {
	return s.R == 1 && s.S == 1 && s.StrideH == 1 && s.StrideW == 1 &&
		s.PadTop == 0 && s.PadLeft == 0 && s.PadBottom == 0 && s.PadRight == 0
}

// single reports whether every image is one element a channel and the
// convolution thus a linear layer.
func (s Conv2D) single() bool { return s.pointwise() && s.H == 1 && s.W == 1 && s.Groups == 1 }

// check panics where the shape is invalid or a slice too short for it.
func (s Conv2D) check(input, output, weight []float32) {
	if err := s.Validate(); err != nil {
		panic(err)
	}
	checkLength("Conv2D", "input", len(input), s.inputSize())
	checkLength("Conv2D", "output", len(output), s.outputSize())
	checkLength("Conv2D", "weight", len(weight), s.weightSize())
}

// unfolding says how the channels of one image and group are laid out so that
// each row of the unfolded image (im2col), the input values that one weight
// meets, consists of runs of OutW adjacent elements: the image is padded, and
// its columns are sorted by their remainder modulo the stride. Rows and
// columns that a kernel of height or width 1 skips are left out.
type unfolding struct {
	shape      Conv2D
	height     int // stored rows
	rowStep    int // stored rows between two output rows
	phases     int // runs of a stored row
	width      int // elements of a run
	outH, outW int
}

func (s Conv2D) unfolding() unfolding {
	u := unfolding{shape: s, outH: s.OutH(), outW: s.OutW()}
	u.height, u.rowStep = (u.outH-1)*s.StrideH+(s.R-1)*s.DilationH+1, s.StrideH
	if s.R == 1 {
		u.height, u.rowStep = u.outH, 1
	}
	u.phases = s.StrideW
	if s.S == 1 {
		u.phases = 1
	}
	u.width = ((u.outW-1)*s.StrideW+(s.S-1)*s.DilationW)/s.StrideW + 1
	return u
}

// size returns the number of elements of the channels of one group.
func (u *unfolding) size() int {
	return u.shape.C / u.shape.Groups * u.height * u.phases * u.width
}

// offsets returns where the rows of the unfolded image start, [C/Groups*R*S],
// in the memory of dst where that is enough.
func (u *unfolding) offsets(dst []int) []int {
	s := u.shape
	dst = dst[:0]
	for c := range s.C / s.Groups {
		for r := range s.R {
			for q := range s.S {
				x := q * s.DilationW
				phase := x % s.StrideW // 0 where there is one phase only
				row := (c*u.height+r*s.DilationH)*u.phases + phase
				dst = append(dst, row*u.width+x/s.StrideW)
			}
		}
	}
	return dst
}

// matrix is the unfolded image [C/Groups*R*S, OutH*OutW].
func (u *unfolding) matrix(image []float32, offsets []int) matrix {
	return matrix{
		data: image, offsets: offsets,
		run: u.outW, stride: u.rowStep * u.phases * u.width,
	}
}

// source returns the row of the image that a stored row holds.
func (u *unfolding) source(row int) (y int, ok bool) {
	if u.shape.R == 1 {
		row *= u.shape.StrideH
	}
	y = row - u.shape.PadTop
	return y, y >= 0 && y < u.shape.H
}

// span returns which elements x0 to x1 of a run lie inside the image, and the
// column of the image at x0.
func (u *unfolding) span(phase int) (x0, x1, column int) {
	first, stride := phase-u.shape.PadLeft, u.shape.StrideW
	if first < 0 {
		x0 = (-first + stride - 1) / stride
	}
	column = first + x0*stride
	x1 = x0
	if column < u.shape.W {
		x1 += (u.shape.W - column + stride - 1) / stride
	}
	return min(x0, u.width), min(x1, u.width), column
}

// pad lays the channels [C/Groups, H, W] in src out in dst.
func (u *unfolding) pad(dst, src []float32) {
	s := u.shape
	for c := range s.C / s.Groups {
		for row := range u.height {
			y, inside := u.source(row)
			for phase := range u.phases {
				to := dst[((c*u.height+row)*u.phases+phase)*u.width:][:u.width]
				if !inside {
					clear(to)
					continue
				}
				x0, x1, column := u.span(phase)
				clear(to[:x0])
				clear(to[x1:])
				if x0 == x1 {
					continue
				}
				from := src[(c*s.H+y)*s.W+column : (c*s.H+y+1)*s.W]
				if s.StrideW == 1 {
					copy(to[x0:x1], from)
					continue
				}
				to = to[x0:x1]
				for i, j := 0, 0; i < len(to); i, j = i+1, j+s.StrideW {
					to[i] = from[j]
				}
			}
		}
	}
}

// unpad adds what lies in src, as laid out by pad, to the channels in dst.
func (u *unfolding) unpad(dst, src []float32) {
	s := u.shape
	for c := range s.C / s.Groups {
		for row := range u.height {
			y, inside := u.source(row)
			if !inside {
				continue
			}
			for phase := range u.phases {
				x0, x1, column := u.span(phase)
				if x0 == x1 {
					continue
				}
				from := src[((c*u.height+row)*u.phases+phase)*u.width:][x0:x1]
				to := dst[(c*s.H+y)*s.W+column : (c*s.H+y+1)*s.W]
				if s.StrideW == 1 {
					Add(to[:len(from)], to, from)
					continue
				}
				for i, v := range from {
					to[i*s.StrideW] += v
				}
			}
		}
	}
}
