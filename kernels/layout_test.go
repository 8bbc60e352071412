package kernels

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// blockedIndex is where channel c of pixel p of image n of channels lies.
func blockedIndex(n, c, p, channels, hw int) int {
	w := ChannelBlock()
	return ((n*blocks(channels)+c/w)*hw+p)*w + c%w
}

func TestLayouts(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		var ws Workspace
		rapid.Check(t, func(t *rapid.T) {
			n, c := rapid.IntRange(0, 3).Draw(t, "n"), rapid.IntRange(0, 40).Draw(t, "c")
			hw := rapid.SampledFrom([]int{0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 49, 60, conversionPixels + 3}).Draw(t, "hw")
			if hw > 1000 {
				n, c = 1, min(c, 3)
			}
			src := randomSlice(newRand(1), n*c*hw)
			poison(newRand(2), src)
			size := BlockedSize(n, c, hw)
			guardedBlocked := unaligned(size + 1)
			guardedBlocked[size] = 5
			blocked := guardedBlocked[:size]
			ToBlocked(&ws, n, c, hw, blocked, src)
			for i, x := range src {
				if y := blocked[blockedIndex(i/hw/c, i/hw%c, i%hw, c, hw)]; x != y && !(x != x && y != y) {
					t.Fatalf("element %d is %v in blocks, want %v", i, y, x)
				}
			}
			for i := range n * blocks(c) * ChannelBlock() * hw { // spare channels of finite pixels
				w := ChannelBlock()
				pixel := i / w * w
				finite := func(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }
				if channel := i/w/hw%blocks(c)*w + i%w; channel >= c && !finite(blocked[i]) && !slices.ContainsFunc(blocked[pixel:pixel+w-(channel-c+1)], func(x float32) bool { return !finite(x) }) {
					t.Fatalf("spare element %d is %v", i, blocked[i])
				}
			}
			back := unaligned(len(src) + 1)
			back[len(src)] = 7
			FromBlocked(&ws, n, c, hw, back[:len(src)], blocked)
			for i, x := range src {
				if y := back[i]; x != y && !(x != x && y != y) {
					t.Fatalf("element %d comes back as %v, want %v", i, y, x)
				}
			}
			if guardedBlocked[size] != 5 || back[len(src)] != 7 {
				t.Fatal("written behind the end")
			}
		})
	})
}

func TestTransposeBlocksTwin(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		w := tiles.width
		const ld, count = 45, 2
		src := randomSlice(newRand(3), ld*w)
		run := func(kernel func(*transposition)) []float32 {
			dst := make([]float32, ld*w)
			x := transposition{dst: &dst[0], src: &src[0], count: count, dstStep: 4 * w, srcStep: 4 * w}
			for i := range w {
				x.srcRows[i], x.dstRows[i] = 4*ld*i, 4*ld*min(i, w-2)
			}
			kernel(&x)
			return dst
		}
		if got, want := run(transposeBlocks), run(func(x *transposition) { transposeBlocksPortable(x, w) }); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func BenchmarkLayout(b *testing.B) {
	var ws Workspace
	for _, s := range [][2]int{{64, 14 * 14}, {40, 28 * 28}, {64, 56 * 56}, {256, 56 * 56}, {512, 7 * 7}} {
		c, hw := s[0], s[1]
		x, y := Aligned[float32](c*hw), Aligned[float32](BlockedSize(1, c, hw))
		for _, to := range []bool{true, false} {
			b.Run(fmt.Sprintf("c%dhw%d/blocked=%v", c, hw, to), func(b *testing.B) {
				b.SetBytes(int64(4 * c * hw))
				for b.Loop() {
					if to {
						ToBlocked(&ws, 1, c, hw, y, x)
					} else {
						FromBlocked(&ws, 1, c, hw, x, y)
					}
				}
			})
		}
		b.Run(fmt.Sprintf("c%dhw%d/copy", c, hw), func(b *testing.B) {
			b.SetBytes(int64(4 * c * hw))
			for b.Loop() {
				copy(y, x)
			}
		})
	}
}
