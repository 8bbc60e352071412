package transfer

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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
	const draws, judged = 5, 800
	for _, name := range []string{"nasbench201", "fbnet"} {
		s, devices := mustSpace(t, name), published[name]
		train, validate := strings.Fields(devices.train), strings.Fields(devices.validate)
		path := filepath.Join("..", "..", "..", "shared", "data", "help", name+"_latency_ms.csv.gz")
		table, err := ReadTable(path, s, append(slices.Clone(train), validate...)...)
		if err != nil {
			t.Skip(err)
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
		flat := make([]float64, len(p.log))
		fmt.Printf("\n| %s | %s | mean |\n| --- |%s --- |\n", name, strings.Join(validate, " | "), strings.Repeat(" --- |", len(validate)))
		for _, idea := range []struct {
			name   string
			use    func(mixture) bool
			log    []float64
			temper float64
		}{
			{"mean of the known devices", only("mean device"), p.log, temper},
			{"known devices, low rank and near", only("mean device", "devices"), p.log, temper},
			{"known devices, also pruned, by kind and by stage", only("mean device", "devices", "devices, pruned", "devices by kind", "devices by stage"), p.log, temper},
			{"what networks consist of", only("operators", "live operators", "edges", "live edges", "depth", "connected", "blocks", "work", "work of stages", "blocks of stages", "places"), p.log, temper},
			{"all, costs multiply (logarithm)", scale(0), p.log, temper},
			{"all, square root", scale(1), p.log, temper},
			{"all, costs add", scale(2), p.log, temper},
			{"all, by evidence alone", any, flat, 1},
			{"all, by rehearsals alone", any, p.log, 0},
			{"all, by both", any, p.log, temper},
		} {
			row, sum := "", 0.0
			for _, target := range validate {
				truth := table.Latency(target)
				mean := 0.0
				for draw := range draws {
					order := rand.New(rand.NewPCG(7, uint64(draw))).Perm(len(truth))
					measured, rest := order[:10], order[10:10+judged]
					var times, real []float64
					for _, i := range measured {
						times = append(times, truth[i])
					}
					for _, i := range rest {
						real = append(real, truth[i])
					}
					posteriors := p.conditionAll(p.mixtures, p.kernels, measured, times)
					log := slices.Clone(idea.log)
					for i, m := range p.mixtures {
						if !idea.use(m) {
							log[i] = math.Inf(-1)
						}
					}
					members := blend(posteriors, log, idea.temper)
					a := answerOf(members, p.kernels, measured, geometricMean(times), rest)
					mean += spearman(a.mean, real) / draws
				}
				row += fmt.Sprintf(" %.3f |", mean)
				sum += mean / float64(len(validate))
			}
			fmt.Printf("| %s |%s %.3f |\n", idea.name, row, sum)
		}
	}
}
