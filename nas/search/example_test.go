package search_test

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/nas/search"
)

// widths is a space of eight layers with four widths each.
type widths struct{}

func (widths) Name() string { return "widths" }
func (widths) Decisions() []nas.Decision {
	return slices.Repeat([]nas.Decision{{Name: "width", Choices: []string{"8", "16", "24", "32"}}}, 8)
}
func (widths) Lower(nas.Architecture) (*graph.Graph, error) {
	return nil, errors.New("not needed here")
}
func (widths) Canonical(a nas.Architecture) nas.Architecture { return slices.Clone(a) }
func (widths) Smallest() nas.Architecture                    { return make(nas.Architecture, 8) }
func (widths) Largest() nas.Architecture                     { return slices.Repeat(nas.Architecture{3}, 8) }

// quality rewards width in early layers, cost charges for it in late ones.
func evaluate(a nas.Architecture) nas.Evaluation {
	var quality, cost float64
	for i, c := range a {
		quality += float64(c * (8 - i))
		cost += float64(c * (1 + i))
	}
	return nas.Evaluation{Architecture: a, Values: []float64{quality, cost}}
}

func Example() {
	objectives := []nas.Objective{{Name: "quality", Maximize: true}, {Name: "cost", Unit: "ms"}}
	strategy, err := search.NewNSGA2(widths{}, objectives, search.Options{
		Population: 32,
		Seed:       1,
		Start:      []nas.Architecture{widths{}.Smallest(), widths{}.Largest()},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var all []nas.Evaluation
	for range 20 {
		var batch []nas.Evaluation
		for _, a := range strategy.Ask(32) {
			batch = append(batch, evaluate(a))
		}
		if err := strategy.Tell(batch); err != nil {
			fmt.Println(err)
			return
		}
		all = append(all, batch...)
	}
	front := nas.Front(all, objectives)
	knee, _ := nas.Knee(front, objectives)
	fmt.Println("evaluated", len(all), "of", nas.Size(widths{}))
	fmt.Println("ends", front[0].Architecture, front[len(front)-1].Architecture)
	fmt.Println("knee", knee.Architecture)
	// Output:
	// evaluated 640 of 65536
	// ends 0.0.0.0.0.0.0.0 3.3.3.3.3.3.3.3
	// knee 3.3.3.3.0.0.0.0
}
