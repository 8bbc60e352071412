// Package search holds the strategies that decide which architectures of a
// space to look at next: Pareto evolution (NSGA2) and its control, Random.
// All stand behind one ask/tell interface: a strategy proposes architectures,
// the caller finds out what they are worth, by whatever means, and tells it.
// A strategy sees only vectors of choices and values, so any of them works
// with any space and any cost.
//
// Strategies are deterministic and can be resumed: what is proposed depends
// only on the options and on the evaluations told so far, in their order. A
// search that was interrupted goes on where it was after a new strategy with
// the same options has been told the old evaluations again.
package search

import (
	"fmt"
	"math/rand/v2"

	"github.com/hwprofd/hwprofd/nas"
)

// Strategy proposes architectures and learns from their evaluations. It is not
// safe for concurrent use.
type Strategy interface {
	// Ask proposes n architectures in canonical form. None is proposed twice,
	// and none that was told before is proposed at all. The result is shorter
	// than n only when the space has no more.
	Ask(n int) []nas.Architecture

	// Tell reports evaluations, of proposed architectures or of others, each
	// architecture once. On an error nothing was taken over.
	Tell(evaluations []nas.Evaluation) error
}

// ledger knows what was proposed and told, so that neither happens twice.
type ledger struct {
	space nas.Space
	asked map[string]bool // proposed or told, by canonical form
	told  map[string]int  // position in the order of telling, by canonical form
}

func newLedger(space nas.Space) ledger {
	return ledger{space: space, asked: map[string]bool{}, told: map[string]int{}}
}

// take hands out the next n of the source that nobody has seen yet.
func (l *ledger) take(n int, source *source) []nas.Architecture {
	var batch []nas.Architecture
	for len(batch) < n {
		a, ok := source.next()
		if !ok {
			break
		}
		if key := a.String(); !l.asked[key] {
			l.asked[key] = true
			batch = append(batch, a)
		}
	}
	return batch
}

// check returns the evaluations with their architectures in canonical form,
// or says what is wrong with one of them. values is how many each must have;
// negative: any number.
func (l *ledger) check(evaluations []nas.Evaluation, values int) ([]nas.Evaluation, error) {
	checked := make([]nas.Evaluation, len(evaluations))
	batch := map[string]bool{}
	for i, e := range evaluations {
		if err := nas.Validate(l.space, e.Architecture); err != nil {
			return nil, fmt.Errorf("search: tell: evaluation %d: %w", i, err)
		}
		if values >= 0 && len(e.Values) != values {
			return nil, fmt.Errorf("search: tell: architecture %s has %d values for %d objectives", e.Architecture, len(e.Values), values)
		}
		e.Architecture = l.space.Canonical(e.Architecture)
		key := e.Architecture.String()
		if _, twice := l.told[key]; twice || batch[key] {
			return nil, fmt.Errorf("search: tell: architecture %s was told before", e.Architecture)
		}
		batch[key] = true
		checked[i] = e
	}
	return checked, nil
}

// record notes one checked evaluation.
func (l *ledger) record(e nas.Evaluation) {
	key := e.Architecture.String()
	l.told[key] = len(l.told)
	l.asked[key] = true
}

// patience is how many proposals in a row may be repetitions before a source
// looks for something new in a less choosy way.
const patience = 64

// source is an endless sequence of distinct canonical architectures: first the
// given ones, then those of propose. Where propose only repeats itself it goes
// over to uniform draws, and where those repeat too, to counting through the
// space, so that it ends only with the space. The sequence is a function of
// what it was made from and of nothing that happens later.
type source struct {
	space    nas.Space
	rng      *rand.Rand
	propose  func(*rand.Rand) nas.Architecture
	closed   func(key string) bool // not to be proposed
	start    []nas.Architecture
	produced map[string]bool
	counter  nas.Architecture // next one to count to; nil: not begun
	counted  bool             // the counter has overflown
}

func newSource(space nas.Space, seed, stream uint64, start []nas.Architecture, propose func(*rand.Rand) nas.Architecture, closed func(string) bool) *source {
	return &source{
		space: space, rng: rand.New(rand.NewPCG(seed, stream)), propose: propose, closed: closed,
		start: start, produced: map[string]bool{},
	}
}

func (s *source) next() (nas.Architecture, bool) {
	for repeats := 0; ; repeats++ {
		var a nas.Architecture
		switch {
		case len(s.start) > 0:
			a, s.start = s.space.Canonical(s.start[0]), s.start[1:]
			repeats = 0
		case repeats < patience:
			a = s.space.Canonical(s.propose(s.rng))
		case repeats < 2*patience:
			a = nas.Random(s.space, s.rng)
		default:
			var ok bool
			if a, ok = s.count(); !ok {
				return nil, false
			}
		}
		if key := a.String(); !s.closed(key) && !s.produced[key] {
			s.produced[key] = true
			return a, true
		}
	}
}

// count steps through all vectors of the space, first decision fastest.
func (s *source) count() (nas.Architecture, bool) {
	decisions := s.space.Decisions()
	if s.counter == nil {
		s.counter = make(nas.Architecture, len(decisions))
	}
	if s.counted {
		return nil, false
	}
	a := s.space.Canonical(s.counter)
	for i := 0; ; i++ {
		if i == len(decisions) {
			s.counted = true
			break
		}
		if s.counter[i]++; s.counter[i] < len(decisions[i].Choices) {
			break
		}
		s.counter[i] = 0
	}
	return a, true
}

func validateStart(space nas.Space, start []nas.Architecture) error {
	for i, a := range start {
		if err := nas.Validate(space, a); err != nil {
			return fmt.Errorf("search: start architecture %d: %w", i, err)
		}
	}
	return nil
}

// Random proposes architectures drawn uniformly from the vectors of the
// space, without repetition: the control that every other strategy has to
// beat at an equal number of evaluations.
type Random struct {
	ledger ledger
	source *source
}

// NewRandom returns a random search. The start architectures, if any, are
// proposed first.
func NewRandom(space nas.Space, seed uint64, start ...nas.Architecture) (*Random, error) {
	if err := validateStart(space, start); err != nil {
		return nil, err
	}
	draw := func(rng *rand.Rand) nas.Architecture { return nas.Random(space, rng) }
	none := func(string) bool { return false }
	return &Random{ledger: newLedger(space), source: newSource(space, seed, 0, start, draw, none)}, nil
}

// Ask proposes n architectures; see Strategy.
func (r *Random) Ask(n int) []nas.Architecture { return r.ledger.take(n, r.source) }

// Tell notes that the architectures are known; see Strategy.
func (r *Random) Tell(evaluations []nas.Evaluation) error {
	checked, err := r.ledger.check(evaluations, -1)
	if err != nil {
		return err
	}
	for _, e := range checked {
		r.ledger.record(e)
	}
	return nil
}
