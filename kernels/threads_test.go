package kernels

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// tally counts how often each part ran.
type tally struct {
	counts  []int32
	workers []int32 // of each part
	busy    [8]bool
	t       *testing.T
}

func (j *tally) part(i, worker int) {
	if j.busy[worker] {
		j.t.Errorf("worker %d runs two parts at once", worker)
	}
	j.busy[worker] = true
	j.counts[i]++
	j.workers[i] = int32(worker)
	j.busy[worker] = false
}

func TestParallelRunsEachPartOnce(t *testing.T) {
	defer Threads(Threads(1))
	for _, n := range []int{1, 2, 5, 3, 1, 4} {
		Threads(n)
		for _, parts := range []int{0, 1, 2, 3, 64, 1000} {
			for turn := range 20 {
				if turn == 10 {
					time.Sleep(2 * time.Millisecond) // workers fall asleep
				}
				j := &tally{counts: make([]int32, parts), workers: make([]int32, parts), t: t}
				parallel(parts, j)
				for i, c := range j.counts {
					if c != 1 {
						t.Fatalf("%d threads: part %d of %d ran %d times", n, i, parts, c)
					}
					if w := int(j.workers[i]); w >= n {
						t.Fatalf("%d threads: part %d ran on worker %d", n, i, w)
					}
				}
			}
		}
	}
}

// Calls from several goroutines share the pool.
func TestParallelConcurrently(t *testing.T) {
	defer Threads(Threads(3))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 500 {
				j := &tally{counts: make([]int32, 9), workers: make([]int32, 9), t: t}
				parallel(9, j)
				for i, c := range j.counts {
					if c != 1 {
						t.Errorf("part %d ran %d times", i, c)
					}
				}
			}
		})
	}
	group.Wait()
}

func TestParallelAllocatesNothing(t *testing.T) {
	defer Threads(Threads(2))
	j := &tally{counts: make([]int32, 16), workers: make([]int32, 16), t: t}
	if n := testing.AllocsPerRun(100, func() { parallel(16, j) }); n != 0 {
		t.Errorf("parallel allocates %v times a call", n)
	}
}

func TestThreadsRejects(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Threads(0) does not panic")
		}
	}()
	Threads(0)
}

type nothing struct{}

func (nothing) part(i, worker int) {}

// BenchmarkParallel is the cost of handing out an empty call.
func BenchmarkParallel(b *testing.B) {
	defer Threads(Threads(2))
	var j nothing
	for b.Loop() {
		parallel(2, j)
	}
}

// Workers without work do not keep a core busy.
func TestWorkersFallAsleep(t *testing.T) {
	defer Threads(Threads(2))
	parallel(2, nothing{})
	for wait := time.Millisecond; !threads.workers[0].asleep.Load(); wait *= 2 {
		if wait > 10*time.Second {
			t.Fatal("a worker still looks for work")
		}
		time.Sleep(wait)
	}
}

// Each worker begins with parts that lie together.
func TestShares(t *testing.T) {
	defer Threads(Threads(3))
	j := &tally{counts: make([]int32, 10), workers: make([]int32, 10), t: t}
	parallel(10, j)
	var ends []int64
	for i := range threads.shares {
		ends = append(ends, threads.shares[i].end)
	}
	if want := []int64{3, 6, 10}; !slices.Equal(ends, want) {
		t.Errorf("shares of 10 parts end at %d, want %d", ends, want)
	}
}
