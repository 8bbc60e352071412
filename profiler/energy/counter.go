package energy

import (
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
)

// foldEvery is how often counters are read during a long run: more often than
// any may wrap around. The shortest span, 65 kJ, takes 100 s at 655 W.
const foldEvery = 20 * time.Second

// counter is a meter that counts energy, in one or more domains.
type counter struct {
	about   Description
	domains []domain
	close   func() error // may be nil
}

// domain is one counter of energy.
type domain struct {
	name string // for errors
	read func() (uint64, error)
	unit float64 // J of a count
	// After span-1 or span it is at zero again; 0 if that is not known.
	span uint64
}

// used returns the J between two counts.
func (d *domain) used(before, after uint64) (float64, error) {
	counts := after - before
	if after < before {
		if d.span < before {
			return 0, fmt.Errorf("energy: %s went back from %d to %d, and where it wraps around is not known: it was reset", d.name, before, after)
		}
		counts = d.span - before + after
	}
	return float64(counts) * d.unit, nil
}

func (c *counter) Description() Description { return c.about }

func (c *counter) Close() error {
	if c.close == nil {
		return nil
	}
	return c.close()
}

func (c *counter) Measure(run func()) (Energy, error) {
	last := make([]uint64, len(c.domains))
	e := Energy{}
	var failed error
	for i, d := range c.domains {
		if last[i], failed = d.read(); failed != nil {
			break
		}
	}
	fold := func() {
		for i := range c.domains {
			if failed != nil {
				return
			}
			var now uint64
			var used float64
			if now, failed = c.domains[i].read(); failed == nil {
				used, failed = c.domains[i].used(last[i], now)
			}
			e.Joules += used
			last[i] = now
		}
	}
	stop := make(chan struct{})
	var folding sync.WaitGroup
	folding.Go(func() {
		ticker := time.NewTicker(foldEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				fold()
			case <-stop:
				return
			}
		}
	})
	e.Start = time.Now()
	run()
	e.End = time.Now()
	close(stop)
	folding.Wait()
	fold()
	if failed != nil {
		return Energy{}, failed
	}
	// Each end may be a step and a period off, in either direction.
	e.Bound = c.about.Resolution*float64(len(c.domains)) + e.Watts()*c.about.Period.Seconds()
	return e, nil
}

// readCounter reads a file that holds one count.
func readCounter(root fs.FS, name string) (uint64, error) {
	text, err := readText(root, name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("energy: /%s: %q is not a count", name, text)
	}
	return n, nil
}

// readNumber reads a file that holds one decimal number.
func readNumber(root fs.FS, name string) (float64, error) {
	text, err := readText(root, name)
	if err != nil {
		return 0, err
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
		return 0, fmt.Errorf("energy: /%s: %q is not a number", name, text)
	}
	return x, nil
}

func readText(root fs.FS, name string) (string, error) {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return "", fmt.Errorf("energy: /%s: %w", name, reason(err))
	}
	return strings.TrimSpace(string(data)), nil
}

// reason is err without the path, which the message has already.
func reason(err error) error {
	if e, ok := err.(*fs.PathError); ok {
		return e.Err
	}
	return err
}
