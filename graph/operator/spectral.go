package operator

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

func init() {
	define("HannWindow", windowFunction(0.5, 0.5, 0))
	define("HammingWindow", windowFunction(25.0/46, 21.0/46, 0))
	define("BlackmanWindow", windowFunction(0.42, 0.5, 0.08))
	define("DFT", definition{least: 1, most: 3, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			d, err := c.dft()
			if err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, d.shape})
		},
		run: func(c *Call, out []*Tensor) error {
			d, err := c.dft()
			if err != nil || out[0] == nil {
				return err
			}
			d.run(c.In[0], out[0])
			return nil
		},
	})
	define("STFT", definition{least: 2, most: 4, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			s, err := c.stft()
			if err != nil {
				return nil, err
			}
			return c.types(Type{c.In[0].DType, []int{s.batch, s.frames, s.bins, 2}})
		},
		run: func(c *Call, out []*Tensor) error {
			s, err := c.stft()
			if err != nil || out[0] == nil {
				return err
			}
			s.run(c, out[0])
			return nil
		},
	})
	define("MelWeightMatrix", definition{least: 5, most: 5, outputs: 1, exact: true,
		infer: func(c *Call) ([]Type, error) {
			err := firstError(c.wantType(0, I32, I64), c.wantType(1, I32, I64), c.wantType(2, I32, I64), c.wantFloat(3), c.wantFloat(4),
				c.wantScalar(0), c.wantScalar(1), c.wantScalar(2), c.wantScalar(3), c.wantScalar(4))
			if err != nil {
				return nil, err
			}
			d, err := c.typeAttribute("output_datatype", F32)
			if err != nil {
				return nil, err
			}
			if d == Bool {
				return nil, fmt.Errorf(`attribute "output_datatype" names %s, want numbers`, d)
			}
			mels, err := c.size(0, 1)
			if err != nil {
				return nil, err
			}
			length, err := c.size(1, 0)
			if err != nil {
				return nil, err
			}
			return c.types(Type{d, []int{length/2 + 1, mels}})
		},
		run: runMelWeightMatrix,
	})
}

// size is input i, which must be one whole number that is constant, and no
// less than least.
func (c *Call) size(i, least int) (int, error) {
	if err := firstError(c.wantType(i, I32, I64), c.wantScalar(i)); err != nil {
		return 0, err
	}
	v, err := c.ints(i)
	if err != nil {
		return 0, err
	}
	if v[0] < least || v[0] > MaxDim {
		return 0, fmt.Errorf("input %d is %d, want %d to %d", i, v[0], least, MaxDim)
	}
	return v[0], nil
}

// windowFunction is a sum of cosines.
func windowFunction(a, b, double float64) definition {
	return definition{least: 1, most: 1, outputs: 1,
		infer: func(c *Call) ([]Type, error) {
			d, err := c.typeAttribute("output_datatype", F32)
			if err != nil {
				return nil, err
			}
			if d == Bool {
				return nil, fmt.Errorf(`attribute "output_datatype" names %s, want numbers`, d)
			}
			if _, err := c.Attributes.Int("periodic", 1); err != nil {
				return nil, err
			}
			n, err := c.size(0, 0)
			if err != nil {
				return nil, err
			}
			return c.types(Type{d, []int{n}})
		},
		run: func(c *Call, out []*Tensor) error {
			n, err := c.size(0, 0)
			if err != nil {
				return err
			}
			length := float64(n)
			if periodic, _ := c.Attributes.Int("periodic", 1); periodic == 0 {
				length--
			}
			y := make([]float64, n)
			for i := range y {
				y[i] = 1
				if length > 0 {
					at := 2 * math.Pi * float64(i) / length
					y[i] = a - b*math.Cos(at) + double*math.Cos(2*at)
				}
			}
			setFloat64s(out[0], y)
			return nil
		},
	}
}

// dft is a discrete Fourier transform along a dimension.
type dft struct {
	axis, length      int
	inverse, onesided bool
	shape             []int // of the output
}

func (c *Call) dft() (*dft, error) {
	x := c.In[0].Shape
	if err := firstError(c.wantFloat(0), c.wantRank(0, 2, 100)); err != nil {
		return nil, err
	}
	inverse, err1 := c.Attributes.Int("inverse", 0)
	onesided, err2 := c.Attributes.Int("onesided", 0)
	if err := firstError(err1, err2); err != nil {
		return nil, err
	}
	d := &dft{axis: len(x) - 2, inverse: inverse != 0, onesided: onesided != 0}
	parts := x[len(x)-1]
	if parts != 1 && parts != 2 {
		return nil, fmt.Errorf("input is of shape %v, want a last dimension of 1, real, or 2, complex", x)
	}
	if d.onesided && !d.inverse && parts != 1 || d.onesided && d.inverse && parts != 2 {
		return nil, fmt.Errorf("input is of shape %v; a one-sided transform is from real to complex, and the inverse one from complex to real", x)
	}
	if c.has(2) {
		if err := firstError(c.wantType(2, I32, I64), c.wantScalar(2)); err != nil {
			return nil, err
		}
		v, err := c.ints(2)
		if err != nil {
			return nil, err
		}
		if d.axis, err = axis(v[0], len(x)); err != nil {
			return nil, err
		}
		if d.axis == len(x)-1 {
			return nil, fmt.Errorf("axis %d is that of real and imaginary parts", v[0])
		}
	}
	d.length = x[d.axis]
	if d.onesided && d.inverse {
		d.length = 2 * (x[d.axis] - 1)
	}
	if c.has(1) {
		var err error
		if d.length, err = c.size(1, 1); err != nil {
			return nil, err
		}
	}
	if d.length < 1 {
		return nil, fmt.Errorf("a transform of %d elements of an input of shape %v", d.length, x)
	}
	if err := checkTransform(d.length); err != nil {
		return nil, err
	}
	d.shape = append([]int{}, x...)
	d.shape[d.axis], d.shape[len(x)-1] = d.length, 2
	if d.onesided && !d.inverse {
		d.shape[d.axis] = d.length/2 + 1
	}
	if d.onesided && d.inverse {
		d.shape[len(x)-1] = 1
	}
	return d, nil
}

// checkTransform bounds the work of a transform, which grows with its length
// times the largest prime factor of that.
func checkTransform(length int) error {
	rest := length
	for p := 2; p*p <= rest; p++ {
		for rest%p == 0 && rest > p {
			rest /= p
		}
	}
	if int64(length)*int64(rest) > 1<<30 {
		return unsupportedf("a transform of %d elements, which has the prime factor %d", length, rest)
	}
	return nil
}

func (d *dft) run(x, out *Tensor) {
	v, shape := float64s(x), x.Shape
	parts, outParts := shape[len(shape)-1], d.shape[len(shape)-1]
	y := make([]float64, Elements(d.shape))
	fft := fourier.NewCmplxFFT(d.length)
	line, result := make([]complex128, d.length), make([]complex128, d.length)
	step := Elements(shape[d.axis+1:]) / parts
	for outer := range Elements(shape[:d.axis]) {
		for inner := range step {
			clear(line)
			bins := min(shape[d.axis], d.length)
			if d.inverse && d.onesided {
				bins = min(bins, d.length/2+1)
			}
			for i := range bins {
				at := ((outer*shape[d.axis]+i)*step + inner) * parts
				im := 0.0
				if parts == 2 {
					im = v[at+1]
				}
				line[i] = complex(v[at], im)
				if k := d.length - i; d.inverse && d.onesided && i > 0 && k > d.length/2 {
					line[k] = complex(v[at], -im)
				}
			}
			scale := 1.0
			if d.inverse {
				fft.Sequence(result, line)
				scale = 1 / float64(d.length)
			} else {
				fft.Coefficients(result, line)
			}
			for i := range d.shape[d.axis] {
				at := ((outer*d.shape[d.axis]+i)*step + inner) * outParts
				y[at] = real(result[i]) * scale
				if outParts == 2 {
					y[at+1] = imag(result[i]) * scale
				}
			}
		}
	}
	setFloat64s(out, y)
}

// stft is a Fourier transform of each frame of a signal.
type stft struct {
	batch, signal, parts       int
	step, length, frames, bins int
}

func (c *Call) stft() (*stft, error) {
	x := c.In[0].Shape
	if err := firstError(c.wantFloat(0, 2), c.wantRank(0, 2, 3), c.wantRank(2, 1, 1)); err != nil {
		return nil, err
	}
	s := &stft{batch: x[0], signal: x[1], parts: 1}
	if len(x) == 3 {
		s.parts = x[2]
	}
	if s.parts != 1 && s.parts != 2 {
		return nil, fmt.Errorf("input is of shape %v, want a last dimension of 1, real, or 2, complex", x)
	}
	onesided, err := c.Attributes.Int("onesided", 1)
	if err != nil {
		return nil, err
	}
	if onesided != 0 && s.parts == 2 {
		return nil, fmt.Errorf("input is of shape %v, but a one-sided transform wants a real signal", x)
	}
	if s.step, err = c.size(1, 1); err != nil {
		return nil, err
	}
	switch {
	case c.has(3):
		if s.length, err = c.size(3, 1); err != nil {
			return nil, err
		}
		if err := c.wantShape(2, s.length); err != nil {
			return nil, err
		}
	case c.has(2):
		s.length = c.In[2].Shape[0]
	default:
		s.length = s.signal
	}
	if s.length < 1 || s.length > s.signal {
		return nil, fmt.Errorf("frames of %d elements of a signal of %d", s.length, s.signal)
	}
	if err := checkTransform(s.length); err != nil {
		return nil, err
	}
	s.frames = 1 + (s.signal-s.length)/s.step
	s.bins = s.length
	if onesided != 0 {
		s.bins = s.length/2 + 1
	}
	return s, nil
}

func (s *stft) run(c *Call, out *Tensor) {
	x, window := float64s(c.In[0]), float64s(c.input(2))
	y := make([]float64, 0, Elements(out.Shape))
	fft := fourier.NewCmplxFFT(s.length)
	frame, result := make([]complex128, s.length), make([]complex128, s.length)
	for b := range s.batch {
		for f := range s.frames {
			for i := range frame {
				at := (b*s.signal + f*s.step + i) * s.parts
				re, im := x[at], 0.0
				if s.parts == 2 {
					im = x[at+1]
				}
				if window != nil {
					re, im = re*window[i], im*window[i]
				}
				frame[i] = complex(re, im)
			}
			for _, v := range fft.Coefficients(result, frame)[:s.bins] {
				y = append(y, real(v), imag(v))
			}
		}
	}
	setFloat64s(out, y)
}

func runMelWeightMatrix(c *Call, out []*Tensor) error {
	mels, err1 := c.size(0, 1)
	length, err2 := c.size(1, 0)
	rate, err3 := c.size(2, 1)
	if err := firstError(err1, err2, err3); err != nil {
		return err
	}
	low, high := float64s(c.In[3])[0], float64s(c.In[4])[0]
	if !(low >= 0 && high >= low && high <= float64(rate)) {
		return fmt.Errorf("frequencies from %g to %g at a sample rate of %d", low, high, rate)
	}
	low, high = 2595*math.Log10(1+low/700), 2595*math.Log10(1+high/700)
	bins := length/2 + 1
	at := func(i int) int { // the bin of the edge i of the triangles
		mel := low + float64(i)*(high-low)/float64(mels+2)
		return int(math.Floor(float64(length+1) * 700 * (math.Pow(10, mel/2595) - 1) / float64(rate)))
	}
	y := make([]float64, bins*mels)
	for m := range mels {
		left, center, right := at(m), at(m+1), at(m+2)
		if left < 0 || right > bins || center >= bins {
			return fmt.Errorf("frequencies up to bin %d of the %d of a transform of length %d", right, bins, length)
		}
		if left == center {
			y[center*mels+m] = 1
		}
		for k := left; left < center && k <= center; k++ {
			y[k*mels+m] = float64(k-left) / float64(center-left)
		}
		for k := center; center < right && k < right; k++ {
			y[k*mels+m] = float64(right-k) / float64(right-center)
		}
	}
	setFloat64s(out[0], y)
	return nil
}
