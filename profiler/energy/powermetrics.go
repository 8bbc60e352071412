package energy

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// powermetricsPeriod is what powermetrics is asked to average over.
const powermetricsPeriod = 100 * time.Millisecond

// combinedPower is the line of powermetrics that tells the processor's power:
// of Apple's processors, of these under macOS 11, and of Intel's.
var combinedPower = regexp.MustCompile(`^(?:Combined Power \(CPU \+ GPU \+ ANE\)|Package Power|Intel energy model derived package power \(CPUs\+GT\+SA\)): ([0-9.]+) ?(mW|W)$`)

// findPowermetrics finds macOS's powermetrics, which only root may run.
func findPowermetrics(h host) []Found {
	const name = "powermetrics"
	about := Description{Name: name, Covers: "processor with its graphics and neural engine", Period: powermetricsPeriod}
	f := Found{Description: about, Processor: true, open: func() (Meter, error) {
		p, err := startProgram(about, parsePowermetrics, name, "--samplers", "cpu_power", "--buffer-size", "1",
			"--sample-rate", strconv.FormatInt(powermetricsPeriod.Milliseconds(), 10))
		if err != nil {
			return nil, err
		}
		return p, nil
	}}
	if err := h.which(name); err != nil {
		f.Problem = fmt.Sprintf("no powermetrics: %v", err)
	} else if !h.root {
		f.Problem = "powermetrics runs as root only: use sudo"
	}
	return []Found{f}
}

// parsePowermetrics reads a line of powermetrics' text that arrives at now.
// It tells the mean since the line before, which serves as a sample.
func parsePowermetrics(line string, now time.Time) (sample, bool, error) {
	m := combinedPower.FindStringSubmatch(line)
	if m == nil {
		return sample{}, false, nil
	}
	watts, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return sample{}, false, fmt.Errorf("line %q: %q is not a power", line, m[1])
	}
	if m[2] == "mW" {
		watts *= 1e-3
	}
	return sample{now, watts}, true, nil
}
