package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
	"github.com/google/renameio/v2/maybe"
	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/benchmark"
	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/lut/convert"
)

// benchFormat is benchmark output, as go test -bench prints it.
const benchFormat = "bench"

// publishedPrefix begins the fingerprint of a device that is known by its name
// alone.
const publishedPrefix = "published:"

var (
	exportFormats = []string{benchFormat, "csv", "json", convert.OFA, "pprof", "published"}
	importFormats = []string{benchFormat, convert.OFA, convert.TFNAS, convert.SinglePath, convert.NNMeter}
)

func newLUTExportCommand() *cobra.Command {
	var format, output, resolution string
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write a table in another format: " + strings.Join(exportFormats, ", "),
		Long: `Writes a table in another format:

  bench      lines as go test -bench prints them, which benchstat reads; two
             tables: benchstat -ignore created,protocol,device a.txt b.txt
  csv, json  every column of every row
  pprof      a profile for go tool pprof: latency and energy by operator family
  ofa        the JSON of Once-for-All's tables: a published one as it was,
             else each workload by its canonical name
  published  CSV of the entries of a published table that was imported`,
		Example: "  hwprofd lut export --format bench pi4.lut.parquet -o pi4.txt\n  hwprofd lut export --format ofa --resolution 160 jetson.lut.parquet -o 160_lookup_table.json",
		Args:    exactArgs(1, "one table"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(exportFormats, format) {
				return usagef("--format %q is not known: use %s", format, strings.Join(exportFormats, ", "))
			}
			if resolution != "" && format != convert.OFA {
				return usagef("--resolution belongs to --format %s", convert.OFA)
			}
			table, err := lut.Read(args[0])
			if err != nil {
				return err
			}
			var b bytes.Buffer
			if err := exportTable(&b, args[0], table, format, resolution); err != nil {
				return err
			}
			if output == "" {
				_, err := cmd.OutOrStdout().Write(b.Bytes())
				return err
			}
			return maybe.WriteFile(output, b.Bytes(), 0o666)
		},
	}
	cmd.Flags().StringVar(&format, "format", benchFormat, "format to write")
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write instead of standard output")
	cmd.Flags().StringVar(&resolution, "resolution", "", "of a published OFA table of several resolutions, the one to write")
	return cmd
}

func exportTable(w io.Writer, path string, table *lut.Table, format, resolution string) error {
	p := table.Published
	var err error
	switch {
	case format == "published" && p == nil:
		err = fmt.Errorf("it has no published entries: use --format csv")
	case format == "published":
		err = convert.WriteCSV(w, p)
	case format == convert.OFA && p != nil:
		err = convert.WriteOFA(w, p, resolution)
	case format == "json":
		return writeTableJSON(w, table, slices.Concat(table.Rows, table.Alternatives))
	case len(table.Rows) == 0:
		err = fmt.Errorf("it has no workloads, only published entries: use --format published")
	case format == convert.OFA:
		err = convert.WriteRowsOFA(w, table.Rows)
	case format == "csv":
		return lut.WriteCSV(w, slices.Concat(table.Rows, table.Alternatives))
	case format == "pprof":
		err = writeTablePprof(w, table)
	default:
		results, err := benchmark.FromTable(path, table)
		if err != nil {
			return err
		}
		return results.Write(w)
	}
	if err != nil {
		return fmt.Errorf("lut: %s: %w", path, err)
	}
	return nil
}

// writeTablePprof writes a sample a row, on the stack operator, family,
// workload.
func writeTablePprof(w io.Writer, table *lut.Table) error {
	metered := slices.ContainsFunc(table.Rows, func(r lut.Row) bool { return r.EnergyMJ != nil })
	out := &profile.Profile{
		SampleType:        []*profile.ValueType{{Type: "latency", Unit: "nanoseconds"}},
		DefaultSampleType: "latency",
		TimeNanos:         table.Meta.Created.UnixNano(),
		Comments:          []string{"device: " + table.Meta.Fingerprint, "runtime: " + table.Meta.Runtime + " " + table.Meta.RuntimeVersion},
	}
	if metered {
		out.SampleType = append(out.SampleType, &profile.ValueType{Type: "energy", Unit: "nanojoules"})
	}
	locations := map[string]*profile.Location{}
	frame := func(name string) *profile.Location {
		if l, ok := locations[name]; ok {
			return l
		}
		id := uint64(len(locations) + 1)
		f := &profile.Function{ID: id, Name: name, SystemName: name}
		l := &profile.Location{ID: id, Line: []profile.Line{{Function: f}}}
		locations[name] = l
		out.Function = append(out.Function, f)
		out.Location = append(out.Location, l)
		return l
	}
	for _, r := range table.Rows {
		workload, err := r.Workload()
		if err != nil {
			return err
		}
		stack := []*profile.Location{frame(r.Key)}
		if family := workload.Family(); family != r.Op {
			stack = append(stack, frame(family))
		}
		s := &profile.Sample{
			Location: append(stack, frame(r.Op)), Value: []int64{int64(math.Round(r.LatencyMedianNS))},
			Label: map[string][]string{"cache": {r.Cache}, "dtype": {r.DType}},
		}
		if metered {
			energy := int64(0)
			if r.EnergyMJ != nil {
				energy = int64(math.Round(*r.EnergyMJ * 1e6))
				s.Label["energy_source"] = []string{r.EnergySource}
			}
			s.Value = append(s.Value, energy)
		}
		out.Sample = append(out.Sample, s)
	}
	if err := out.CheckValid(); err != nil {
		return err
	}
	return out.Write(w)
}

// publishedOrigin is what published tables do not say of themselves.
type publishedOrigin struct {
	device, runtime, version string
	threads                  int
	measured                 string
}

func newLUTImportCommand() *cobra.Command {
	var format, output string
	var asJSON bool
	var origin publishedOrigin
	cmd := &cobra.Command{
		Use:   "import FILE -o TABLE",
		Short: "Make a table of one in another format: " + strings.Join(importFormats, ", "),
		Long: `Makes a table of one in another format, of which all but bench may be in gzip:

  bench        benchmark output: of single times their median, with its
               interval. Output that does not say on what device it was
               measured, as that of "lut export" does, has to be of this one.
  ofa          tables of Once-for-All and DynamicOFA: JSON of one resolution,
               or CSV: resolution,operator,count,mean,std
  tfnas        tables of TF-NAS as CSV: block,mid_channels,latency_ms
  single-path  tables of Single-Path NAS as CSV: block,choice,latency_ms
  nnmeter-csv  a kernel a line, with columns in the way of nn-Meter: kernel, HW,
               CIN, COUT, KERNEL_SIZE, STRIDES, latency

Published tables say nothing of the device but its name, which --device gives.
Their entries are kept as they are. Those that are one operator also become
rows, with the mean in place of the median; blocks of several operators do not.`,
		Example: "  hwprofd lut import --format bench times.txt -o here.lut.parquet\n  hwprofd lut import --format ofa --device jetson 160_lookup_table.json -o jetson.lut.parquet",
		Args:    exactArgs(1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case !slices.Contains(importFormats, format):
				return usagef("--format %q is not known: use %s", format, strings.Join(importFormats, ", "))
			case output == "":
				return usagef("-o TABLE is missing: name the table to write")
			case format != benchFormat && origin.device == "":
				return usagef("--device NAME is missing: name the device of the published table")
			case format == benchFormat && cmd.Flags().Changed("device"):
				return usagef("--device belongs to published tables; benchmark output has its own device, or is of this one")
			case origin.threads < 1:
				return usagef("--threads %d: want 1 or more", origin.threads)
			}
			for _, name := range []string{"runtime", "runtime-version", "threads", "measured"} {
				if format == benchFormat && cmd.Flags().Changed(name) {
					return usagef("--%s belongs to published tables; benchmark output says by itself how it was measured", name)
				}
			}
			if err := refuseExisting(output); err != nil {
				return err
			}
			read := readBench
			if format != benchFormat {
				read = func(path string) (*lut.Table, error) { return origin.read(path, format) }
			}
			table, err := read(args[0])
			if err != nil {
				return err
			}
			if err := table.Write(output); err != nil {
				return err
			}
			published := 0
			if table.Published != nil {
				published = len(table.Published.Records)
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), struct {
					Rows      int `json:"rows"`
					Published int `json:"published"` // entries that are kept as they are
				}{len(table.Rows), published})
			}
			text := fmt.Sprintf("%s: %d workloads", output, len(table.Rows))
			if table.Published != nil {
				text += fmt.Sprintf(", %d published entries", published)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	flags.StringVar(&format, "format", benchFormat, "format to read")
	flags.StringVarP(&output, "output", "o", "", "table to write")
	flags.StringVar(&origin.device, "device", "", "name of the device of a published table")
	flags.StringVar(&origin.runtime, "runtime", "unknown", "runtime of a published table")
	flags.StringVar(&origin.version, "runtime-version", "", "version of that runtime")
	flags.IntVar(&origin.threads, "threads", 1, "threads of a published table")
	flags.StringVar(&origin.measured, "measured", "", "day of a published table's measurements, such as 2020-12-31 (default now)")
	return cmd
}

func readBench(path string) (*lut.Table, error) {
	if _, err := lut.Read(path); err == nil { // benchmarks are read from tables, too, but without all else
		return nil, fmt.Errorf("lut: %s is a latency table already", path)
	}
	results, err := benchmark.Read(path, "")
	if err != nil {
		return nil, err
	}
	info, err := device.Detect()
	if err != nil {
		return nil, err
	}
	return results.Table(info, time.Now().Truncate(time.Second))
}

func (o *publishedOrigin) read(path, format string) (*lut.Table, error) {
	at := time.Now().UTC().Truncate(time.Second)
	if o.measured != "" {
		var err error
		if at, err = time.Parse(time.DateOnly, o.measured); err != nil {
			return nil, usagef("--measured %q: want a day, such as 2020-12-31", o.measured)
		}
	}
	p, err := convert.Read(path, format)
	if err != nil {
		return nil, err
	}
	rows, err := convert.Rows(p, at)
	if err != nil {
		return nil, err
	}
	return &lut.Table{
		Meta: lut.Meta{
			Schema: lut.Schema, Device: device.Info{Board: o.device}, Fingerprint: publishedPrefix + o.device,
			Runtime: o.runtime, RuntimeVersion: o.version, Threads: o.threads, Created: at,
		},
		Rows: rows, Published: p,
	}, nil
}
