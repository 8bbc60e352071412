package counters

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeEvent counts value in each run, in which it has a counter for so many of
// 10 ns.
type fakeEvent struct {
	value, running uint64
	runs           uint64
	err            error
	closed         int
}

func (e *fakeEvent) start() error { e.runs++; return nil }

func (e *fakeEvent) stop() (value, enabled, running uint64, err error) {
	return e.value, 10 * e.runs, e.running * e.runs, e.err
}

func (e *fakeEvent) Close() error { e.closed++; return nil }

func TestMeasure(t *testing.T) {
	refused := errors.New("refused")
	whole := &fakeEvent{value: 100, running: 10}
	turns := &fakeEvent{value: 100, running: 4}
	never := &fakeEvent{}
	fakes := map[string]*fakeEvent{"whole": whole, "turns": turns, "never": never}
	s, err := open([]event{{name: "whole"}, {name: "absent"}, {name: "turns"}, {name: "never"}, {name: "gone"}}, func(e event) (counting, error) {
		if f := fakes[e.name]; f != nil {
			return f, nil
		}
		return nil, refused
	})
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for range 2 { // the times of an event go on
		counts, err := s.Measure(func() { ran++ })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Counts{{"whole", 100, false}, {"turns", 250, true}}, counts); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if n, ok := counts.Value("turns"); n != 250 || !ok {
			t.Errorf("turns: %d, %v", n, ok)
		}
		if _, ok := counts.Value("never"); ok {
			t.Error("an event without a counter has a value")
		}
	}
	if got := s.Reasons(); got != "absent, gone: refused" || len(s.Missing()) != 2 {
		t.Errorf("missing %v, reasons %q", s.Missing(), got)
	}
	turns.err = refused
	if _, err := s.Measure(func() { ran++ }); !errors.Is(err, refused) || !strings.Contains(err.Error(), "turns") || ran != 3 {
		t.Errorf("ran %d times, error %v", ran, err)
	}
	if err := s.Close(); err != nil || whole.closed != 1 || never.closed != 1 {
		t.Errorf("closed %d and %d times, error %v", whole.closed, never.closed, err)
	}
	if _, err := open([]event{{name: "absent"}}, func(event) (counting, error) { return nil, refused }); !errors.Is(err, refused) {
		t.Errorf("nothing to count: error %v", err)
	}
	if _, err := open(nil, nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("another system: error %v", err)
	}
}

var sink uint64

// TestOpen counts on this machine what it allows.
func TestOpen(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, err := Open()
	if err != nil {
		t.Skip(err)
	}
	defer s.Close()
	t.Log("missing:", s.Reasons())
	work := func(steps int) Counts {
		counts, err := s.Measure(func() {
			x := sink + 1
			for range steps {
				x = x*6364136223846793005 + 1442695040888963407
			}
			sink = x
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Log(counts)
		return counts
	}
	few, many := work(1e6), work(50e6)
	for _, name := range []string{Cycles, Instructions, TaskClock} {
		a, ok := few.Value(name)
		if b, ok2 := many.Value(name); ok && ok2 && b < 4*a {
			t.Errorf("%s: %d of 50 million steps, %d of 1 million", name, b, a)
		}
	}
	if n, ok := many.Value(Instructions); ok && (n < 50e6 || n > 1e9) {
		t.Errorf("%d instructions of 50 million steps", n)
	}
	counts, err := s.Measure(func() {
		block := make([]byte, 64<<20)
		for i := 0; i < len(block); i += os.Getpagesize() {
			block[i] = 1
		}
		runtime.KeepAlive(block)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(counts)
	if n, ok := counts.Value(PageFaults); ok && n == 0 {
		t.Error("no page faults of fresh memory")
	}
}
