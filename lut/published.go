package lut

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strconv"
)

// Published is a table of latencies that others published, kept beside the
// rows as it is: most of its entries are blocks, such as an inverted residual
// with its expansion, which are no single operator, and none says what a
// [Row] has to. Its cells are texts, so that what is exported has the same
// values to the last digit. It is never used as the cost of an operator.
type Published struct {
	Format  string     `json:"format"` // such as "ofa"
	Source  string     `json:"source"` // file that it was read from
	Columns []string   `json:"columns"`
	Records [][]string `json:"records"`
	Key     int        `json:"key"`     // number of columns, from the first, that name an entry
	Latency string     `json:"latency"` // column of the latency in milliseconds
}

// LatencyMS is the latency of an entry. It may be negative, where a table was
// extrapolated by those who published it.
func (p *Published) LatencyMS(record int) float64 {
	v, _ := strconv.ParseFloat(p.Records[record][slices.Index(p.Columns, p.Latency)], 64)
	return v // checked by validate
}

// Validate reports the first thing that no such table has: a value that is
// missing or no number, an entry that is there twice.
func (p *Published) Validate() error {
	at := slices.Index(p.Columns, p.Latency)
	switch {
	case p.Format == "":
		return errors.New("the format is missing")
	case at < 0:
		return fmt.Errorf("there is no column %q of the latency", p.Latency)
	case p.Key < 1 || p.Key > at:
		return fmt.Errorf("%d columns cannot name an entry", p.Key)
	case len(p.Records) == 0:
		return errors.New("it has no entries")
	}
	seen := newIndex(len(p.Records))
	for i, record := range p.Records {
		if len(record) != len(p.Columns) {
			return fmt.Errorf("entry %d has %d values, want %d", i, len(record), len(p.Columns))
		}
		if v, err := strconv.ParseFloat(record[at], 64); err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("entry %d: %s is %q, want a number", i, p.Latency, record[at])
		}
		var hash uint64
		for _, text := range record[:p.Key] {
			hash = hash*31 + maphash.String(seen.seed, text)
		}
		if first := seen.add(hash, i, func(o int) bool { return slices.Equal(p.Records[o][:p.Key], record[:p.Key]) }); first >= 0 {
			return fmt.Errorf("entry %d: %q is already entry %d", i, record[:p.Key], first)
		}
	}
	return nil
}
