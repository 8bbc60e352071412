package supernet

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hwprofd/hwprofd/autograd"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/nas"
)

func TestSlicesTakeFirstChannelsAndKernelCentre(t *testing.T) {
	count := func(shape ...int) *autograd.Tensor {
		x := autograd.NewParameter("p", shape...)
		for i := range x.Data {
			x.Data[i] = float32(i)
		}
		return x
	}
	for _, test := range []struct {
		name   string
		stored *autograd.Tensor
		shape  []int
		want   []float32
	}{
		{"bias", count(4), []int{2}, []float32{0, 1}},
		{"linear", count(3, 4), []int{2, 2}, []float32{0, 1, 4, 5}},
		{"channels", count(2, 3, 1, 1), []int{2, 2, 1, 1}, []float32{0, 1, 3, 4}},
		{"centre of 3x3", count(2, 1, 3, 3), []int{1, 1, 1, 1}, []float32{4}},
		{"centre of 5x5", count(1, 1, 5, 5), []int{1, 1, 3, 3}, []float32{6, 7, 8, 11, 12, 13, 16, 17, 18}},
	} {
		tape := autograd.NewTape(1)
		stored := map[string]*autograd.Tensor{"p": test.stored}
		view, err := Slices{}.View(tape, stored, nil, &graph.Value{Name: "p", Shape: test.shape})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, view.Data); diff != "" {
			t.Errorf("%s:\n%s", test.name, diff)
		}
		tape.Backward(tape.Sum(view), 2)
		for i, g := range test.stored.Grad {
			want := float32(0)
			for _, v := range test.want {
				if int(v) == i {
					want = 2
				}
			}
			if g != want {
				t.Errorf("%s: gradient of element %d is %v, want %v", test.name, i, g, want)
			}
		}
	}
}

func TestSlicesReject(t *testing.T) {
	stored := map[string]*autograd.Tensor{"p": autograd.NewParameter("p", 2, 2)}
	for _, test := range []struct {
		p    graph.Value
		want string
	}{
		{graph.Value{Name: "q", Shape: []int{1}}, "parameter q is not stored"},
		{graph.Value{Name: "p", Shape: []int{1}}, "parameter p is [1], stored as [2 2]"},
		{graph.Value{Name: "p", Shape: []int{3, 1}}, "stored as only [2 2]"},
	} {
		_, err := Slices{}.View(autograd.NewTape(1), stored, nil, &test.p)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: error %v, want %q", test.p, err, test.want)
		}
	}
}

// TestPassTouchesOnlyItsSlices checks that what a subnet does not have gets no
// gradient from it.
func TestPassTouchesOnlyItsSlices(t *testing.T) {
	tr, err := newTrainer(toyConfig(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range tr.supernet.parameters {
		if p.Name == "project.norm.scale" {
			autograd.Fill(p, 1) // it starts at 0, and what is before it would get no gradient
		}
	}
	if _, _, err := tr.pass(Pass{Architecture: toy{}.Smallest(), Role: Plain, Weight: 1}, nil); err != nil {
		t.Fatal(err)
	}
	g, err := toy{}.Lower(toy{}.Smallest())
	if err != nil {
		t.Fatal(err)
	}
	inside := map[string]int{}
	for _, p := range g.Parameters() {
		inside[p.Name] = p.Elements()
	}
	reached := 0
	for _, p := range tr.supernet.parameters {
		nonzero := 0
		for _, g := range p.Grad {
			if g != 0 {
				nonzero++
			}
		}
		if nonzero > inside[p.Name] {
			t.Errorf("%s: %d elements have a gradient, the subnet has %d", p.Name, nonzero, inside[p.Name])
		}
		if nonzero > 0 {
			reached++
		}
	}
	if reached < 13 {
		t.Errorf("a gradient reached %d parameters only", reached)
	}
}

func TestSandwichPlan(t *testing.T) {
	plan := func(seed uint64) []Pass {
		return Sandwich{Random: 2, Alone: 0.25}.Plan(toy{}, 0.25, rand.New(rand.NewPCG(seed, 0)))
	}
	got := plan(1)
	if len(got) != 4 {
		t.Fatalf("%d passes, want 4", len(got))
	}
	want := []Pass{
		{Architecture: toy{}.Largest(), Role: Teacher, Weight: 1},
		{Architecture: got[1].Architecture, Role: Student, Weight: 1},
		{Architecture: got[2].Architecture, Role: Student, Weight: 1},
		{Architecture: toy{}.Smallest(), Role: Student, Weight: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(got, plan(1)); diff != "" {
		t.Errorf("the same seed gives another plan:\n%s", diff)
	}
	alone := Sandwich{Random: 2, Alone: 0.25}.Plan(toy{}, 0.24, rand.New(rand.NewPCG(1, 0)))
	if diff := cmp.Diff(want[:1], alone); diff != "" {
		t.Errorf("before students join:\n%s", diff)
	}
	drawn := map[string]bool{}
	for seed := range uint64(200) {
		for _, p := range plan(seed)[1:3] {
			if err := nas.Validate(toy{}, p.Architecture); err != nil {
				t.Fatal(err)
			}
			drawn[p.Architecture.String()] = true
		}
	}
	if len(drawn) != 16 {
		t.Errorf("%d of 16 architectures were drawn", len(drawn))
	}
}

func TestInPlaceDistillation(t *testing.T) {
	objective := InPlaceDistillation{Smoothing: 0.1}
	logits := autograd.NewParameter("logits", 2, 3)
	copy(logits.Data, []float32{2, 0, -1, 0.5, 1, 0})
	labels := []int{0, 1}
	gradient := func(role Role, teacher *autograd.Tensor) []float32 {
		tape := autograd.NewTape(1)
		clear(logits.Grad)
		loss, err := objective.Loss(tape, role, logits, labels, teacher)
		if err != nil {
			t.Fatal(err)
		}
		tape.Backward(loss, 1)
		return append([]float32(nil), logits.Grad...)
	}
	largest := func(g []float32) float32 {
		var m float32
		for _, v := range g {
			m = max(m, v, -v)
		}
		return m
	}
	same := autograd.NewTensor(2, 3)
	copy(same.Data, logits.Data)
	if g := largest(gradient(Student, same)); g > 1e-6 {
		t.Errorf("a student that agrees with its teacher has gradient %v", g)
	}
	objective.Labels = 1
	if diff := cmp.Diff(largest(gradient(Student, same)), float32(0)); diff == "" {
		t.Error("a student does not learn from labels where it should")
	}
	objective.Labels = 0
	if g := largest(gradient(Student, autograd.NewTensor(2, 3))); g < 0.1 {
		t.Errorf("a student that does not has gradient %v", g)
	}
	if diff := cmp.Diff(gradient(Teacher, nil), gradient(Plain, same)); diff != "" {
		t.Errorf("a teacher learns from something else than labels:\n%s", diff)
	}
	if _, err := objective.Loss(autograd.NewTape(1), Student, logits, labels, nil); err == nil {
		t.Error("a student without teacher passes")
	}
}
