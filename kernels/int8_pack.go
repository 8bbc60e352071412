package kernels

// int8Packed is the right operand of an int8 product, [k, n], laid out for the
// kernels: in panels of two vectors of columns, or one at the end, of which
// four rows at a time, or eight, are adjacent, column by column. The rows come
// in segments, each padded with zeros to depth rows.
type int8Packed struct {
	kernel   *int8Kernel
	n        int
	k        int // rows that do not fill up
	segments int
	steps    int // of four rows, of a segment
	depth    int // rows of a segment, a multiple of four or eight
	panels   []int8
	sums     []int32 // of columns
	zero     []int32 // zero points of columns, for whole panels, or nil
	ones     []int8  // panel of one vector that sums up rows, if zero is not nil
}

// packInt8 packs segments times length rows: the element of column j is
// weight[first+j*stride], where first is what at returns for the row, unless
// the row is one that only fills up.
func packInt8(kernel *int8Kernel, segments, length, n int, zero, weight []int8, stride int, at func(segment, i int) (first int, ok bool)) *int8Packed {
	p := &int8Packed{
		kernel: kernel, n: n, segments: segments,
		steps: max((length+3)/4, 1), sums: make([]int32, n),
	}
	unit := kernel.unit()
	p.depth = (4*p.steps + unit - 1) / unit * unit
	vectors := (n + kernel.width - 1) / kernel.width
	p.panels = Aligned[int8](vectors * kernel.width * segments * p.depth)
	for s := range segments {
		for i := range length {
			first, ok := at(s, i)
			if !ok {
				continue
			}
			p.k++
			for c := range p.count() {
				panel, width, column := p.panel(c)
				panel = panel[(s*p.depth+i)/unit*width*unit+i%unit:]
				for j := range min(width, n-column) {
					x := weight[first+(column+j)*stride]
					panel[j*unit] = x
					p.sums[column+j] += int32(x)
				}
			}
		}
	}
	if zero == nil || n == 0 {
		return p
	}
	p.zero = make([]int32, vectors*kernel.width)
	for j, z := range zero[:n] {
		p.zero[j] = int32(z)
	}
	p.ones = Aligned[int8](kernel.width * segments * p.depth)
	for s := range segments {
		for i := range length {
			if _, ok := at(s, i); !ok {
				continue
			}
			for j := range kernel.width {
				p.ones[((s*p.depth+i)/unit*kernel.width+j)*unit+i%unit] = 1
			}
		}
	}
	return p
}

// count returns the number of panels.
func (p *int8Packed) count() int {
	return (p.n + 2*p.kernel.width - 1) / (2 * p.kernel.width)
}

// panel returns panel i, its width and its first column.
func (p *int8Packed) panel(i int) (panel []int8, width, column int) {
	width, column = 2*p.kernel.width, i*2*p.kernel.width
	if p.n-column <= p.kernel.width {
		width = p.kernel.width
	}
	size := p.segments * p.depth
	return p.panels[column*size : (column+width)*size], width, column
}

// start writes to dst, for every column, what sums begin with: the bias, and
// what makes up for the zero points of an input with zero zero in unsigned
// bytes.
func (p *int8Packed) start(dst []int32, zero int, bias []int32) {
	clear(dst)
	offset := int32(zero - p.kernel.offset)
	if bias == nil {
		for j, sum := range p.sums {
			dst[j] = -offset * sum
		}
	} else {
		for j, sum := range p.sums {
			dst[j] = bias[j] - offset*sum
		}
	}
	if p.zero != nil {
		for j := range p.sums {
			dst[j] += int32(p.k*zero) * p.zero[j]
		}
	}
}

// growBytes returns at least n bytes, in the memory of s where that is enough.
func growBytes(s []uint8, n int) []uint8 {
	if cap(s) >= n {
		return s[:n]
	}
	return Aligned[uint8](n)
}

// growInts returns at least n integers, in the memory of s where that is
// enough.
func growInts(s []int32, n int) []int32 {
	if cap(s) >= n {
		return s[:n]
	}
	return make([]int32, n)
}
