package kernels

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// job is work that is cut into parts which may run side by side. What a part
// does depends on its number alone, never on the worker that runs it, so that
// results do not depend on how the parts were scheduled. Jobs are fields of a
// [Workspace], since a closure would be allocated at every call.
type job interface {
	// part does part i. No two parts run on one worker at the same time, and
	// worker is below the number of threads: scratch memory goes by it.
	part(i, worker int)
}

// spins is how often an idle worker looks for work before it sleeps: some
// tens of microseconds, the distance between the kernels of a network.
const spins = 1 << 14

// crew is the worker pool of the process. The goroutine that calls a kernel is
// worker 0 of its call; the others are goroutines that Threads started.
type crew struct {
	mu      sync.Mutex // held by the call that the workers work for
	threads atomic.Int32
	workers []*worker

	job    job // set before open, valid until active is 0 again
	parts  int64
	next   atomic.Int64 // part to take
	open   atomic.Bool
	active atomic.Int32 // workers that may be looking at job
	call   atomic.Uint64
}

// worker is one goroutine of the crew.
type worker struct {
	id     int
	asleep atomic.Bool
	wake   chan struct{}
	quit   atomic.Bool
}

var threads = func() *crew {
	c := &crew{}
	c.threads.Store(1)
	return c
}()

// Threads sets how many threads a kernel call may use, 1 at the start of the
// program, and returns the number before. Calls from several goroutines share
// one pool of workers: while one call uses them, the others run on their own
// goroutine alone. For one number of threads results repeat bit for bit. It
// panics if n is below 1, and must not run beside other calls into the
// package.
func Threads(n int) (before int) {
	if n < 1 {
		panic(fmt.Sprintf("kernels: Threads(%d): want at least 1", n))
	}
	c := threads
	c.mu.Lock()
	defer c.mu.Unlock()
	before = int(c.threads.Swap(int32(n)))
	for len(c.workers) > n-1 {
		w := c.workers[len(c.workers)-1]
		c.workers = c.workers[:len(c.workers)-1]
		w.quit.Store(true)
		w.rouse()
	}
	for len(c.workers) < n-1 {
		w := &worker{id: len(c.workers) + 1, wake: make(chan struct{}, 1)}
		c.workers = append(c.workers, w)
		go c.serve(w, c.call.Load())
	}
	return before
}

// threadCount returns the number of threads that kernel calls may use.
func threadCount() int { return int(threads.threads.Load()) }

// parallel runs parts parts of j on the worker pool, and returns when all are
// done.
func parallel(parts int, j job) {
	c := threads
	if parts <= 1 || c.threads.Load() == 1 || !c.mu.TryLock() {
		for i := range parts {
			j.part(i, 0)
		}
		return
	}
	defer c.mu.Unlock()
	c.job, c.parts = j, int64(parts)
	c.next.Store(0)
	c.open.Store(true)
	c.call.Add(1)
	for i := range min(len(c.workers), parts-1) {
		if c.workers[i].asleep.Load() {
			c.workers[i].rouse()
		}
	}
	c.take(0)
	c.open.Store(false)
	for i := 0; c.active.Load() != 0; i++ { // parts that others have begun
		if i > spins {
			runtime.Gosched()
		}
	}
	c.job = nil
}

// take runs parts until none is left.
func (c *crew) take(worker int) {
	for {
		i := c.next.Add(1) - 1
		if i >= c.parts {
			return
		}
		c.job.part(int(i), worker)
	}
}

// serve is the life of a worker.
func (c *crew) serve(w *worker, seen uint64) {
	for !w.quit.Load() {
		call := c.call.Load()
		for i := 0; call == seen; i++ {
			if i == spins {
				w.sleep(c, seen)
				if w.quit.Load() {
					return
				}
				i = 0
			}
			call = c.call.Load()
		}
		seen = call
		if w.quit.Load() { // its number may be beyond the threads of this call
			return
		}
		// A worker that comes late finds the call closed, or is waited for.
		c.active.Add(1)
		if c.open.Load() {
			c.take(w.id)
		}
		c.active.Add(-1)
	}
}

// sleep waits for the next call after seen.
func (w *worker) sleep(c *crew, seen uint64) {
	w.asleep.Store(true)
	if c.call.Load() != seen || w.quit.Load() {
		w.asleep.Store(false)
		return
	}
	<-w.wake
}

// rouse ends a worker's sleep, if it sleeps or is about to.
func (w *worker) rouse() {
	if w.asleep.Swap(false) {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}
