package energy

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// filePatience is how long to wait, beside some periods, for a sample to be
// written to a file.
const filePatience = 5 * time.Second

// file is a meter that another program writes to a file while it measures.
type file struct {
	about    Description
	path     string
	patience time.Duration
	offset   int64 // of the first line not yet read
	lines    int   // before offset
	samples  []sample
}

// OpenFile returns the external meter that something else logs to a file: one
// line a sample, TIME WATTS, separated by blanks, a comma or a semicolon, TIME
// as in RFC 3339 or in seconds since 1970 by a clock that agrees with this
// machine's. Empty lines, those that begin with # and a heading in the first
// line are skipped. The file has to grow while is measured.
func OpenFile(path string) (Meter, error) {
	f := &file{path: path, patience: filePatience, about: Description{
		Name: "file", Covers: "what the meter that writes " + path + " is connected to", Period: time.Second,
	}}
	if err := f.read(); err != nil {
		return nil, err
	}
	if period := usualPeriod(f.samples); period > 0 {
		f.about.Period = period
	}
	return f, nil
}

func (f *file) Description() Description { return f.about }

func (f *file) Close() error { return nil }

func (f *file) Measure(run func()) (Energy, error) {
	failed := f.read()
	f.samples = forget(f.samples)
	start := time.Now()
	run()
	end := time.Now()
	if failed != nil {
		return Energy{}, failed
	}
	// The sample that ends the run has yet to come.
	for deadline := end.Add(f.patience + 4*f.about.Period); ; time.Sleep(min(f.about.Period/4, 100*time.Millisecond)) {
		if err := f.read(); err != nil {
			return Energy{}, err
		}
		if n := len(f.samples); n > 0 && !f.samples[n-1].at.Before(end) || time.Now().After(deadline) {
			break
		}
	}
	e, err := integrate(f.samples, start, end, longestGap(f.samples))
	if err != nil {
		return Energy{}, fmt.Errorf("energy: %s: %w", f.path, err)
	}
	return e, nil
}

// read appends the samples of the whole lines that have been written since.
func (f *file) read() error {
	src, err := os.Open(f.path)
	if err != nil {
		return fmt.Errorf("energy: file of watts: %w", err)
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return fmt.Errorf("energy: file of watts: %w", err)
	}
	if info.Size() < f.offset {
		return fmt.Errorf("energy: %s has become shorter: it has to grow while is measured", f.path)
	}
	if _, err := src.Seek(f.offset, io.SeekStart); err != nil {
		return fmt.Errorf("energy: file of watts: %w", err)
	}
	data, err := io.ReadAll(src)
	if err != nil {
		return fmt.Errorf("energy: file of watts: %w", err)
	}
	return f.parse(data)
}

func (f *file) parse(data []byte) error {
	data = data[:bytes.LastIndexByte(data, '\n')+1] // the rest is still being written
	for line := range bytes.Lines(data) {
		f.offset += int64(len(line))
		f.lines++
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		s, err := parseWatts(text)
		if err == nil && s.at.IsZero() {
			err = fmt.Errorf("%q, want TIME WATTS", text)
		}
		if err != nil {
			if f.lines == 1 && !strings.ContainsAny(text[:1], "0123456789-+.") {
				continue // a heading
			}
			return fmt.Errorf("energy: %s: line %d: %w", f.path, f.lines, err)
		}
		if n := len(f.samples); n > 0 && s.at.Before(f.samples[n-1].at) {
			return fmt.Errorf("energy: %s: line %d: its time is before that of the line above", f.path, f.lines)
		}
		f.samples = append(f.samples, s)
	}
	return nil
}
