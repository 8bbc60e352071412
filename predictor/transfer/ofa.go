package transfer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ofa is the MobileNetV3 space of Cai et al., "Once-for-All: Train One Network
// and Specialize it for Efficient Deployment" (ICLR 2020): five stages of two to
// four blocks, a kernel and an expansion each, and the resolution of the image.
type ofa struct{}

const (
	ofaStages = 5
	ofaDepth  = 4
	ofaPlaces = ofaStages * ofaDepth
)

var (
	ofaKernels    = []int{3, 5, 7}
	ofaExpansions = []int{3, 4, 6}
	ofaChannels   = [ofaStages + 1]int{16, 24, 40, 80, 112, 160}
	ofaStrides    = [ofaStages]int{2, 2, 2, 1, 2}
)

func (ofa) Name() string { return "ofa" }
func (ofa) columns() [][]string {
	return [][]string{{"arch"}, {"ks", "e", "d", "r"}}
}

// parse reads the kernels and expansions of all places, the depths of the stages
// and the resolution, in one column as ks=...;e=...;d=...;r=... or in four.
// Places past the depth of their stage are set to -1, as they are not used.
func (ofa) parse(fields []string) (Architecture, error) {
	whole := strings.Join(fields, ";")
	if len(fields) == 1 {
		parts := strings.Split(fields[0], ";")
		if len(parts) != 4 {
			return nil, fmt.Errorf("architecture %q is not of the form ks=...;e=...;d=...;r=..., each list separated by spaces", whole)
		}
		fields = make([]string, 4)
		for i, name := range []string{"ks", "e", "d", "r"} {
			value, ok := strings.CutPrefix(parts[i], name+"=")
			if !ok {
				return nil, fmt.Errorf("architecture %q is not of the form ks=...;e=...;d=...;r=..., each list separated by spaces", whole)
			}
			fields[i] = value
		}
	}
	var numbers [4][]int
	for i, want := range []struct {
		name    string
		n       int
		allowed []int
	}{{"ks", ofaPlaces, ofaKernels}, {"e", ofaPlaces, ofaExpansions}, {"d", ofaStages, []int{2, 3, 4}}, {"r", 1, nil}} {
		words := strings.FieldsFunc(fields[i], func(r rune) bool { return r == ' ' || r == ',' || r == '[' || r == ']' })
		if len(words) != want.n {
			return nil, fmt.Errorf("architecture %q: %s has %d numbers, want %d", whole, want.name, len(words), want.n)
		}
		for _, word := range words {
			v, err := strconv.Atoi(word)
			if err != nil || want.allowed != nil && !slices.Contains(want.allowed, v) || want.allowed == nil && (v < 32 || v > 4096) {
				return nil, fmt.Errorf("architecture %q: %s is %q, want one of %v", whole, want.name, word, orSides(want.allowed))
			}
			numbers[i] = append(numbers[i], v)
		}
	}
	a := make(Architecture, 0, 2*ofaPlaces+1)
	for place := range ofaPlaces {
		k, e := -1, -1
		if place%ofaDepth < numbers[2][place/ofaDepth] {
			k, e = slices.Index(ofaKernels, numbers[0][place]), slices.Index(ofaExpansions, numbers[1][place])
		}
		a = append(a, k, e)
	}
	return append(a, numbers[3][0]), nil
}

func orSides(allowed []int) any {
	if allowed == nil {
		return "32 to 4096"
	}
	return allowed
}

func (ofa) prune(a Architecture) Architecture { return a }

func (ofa) groups(a Architecture) []group {
	r := float64(a[2*ofaPlaces])
	area := r * r / (224 * 224)
	cost := make([]float64, 6) // pointwise, depthwise, moved, weights, blocks, side
	stages := make([]float64, 2*ofaStages)
	counts := make([]float64, 9)
	places := make([]float64, 9*ofaPlaces)
	side := r / 2
	for stage := range ofaStages {
		in := float64(ofaChannels[stage])
		out := float64(ofaChannels[stage+1])
		for i := range ofaDepth {
			place := stage*ofaDepth + i
			if a[2*place] < 0 {
				continue
			}
			k, e := float64(ofaKernels[a[2*place]]), float64(ofaExpansions[a[2*place+1]])
			before := side * side
			if i == 0 {
				side /= float64(ofaStrides[stage])
			}
			after := side * side
			middle := in * e
			cost[0] += before*in*middle + after*middle*out
			cost[1] += after * middle * k * k
			cost[2] += before*in + 2*before*middle + 2*after*middle + after*out
			cost[3] += middle*(in+out) + middle*k*k
			cost[4]++
			stages[2*stage] += before*in*middle + after*middle*out
			stages[2*stage+1] += after * middle * k * k
			choice := a[2*place]*3 + a[2*place+1]
			counts[choice]++
			places[9*place+choice] = area
			in = out
		}
	}
	cost[5] = area
	return []group{
		{"blocks", append(counts, area), false},
		{"work", cost, true},
		{"work of stages", stages, false},
		{"places", places, false},
	}
}

// sums are the blocks, their work, and what stages have of either.
func (s ofa) sums(a Architecture) []group { return s.groups(a)[:3] }

// terms are the choices of the places, alone and times the image's area.
func (ofa) terms(a Architecture) []term {
	r := float64(a[2*ofaPlaces])
	area := r * r / (224 * 224)
	const each = 10
	out := []term{{2 * each * ofaPlaces, area, -1, -1}, {2*each*ofaPlaces + 1, area * area, -1, -1}}
	for place := range ofaPlaces {
		if a[2*place] < 0 {
			continue
		}
		choice := a[2*place]*3 + a[2*place+1]
		out = append(out,
			term{2 * (each*place + choice), 1, choice, place / ofaDepth},
			term{2*(each*place+choice) + 1, area, choice, place / ofaDepth})
	}
	return out
}
