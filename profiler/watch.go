package profiler

import "time"

// watchPeriod is how often the kernel's accounts of CPU time are looked at,
// which on most systems count in steps of accountStep.
const (
	watchPeriod = 100 * time.Millisecond
	accountStep = 10 * time.Millisecond
)

// watch sees other work on the machine by the accounts of the kernel. The zero
// value sees nothing.
type watch struct {
	// switches is how often the measuring thread had to leave its CPU to other
	// work so far.
	switches func() int64
	// times are the accounts so far; false where the system has none.
	times func() (cpuTimes, bool)
	// neighbours is the number of further CPUs that are accounted: those that
	// share a cache with the one that is measured on.
	neighbours int

	at      time.Duration // of the last look
	last    cpuTimes
	judged  int  // rounds
	verdict bool // of the last look
	blind   bool
}

// cpuTimes are accounts of CPU time since some moment.
type cpuTimes struct {
	other  time.Duration // that other processes took, of this CPU and its neighbours
	stolen time.Duration // that a virtual machine's host withheld, of this CPU
}

// Other work counts if it takes half of a CPU, and with many neighbours a
// quarter of each; stolen time counts always.
func (w *watch) limit() float64 { return max(0.5, 0.25*float64(w.neighbours)) }

func (w *watch) waits() int64 {
	if w.switches == nil {
		return 0
	}
	return w.switches()
}

// begin begins with the first of a number of rounds.
func (w *watch) begin(now time.Duration) {
	w.judged = 0
	if w.times == nil || w.blind || w.at > 0 && now-w.at < 10*watchPeriod {
		return // an account that began in the rounds before
	}
	times, ok := w.times()
	w.at, w.last, w.blind = now, times, !ok
}

// judge says of the rounds that it has not judged yet whether they were beside
// other work, once enough time has passed to tell. With final set it says so of
// all, those of the last moment by a short account, which is coarse, or as the
// last ones.
func (w *watch) judge(now time.Duration, rounds []round, final bool) {
	if w.times == nil || w.blind {
		return
	}
	took := now - w.at
	enough := took >= watchPeriod || final && took >= watchPeriod/2
	if !enough && !final {
		return
	}
	if enough {
		times, ok := w.times()
		if !ok {
			w.blind = true
			return
		}
		// A step too many may be of this process.
		w.verdict = (times.other-w.last.other-accountStep).Seconds() >= w.limit()*took.Seconds() || times.stolen > w.last.stolen
		w.at, w.last = now, times
	}
	for i := w.judged; i < len(rounds); i++ {
		rounds[i].loaded = w.verdict
	}
	if enough {
		w.judged = len(rounds)
	}
}
