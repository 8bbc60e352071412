package kernels

import "encoding/binary"

// int8Scratch is the scratch memory of the int8 functions.
type int8Scratch struct {
	job       int8Job
	depthwise int8DepthwiseJob
	image     int8Image
}

// int8Image copies images [n, h, w, pixel] to [n, outH, outW, pixels of all
// groups], top and left rows and columns further down and right, amid pixels
// of fill. The channels of every group are padded to a multiple of four bytes,
// which hold anything. Every byte is changed by exclusive or with flip. A
// matrix is an image of one row.
type int8Image struct {
	from             []uint8
	n, h, w          int
	pixel            int // bytes of a pixel
	groups, channels int // of a group
	top, left        int
	outH, outW       int
	flip             uint8
	fill             uint8

	to       []uint8
	outPixel int
	border   []uint8 // a row of fill
	rows     int     // of a part
}

// copy does it, with pixels of outPixel bytes.
func (x *int8Image) copy(y int8Image, outPixel int) {
	y.to, y.border, y.outPixel = x.to, x.border, outPixel
	*x = y
	x.to = growBytes(x.to, x.n*x.outH*x.outW*outPixel)
	x.border = growBytes(x.border, x.outW*outPixel)
	fillBytes(x.border, x.fill)
	x.rows = max(32<<10/max(x.outW*outPixel, 1), 1)
	parallel((x.n*x.outH+x.rows-1)/x.rows, x)
}

func (x *int8Image) part(i, _ int) {
	size := x.outW * x.outPixel
	for row := i * x.rows; row < min((i+1)*x.rows, x.n*x.outH); row++ {
		n, y := row/x.outH, row%x.outH-x.top
		to := x.to[row*size : (row+1)*size]
		if y < 0 || y >= x.h {
			copy(to, x.border)
			continue
		}
		copy(to[:x.left*x.outPixel], x.border)
		to = to[x.left*x.outPixel:]
		pixels := min(x.w, x.outW-x.left)
		copy(to[pixels*x.outPixel:], x.border)
		from := x.from[(n*x.h+y)*x.w*x.pixel:]
		padded := Int8Channels(x.channels)
		switch {
		case x.outPixel == x.pixel && (x.groups == 1 || x.channels == padded):
			copyFlipped(to[:pixels*x.outPixel], from, x.flip)
		default:
			for p := range pixels {
				for g := range x.groups {
					copyFlipped(to[p*x.outPixel+g*padded:][:x.channels], from[p*x.pixel+g*x.channels:], x.flip)
				}
			}
		}
	}
}

// fillBytes sets every element of s to x.
func fillBytes(s []uint8, x uint8) {
	if len(s) == 0 {
		return
	}
	s[0] = x
	for n := 1; n < len(s); n *= 2 {
		copy(s[n:], s[:n])
	}
}

// copyFlipped sets dst[i] = src[i] ^ flip for every i < len(dst).
func copyFlipped(dst, src []uint8, flip uint8) {
	if flip == 0 {
		copy(dst, src)
		return
	}
	src = src[:len(dst)]
	mask := uint64(flip) * 0x0101010101010101
	for len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^mask)
		dst, src = dst[8:], src[8:]
	}
	for i, q := range src {
		dst[i] = q ^ flip
	}
}
