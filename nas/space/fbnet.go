package space

import (
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/nas"
)

// FBNet is the space of Wu et al., "FBNet: Hardware-Aware Efficient ConvNet
// Design via Differentiable Neural Architecture Search", 2019, tables 1 and 2:
// 22 blocks in seven stages, each an inverted residual of kernel 3 or 5 and
// expansion 1 (in one or two groups), 3 or 6, or, where a block keeps its
// input's shape, nothing.
//
// The input is [N, channels, 224, 224], the output the logits [N, classes].
type FBNet struct {
	channels, classes int
	decisions         []nas.Decision
}

// fbnetBlock is a choice of a block; a kernel of 0 is none.
type fbnetBlock struct{ kernel, expansion, groups int }

var (
	fbnetBlocks = []fbnetBlock{{0, 0, 0}, {3, 1, 2}, {5, 1, 2}, {3, 1, 1}, {5, 1, 1}, {3, 3, 1}, {5, 3, 1}, {3, 6, 1}, {5, 6, 1}}
	fbnetNames  = []string{"skip", "k3_e1_g2", "k5_e1_g2", "k3_e1", "k5_e1", "k3_e3", "k5_e3", "k3_e6", "k5_e6"}
	fbnetStages = []struct{ width, depth, stride int }{
		{16, 1, 1}, {24, 4, 2}, {32, 4, 2}, {64, 4, 2}, {112, 4, 1}, {184, 4, 2}, {352, 1, 1},
	}
)

const fbnetResolution = 224

// NewFBNet makes the space for images of the given number of channels and
// classes.
func NewFBNet(channels, classes int) (*FBNet, error) {
	if err := checkImages("fbnet", channels, classes); err != nil {
		return nil, err
	}
	s := &FBNet{channels: channels, classes: classes}
	for i, stage := range fbnetStages {
		for block := range stage.depth {
			names := fbnetNames
			if !fbnetKeeps(i, block) {
				names = names[1:]
			}
			s.decisions = append(s.decisions, nas.Decision{Name: blockName(i, block), Choices: names})
		}
	}
	return s, nil
}

// fbnetKeeps says whether a block has an output of its input's shape: all but
// the first of a stage, and the first stage's, which has 16 channels as the stem.
func fbnetKeeps(stage, block int) bool { return block > 0 || stage == 0 }

// Name is "fbnet".
func (s *FBNet) Name() string { return "fbnet" }

// Decisions lists the blocks.
func (s *FBNet) Decisions() []nas.Decision { return s.decisions }

// Canonical is the architecture itself: every decision has an effect.
func (s *FBNet) Canonical(a nas.Architecture) nas.Architecture { return slices.Clone(a) }

// Largest takes the last choice of every decision.
func (s *FBNet) Largest() nas.Architecture { return last(s.decisions) }

// Smallest takes the first choice of every decision.
func (s *FBNet) Smallest() nas.Architecture { return make(nas.Architecture, len(s.decisions)) }

// Lower builds the network with input "image" and output "logits". Parameters
// are named by stage and block, such as "stage2.block1.expand.weight".
func (s *FBNet) Lower(a nas.Architecture) (*graph.Graph, error) {
	if err := nas.Validate(s, a); err != nil {
		return nil, err
	}
	b := graph.NewBuilder(s.Name())
	x := b.Input("image", 1, s.channels, fbnetResolution, fbnetResolution)
	x = convNorm(b, "stem", x, 16, 3, 2, 1, graph.OpRelu)
	position := 0
	for i, stage := range fbnetStages {
		for block := range stage.depth {
			choice := a[position]
			position++
			keeps := fbnetKeeps(i, block)
			if !keeps {
				choice++
			}
			o := fbnetBlocks[choice]
			if o.kernel == 0 {
				continue
			}
			stride := 1
			if block == 0 {
				stride = stage.stride
			}
			x = invertedResidual(b, blockName(i, block), x, inverted{
				hidden: x.Shape[1] * o.expansion, width: stage.width, kernel: o.kernel, stride: stride,
				groups: o.groups, activation: graph.OpRelu, residual: keeps,
			})
		}
	}
	x = convNorm(b, "head", x, 1984, 1, 1, 1, graph.OpRelu)
	return classify(b, s.Name(), a, b.Flatten(b.GlobalAveragePool(x)), s.classes)
}
