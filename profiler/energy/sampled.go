package energy

import (
	"fmt"
	"math"
	"time"
)

// latestSample is how late one of our own samples may come, as the scheduler
// makes some on a busy core. Energy.Bound tells what that costs in accuracy.
const latestSample = time.Second

// sampled is a meter that tells power when it is asked.
type sampled struct {
	about Description
	watts func() (float64, error)
}

func (s *sampled) Description() Description { return s.about }

func (s *sampled) Close() error { return nil }

// Measure samples the power in a goroutine of its own, at once and then once
// in a period, until a sample was taken after run has ended.
func (s *sampled) Measure(run func()) (Energy, error) {
	var (
		samples []sample
		failed  error
	)
	take := func() {
		if failed != nil {
			return
		}
		before := time.Now()
		watts, err := s.watts()
		switch {
		case err != nil:
			failed = err
		case math.IsNaN(watts) || math.IsInf(watts, 0) || watts < 0:
			failed = fmt.Errorf("energy: %s shows %g W", s.about.Name, watts)
		default:
			// Reading takes time, over a bus even milliseconds.
			samples = append(samples, sample{before.Add(time.Since(before) / 2), watts})
		}
	}
	take()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(s.about.Period)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				take()
			case <-stop:
				take()
				return
			}
		}
	}()
	start := time.Now()
	run()
	end := time.Now()
	close(stop)
	<-done
	if failed != nil {
		return Energy{}, failed
	}
	e, err := integrate(samples, start, end, latestSample+s.about.Period)
	if err != nil {
		return Energy{}, fmt.Errorf("energy: %s: %w", s.about.Name, err)
	}
	return e, nil
}
