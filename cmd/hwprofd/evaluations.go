package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/nas/search"
)

// evaluationJournal keeps every evaluation of a search, one JSON line each and
// one fsync a line, so that a search that was killed goes on where it was.
type evaluationJournal struct {
	file *os.File
	past map[string][]nas.Evaluation // by strategy, in order
}

type evaluationLine struct {
	Strategy     string    `json:"strategy"`
	Architecture string    `json:"architecture"`
	Values       []float64 `json:"values"`
}

// openEvaluationJournal opens or creates the journal. A last line that was cut
// off is dropped; any other damage is an error.
func openEvaluationJournal(path string, objectives int) (*evaluationJournal, error) {
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	whole := bytes.LastIndexByte(content, '\n') + 1
	past := map[string][]nas.Evaluation{}
	scanner := bufio.NewScanner(bytes.NewReader(content[:whole]))
	for n := 1; scanner.Scan(); n++ {
		var line evaluationLine
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w; delete the file to search anew", path, n, err)
		}
		a, err := nas.ParseArchitecture(line.Architecture)
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w; delete the file to search anew", path, n, err)
		}
		if len(line.Values) != objectives {
			return nil, fmt.Errorf("%s: line %d: %d values, want %d; delete the file to search anew", path, n, len(line.Values), objectives)
		}
		past[line.Strategy] = append(past[line.Strategy], nas.Evaluation{Architecture: a, Values: line.Values})
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err = file.Truncate(int64(whole)); err == nil {
		_, err = file.Seek(0, io.SeekEnd)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &evaluationJournal{file: file, past: past}, nil
}

func (j *evaluationJournal) append(strategy string, e nas.Evaluation) error {
	line, err := json.Marshal(evaluationLine{strategy, e.Architecture.String(), e.Values})
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return err
	}
	return j.file.Sync()
}

func (j *evaluationJournal) Close() error { return j.file.Close() }

// contender is a strategy in a search, with what it has found so far.
type contender struct {
	name     string
	strategy search.Strategy
	found    []nas.Evaluation
}

// evaluateFunc finds out what architectures are worth, in their order.
type evaluateFunc func(context.Context, []nas.Architecture) ([]nas.Evaluation, error)

// compete lets the contenders search in turns, generation by generation, so
// that all have the same number of evaluations at any time. It ends when done
// says so or the space is exhausted. Evaluations that the journal holds are
// not made again; width of them are made at a time.
func compete(ctx context.Context, contenders []*contender, generation, width int, journal *evaluationJournal, evaluate evaluateFunc, done func(evaluations int) bool) error {
	known := map[string]nas.Evaluation{}
	for _, past := range journal.past {
		for _, e := range past {
			known[e.Architecture.String()] = e
		}
	}
	for evaluations := 0; ; evaluations += generation {
		// A generation that the journal holds whole costs nothing and is never left out.
		replay := true
		for _, c := range contenders {
			replay = replay && len(journal.past[c.name]) >= evaluations+generation
		}
		if !replay && done(evaluations) {
			return nil
		}
		for _, c := range contenders {
			asked := c.strategy.Ask(generation)
			if len(asked) == 0 {
				return nil
			}
			for batch := range slices.Chunk(asked, width) {
				if err := evaluateUnknown(ctx, batch, known, evaluate); err != nil {
					return err
				}
				for _, a := range batch {
					e := known[a.String()]
					if len(c.found) >= len(journal.past[c.name]) {
						if err := journal.append(c.name, e); err != nil {
							return err
						}
					}
					c.found = append(c.found, e)
				}
			}
			if err := c.strategy.Tell(c.found[len(c.found)-len(asked):]); err != nil {
				return err
			}
		}
	}
}

// evaluateUnknown adds to known what it lacks of the batch.
func evaluateUnknown(ctx context.Context, batch []nas.Architecture, known map[string]nas.Evaluation, evaluate evaluateFunc) error {
	var unknown []nas.Architecture
	for _, a := range batch {
		if _, ok := known[a.String()]; !ok {
			unknown = append(unknown, a)
		}
	}
	if len(unknown) == 0 {
		return ctx.Err()
	}
	evaluations, err := evaluate(ctx, unknown)
	if err != nil {
		return err
	}
	for _, e := range evaluations {
		known[e.Architecture.String()] = e
	}
	return nil
}
