package supernet

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hwprofd/hwprofd/autograd"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/nas"
)

// Export returns the network of an architecture for a batch of one, with
// copies of its weights and the statistics of its score. It takes images [1,
// C, H, W] of pixels in [0, 1], normalised by the mean and deviation that its
// metadata state. The metadata are: space, architecture, resolution (pixels),
// normalization.mean and normalization.std (per channel), classes (separated
// by commas), accuracy.
func (s *Supernet) Export(a nas.Architecture, score Score) (*graph.Graph, error) {
	net, err := s.network(a)
	if err != nil {
		return nil, err
	}
	t := autograd.NewTape(1)
	t.SetGrad(false)
	for _, p := range net.graph.Parameters() {
		if p.Role == graph.RoleMean || p.Role == graph.RoleVariance {
			p.Data = slices.Clone(score.Statistics[p.Name])
		} else {
			view, err := s.sharing.View(t, s.stored, a, p)
			if err != nil {
				return nil, fmt.Errorf("supernet: export %s: %w", a, err)
			}
			p.Data = slices.Clone(view.Data)
		}
		if len(p.Data) != p.Elements() {
			return nil, fmt.Errorf("supernet: export %s: %d values for parameter %s %v; is the score that of another architecture?", a, len(p.Data), p.Name, p.Shape)
		}
	}
	net.graph.Metadata = map[string]string{
		"space":              s.space.Name(),
		"architecture":       a.String(),
		"resolution":         strconv.Itoa(net.resolution),
		"normalization.mean": numbers(s.mean),
		"normalization.std":  numbers(s.std),
		"classes":            strings.Join(s.classes, ","),
		"accuracy":           strconv.FormatFloat(score.Accuracy, 'f', 4, 64),
	}
	return net.graph, nil
}

func numbers(values []float32) string {
	s := make([]string, len(values))
	for i, v := range values {
		s[i] = strconv.FormatFloat(float64(v), 'g', -1, 32)
	}
	return strings.Join(s, ",")
}
