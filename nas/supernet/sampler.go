package supernet

import (
	"math/rand/v2"

	"github.com/hwprofd/hwprofd/nas"
)

// Role is what a subnet does in a training step.
type Role int

const (
	// Plain: it learns from the labels.
	Plain Role = iota
	// Teacher: it learns from the labels, and the students that come after
	// it in the step learn from it.
	Teacher
	// Student: it learns from the teacher before it.
	Student
)

// Pass is one subnet's forward and backward pass in a training step.
type Pass struct {
	Architecture nas.Architecture
	Role         Role
	Weight       float32 // of its loss
}

// Sampler decides which subnets a training step sees. All draws come from
// rng, so that a step can be repeated.
type Sampler interface {
	// Plan lists the passes of one step in order. Their gradients add up,
	// and one step of the optimiser follows. done is the share of the
	// training that is done, in [0, 1).
	Plan(space nas.Space, done float64, rng *rand.Rand) []Pass
}

// Sandwich trains the largest architecture as teacher, and Random others and
// the smallest as students (Yu and Huang, "Universally Slimmable Networks and
// Improved Training Techniques", 2019; Yu et al., "BigNAS", 2020, section
// 3.1). The losses are added up, not averaged. At first the largest may train
// alone, so that students find a teacher worth learning from (Annavajjala et
// al., "DepS: Delayed epsilon-Shrinking for Faster Once-For-All Training",
// 2024, with all students joining at once). The others are drawn by
// nas.RandomSized, not uniformly: layers of like size meet more often, and
// subnets of every size get better in the same time.
type Sandwich struct {
	Random int     // subnets besides the largest and the smallest
	Alone  float64 // share of the training before the first student joins
}

// Plan lists the largest, the random ones, the smallest.
func (s Sandwich) Plan(space nas.Space, done float64, rng *rand.Rand) []Pass {
	plan := []Pass{{Architecture: space.Largest(), Role: Teacher, Weight: 1}}
	if done < s.Alone {
		return plan
	}
	for range s.Random {
		plan = append(plan, Pass{Architecture: nas.RandomSized(space, rng), Role: Student, Weight: 1})
	}
	return append(plan, Pass{Architecture: space.Smallest(), Role: Student, Weight: 1})
}
