package operator

import (
	"fmt"
	"slices"
)

// window is how a kernel slides over the spatial dimensions of a tensor. There
// are always three: inputs of fewer have leading ones of size 1.
type window struct {
	rank              int // of the spatial dimensions that there really are
	in, out           [3]int
	kernel            [3]int
	stride, dilation  [3]int
	begin, end, extra [3]int // padding; extra is ConvTranspose's output_padding
}

// spatial are the sizes of dimensions in three, leading ones being 1.
func spatial(shape []int) (s [3]int) {
	s = [3]int{1, 1, 1}
	copy(s[3-len(shape):], shape)
	return s
}

func volume(s [3]int) int { return s[0] * s[1] * s[2] }

// outShape is the output's shape for n images of m channels.
func (w *window) outShape(n, m int) []int {
	return append([]int{n, m}, w.out[3-w.rank:]...)
}

// sizes is an attribute with a value for each spatial dimension, missing where
// it is not given.
func (c *Call) sizes(name string, rank, missing, least int) ([3]int, error) {
	s := [3]int{missing, missing, missing}
	v, err := c.Attributes.Ints(name)
	if err != nil || v == nil {
		return s, err
	}
	if len(v) != rank {
		return s, fmt.Errorf("attribute %q is %v, want %d values as there are spatial dimensions", name, v, rank)
	}
	for i, x := range v {
		if x < least || x > MaxDim {
			return s, fmt.Errorf("attribute %q is %v, want values from %d to %d", name, v, least, MaxDim)
		}
		s[3-rank+i] = x
	}
	return s, nil
}

// slidingWindow reads the attributes that Conv, ConvTranspose and the pools
// have in common. kernel is nil where the attribute kernel_shape gives it.
// It returns the value of auto_pad, which padding has still to follow.
func (c *Call) slidingWindow(x, kernel []int) (*window, string, error) {
	if len(x) < 3 || len(x) > 5 {
		return nil, "", unsupportedf("an input of shape %v: only 1, 2 or 3 spatial dimensions are supported", x)
	}
	rank := len(x) - 2
	w := &window{rank: rank, in: spatial(x[2:])}
	given, err := c.Attributes.Ints("kernel_shape")
	if err != nil {
		return nil, "", err
	}
	if kernel == nil && given == nil {
		return nil, "", fmt.Errorf(`attribute "kernel_shape" is missing`)
	}
	if kernel != nil && len(given) > 0 && !slices.Equal(kernel, given) {
		return nil, "", fmt.Errorf(`attribute "kernel_shape" is %v, but the weights are of %v`, given, kernel)
	}
	if kernel != nil {
		if slices.Contains(kernel, 0) {
			return nil, "", fmt.Errorf("the kernel is of size %v, want no zero", kernel)
		}
		w.kernel = spatial(kernel)
	} else if w.kernel, err = c.sizes("kernel_shape", rank, 1, 1); err != nil {
		return nil, "", err
	}
	if w.stride, err = c.sizes("strides", rank, 1, 1); err != nil {
		return nil, "", err
	}
	if w.dilation, err = c.sizes("dilations", rank, 1, 1); err != nil {
		return nil, "", err
	}
	for i := range 3 {
		if reach := int64(w.kernel[i]-1)*int64(w.dilation[i]) + 1; reach > MaxDim {
			return nil, "", fmt.Errorf("a kernel of size %d, dilated by %d, is larger than %d", w.kernel[i], w.dilation[i], MaxDim)
		}
	}
	auto, err := c.Attributes.String("auto_pad", "NOTSET")
	if err != nil {
		return nil, "", err
	}
	pads, err := c.Attributes.Ints("pads")
	if err != nil {
		return nil, "", err
	}
	switch auto {
	case "", "NOTSET":
		auto = "NOTSET"
	case "VALID", "SAME_UPPER", "SAME_LOWER":
		return w, auto, nil
	default:
		return nil, "", fmt.Errorf(`attribute "auto_pad" is %q, want NOTSET, VALID, SAME_UPPER or SAME_LOWER`, auto)
	}
	if len(pads) == 0 {
		return w, auto, nil
	}
	if len(pads) != 2*rank {
		return nil, "", fmt.Errorf(`attribute "pads" is %v, want %d values, two for each spatial dimension`, pads, 2*rank)
	}
	for i, p := range pads {
		if p < 0 || p > MaxDim {
			return nil, "", fmt.Errorf(`attribute "pads" is %v, want values from 0 to %d`, pads, MaxDim)
		}
		if i < rank {
			w.begin[3-rank+i] = p
		} else {
			w.end[3-2*rank+i] = p
		}
	}
	return w, auto, nil
}

// reach is the extent of the dilated kernel.
func (w *window) reach(i int) int { return (w.kernel[i]-1)*w.dilation[i] + 1 }

// convolved sets padding and output sizes of an operator that reads windows.
func (w *window) convolved(auto string, ceil bool) error {
	for i := range 3 {
		if auto == "SAME_UPPER" || auto == "SAME_LOWER" {
			w.out[i] = (w.in[i] + w.stride[i] - 1) / w.stride[i]
			total := max((w.out[i]-1)*w.stride[i]+w.reach(i)-w.in[i], 0)
			w.begin[i] = total / 2
			if auto == "SAME_LOWER" {
				w.begin[i] = total - total/2
			}
			w.end[i] = total - w.begin[i]
			continue
		}
		room := w.in[i] + w.begin[i] + w.end[i] - w.reach(i)
		if room < 0 {
			return fmt.Errorf("a kernel of extent %d does not fit an input of size %d with padding %d and %d",
				w.reach(i), w.in[i], w.begin[i], w.end[i])
		}
		w.out[i] = room/w.stride[i] + 1
		if ceil {
			w.out[i] = (room+w.stride[i]-1)/w.stride[i] + 1
			// A window that would start in the padding behind the input does
			// not count.
			if (w.out[i]-1)*w.stride[i] >= w.in[i]+w.begin[i] {
				w.out[i]--
			}
		}
		if w.out[i] < 1 {
			return fmt.Errorf("no window starts within an input of size %d", w.in[i])
		}
	}
	return nil
}

// span is where position k of the kernel meets the input: for outputs from lo
// to below hi of dimension i it reads input o*stride+first.
func (w *window) span(i, k int) (lo, hi, first int) {
	first = k*w.dilation[i] - w.begin[i]
	if first < 0 {
		lo = (-first + w.stride[i] - 1) / w.stride[i]
	}
	if last := w.in[i] - 1 - first; last >= 0 {
		hi = min(w.out[i], last/w.stride[i]+1)
	}
	return min(lo, hi), hi, first
}

// inside are the positions of the kernel, from lo to below hi, that meet the
// input in dimension i when the output is at o.
func (w *window) inside(i, o int) (lo, hi int) {
	start := o*w.stride[i] - w.begin[i]
	if start < 0 {
		lo = (-start + w.dilation[i] - 1) / w.dilation[i]
	}
	if last := w.in[i] - 1 - start; last >= 0 {
		hi = min(w.kernel[i], last/w.dilation[i]+1)
	}
	return min(lo, hi), hi
}
