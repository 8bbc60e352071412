package autograd

import (
	"sync"
	"sync/atomic"
)

// partImages is the number of images that an operator computes as one part.
// It is fixed, so that the order of sums over a batch does not depend on the
// number of threads.
const partImages = 8

func partsOf(images int) int { return (images + partImages - 1) / partImages }

// parallel calls f for every part of a batch of n images, [first, last), on
// the tape's threads.
func (t *Tape) parallel(n int, f func(w *worker, part, first, last int)) {
	t.share(partsOf(n), func(w *worker, p int) { f(w, p, p*partImages, min(n, (p+1)*partImages)) })
}

// channels calls f for ranges of c channels, [from, to), on the tape's
// threads. f must not sum over channels.
func (t *Tape) channels(c int, f func(w *worker, from, to int)) {
	step := min(maxChannels, (c+2*t.threads-1)/(2*t.threads))
	t.share((c+step-1)/step, func(w *worker, p int) { f(w, p*step, min(c, (p+1)*step)) })
}

// maxChannels is the number of channels that are worked on together: adjacent
// in memory within an image, and few enough to stay in cache.
const maxChannels = 16

// share calls f for every task in [0, tasks), each as soon as one of the
// tape's threads is free.
func (t *Tape) share(tasks int, f func(w *worker, task int)) {
	threads := min(t.threads, tasks)
	if threads <= 1 {
		for i := range tasks {
			f(&t.workers[0], i)
		}
		return
	}
	var next atomic.Int64
	run := func(w *worker) {
		for {
			i := int(next.Add(1)) - 1
			if i >= tasks {
				return
			}
			f(w, i)
		}
	}
	var wg sync.WaitGroup
	for i := 1; i < threads; i++ {
		wg.Go(func() { run(&t.workers[i]) })
	}
	run(&t.workers[0])
	wg.Wait()
}
