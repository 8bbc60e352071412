package kernels

import "time"

// Peak is what one thread can do at most with the implementation in use, as
// measured: the rates that kernels are judged by.
type Peak struct {
	FMA  float64 // multiplications and additions of float32 per second
	Dot8 float64 // those of dot products of bytes, 0 where there are no instructions for them
}

// peakTime is how long a rate is measured, and peakRun about how long a run is
// of which the fastest counts: the clock of a processor rises, and other work
// on the machine goes, within milliseconds.
const (
	peakTime = 30 * time.Millisecond
	peakRun  = 500 * time.Microsecond
)

// MeasurePeak measures the peak of one thread, which takes less than a tenth of
// a second.
func MeasurePeak() Peak {
	p := Peak{FMA: peakRate(peaks.fma) * peaks.flop}
	if peaks.dot8 != nil {
		p.Dot8 = peakRate(peaks.dot8) * peaks.dot8Ops
	}
	return p
}

// MeasureCopy measures how many bytes per second a copy moves, read and written
// together, where both take bytes in all.
func MeasureCopy(bytes int) float64 {
	n := max(bytes/8, 1)
	src, dst := Aligned[float32](n), Aligned[float32](n)
	for i := range src { // memory that was never written may be one page
		src[i], dst[i] = 1, 2
	}
	return 8 * float64(n) * peakRate(func(loops int) {
		for range loops {
			copy(dst, src)
		}
	})
}

// peakRate returns the most loops per second of run.
func peakRate(run func(loops int)) float64 {
	loops, best := 1, 0.0
	for begin := time.Now(); time.Since(begin) < peakTime; {
		start := time.Now()
		run(loops)
		took := time.Since(start)
		if took < peakRun/2 {
			loops *= 2
			continue
		}
		best = max(best, float64(loops)/took.Seconds())
	}
	if best == 0 { // the machine was stopped for all the time
		start := time.Now()
		run(loops)
		best = float64(loops) / max(time.Since(start), 1).Seconds()
	}
	return best
}

// peakKernels does nothing but multiply and add.
type peakKernels struct {
	fma     func(loops int)
	flop    float64 // operations of a loop
	dot8    func(loops int)
	dot8Ops float64
}

var portablePeaks = peakKernels{fma: peakPortable, flop: 24}

// peaks is the implementation in use.
var peaks = portablePeaks

// peakPortable multiplies and adds twelve numbers, which do not wait for each
// other, in each of loops rounds.
func peakPortable(loops int) {
	v := &peakNumbers
	x, y := v[12], v[13]
	a, b, c, d, e, f, g, h, i, j, k, l := v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11]
	for range loops {
		a = a*x + y
		b = b*x + y
		c = c*x + y
		d = d*x + y
		e = e*x + y
		f = f*x + y
		g = g*x + y
		h = h*x + y
		i = i*x + y
		j = j*x + y
		k = k*x + y
		l = l*x + y
	}
	v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11] = a, b, c, d, e, f, g, h, i, j, k, l
}

// peakNumbers are those of peakPortable: twelve from different starts, so that
// the compiler does not find them the same, and their factor and summand.
var peakNumbers = [14]float32{.1, .2, .3, .4, .5, .6, .7, .8, .9, 1, 1.1, 1.2, .5, .5}
