package transfer

import (
	"fmt"
	"strconv"
	"strings"
)

// fbnet is the layer-wise space of Wu et al., "FBNet: Hardware-Aware Efficient
// ConvNet Design via Differentiable Neural Architecture Search" (CVPR 2019): 22
// places, each with one of eight inverted residual blocks or none.
type fbnet struct{}

const (
	fbnetPlaces = 22
	fbnetBlocks = 9 // the last one is skip
	fbnetSkip   = 8
)

// fbnetBlock is a choice: the kernel and expansion of the block and the groups
// of its pointwise convolutions.
var fbnetBlock = [fbnetBlocks]struct{ kernel, expansion, groups int }{
	{3, 1, 1}, {3, 1, 2}, {3, 3, 1}, {3, 6, 1}, {5, 1, 1}, {5, 1, 2}, {5, 3, 1}, {5, 6, 1}, {},
}

// fbnetPlace is where a block stands: its stage, channels, side of its input
// and stride, for images of 224x224.
var fbnetPlace = func() (places [fbnetPlaces]struct{ stage, in, out, side, stride int }) {
	at, in, side := 0, 16, 112
	for stage, s := range []struct{ out, n, stride int }{{16, 1, 1}, {24, 4, 2}, {32, 4, 2}, {64, 4, 2}, {112, 4, 1}, {184, 4, 2}, {352, 1, 1}} {
		for i := range s.n {
			stride := 1
			if i == 0 {
				stride = s.stride
			}
			p := &places[at]
			p.stage, p.in, p.out, p.side, p.stride = stage, in, s.out, side, stride
			in, side = s.out, side/stride
			at++
		}
	}
	return places
}()

const fbnetStages = 7

func (fbnet) Name() string        { return "fbnet" }
func (fbnet) columns() [][]string { return [][]string{{"arch"}} }

func (fbnet) parse(fields []string) (Architecture, error) {
	words := strings.Fields(fields[0])
	if len(words) != fbnetPlaces {
		return nil, fmt.Errorf("architecture %q has %d blocks, want %d", fields[0], len(words), fbnetPlaces)
	}
	a := make(Architecture, fbnetPlaces)
	for i, word := range words {
		c, err := strconv.Atoi(word)
		if err != nil || c < 0 || c >= fbnetBlocks {
			return nil, fmt.Errorf("architecture %q: block %d is %q, want a number from 0 to %d", fields[0], i, word, fbnetBlocks-1)
		}
		a[i] = c
	}
	return a, nil
}

func (fbnet) prune(a Architecture) Architecture { return a }

func (fbnet) groups(a Architecture) []group {
	count := make([]float64, fbnetBlocks)
	perStage := make([]float64, fbnetStages*fbnetBlocks)
	cost := make([]float64, 6)
	stageCost := make([]float64, 3*fbnetStages)
	for i, c := range a {
		p, b := fbnetPlace[i], fbnetBlock[c]
		count[c]++
		perStage[p.stage*fbnetBlocks+c]++
		in, out := float64(p.side*p.side), float64(p.side*p.side)/float64(p.stride*p.stride)
		var pointwise, depthwise, moved, weights float64
		if c == fbnetSkip {
			if p.in == p.out && p.stride == 1 {
				continue
			}
			pointwise = out * float64(p.in*p.out)
			moved = in*float64(p.in) + out*float64(p.out)
			weights = float64(p.in * p.out)
		} else {
			middle := float64(p.in * b.expansion)
			g := float64(b.groups)
			pointwise = (in*float64(p.in)*middle + out*middle*float64(p.out)) / g
			depthwise = out * middle * float64(b.kernel*b.kernel)
			moved = in*float64(p.in) + 2*in*middle + 2*out*middle + out*float64(p.out)
			weights = middle*(float64(p.in+p.out)/g) + middle*float64(b.kernel*b.kernel)
			cost[4]++
			cost[5] += g - 1
		}
		cost[0] += pointwise
		cost[1] += depthwise
		cost[2] += moved
		cost[3] += weights
		stageCost[3*p.stage] += pointwise
		stageCost[3*p.stage+1] += depthwise
		stageCost[3*p.stage+2] += moved
	}
	return []group{
		{"blocks", count, false},
		{"work", cost, true},
		{"work of stages", stageCost, false},
		{"blocks of stages", perStage, false},
		{"places", oneHot(fbnetPlaces, fbnetBlocks, a...), false},
	}
}

// sums are the blocks, their work, and what stages have of either.
func (s fbnet) sums(a Architecture) []group { return s.groups(a)[:4] }

// terms are the choices of the places.
func (fbnet) terms(a Architecture) []term {
	out := make([]term, len(a))
	for i, c := range a {
		out[i] = term{i*fbnetBlocks + c, 1, c, fbnetPlace[i].stage}
	}
	return out
}
