package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"time"
)

// startLoad runs this program as a load on another CPU than the profiler's.
func startLoad(kind string, seed uint64) (stop func(), err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "-load", kind, "-seed", fmt.Sprint(seed))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	time.Sleep(300 * time.Millisecond)
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}, nil
}

// runLoad keeps the first CPU busy until it is killed: all of the time, or in
// bursts of 0.2 to 5 s with breaks as long. It sorts, copies and multiplies, as
// other programs do.
func runLoad(kind string, seed uint64) {
	runtime.LockOSThread()
	if err := useFirstCPU(); err != nil {
		fmt.Fprintln(os.Stderr, "repeatability: the load is on any CPU:", err)
	}
	rng := rand.New(rand.NewPCG(seed, 2))
	length := func() time.Duration { return time.Duration((0.2 + 4.8*rng.Float64()) * float64(time.Second)) }
	parent := os.Getppid()
	w := newWork()
	for {
		end := time.Now().Add(length())
		for time.Now().Before(end) {
			w.piece()
		}
		if os.Getppid() != parent { // which was killed
			return
		}
		if kind == "bursts" {
			time.Sleep(length())
		}
	}
}

type work struct {
	keys     []int
	from, to []uint64
	at       int
	vector   []float64
	rng      *rand.Rand
	sum      float64
}

func newWork() *work {
	const megabytes = 32
	w := &work{
		keys: make([]int, 5000), from: make([]uint64, megabytes<<17), to: make([]uint64, megabytes<<17),
		vector: make([]float64, 2000), rng: rand.New(rand.NewPCG(1, 3)),
	}
	for i := range w.from {
		w.from[i], w.to[i] = uint64(i), 1
	}
	for i := range w.vector {
		w.vector[i] = w.rng.Float64()
	}
	return w
}

// piece takes about a millisecond.
func (w *work) piece() {
	for i := range w.keys {
		w.keys[i] = w.rng.Int()
	}
	slices.Sort(w.keys)
	const part = 1 << 15
	for range 4 {
		copy(w.to[w.at:w.at+part], w.from[w.at:w.at+part])
		w.at = (w.at + part) % len(w.from)
	}
	for range 100 {
		for _, v := range w.vector {
			w.sum += v * v
		}
	}
}
