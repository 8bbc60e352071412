package transfer

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Table holds the measured latency of whole networks, a row an architecture and
// a column a device.
type Table struct {
	Path          string
	Architectures []Architecture
	Devices       []string
	latency       map[string][]float64 // by device, in the order of Architectures
}

// ReadTable reads a CSV file, compressed with gzip where its name ends in .gz,
// that has a header row, the columns of the space's architecture and a column of
// latencies in milliseconds for each device. Of these it reads the named ones,
// or all of them where none is named. Where a device's times are rounded so much
// that one can have become 0, a 0 counts as a quarter of the unit, the middle of
// what is rounded to it; elsewhere it is refused.
func ReadTable(path string, s Space, devices ...string) (*Table, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("transfer: %w", err)
	}
	defer file.Close()
	buffered := bufio.NewReader(file)
	var content io.Reader = buffered
	start, _ := buffered.Peek(len(gzipMagic)) // an error comes again
	compressed := string(start) == gzipMagic
	switch named := strings.HasSuffix(path, ".gz"); {
	case compressed && !named:
		return nil, fmt.Errorf("transfer: %s: the file is gzip, but its name does not end in .gz: rename it", path)
	case named && len(start) == len(gzipMagic) && !compressed:
		return nil, fmt.Errorf("transfer: %s: the name ends in .gz, but the file is not gzip", path)
	case named && len(start) > 0:
		if content, err = gzip.NewReader(buffered); err != nil {
			return nil, fmt.Errorf("transfer: %s: row 1: %w", path, unreadable(err))
		}
	}
	t, err := readTable(content, s, devices)
	if err != nil {
		return nil, fmt.Errorf("transfer: %s: %w", path, err)
	}
	t.Path = path
	return t, nil
}

const gzipMagic = "\x1f\x8b"

// unreadable says what reading met, without the row.
func unreadable(err error) error {
	var syntax *csv.ParseError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the file is cut off here: copy it again")
	case errors.Is(err, gzip.ErrChecksum):
		return errors.New("the compressed file is damaged: its checksum differs; copy it again")
	case errors.As(err, &syntax):
		return syntax.Err
	}
	return err
}

// readTable counts rows as a text editor does: the header is row 1.
func readTable(content io.Reader, s Space, devices []string) (*Table, error) {
	r := csv.NewReader(content)
	r.ReuseRecord = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: a header row is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("row 1: %w", unreadable(err))
	}
	header = slices.Clone(header)
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	column := make(map[string]int, len(header))
	for i, name := range header {
		if _, twice := column[name]; twice {
			return nil, fmt.Errorf("row 1: column %q is there twice", name)
		}
		column[name] = i
	}
	var layout []string
	for _, columns := range s.columns() {
		if !slices.ContainsFunc(columns, func(name string) bool { _, ok := column[name]; return !ok }) {
			layout = columns
			break
		}
	}
	if layout == nil {
		return nil, fmt.Errorf("row 1: column %q, which holds the architecture in space %s, is missing", s.columns()[0][0], s.Name())
	}
	if len(devices) == 0 {
		for _, name := range header {
			if !slices.Contains(layout, name) {
				devices = append(devices, name)
			}
		}
		if len(devices) == 0 {
			return nil, errors.New("row 1: there is no column of a device")
		}
	}
	t := &Table{Devices: slices.Clone(devices), latency: make(map[string][]float64, len(devices))}
	for _, d := range devices {
		if slices.Contains(layout, d) {
			return nil, fmt.Errorf("row 1: %q holds the architecture, it is no device", d)
		}
		if _, ok := column[d]; !ok {
			return nil, fmt.Errorf("row 1: there is no column of device %q", d)
		}
	}
	seen := map[string]int{}
	fields := make([]string, len(layout))
	var rows []int
	last := 1
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var syntax *csv.ParseError
		switch {
		case errors.As(err, &syntax) && errors.Is(err, csv.ErrFieldCount):
			return nil, fmt.Errorf("row %d: %d columns, the header has %d", syntax.StartLine, len(record), len(header))
		case errors.As(err, &syntax):
			return nil, fmt.Errorf("row %d: %w", syntax.StartLine, syntax.Err)
		case err != nil:
			return nil, fmt.Errorf("row %d: %w", last+1, unreadable(err))
		}
		row, _ := r.FieldPos(0)
		last = row
		for i, name := range layout {
			fields[i] = record[column[name]]
		}
		a, err := s.parse(fields)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", row, err)
		}
		name := a.String()
		if first, twice := seen[name]; twice {
			return nil, fmt.Errorf("row %d: architecture %q is the same as that of row %d", row, strings.Join(fields, ";"), first)
		}
		seen[name] = row
		t.Architectures = append(t.Architectures, a)
		rows = append(rows, row)
		for _, d := range devices {
			v, err := strconv.ParseFloat(record[column[d]], 64)
			switch {
			case err != nil:
				return nil, fmt.Errorf("row %d: latency %q of %s is not a number", row, record[column[d]], d)
			case math.IsNaN(v) || math.IsInf(v, 0) || v < 0:
				return nil, notPositive(row, record[column[d]], d)
			}
			t.latency[d] = append(t.latency[d], v)
		}
	}
	if len(t.Architectures) == 0 {
		return nil, errors.New("there is no row below the header")
	}
	for _, d := range devices {
		if i := slices.Index(t.latency[d], 0); i >= 0 && !replaceZeros(t.latency[d]) {
			return nil, notPositive(rows[i], "0", d)
		}
	}
	return t, nil
}

func notPositive(row int, latency, device string) error {
	return fmt.Errorf("row %d: latency %s of %s is not a positive number of milliseconds", row, latency, device)
}

// replaceZeros replaces times of 0 unless the others are known so precisely that
// no time can have been rounded to it: half their unit would be less than a
// thousandth of the median.
func replaceZeros(times []float64) bool {
	unit, _ := resolution(times)
	if unit/2 < median(times)/1000 || slices.Max(times) == 0 {
		return false
	}
	for i, v := range times {
		if v == 0 {
			times[i] = unit / 4
		}
	}
	return true
}

// Latency returns the column of a device in milliseconds, nil where it was not
// read.
func (t *Table) Latency(device string) []float64 { return t.latency[device] }
