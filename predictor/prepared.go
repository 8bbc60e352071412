package predictor

import (
	"errors"
	"fmt"

	"github.com/hwprofd/hwprofd/graph"
)

// Prepared is a workload with what it costs by one predictor, for who predicts
// many networks of the same workloads.
type Prepared struct {
	memory *memory // of the predictor
	costs  []cost
	parts  []Part
}

// Prepare works out what a workload costs. It fails where [Predictor.Predict]
// does.
func (p *Predictor) Prepare(w graph.Workload) (*Prepared, error) {
	steps := p.cut([]graph.Workload{w})
	prepared := &Prepared{memory: p.memory, costs: make([]cost, len(steps)), parts: make([]Part, len(steps))}
	for i := range steps {
		var err error
		if prepared.costs[i], err = p.cost(steps[i]); err != nil {
			return nil, err
		}
		prepared.parts[i] = prepared.costs[i].part(&steps[i])
	}
	return prepared, nil
}

// Parts are those of the workload in any prediction, but for what its neighbours
// there change: one, or as many as the runtime takes it apart into. They are not to
// be changed.
func (w *Prepared) Parts() []Part { return w.parts }

// PredictPrepared is [Predictor.Predict] without Parts. It looks nothing up and
// allocates nothing.
func (p *Predictor) PredictPrepared(workloads []*Prepared) (Prediction, error) {
	if len(workloads) == 0 {
		return Prediction{}, errors.New("predictor: no workloads to predict")
	}
	l := newLine(p)
	for i, w := range workloads {
		if w.memory != p.memory {
			return Prediction{}, fmt.Errorf("predictor: workload %d was prepared by another predictor", i)
		}
		for j := range w.costs {
			l.add(&w.costs[j])
		}
	}
	l.end()
	return p.finish(l.close()), nil
}
