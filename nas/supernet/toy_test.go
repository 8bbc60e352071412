package supernet

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/dataset"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/nas"
)

// toy is a small space with all that sharing has to cope with: resolution,
// width, kernel, depth with a residual branch, depthwise convolution,
// squeeze-excite.
type toy struct{}

func (toy) Name() string { return "toy" }

func (toy) Decisions() []nas.Decision {
	return []nas.Decision{
		{Name: "resolution", Choices: []string{"8", "12"}},
		{Name: "width", Choices: []string{"4", "8"}},
		{Name: "kernel", Choices: []string{"3", "5"}},
		{Name: "depth", Choices: []string{"0", "1"}},
	}
}

func (toy) Canonical(a nas.Architecture) nas.Architecture { return slices.Clone(a) }
func (toy) Largest() nas.Architecture                     { return nas.Architecture{1, 1, 1, 1} }
func (toy) Smallest() nas.Architecture                    { return nas.Architecture{0, 0, 0, 0} }

func (s toy) Lower(a nas.Architecture) (*graph.Graph, error) {
	if err := nas.Validate(s, a); err != nil {
		return nil, err
	}
	b := graph.NewBuilder("toy")
	resolution, width, kernel := 8+4*a[0], 4+4*a[1], 3+2*a[2]
	x := b.Input("image", 1, 1, resolution, resolution)
	x = b.Activation(graph.OpRelu, b.BatchNorm("stem.norm", b.Conv("stem", x, width, 3, 3, 2, 1, 1, false)))
	y := b.Conv("depthwise", x, width, kernel, kernel, 1, kernel/2, width, false)
	y = b.Activation(graph.OpHardSwish, b.BatchNorm("depthwise.norm", y))
	gate := b.Conv("squeeze", b.GlobalAveragePool(y), width, 1, 1, 1, 0, 1, true)
	y = b.Mul(y, b.Activation(graph.OpHardSigmoid, gate))
	x = b.Add(b.BatchNorm("project.norm", b.Conv("project", y, width, 1, 1, 1, 0, 1, false)), x)
	if a[3] > 0 {
		x = b.Activation(graph.OpRelu, b.BatchNorm("deep.norm", b.Conv("deep", x, width, 3, 3, 1, 1, 1, false)))
	}
	logits := b.Linear("classifier", b.Flatten(b.GlobalAveragePool(x)), 4)
	return b.Build(logits)
}

// architectures are all of the toy space.
func architectures() []nas.Architecture {
	var all []nas.Architecture
	for i := range 16 {
		all = append(all, nas.Architecture{i & 1, i >> 1 & 1, i >> 2 & 1, i >> 3})
	}
	return all
}

// textures are noisy 12x12 images of four classes, told apart by their pattern.
func textures(n int, seed uint64) *dataset.Images {
	images := &dataset.Images{
		Name: "textures" + strconv.FormatUint(seed, 10), N: n, C: 1, H: 12, W: 12,
		Pixels: make([]uint8, n*144), Labels: make([]uint8, n),
		Classes: []string{"rows", "columns", "diagonals", "noise"},
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range n {
		images.Labels[i] = uint8(i % 4)
		phase := rng.IntN(4)
		for p := range 144 {
			y, x := p/12, p%12
			position := [4]int{y, x, x + y, rng.IntN(4)}[i%4] + phase
			images.Pixels[i*144+p] = uint8(rng.IntN(120) + 100*(position/2%2))
		}
	}
	return images
}

func toyConfig(steps int) Config {
	return Config{
		Space: toy{}, Train: textures(256, 1), Validation: textures(64, 2),
		Steps: steps, Seed: 3, Threads: 1,
	}
}

func newToy(t *testing.T) *Supernet {
	t.Helper()
	s, err := New(toy{}, Slices{}, textures(256, 1), 3)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// trainToy trains for some steps.
func trainToy(t *testing.T, c Config) *Supernet {
	t.Helper()
	s, err := Train(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// withoutTime is a training's record without what differs from run to run.
func withoutTime(tr Training) Training {
	tr.Elapsed = time.Duration(0)
	tr.Curve = slices.Clone(tr.Curve)
	for i := range tr.Curve {
		tr.Curve[i].Seconds = 0
	}
	return tr
}
