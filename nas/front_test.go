package nas_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hwprofd/hwprofd/nas"
)

var (
	accuracyLatency = []nas.Objective{{Name: "accuracy", Unit: "%", Maximize: true}, {Name: "latency", Unit: "ns"}}
	threeObjectives = append(accuracyLatency[:2:2], nas.Objective{Name: "energy", Unit: "mJ"})
)

func evaluation(values ...float64) nas.Evaluation { return nas.Evaluation{Values: values} }

// drawEvaluations draws small integers, so that ties are common.
func drawEvaluations(t *rapid.T, objectives, most int) []nas.Evaluation {
	values := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 8), objectives, objectives), 0, most).Draw(t, "values")
	evaluations := make([]nas.Evaluation, len(values))
	for i, v := range values {
		evaluations[i].Architecture = nas.Architecture{i}
		evaluations[i].Values = make([]float64, objectives)
		for j := range v {
			evaluations[i].Values[j] = float64(v[j])
		}
		if rapid.IntRange(0, 5).Draw(t, "infeasible") == 0 {
			evaluations[i].Violation = 1
		}
	}
	return evaluations
}

func TestFrontIsWhatNothingDominates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		evaluations := drawEvaluations(t, 3, 30)
		front := nas.Front(evaluations, threeObjectives)
		for _, e := range evaluations {
			if e.Violation != 0 {
				continue
			}
			dominated, listed := false, 0
			for _, f := range evaluations {
				dominated = dominated || nas.Dominates(f, e, threeObjectives)
			}
			for _, f := range front {
				if cmp.Equal(f.Values, e.Values) {
					listed++
				}
			}
			if want := map[bool]int{true: 0, false: 1}[dominated]; listed != want {
				t.Fatalf("values %v stand %d times on the front, want %d", e.Values, listed, want)
			}
		}
		for i := 1; i < len(front); i++ {
			if front[i-1].Values[0] > front[i].Values[0] {
				t.Fatalf("front is not ordered by accuracy: %v", front)
			}
		}
	})
}

func TestFrontSkipsWhatIsNotANumber(t *testing.T) {
	front := nas.Front([]nas.Evaluation{evaluation(math.NaN(), 1), evaluation(50, 2)}, accuracyLatency)
	if len(front) != 1 || front[0].Values[1] != 2 {
		t.Errorf("front %v", front)
	}
}

func TestDominatesUnderConstraints(t *testing.T) {
	good, bad := evaluation(90, 1), evaluation(50, 5)
	for _, test := range []struct {
		name string
		a, b float64 // violations of good and bad
		want bool    // good dominates
	}{
		{"both feasible", 0, 0, true},
		{"better but infeasible", 1, 0, false},
		{"both infeasible, less so", 1, 2, true},
	} {
		good.Violation, bad.Violation = test.a, test.b
		if got := nas.Dominates(good, bad, accuracyLatency); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
		if nas.Dominates(bad, good, accuracyLatency) == test.want {
			t.Errorf("%s: dominance holds both ways or neither", test.name)
		}
	}
}

func TestViolation(t *testing.T) {
	constraints := []nas.Constraint{{Objective: "latency", Limit: 10}, {Objective: "accuracy", Limit: 80}}
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{80, 10}, 0},
		{[]float64{90, 15}, 0.5},
		{[]float64{40, 15}, 1},
	} {
		got, err := nas.Violation(test.values, accuracyLatency, constraints)
		if err != nil || math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%v: %v, %v; want %v", test.values, got, err, test.want)
		}
	}
	if got, _ := nas.Violation([]float64{math.NaN(), 1}, accuracyLatency, constraints); got == 0 {
		t.Error("NaN passes as feasible")
	}
	_, err := nas.Violation([]float64{1, 1}, accuracyLatency, []nas.Constraint{{Objective: "memory", Limit: 1}})
	if err == nil || !strings.Contains(err.Error(), `"memory"`) {
		t.Errorf("unknown objective: %v", err)
	}
	if _, err := nas.Violation([]float64{1}, accuracyLatency, nil); err == nil {
		t.Error("a missing value passes")
	}
}

func TestKnee(t *testing.T) {
	front := []nas.Evaluation{evaluation(50, 1), evaluation(85, 3), evaluation(88, 8), evaluation(90, 20)}
	knee, ok := nas.Knee(front, accuracyLatency)
	if !ok || knee.Values[0] != 85 {
		t.Errorf("knee %v, %v", knee, ok)
	}
	if _, ok := nas.Knee(nil, accuracyLatency); ok {
		t.Error("an empty front has a knee")
	}
	if knee, ok := nas.Knee(front[2:3], accuracyLatency); !ok || knee.Values[0] != 88 {
		t.Errorf("knee of one point: %v, %v", knee, ok)
	}
}

// TestHypervolumeCountsCells compares with counting the unit cells that some
// point covers: exact for integers.
func TestHypervolumeCountsCells(t *testing.T) {
	for _, objectives := range [][]nas.Objective{accuracyLatency[1:], accuracyLatency, threeObjectives} {
		rapid.Check(t, func(t *rapid.T) {
			evaluations := drawEvaluations(t, len(objectives), 12)
			reference := make([]float64, len(objectives))
			for i, o := range objectives {
				reference[i] = 7
				if o.Maximize {
					reference[i] = 1
				}
			}
			want := 0.0
			for cell := range 8 * 8 * 8 {
				corner := []int{cell % 8, cell / 8 % 8, cell / 64}
				if len(objectives) < 3 && corner[2] > 0 || len(objectives) < 2 && corner[1] > 0 {
					continue
				}
				for _, e := range evaluations {
					covered := e.Violation == 0
					for i, o := range objectives {
						gain := reference[i] - e.Values[i]
						if o.Maximize {
							gain = -gain
						}
						covered = covered && gain > float64(corner[i])
					}
					if covered {
						want++
						break
					}
				}
			}
			got, err := nas.Hypervolume(evaluations, objectives, reference)
			if err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Fatalf("hypervolume %v, want %v", got, want)
			}
		})
	}
}

func TestHypervolumeRejects(t *testing.T) {
	if _, err := nas.Hypervolume(nil, accuracyLatency, []float64{0}); err == nil {
		t.Error("a short reference passes")
	}
	if _, err := nas.Hypervolume([]nas.Evaluation{evaluation(1)}, accuracyLatency, []float64{0, 0}); err == nil {
		t.Error("a missing value passes")
	}
}
