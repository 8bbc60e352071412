package space

import (
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/nas"
)

// Mobile28 is a space of small mobile networks for images of about 28x28
// pixels: a strided 3x3 stem, five stages of inverted residual blocks
// (Sandler et al., "MobileNetV2", 2018; squeeze-excite and hard-swish in the
// later stages from Howard et al., "Searching for MobileNetV3", 2019), a 1x1
// head, global pooling and a classifier. Searched are the input resolution,
// and for each stage its width and depth, and for each block the kernel size
// and expansion ratio of its depthwise convolution. The last stage may be
// left out.
//
// The input is [N, channels, r, r] with r one of 20, 24, 28, the output the
// logits [N, classes]. The largest takes about 27 times the
// multiply-accumulates of the smallest, 3.9 million to 0.14 million.
type Mobile28 struct {
	channels, classes int
	decisions         []nas.Decision
	first             []int // for each stage the index of its first decision
}

// stage is what the search cannot change about a stage, and what it can.
type stage struct {
	widths     []int
	depths     []int
	kernels    []int // of its depthwise convolutions; 7x7 is larger than the late stages' planes
	stride     int   // of its first block
	activation graph.Op
	squeeze    bool // squeeze-excite in each block
}

var (
	mobile28Resolutions = []int{20, 24, 28}
	mobile28Expansions  = []int{2, 3, 4}
	mobile28Stages      = []stage{
		{widths: []int{8, 10, 12}, depths: []int{1, 2}, kernels: []int{3, 5, 7}, stride: 1, activation: graph.OpRelu},
		{widths: []int{12, 16, 20}, depths: []int{1, 2}, kernels: []int{3, 5, 7}, stride: 2, activation: graph.OpRelu},
		{widths: []int{16, 20, 24}, depths: []int{1, 2}, kernels: []int{3, 5, 7}, stride: 1, activation: graph.OpHardSwish, squeeze: true},
		{widths: []int{24, 32, 40}, depths: []int{1, 2}, kernels: []int{3, 5}, stride: 2, activation: graph.OpHardSwish, squeeze: true},
		{widths: []int{32, 40, 48}, depths: []int{0, 1, 2}, kernels: []int{3, 5}, stride: 1, activation: graph.OpHardSwish, squeeze: true},
	}
)

const (
	mobile28StemWidth = 8
	mobile28HeadWidth = 128
)

// The decisions of a stage are its width, its depth, and then the kernel and
// the expansion of each of its blocks.
const (
	widthDecision = iota
	depthDecision
	blockDecisions
)

// NewMobile28 makes the space for images of the given number of channels and
// classes.
func NewMobile28(channels, classes int) (*Mobile28, error) {
	if err := checkImages("mobile28", channels, classes); err != nil {
		return nil, err
	}
	m := &Mobile28{channels: channels, classes: classes}
	m.decisions = append(m.decisions, nas.Decision{Name: "resolution", Choices: numerals(mobile28Resolutions)})
	for i, s := range mobile28Stages {
		name := stageName(i)
		m.first = append(m.first, len(m.decisions))
		m.decisions = append(m.decisions,
			nas.Decision{Name: name + ".width", Choices: numerals(s.widths)},
			nas.Decision{Name: name + ".depth", Choices: numerals(s.depths)})
		for block := range slices.Max(s.depths) {
			m.decisions = append(m.decisions,
				nas.Decision{Name: blockName(i, block) + ".kernel", Choices: numerals(s.kernels)},
				nas.Decision{Name: blockName(i, block) + ".expansion", Choices: numerals(mobile28Expansions)})
		}
	}
	return m, nil
}

// Name is "mobile28".
func (m *Mobile28) Name() string { return "mobile28" }

// Decisions lists the resolution, and then stage by stage the width, the
// depth, and each block's kernel and expansion.
func (m *Mobile28) Decisions() []nas.Decision { return m.decisions }

// Canonical sets to 0 the decisions of blocks beyond a stage's depth, and the
// width of a stage that is left out.
func (m *Mobile28) Canonical(a nas.Architecture) nas.Architecture {
	c := slices.Clone(a)
	for i, s := range mobile28Stages {
		decisions := c[m.first[i]:][:blockDecisions+2*slices.Max(s.depths)]
		depth := s.depths[decisions[depthDecision]]
		if depth == 0 {
			decisions[widthDecision] = 0
		}
		clear(decisions[blockDecisions+2*depth:])
	}
	return c
}

// Largest takes the last choice of every decision.
func (m *Mobile28) Largest() nas.Architecture { return last(m.decisions) }

// Smallest takes the first choice of every decision.
func (m *Mobile28) Smallest() nas.Architecture { return make(nas.Architecture, len(m.decisions)) }

// Lower builds the network with input "image" and output "logits". Parameters
// are named by stage and block, such as "stage2.block1.expand.weight".
func (m *Mobile28) Lower(a nas.Architecture) (*graph.Graph, error) {
	if err := nas.Validate(m, a); err != nil {
		return nil, err
	}
	resolution := mobile28Resolutions[a[0]]
	b := graph.NewBuilder("mobile28")
	x := b.Input("image", 1, m.channels, resolution, resolution)
	x = convNorm(b, "stem", x, mobile28StemWidth, 3, 2, 1, graph.OpRelu)
	for i, s := range mobile28Stages {
		decisions := a[m.first[i]:]
		for block := range s.depths[decisions[depthDecision]] {
			stride := 1
			if block == 0 {
				stride = s.stride
			}
			hidden := x.Shape[1] * mobile28Expansions[decisions[blockDecisions+2*block+1]]
			squeezed := 0
			if s.squeeze {
				squeezed = hidden / 4
			}
			// The first block of a stage never is residual, even where the widths
			// happen to agree: shared weights cannot serve with and without.
			x = invertedResidual(b, blockName(i, block), x, inverted{
				hidden:     hidden,
				width:      s.widths[decisions[widthDecision]],
				kernel:     s.kernels[decisions[blockDecisions+2*block]],
				stride:     stride,
				activation: s.activation,
				squeezed:   squeezed,
				residual:   block > 0,
			})
		}
	}
	x = convNorm(b, "head", x, mobile28HeadWidth, 1, 1, 1, graph.OpHardSwish)
	return classify(b, m.Name(), a, b.Flatten(b.GlobalAveragePool(x)), m.classes)
}
