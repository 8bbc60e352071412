package kernels

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
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

// How long an idle worker looks for work before it sleeps: through what of a
// network runs on one thread, since waking takes tens of microseconds, but not
// for long where no more work comes. It looks every pauses pauses, which leave
// the core to the other thread that may share it, and at the clock every
// looks looks.
const (
	idle   = 150 * time.Microsecond
	pauses = 1
	looks  = 32
)

// crew is the worker pool of the process. The goroutine that calls a kernel is
// worker 0 of its call; the others are goroutines that Threads started.
type crew struct {
	mu      sync.Mutex // held by the call that the workers work for
	threads atomic.Int32
	workers []*worker

	job    job // set before open, valid until active is 0 again
	shares []share
	shared int // of the shares, that this call uses
	open   atomic.Bool
	active atomic.Int32 // workers that may be looking at job
	call   atomic.Uint64
}

// share is the parts that a worker does first, before it helps the others:
// those that lie together, so that what one job leaves in the caches of a core
// is where the next job wants it.
type share struct {
	next atomic.Int64 // part to take
	end  int64
	_    [cacheLine - 16]byte // workers have lines of their own
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
	if len(c.shares) != n {
		c.shares = make([]share, n)
	}
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
	c.job, c.shared = j, min(len(c.shares), parts)
	for i := range c.shared {
		c.shares[i].next.Store(int64(i * parts / c.shared))
		c.shares[i].end = int64((i + 1) * parts / c.shared)
	}
	c.open.Store(true)
	c.call.Add(1)
	for i := range c.shared - 1 {
		if c.workers[i].asleep.Load() {
			c.workers[i].rouse()
		}
	}
	c.take(0)
	c.open.Store(false)
	for i := 0; c.active.Load() != 0; i++ { // parts that others have begun
		if i > patience {
			runtime.Gosched()
		} else {
			pause(pauses)
		}
	}
	c.job = nil
}

// partWork is the number of multiply-adds that make a part worth a thread of its
// own: at full speed they take 1.5 microseconds, about what it costs to hand a
// call to another core that looks for work, to bring it what it needs, and to
// wait for it. Other operations count as so many multiply-adds as they take
// the time of; an element that is moved or changed, elementWork of them.
const (
	partWork    = 96 << 10
	elementWork = 2 * partWork / partElements
)

// shareOut runs parts parts of j, which together are work multiply-adds, on the
// worker pool if that is work for two, and else here.
func shareOut(parts, work int, j job) {
	if work < 2*partWork {
		for i := range parts {
			j.part(i, 0)
		}
		return
	}
	parallel(parts, j)
}

// patience is the number of pauses after which a call that waits for others
// lets the scheduler have its thread.
const patience = 1 << 10

// take runs parts until none is left: those of the worker's share, then
// those of the others'.
func (c *crew) take(worker int) {
	for i := range c.shared {
		s := &c.shares[(worker+i)%c.shared]
		for {
			part := s.next.Add(1) - 1
			if part >= s.end {
				break
			}
			c.job.part(int(part), worker)
		}
	}
}

// serve is the life of a worker.
func (c *crew) serve(w *worker, seen uint64) {
	for !w.quit.Load() {
		call := c.call.Load()
		for call == seen {
			if call = c.look(seen); call == seen {
				w.sleep(c, seen)
				if w.quit.Load() {
					return
				}
				call = c.call.Load()
			}
		}
		seen = call
		// A worker that comes late finds the call closed, or is waited for. One
		// that was to quit before the call began has no part in it: the call
		// has scratch memory for fewer workers.
		c.active.Add(1)
		if c.open.Load() && !w.quit.Load() {
			c.take(w.id)
		}
		c.active.Add(-1)
	}
}

// look waits a while for the next call after seen, and returns the last.
func (c *crew) look(seen uint64) uint64 {
	for start := time.Now(); ; {
		for range looks {
			if call := c.call.Load(); call != seen {
				return call
			}
			pause(pauses)
		}
		if time.Since(start) > idle {
			return seen
		}
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
