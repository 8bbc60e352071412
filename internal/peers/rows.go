package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// columns are the columns of the peers' rows. The last two are not read.
var columns = []string{"peer", "kind", "shape", "dtype", "threads", "median_ns", "min_ns", "gflops"}

// row is what a peer measured.
type row struct {
	file string
	line int

	peer, kind, shape, dtype string
	threads                  int
	ns                       float64 // median
	rate                     float64 // in billions of operations per second, 0 where the row does not tell
}

// peakKind is the kind of the rows about the machine itself.
const peakKind = "peak"

func readRowsFile(path string) ([]row, error) {
	if path == "-" {
		return readRows("standard input", os.Stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readRows(path, f)
}

// readRows reads the peers' rows, except those about the machine. Errors name
// the file and the line.
func readRows(file string, r io.Reader) ([]row, error) {
	rows, err := readAllRows(file, r)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r row) bool { return r.kind == peakKind })
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: no rows to compare with", file)
	}
	return rows, nil
}

func readAllRows(file string, r io.Reader) ([]row, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1
	in.TrimLeadingSpace = true
	var rows []row
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			var parse *csv.ParseError
			if errors.As(err, &parse) {
				return nil, fmt.Errorf("%s:%d: %w", file, parse.Line, parse.Err)
			}
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		line, _ := in.FieldPos(0)
		if record[0] == columns[0] {
			if !slices.Equal(record[:min(6, len(record))], columns[:6]) {
				return nil, fmt.Errorf("%s:%d: header %q, want %q", file, line, strings.Join(record, ","), strings.Join(columns, ","))
			}
			continue
		}
		x, err := parseRow(record)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, line, err)
		}
		x.file, x.line = file, line
		rows = append(rows, x)
	}
}

func parseRow(record []string) (row, error) {
	if len(record) < 6 || len(record) > len(columns) {
		return row{}, fmt.Errorf("%d columns, want %s", len(record), strings.Join(columns, ","))
	}
	r := row{peer: record[0], kind: record[1], shape: record[2], dtype: record[3]}
	for i, name := range columns[:4] {
		if record[i] == "" {
			return row{}, fmt.Errorf("%s is empty", name)
		}
	}
	var err error
	if r.threads, err = strconv.Atoi(record[4]); err != nil || r.threads < 1 {
		return row{}, fmt.Errorf("threads is %q, want a number from 1 up", record[4])
	}
	if r.ns, err = strconv.ParseFloat(record[5], 64); err != nil || !(r.ns > 0) || math.IsInf(r.ns, 0) {
		return row{}, fmt.Errorf("median_ns is %q, want a time in ns", record[5])
	}
	if len(record) == len(columns) && record[7] != "" {
		if r.rate, err = strconv.ParseFloat(record[7], 64); err != nil {
			return row{}, fmt.Errorf("gflops is %q, want a number", record[7])
		}
	}
	return r, nil
}

// comparison is a peer's row and our time of the same work, 0 where it cannot
// be run.
type comparison struct {
	row
	oursNS float64
}

// ratio is our time over the peer's.
func (c *comparison) ratio() float64 { return c.oursNS / c.ns }

// writer writes one comparison.
type writer func(comparison) error

func newWriter(w io.Writer, asJSON bool) writer {
	if asJSON {
		encoder := json.NewEncoder(w)
		return func(c comparison) error {
			line := struct {
				Peer    string   `json:"peer"`
				Kind    string   `json:"kind"`
				Shape   string   `json:"shape"`
				DType   string   `json:"dtype"`
				Threads int      `json:"threads"`
				PeerNS  float64  `json:"peer_ns"`
				OursNS  *float64 `json:"ours_ns"`
				Ratio   *float64 `json:"ratio"`
			}{Peer: c.peer, Kind: c.kind, Shape: c.shape, DType: c.dtype, Threads: c.threads, PeerNS: c.ns}
			if c.oursNS > 0 {
				ratio := c.ratio()
				line.OursNS, line.Ratio = &c.oursNS, &ratio
			}
			return encoder.Encode(line)
		}
	}
	headed := false
	return func(c comparison) error {
		if !headed {
			headed = true
			if _, err := fmt.Fprintln(w, "peer,kind,shape,dtype,threads,peer_ns,ours_ns,ratio"); err != nil {
				return err
			}
		}
		ours, ratio := "", ""
		if c.oursNS > 0 {
			ours, ratio = fmt.Sprintf("%.0f", c.oursNS), fmt.Sprintf("%.4f", c.ratio())
		}
		_, err := fmt.Fprintf(w, "%s,%s,%s,%s,%d,%.0f,%s,%s\n", c.peer, c.kind, c.shape, c.dtype, c.threads, c.ns, ours, ratio)
		return err
	}
}
