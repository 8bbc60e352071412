// Package benchmark reads, writes and compares times of workloads: the output
// of go test -bench, what hwprofd bench measures, and latency tables. A
// workload has the same canonical name in all of them, in a benchmark as
// BenchmarkKernels/NAME, so that any can be the baseline of any other.
//
// Files in the benchmark format say in a line "fingerprint: ..." on which
// device they were measured. Results of different devices are not compared
// unless that is asked for.
//
// The format is that of https://golang.org/design/14313-benchmark-format, read
// and written by golang.org/x/perf/benchfmt.
package benchmark

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchproc"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// Results are times that were measured on one device.
type Results struct {
	Source string            // file, or what was run
	Config map[string]string // what the file says of them all, such as fingerprint, goarch and cpu
	Times  []Times
}

// Times are those of one workload.
type Times struct {
	// Name is the canonical name of the workload, or the whole name of a
	// benchmark that is none of [Family].
	Name    string
	Samples []float64 // ns of one run
	// Row is set in place of Samples where only a summary is known, as in a
	// latency table.
	Row *lut.Row
}

// Family is the benchmark whose sub-benchmarks are workloads.
const Family = "Kernels"

// FingerprintKey is the configuration key of the device's fingerprint.
const FingerprintKey = "fingerprint"

// Fingerprint is the device's, empty where it is not known.
func (r *Results) Fingerprint() string { return r.Config[FingerprintKey] }

// Read reads the results in a file: a latency table where its name ends in
// .parquet, else benchmark output; - is standard input. filter, in the syntax
// of benchstat (golang.org/x/perf/benchproc/syntax), such as ".unit:sec/op" or
// "pkg:kernels", leaves out benchmarks; an empty one leaves out none. Errors
// name the file.
func Read(path, filter string) (*Results, error) {
	if strings.HasSuffix(path, ".parquet") {
		table, err := lut.Read(path)
		if err != nil {
			return nil, err
		}
		return FromTable(path, table)
	}
	if path == "-" {
		return Parse("standard input", os.Stdin, filter)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Parse(path, f, filter)
}

// Parse is Read of benchmark output.
func Parse(source string, in io.Reader, filter string) (*Results, error) {
	keep, err := newFilter(filter)
	if err != nil {
		return nil, err
	}
	r := &Results{Source: source, Config: make(map[string]string)}
	at := make(map[string]int)
	reader := benchfmt.NewReader(in, source)
	for reader.Scan() {
		result, ok := reader.Result().(*benchfmt.Result)
		if !ok {
			var syntax *benchfmt.SyntaxError
			if syntax, ok = reader.Result().(*benchfmt.SyntaxError); ok {
				return nil, syntax
			}
			continue
		}
		if !keep(result) {
			continue
		}
		if err := r.add(result, at); err != nil {
			file, line := result.Pos()
			return nil, fmt.Errorf("%s:%d: %w", file, line, err)
		}
	}
	if err := reader.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	if len(r.Times) == 0 {
		return nil, fmt.Errorf("%s: no benchmark results", source)
	}
	return r, nil
}

func newFilter(query string) (func(*benchfmt.Result) bool, error) {
	if query == "" {
		return func(*benchfmt.Result) bool { return true }, nil
	}
	filter, err := benchproc.NewFilter(query)
	if err != nil {
		return nil, fmt.Errorf("filter %q: %w", query, err)
	}
	return func(r *benchfmt.Result) bool {
		match, _ := filter.Apply(r)
		return match
	}, nil
}

// add adds a line of benchmark output.
func (r *Results) add(result *benchfmt.Result, at map[string]int) error {
	for _, c := range result.Config {
		if c.File {
			if c.Key == FingerprintKey && len(r.Times) > 0 && r.Config[c.Key] != string(c.Value) {
				return fmt.Errorf("results of the devices %q and %q in one file", r.Config[c.Key], c.Value)
			}
			r.Config[c.Key] = string(c.Value)
		}
	}
	ns, ok := nanoseconds(result, "ns/op")
	if !ok {
		return nil // a benchmark of something else than time
	}
	name := Name(result.Name)
	t := Times{Name: name}
	if row, ok, err := parseRow(name, result); err != nil {
		return err
	} else if ok {
		if _, twice := at[name]; twice {
			return fmt.Errorf("a second summary of %s", name)
		}
		t.Row = &row
	}
	i, known := at[name]
	if !known {
		i = len(r.Times)
		at[name] = i
		r.Times = append(r.Times, t)
	}
	switch {
	case !(ns > 0) || math.IsInf(ns, 0):
		return errors.New("a time that is not above zero")
	case r.Times[i].Row != nil && t.Row == nil:
		return fmt.Errorf("a sample of %s, of which there is a summary", name)
	case t.Row == nil:
		r.Times[i].Samples = append(r.Times[i].Samples, ns)
	}
	return nil
}

// nanoseconds is a value as the file has it, in a unit such as ns/op.
func nanoseconds(result *benchfmt.Result, unit string) (float64, bool) {
	for _, v := range result.Values {
		if v.OrigUnit == unit {
			return v.OrigValue, true
		}
		if v.OrigUnit == "" && v.Unit == unit {
			return v.Value, true
		}
		if v.OrigUnit == "" && unit == "ns/op" && v.Unit == "sec/op" {
			return v.Value * 1e9, true
		}
	}
	return 0, false
}

// Name is the name of a benchmark's workload: what follows BenchmarkKernels/
// where that is a canonical name, else all of it, in both cases without
// GOMAXPROCS.
func Name(of benchfmt.Name) string {
	base, parts := of.Parts()
	full, rest := string(base), ""
	for _, p := range parts {
		if p[0] != '-' { // GOMAXPROCS
			rest += string(p)
		}
	}
	if full == Family {
		if _, err := graph.ParseWorkload(strings.TrimPrefix(rest, "/")); err == nil {
			return rest[1:]
		}
	}
	return full + rest
}

// benchmarkName is the reverse of Name.
func benchmarkName(name string) benchfmt.Name {
	if _, err := graph.ParseWorkload(name); err == nil {
		name = Family + "/" + name
	}
	return benchfmt.Name(name)
}

// Write writes the results in the benchmark format, a line a sample.
func (r *Results) Write(w io.Writer) error {
	out := benchfmt.NewWriter(w)
	config := r.config()
	for _, t := range r.Times {
		name := benchmarkName(t.Name)
		if t.Row != nil {
			if err := out.Write(rowResult(name, t.Row, config)); err != nil {
				return err
			}
		}
		for _, ns := range t.Samples {
			result := &benchfmt.Result{Config: config, Name: name, Iters: 1, Values: []benchfmt.Value{{Value: ns, Unit: "ns/op"}}}
			if err := out.Write(result); err != nil {
				return err
			}
		}
	}
	return nil
}
