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

// scene is a column of the table: devices, and what is learned beforehand.
type scene struct {
	p       *experience
	graph   *experience // which also knows graphGroups
	devices [][]float64
}

// scenesOf are the validation devices, known devices that are hidden with their
// families, and made-up devices that cost sums.
func scenesOf(t *testing.T, name string) (titles []string, scenes []scene) {
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
	graphs := graphGroups(s, table.Architectures)
	learned := func(known []string) (out scene) {
		for _, p := range []**experience{&out.p, &out.graph} {
			it, err := Protocol{Space: s, Known: table, Unknown: table, Train: known}.items()
			if err != nil {
				t.Fatal(err)
			}
			if p == &out.graph {
				for i, g := range graphs {
					it.groups[i] = append(it.groups[i], g...)
				}
			}
			if *p, err = learn(it, 10, 7); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	all := learned(train)
	for _, d := range validate {
		titles, scenes = append(titles, d), append(scenes, scene{all.p, all.graph, [][]float64{table.Latency(d)}})
	}
	var families []string
	for _, d := range train {
		if !slices.Contains(families, family(d)) {
			families = append(families, family(d))
		}
	}
	for _, f := range families {
		var known []string
		var hidden [][]float64
		for _, d := range train {
			if family(d) == f {
				hidden = append(hidden, table.Latency(d))
			} else {
				known = append(known, d)
			}
		}
		x := learned(known)
		x.devices = hidden
		titles, scenes = append(titles, f+" hidden"), append(scenes, x)
	}
	// Made-up devices that cost a sum, exactly or nearly.
	rng := rand.New(rand.NewPCG(21, 22))
	for _, noise := range noises {
		x := all
		for k := range all.p.sums {
			x.devices = append(x.devices, uniformCosts(columnsOf(all.p.items.sums, k), noise, rng))
		}
		titles, scenes = append(titles, fmt.Sprintf("sums, %.0f%% noise", 100*noise)), append(scenes, x)
	}
	return titles, scenes
}

func printIdeas(t *testing.T, name string) {
	const draws, judged = 5, 800
	titles, scenes := scenesOf(t, name)
	p := scenes[0].p
	only := func(names ...string) func(*experience, mixture) bool {
		return func(p *experience, m mixture) bool {
			for k, w := range m.weights {
				if w != 0 && !slices.Contains(names, strings.TrimPrefix(p.kernels[0][k].name, "near ")) {
					return false
				}
			}
			return true
		}
	}
	scale := func(s int) func(*experience, mixture) bool {
		return func(p *experience, m mixture) bool { return m.scale == s && !p.isSum(m) }
	}
	notSum := func(p *experience, m mixture) bool { return !p.isSum(m) }
	oneDevice := only("one device")
	any := func(*experience, mixture) bool { return true }
	flat := func(p *experience) []float64 { return make([]float64, len(p.log)) }
	prior := func(p *experience) []float64 { return p.log }
	trees := stumps{rounds: 10, rate: 0.1, leaf: 2, ridge: 0.5}
	var graphs []string
	for _, g := range scenes[0].graph.items.groups[0] {
		if strings.HasPrefix(g.name, "graph: ") {
			graphs = append(graphs, g.name)
		}
	}
	validate := len(strings.Fields(published[name].validate))
	hidden := len(p.families)
	fmt.Printf("\n| %s | %s | mean | hidden, mean | %s |\n| --- |%s\n", name, strings.Join(titles[:validate+hidden], " | "), strings.Join(titles[validate+hidden:], " | "), strings.Repeat(" --- |", len(scenes)+2))
	for _, idea := range []idea{
		{name: "mean of the known devices", use: only("mean device"), log: prior, temper: temper},
		{name: "known devices, low rank and near", use: only("mean device", "devices"), log: prior, temper: temper},
		{name: "known devices, also pruned, by kind and by stage", use: only("mean device", "devices", "devices, pruned", "devices by kind", "devices by stage"), log: prior, temper: temper},
		{name: "what networks consist of", use: only("operators", "live operators", "edges", "live edges", "depth", "connected", "blocks", "work", "work of stages", "blocks of stages", "places"), log: prior, temper: temper},
		{name: "graphs: labels, paths, pairs", graph: true, use: only(graphs...), log: prior, temper: temper},
		{name: "lines through one known device each", use: oneDevice, log: prior, temper: temper},
		{name: "lines through the best three, by leaving out", lines: 3, share: 1},
		{name: "the same and boosted trees", lines: 3, trees: trees, share: 1},
		{name: "all but sums, costs multiply (logarithm)", use: scale(0), log: prior, temper: temper},
		{name: "all but sums, square root", use: scale(1), log: prior, temper: temper},
		{name: "all but sums, costs add", use: scale(2), log: prior, temper: temper},
		{name: "all but sums", use: notSum, log: prior, temper: temper},
		{name: "sums alone", use: (*experience).isSum, log: prior, temper: temper},
		{name: "all, by evidence alone", use: any, log: flat, temper: 1},
		{name: "all, by rehearsals alone", use: any, log: prior},
		{name: "all but lines through one, by both", use: func(p *experience, m mixture) bool { return !oneDevice(p, m) }, log: prior, temper: temper},
		{name: "all, by both", use: any, log: prior, temper: temper},
		{name: "all and graphs, by both", graph: true, use: any, log: prior, temper: temper},
		{name: "all, by both, and a quarter of boosted trees", use: any, log: prior, temper: temper, lines: 3, trees: trees, share: 0.25},
		{name: "the whole method (90% intervals hold)"},
	} {
		row, sum, hiddenSum, hiddenCount := "", 0.0, 0.0, 0.0
		for c, scene := range scenes {
			mean, held := 0.0, 0.0
			for _, truth := range scene.devices {
				for draw := range draws {
					order := rand.New(rand.NewPCG(7, uint64(draw))).Perm(len(truth))
					predicted, in := idea.answer(t, scene, truth, order[:10], order[10:10+judged])
					mean += rank.Spearman(predicted, at(truth, order[10:10+judged])) / float64(draws*len(scene.devices))
					held += in / float64(draws*len(scene.devices))
				}
			}
			row += fmt.Sprintf(" %.3f", mean)
			if idea.whole() {
				row += fmt.Sprintf(" (%.0f%%)", 100*held)
			}
			row += " |"
			switch {
			case c < validate:
				sum += mean / float64(validate)
			case c < validate+hidden:
				hiddenSum += mean * float64(len(scene.devices))
				hiddenCount += float64(len(scene.devices))
			}
			if c+1 == validate+hidden {
				row += fmt.Sprintf(" %.3f | %.3f |", sum, hiddenSum/hiddenCount)
			}
		}
		fmt.Printf("| %s |%s\n", idea.name, row)
	}
}

// idea is a part of the method: some mixtures, weighed in some way, and a share
// of boosted trees on lines through known devices; with neither it is the whole.
type idea struct {
	name   string
	graph  bool
	use    func(*experience, mixture) bool
	log    func(p *experience) []float64
	temper float64
	lines  int
	trees  stumps
	share  float64
}

func (x idea) whole() bool { return x.use == nil && x.lines == 0 }

// answer predicts the rest from measurements, and says for which share of it 90%
// intervals hold, of the whole method only.
func (x idea) answer(t *testing.T, of scene, truth []float64, measured, rest []int) (predicted []float64, held float64) {
	times, p := at(truth, measured), of.p
	if x.graph {
		p = of.graph
	}
	if x.whole() {
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
	predicted = make([]float64, len(rest))
	if x.use != nil {
		posteriors := p.conditionAll(p.mixtures, p.kernels, measured, times)
		log := slices.Clone(x.log(p))
		for i, m := range p.mixtures {
			if !x.use(p, m) {
				log[i] = math.Inf(-1)
			}
		}
		predicted = answerOf(blend(posteriors, log, x.temper), p.kernels, measured, geometricMean(times), rest).mean
	}
	if x.lines > 0 {
		for i, v := range boosted(p, x.lines, x.trees, measured, times, rest) {
			predicted[i] = (1-x.share)*predicted[i] + x.share*v
		}
	}
	return predicted, 0
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
