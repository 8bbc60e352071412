package predictor

import (
	"fmt"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// sharedBy makes n networks of the workloads, with a tenth of a millisecond each.
func sharedBy(prefix string, n int, contended bool, factor float64, workloads ...graph.Workload) (networks []lut.Network) {
	for i := range n {
		network := lut.Network{
			Name: fmt.Sprintf("%s%d", prefix, i), Use: "fit", Contended: contended,
			LatencyMedianNS: factor * 1e5 * float64(len(workloads)),
		}
		for _, w := range workloads {
			network.Workloads = append(network.Workloads, w.String())
			network.Shares = append(network.Shares, 1/float64(len(workloads)))
		}
		networks = append(networks, network)
	}
	return networks
}

// TestGroupByOrigin has a workload in networks of two origins, one more often,
// one of a single origin, and one of networks without any.
func TestGroupByOrigin(t *testing.T) {
	both, first, none := conv(8, 8, 8, 3, 1, 1, "relu"), conv(8, 16, 8, 3, 1, 1, "relu"), conv(8, 24, 8, 3, 1, 1, "relu")
	networks := sharedBy("b:", 3, false, 1, both)
	networks = append(networks, sharedBy("a:", 4, false, 1, first)...)
	networks = append(networks, sharedBy("a:more", 2, false, 1, both, first)...)
	networks = append(networks, sharedBy("model", 2, false, 1, none)...)
	p := &Predictor{memory: newMemory()}
	group, err := p.groupByOrigin(networks)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.origins) != 2 || p.origins[0] != "a" || p.origins[1] != "b" {
		t.Fatalf("origins %v", p.origins)
	}
	if _, ok := group[none]; ok || group[both] != 1 || group[first] != 0 {
		t.Errorf("groups %v: want that of b, of a, and none", group)
	}
}

// TestUsedNetworks wants contended networks to teach where they are no slower.
func TestUsedNetworks(t *testing.T) {
	w := conv(8, 8, 8, 3, 1, 1, "relu")
	quiet := sharedBy("a:quiet", 40, false, 1, w)
	for factor, want := range map[float64]int{1.01: 65, 1.4: 40} {
		used, disturbed, harmless, err := usedNetworks(append(quiet[:40:40], sharedBy("a:busy", 25, true, factor, w)...))
		if err != nil {
			t.Fatal(err)
		}
		if len(used) != want || len(used)+len(disturbed) != 65 || harmless != (want == 65) {
			t.Errorf("%g times slower: %d used, %d disturbed, harmless %v; want %d used", factor, len(used), len(disturbed), harmless, want)
		}
	}
}
