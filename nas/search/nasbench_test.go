package search

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/hwprofd/hwprofd/nas"
)

// TestNASBenchMacro searches the 6,561 trained networks of NAS-Bench-Macro (Su
// et al., "Prioritized architecture sampling with Monto-Carlo tree search",
// CVPR 2021) for accuracy against FLOPs. The table is not part of this project;
// the test looks for it beside the checkout.
func TestNASBenchMacro(t *testing.T) {
	p := nasBenchMacro(t)
	all := mustRandom(t, p, 0).Ask(7000)
	if len(all) != 6561 {
		t.Fatalf("the space has %d architectures, want 6561", len(all))
	}
	best := p.hypervolume(t, p.evaluate(t, all))
	for seed := uint64(1); seed <= 5; seed++ {
		evolved := p.hypervolume(t, p.run(t, mustNSGA2(t, p, Options{Population: 40, Seed: seed}), 400)) / best
		random := p.hypervolume(t, p.run(t, mustRandom(t, p, seed), 400)) / best
		t.Logf("seed %d: NSGA-II %.4f, random %.4f of the exact front's hypervolume", seed, evolved, random)
		if evolved <= random {
			t.Errorf("seed %d: hypervolume %g of NSGA-II is not above %g of random search", seed, evolved, random)
		}
	}
}

func nasBenchMacro(t *testing.T) problem {
	path := filepath.Join("..", "..", "..", "shared", "data", "nas-bench-macro", "cifar10.csv.gz")
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the published table is not at %s", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(unzipped).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	// arch, test_acc_1, test_acc_2, test_acc_3, params, flops
	values := map[string][]float64{}
	for _, record := range records[1:] {
		a := make(nas.Architecture, len(record[0]))
		for i, digit := range record[0] {
			a[i] = int(digit - '0')
		}
		var numbers []float64
		for _, field := range record[1:] {
			number, err := strconv.ParseFloat(field, 64)
			if err != nil {
				t.Fatalf("%s: %s: %v", path, record[0], err)
			}
			numbers = append(numbers, number)
		}
		values[a.String()] = []float64{(numbers[0] + numbers[1] + numbers[2]) / 3, numbers[4] / 1e6}
	}
	return problem{
		space:      newGrid(8, 3, false),
		objectives: []nas.Objective{{Name: "accuracy", Unit: "%", Maximize: true}, {Name: "flops", Unit: "M"}},
		reference:  []float64{80, 150},
		values:     func(a nas.Architecture) []float64 { return values[a.String()] },
	}
}
