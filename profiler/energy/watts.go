package energy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseWatts reads a line of an external meter: TIME WATTS, or WATTS alone,
// for which at is the zero time. The fields are separated by blanks, commas or
// semicolons; TIME is as in RFC 3339 or in seconds since 1970.
func parseWatts(line string) (s sample, err error) {
	fields := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) })
	if len(fields) != 1 && len(fields) != 2 {
		return s, fmt.Errorf("%q, want TIME WATTS", strings.TrimSpace(line))
	}
	value := fields[len(fields)-1]
	s.watts, err = strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(s.watts) || math.IsInf(s.watts, 0) || s.watts < 0 {
		return s, fmt.Errorf("%q is not a power in W", value)
	}
	if len(fields) == 2 {
		s.at, err = parseTime(fields[0])
	}
	return s, err
}

// Seconds since 1970 of the years 2001 and 2286: what is outside is in another
// unit.
const (
	earliest = 1e9
	latest   = 1e10
)

func parseTime(text string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at, nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds >= earliest && seconds < latest) {
		return time.Time{}, fmt.Errorf("%q is not a time: want RFC 3339, such as 2026-01-31T12:00:00.25Z, or seconds since 1970", text)
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)), nil
}

// remembered is how many samples before a run are kept, to know how often they
// come.
const remembered = 64

// forget drops all but the last of samples.
func forget(samples []sample) []sample {
	if len(samples) <= remembered {
		return samples
	}
	return append([]sample(nil), samples[len(samples)-remembered:]...)
}
