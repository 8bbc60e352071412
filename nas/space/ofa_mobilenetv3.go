package space

import (
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/nas"
)

// OFAMobileNetV3 is the space of Cai et al., "Once-for-All: Train One Network
// and Specialize it for Efficient Deployment", 2020, section 4.1: MobileNetV3
// of which the input resolution, the depth of five stages, and the kernel size
// and expansion ratio of each block are searched. Widths are those of width
// multiplier 1.
//
// The input is [N, channels, r, r] with r from 128 to 224 in steps of 16, the
// output the logits [N, classes].
type OFAMobileNetV3 struct {
	channels, classes int
	decisions         []nas.Decision
}

var (
	ofaResolutions = []int{128, 144, 160, 176, 192, 208, 224}
	ofaDepths      = []int{2, 3, 4}
	ofaKernels     = []int{3, 5, 7}
	ofaExpansions  = []int{3, 4, 6}
	ofaStages      = []struct {
		width, stride int
		activation    graph.Op
		squeeze       bool
	}{
		{24, 2, graph.OpRelu, false},
		{40, 2, graph.OpRelu, true},
		{80, 2, graph.OpHardSwish, false},
		{112, 1, graph.OpHardSwish, true},
		{160, 2, graph.OpHardSwish, true},
	}
)

// The decisions of a stage are its depth, and then the kernel and the expansion
// of each of its four blocks.
const ofaStageDecisions = 1 + 2*4

// NewOFAMobileNetV3 makes the space for images of the given number of channels
// and classes.
func NewOFAMobileNetV3(channels, classes int) (*OFAMobileNetV3, error) {
	if err := checkImages("ofa-mobilenetv3", channels, classes); err != nil {
		return nil, err
	}
	s := &OFAMobileNetV3{channels: channels, classes: classes}
	s.decisions = append(s.decisions, nas.Decision{Name: "resolution", Choices: numerals(ofaResolutions)})
	for i := range ofaStages {
		s.decisions = append(s.decisions, nas.Decision{Name: stageName(i) + ".depth", Choices: numerals(ofaDepths)})
		for block := range slices.Max(ofaDepths) {
			s.decisions = append(s.decisions,
				nas.Decision{Name: blockName(i, block) + ".kernel", Choices: numerals(ofaKernels)},
				nas.Decision{Name: blockName(i, block) + ".expansion", Choices: numerals(ofaExpansions)})
		}
	}
	return s, nil
}

// Name is "ofa-mobilenetv3".
func (s *OFAMobileNetV3) Name() string { return "ofa-mobilenetv3" }

// Decisions lists the resolution, and then stage by stage the depth and each
// block's kernel and expansion.
func (s *OFAMobileNetV3) Decisions() []nas.Decision { return s.decisions }

// Canonical sets to 0 the decisions of blocks beyond a stage's depth.
func (s *OFAMobileNetV3) Canonical(a nas.Architecture) nas.Architecture {
	c := slices.Clone(a)
	for i := range ofaStages {
		decisions := c[1+i*ofaStageDecisions:][:ofaStageDecisions]
		clear(decisions[1+2*ofaDepths[decisions[0]]:])
	}
	return c
}

// Largest takes the last choice of every decision.
func (s *OFAMobileNetV3) Largest() nas.Architecture { return last(s.decisions) }

// Smallest takes the first choice of every decision.
func (s *OFAMobileNetV3) Smallest() nas.Architecture { return make(nas.Architecture, len(s.decisions)) }

// Lower builds the network with input "image" and output "logits". Parameters
// are named by stage and block, such as "stage2.block1.expand.weight".
func (s *OFAMobileNetV3) Lower(a nas.Architecture) (*graph.Graph, error) {
	if err := nas.Validate(s, a); err != nil {
		return nil, err
	}
	resolution := ofaResolutions[a[0]]
	b := graph.NewBuilder(s.Name())
	x := b.Input("image", 1, s.channels, resolution, resolution)
	x = convNorm(b, "stem", x, 16, 3, 2, 1, graph.OpHardSwish)
	first := x
	x = convNorm(b, "first.depthwise", x, 16, 3, 1, 16, graph.OpRelu)
	x = b.BatchNorm("first.project.norm", b.Conv("first.project", x, 16, 1, 1, 1, 0, 1, false))
	x = b.Add(x, first)
	for i, stage := range ofaStages {
		decisions := a[1+i*ofaStageDecisions:]
		for block := range ofaDepths[decisions[0]] {
			hidden := divisible(x.Shape[1] * ofaExpansions[decisions[2+2*block]])
			o := inverted{
				hidden: hidden, width: stage.width, kernel: ofaKernels[decisions[1+2*block]], stride: 1,
				activation: stage.activation, residual: block > 0,
			}
			if block == 0 {
				o.stride = stage.stride
			}
			if stage.squeeze {
				o.squeezed = divisible(hidden / 4)
			}
			x = invertedResidual(b, blockName(i, block), x, o)
		}
	}
	x = convNorm(b, "head", x, 960, 1, 1, 1, graph.OpHardSwish)
	x = b.Conv("features", b.GlobalAveragePool(x), 1280, 1, 1, 1, 0, 1, false)
	x = b.Activation(graph.OpHardSwish, x)
	return classify(b, s.Name(), a, b.Flatten(x), s.classes)
}
