package transfer

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/predictor/internal/rank"
)

var ideas = flag.Bool("ideas", false, "print the table of ideas of docs/transfer.md")

// published are the devices of the published protocol that choices may be made
// with.
var published = map[string]struct{ train, validate string }{
	"nasbench201": {"1080ti_1 1080ti_32 1080ti_256 silver_4114 silver_4210r samsung_a50 pixel3 essential_ph_1 samsung_s7", "titanx_1 titanx_32 titanx_256 gold_6240"},
	"fbnet":       {"1080ti_1 1080ti_32 1080ti_64 silver_4114 silver_4210r samsung_a50 pixel3 essential_ph_1 samsung_s7", "titanx_1 titanx_32 titanx_64 gold_6240"},
}

// TestIdeas prints how well parts of the method do by themselves on the
// validation devices, from ten random measurements: go test -run Ideas -ideas.
func TestIdeas(t *testing.T) {
	if !*ideas {
		t.Skip("prints a table; asked for with -ideas")
	}
	for _, name := range []string{"nasbench201", "fbnet"} {
		t.Run(name, func(t *testing.T) { printIdeas(t, name) })
	}
}

func printIdeas(t *testing.T, name string) {
	const draws, judged = 5, 800
	noises := []float64{0, 0.02, 0.1}
	s, devices := mustSpace(t, name), published[name]
	train, validate := strings.Fields(devices.train), strings.Fields(devices.validate)
	path := filepath.Join("..", "..", "..", "shared", "data", "help", name+"_latency_ms.csv.gz")
	table, err := ReadTable(path, s, append(slices.Clone(train), validate...)...)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the published table is not there: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	it, err := Protocol{Space: s, Known: table, Unknown: table, Train: train}.items()
	if err != nil {
		t.Fatal(err)
	}
	p, err := learn(it, 10, 7)
	if err != nil {
		t.Fatal(err)
	}
	only := func(names ...string) func(mixture) bool {
		return func(m mixture) bool {
			for k, w := range m.weights {
				if w != 0 && !slices.Contains(names, strings.TrimPrefix(p.kernels[0][k].name, "near ")) {
					return false
				}
			}
			return true
		}
	}
	scale := func(s int) func(mixture) bool { return func(m mixture) bool { return m.scale == s } }
	any := func(mixture) bool { return true }
	columns := make([][][]float64, 0, len(validate)+len(noises))
	for _, d := range validate {
		columns = append(columns, [][]float64{table.Latency(d)})
	}
	// Made-up devices that cost a sum, exactly or nearly.
	rng := rand.New(rand.NewPCG(21, 22))
	for _, noise := range noises {
		var devices [][]float64
		for k := range p.sums {
			devices = append(devices, uniformCosts(columnsOf(it.sums, k), noise, rng))
		}
		columns = append(columns, devices)
	}
	flat := func(p *experience) []float64 { return make([]float64, len(p.log)) }
	prior := func(p *experience) []float64 { return p.log }
	fmt.Printf("\n| %s | %s | mean | sums, exact | sums, 2%% noise | sums, 10%% noise |\n| --- |%s\n", name, strings.Join(validate, " | "), strings.Repeat(" --- |", len(columns)+1))
	for _, idea := range []idea{
		{"mean of the known devices", only("mean device"), prior, temper},
		{"known devices, low rank and near", only("mean device", "devices"), prior, temper},
		{"known devices, also pruned, by kind and by stage", only("mean device", "devices", "devices, pruned", "devices by kind", "devices by stage"), prior, temper},
		{"what networks consist of", only("operators", "live operators", "edges", "live edges", "depth", "connected", "blocks", "work", "work of stages", "blocks of stages", "places"), prior, temper},
		{"all but sums, costs multiply (logarithm)", scale(0), prior, temper},
		{"all but sums, square root", scale(1), prior, temper},
		{"all but sums, costs add", func(m mixture) bool { return m.scale == 2 && !p.isSum(m) }, prior, temper},
		{"all but sums", func(m mixture) bool { return !p.isSum(m) }, prior, temper},
		{"sums alone", p.isSum, prior, temper},
		{"all, by evidence alone", any, flat, 1},
		{"all, by rehearsals alone", any, prior, 0},
		{"all, by both", any, prior, temper},
		{"the whole method (90% intervals hold)", nil, nil, 0},
	} {
		row, total := "", 0.0
		for c, devices := range columns {
			mean, held := 0.0, 0.0
			for _, truth := range devices {
				for draw := range draws {
					order := rand.New(rand.NewPCG(7, uint64(draw))).Perm(len(truth))
					predicted, in := idea.answer(t, p, truth, order[:10], order[10:10+judged])
					mean += rank.Spearman(predicted, at(truth, order[10:10+judged])) / float64(draws*len(devices))
					held += in / float64(draws*len(devices))
				}
			}
			row += fmt.Sprintf(" %.3f", mean)
			if idea.use == nil {
				row += fmt.Sprintf(" (%.0f%%)", 100*held)
			}
			row += " |"
			if c < len(validate) {
				total += mean / float64(len(validate))
			}
			if c+1 == len(validate) {
				row += fmt.Sprintf(" %.3f |", total)
			}
		}
		fmt.Printf("| %s |%s\n", idea.name, row)
	}
}

// idea is a part of the method: some mixtures, weighed in some way; without use
// it is the whole.
type idea struct {
	name   string
	use    func(mixture) bool
	log    func(p *experience) []float64
	temper float64
}

// answer predicts the rest from measurements, and says for which share of it 90%
// intervals hold, of the whole method only.
func (x idea) answer(t *testing.T, p *experience, truth []float64, measured, rest []int) (predicted []float64, held float64) {
	times := at(truth, measured)
	if x.use == nil {
		q, err := p.predict(measured, times)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range rest {
			low, high, _ := q.interval(i, 0.9)
			if low <= truth[i] && truth[i] <= high {
				held += 1 / float64(len(rest))
			}
		}
		return at(q.mean, rest), held
	}
	posteriors := p.conditionAll(p.mixtures, p.kernels, measured, times)
	log := slices.Clone(x.log(p))
	for i, m := range p.mixtures {
		if !x.use(m) {
			log[i] = math.Inf(-1)
		}
	}
	return answerOf(blend(posteriors, log, x.temper), p.kernels, measured, geometricMean(times), rest).mean, 0
}

func at(v []float64, which []int) []float64 {
	out := make([]float64, len(which))
	for i, w := range which {
		out[i] = v[w]
	}
	return out
}

// uniformCosts are those of a device that sums up columns, unlike those that the
// method makes up for itself: costs are uniform, the constant is half the mean.
func uniformCosts(columns [][]float64, noise float64, rng *rand.Rand) []float64 {
	out := make([]float64, len(columns[0]))
	for _, column := range columns {
		_, deviation := moments(column)
		cost := rng.Float64() / deviation
		for i, v := range column {
			out[i] += cost * v
		}
	}
	mean, _ := moments(out)
	for i := range out {
		out[i] = rounded((out[i]+mean/2)*math.Exp(noise*rng.NormFloat64()), 5)
	}
	return out
}
