package kernels

import (
	"math"
	"testing"
)

// halfFormat is the definition of a half-precision type.
type halfFormat struct {
	exponentBits, fractionBits int
}

var halfFormats = map[HalfType]halfFormat{Float16: {5, 10}, Bfloat16: {8, 7}}

// value is the number that bits stand for.
func (f halfFormat) value(bits uint16) float64 {
	bias := 1<<(f.exponentBits-1) - 1
	sign := 1.0
	if bits>>15 == 1 {
		sign = -1
	}
	exponent := int(bits >> f.fractionBits & (1<<f.exponentBits - 1))
	fraction := float64(bits&(1<<f.fractionBits-1)) / float64(int(1)<<f.fractionBits)
	switch {
	case exponent == 1<<f.exponentBits-1 && fraction != 0:
		return math.NaN()
	case exponent == 1<<f.exponentBits-1:
		return math.Inf(int(sign))
	case exponent == 0:
		return sign * math.Ldexp(fraction, 1-bias)
	}
	return sign * math.Ldexp(1+fraction, exponent-bias)
}

// nearest is the pattern whose value is nearest to x, the even one of two. The
// patterns of positive numbers are ordered as their values.
func (f halfFormat) nearest(x float32) uint16 {
	sign := uint16(math.Float32bits(x) >> 31 << 15)
	magnitude := math.Abs(float64(x))
	infinite := uint16(1<<f.exponentBits-1) << f.fractionBits
	low, high := uint16(0), infinite
	for high-low > 1 { // value(low) <= magnitude < value(high)
		if middle := low + (high-low)/2; f.value(middle) <= magnitude {
			low = middle
		} else {
			high = middle
		}
	}
	if math.IsInf(magnitude, 1) {
		return sign | infinite
	}
	next := f.value(high)
	if high == infinite { // the number that would follow the largest
		next = 2*f.value(high-1) - f.value(high-2)
	}
	down, up := magnitude-f.value(low), next-magnitude
	if up < down || up == down && low%2 == 1 {
		return sign | high
	}
	return sign | low
}

func TestHalfToFloat32(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		for h, f := range halfFormats {
			src, dst, back := make([]uint16, 1<<16), unaligned(1<<16), make([]uint16, 1<<16)
			for i := range src {
				src[i] = uint16(i)
			}
			h.Float32(dst, src)
			h.FromFloat32(back, dst)
			for i, got := range dst {
				want := f.value(uint16(i))
				bits := math.Float32bits(got)
				if float64(got) != want && !(got != got && want != want) || bits>>31 != uint32(i)>>15 {
					t.Fatalf("type %d: %#04x is %v, want %v", h, i, got, want)
				}
				quiet := uint16(i)
				if want != want { // the bits of a NaN are kept, but for the one that makes it quiet
					quiet |= 1 << (f.fractionBits - 1)
					if bits&^(1<<22) != uint32(i)>>15<<31|0x7f800000|uint32(i)&(1<<f.fractionBits-1)<<(23-f.fractionBits)&^(1<<22) {
						t.Fatalf("type %d: NaN %#04x became %#08x", h, i, bits)
					}
				}
				if back[i] != quiet {
					t.Fatalf("type %d: %#04x came back as %#04x", h, i, back[i])
				}
			}
		}
	})
}

func TestHalfFromFloat32(t *testing.T) {
	// All upper halves, with lower halves about the ties and some others, so
	// that every exponent and rounding is met, and about the limits.
	lower := []uint32{0, 1, 0x0fff, 0x1000, 0x1001, 0x1fff, 0x2000, 0x3000, 0x7fff, 0x8000, 0x8001, 0xffff}
	var src []float32
	for high := range uint32(1 << 16) {
		src = append(src, math.Float32frombits(high<<16|lower[high%12]), math.Float32frombits(high<<16|lower[(high+5)%12]))
	}
	r := newRand(1)
	for range 50000 {
		src = append(src, math.Float32frombits(r.Uint32()))
	}
	for _, limit := range []float32{65504, 65520, 65536, 0x1p-14, 0x1p-24, 0x1p-25, 0x1.8p-24, 0x1p-126, 0x1p-133, 0x1p-134, 0x1.fep127, 0x1.ffp127} {
		for d := range int32(5) {
			x := math.Float32frombits(uint32(int32(math.Float32bits(limit)) + d - 2))
			src = append(src, x, -x)
		}
	}
	wants := map[HalfType][]uint16{}
	for h, f := range halfFormats {
		for _, x := range src {
			wants[h] = append(wants[h], f.nearest(x))
		}
	}
	eachImplementation(t, func(t *testing.T) {
		for h, f := range halfFormats {
			dst := make([]uint16, len(src))
			h.FromFloat32(dst, src)
			for i, got := range dst {
				want := wants[h][i]
				if x := src[i]; x != x {
					b := math.Float32bits(x)
					want = uint16(b>>31<<15) | uint16(1<<f.exponentBits-1)<<f.fractionBits | 1<<(f.fractionBits-1) | uint16(b&(1<<23-1)>>(23-f.fractionBits))
				}
				if got != want {
					t.Fatalf("type %d: %v, %#08x, gives %#04x, want %#04x", h, src[i], math.Float32bits(src[i]), got, want)
				}
			}
		}
	})
}

// Lengths that are no multiple of the vectors.
func TestHalfTails(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		for h := range halfFormats {
			for n := range 40 {
				src := randomSlice(newRand(uint64(n)), n)
				all := make([]uint16, n+2)
				all[0], all[n+1] = 0xabcd, 0xabcd
				h.FromFloat32(all[1:n+1], src)
				back, check := guarded(make([]float32, n))
				h.Float32(back, all[1:n+1])
				check(t, "Float32")
				if all[0] != 0xabcd || all[n+1] != 0xabcd {
					t.Fatalf("%d elements: wrote beyond them", n)
				}
				requireClose(t, "there and back", back, src, 1.0/256)
			}
		}
	})
}

func BenchmarkHalf(b *testing.B) {
	for _, size := range memorySizes {
		n := size.bytes / 4
		wide, narrow := Aligned[float32](n), make([]uint16, n)
		for i := range wide {
			wide[i] = float32(i)
		}
		for name, f := range map[string]func(){
			"float16FromFloat32":  func() { Float16.FromFloat32(narrow, wide) },
			"float32FromFloat16":  func() { Float16.Float32(wide, narrow) },
			"bfloat16FromFloat32": func() { Bfloat16.FromFloat32(narrow, wide) },
			"float32FromBfloat16": func() { Bfloat16.Float32(wide, narrow) },
		} {
			b.Run(name+"/"+size.name, func(b *testing.B) {
				for b.Loop() {
					f()
				}
				reportGBs(b, 6*n)
			})
		}
	}
}
