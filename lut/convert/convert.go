// Package convert reads and writes latency tables in the forms of others: the
// tables of Once-for-All and DynamicOFA, TF-NAS and Single-Path NAS, CSV tables
// in the way of nn-Meter, and CSV and OFA's JSON of measured rows.
//
// What was published comes back as it was: see [lut.Published].
package convert

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hwprofd/hwprofd/lut"
)

// Formats that are read.
const (
	OFA        = "ofa"         // JSON of one resolution, or CSV of several
	TFNAS      = "tfnas"       // CSV: block, mid_channels, latency_ms
	SinglePath = "single-path" // CSV: block, choice, latency_ms
	NNMeter    = "nnmeter-csv" // CSV: one kernel a line, its configuration and its latency
)

// maxBytes bounds a file, also after decompression.
const maxBytes = 256 << 20

// layout is the form of a published CSV table.
type layout struct {
	columns []string
	key     int
	latency string
}

var layouts = map[string]layout{
	OFA:        {[]string{"resolution", "operator", "count", "mean", "std"}, 2, "mean"},
	TFNAS:      {[]string{"block", "mid_channels", "latency_ms"}, 2, "latency_ms"},
	SinglePath: {[]string{"block", "choice", "latency_ms"}, 2, "latency_ms"},
}

// Read reads a published table; the file may be compressed by gzip. Errors
// name the file.
func Read(path, format string) (*lut.Published, error) {
	p, err := read(path, format)
	if err != nil {
		var file *os.PathError
		if errors.As(err, &file) {
			err = file.Err
		}
		return nil, fmt.Errorf("lut: %s: %w", path, err)
	}
	return p, nil
}

func read(path, format string) (*lut.Published, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, err
	}
	return Parse(data, filepath.Base(path), format)
}

// Parse is Read of the content of a file.
func Parse(data []byte, name, format string) (*lut.Published, error) {
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		if data, err = io.ReadAll(io.LimitReader(z, maxBytes+1)); err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
	}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("larger than %d bytes", maxBytes)
	}
	var p *lut.Published
	var err error
	isJSON := bytes.HasPrefix(bytes.TrimSpace(data), []byte("{"))
	layout, ok := layouts[format]
	switch {
	case format == OFA && isJSON:
		p, err = parseOFA(data, name)
	case format == NNMeter:
		p, err = parseCSV(data, nil)
		if err == nil {
			err = nameNNMeter(p)
		}
	case ok:
		if p, err = parseCSV(data, layout.columns); err == nil {
			p.Key, p.Latency = layout.key, layout.latency
		}
	default:
		return nil, fmt.Errorf("format %q is not known: want %s, %s, %s or %s", format, OFA, TFNAS, SinglePath, NNMeter)
	}
	if err != nil {
		return nil, err
	}
	p.Format, p.Source = format, name
	return p, p.Validate()
}

// parseCSV reads a table with a header, which has to be want unless that is nil.
func parseCSV(data []byte, want []string) (*lut.Published, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	header, err := r.Read()
	if err == io.EOF {
		return nil, errors.New("it is empty")
	}
	if err != nil {
		return nil, err
	}
	if want != nil && !slices.Equal(header, want) {
		return nil, fmt.Errorf("the header is %q, want %q", strings.Join(header, ","), strings.Join(want, ","))
	}
	if twice := slices.Compact(slices.Sorted(slices.Values(header))); len(twice) != len(header) {
		return nil, fmt.Errorf("the header %q names a column twice", strings.Join(header, ","))
	}
	records, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	return &lut.Published{Columns: header, Records: records}, nil
}

// number in a file's name, such as 160_lookup_table.json.
var number = regexp.MustCompile(`[0-9]+`)

// inputSize is the first dimension in the key of a first convolution.
var inputSize = regexp.MustCompile(`^Conv-input:([0-9]+)x`)

// parseOFA reads the JSON form, whose resolution is that of the first
// convolution's input, or stands in the file's name. The order of the entries
// and the text of the numbers are kept.
func parseOFA(data []byte, name string) (*lut.Published, error) {
	l := layouts[OFA]
	p := &lut.Published{Columns: l.columns, Key: l.key, Latency: l.latency}
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("JSON: %w", err)
	}
	resolution := ""
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("JSON: %w", err)
		}
		key := token.(string) // objects have no other keys
		var entry struct{ Count, Mean, Std json.Number }
		if err := d.Decode(&entry); err != nil {
			return nil, fmt.Errorf("JSON: entry %q: %w", key, err)
		}
		if entry.Mean == "" {
			return nil, fmt.Errorf("entry %q has no mean", key)
		}
		if m := inputSize.FindStringSubmatch(key); m != nil {
			resolution = m[1]
		}
		p.Records = append(p.Records, []string{"", key, entry.Count.String(), entry.Mean.String(), entry.Std.String()})
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("JSON: something follows the table")
	}
	resolution = cmp.Or(resolution, number.FindString(name))
	for _, r := range p.Records {
		r[0] = resolution
	}
	return p, nil
}

// WriteCSV writes a published table in the CSV form that it has, or would
// have.
func WriteCSV(w io.Writer, p *lut.Published) error {
	c := csv.NewWriter(w)
	c.Write(p.Columns)
	for _, r := range p.Records {
		c.Write(r)
	}
	c.Flush()
	return c.Error()
}

// WriteOFA writes OFA's JSON of one resolution. An empty resolution is that of
// the table, where it has only one.
func WriteOFA(w io.Writer, p *lut.Published, resolution string) error {
	if p.Format != OFA {
		return fmt.Errorf("the published table is one of %s, not of %s", p.Format, OFA)
	}
	var all []string
	for _, r := range p.Records {
		if !slices.Contains(all, r[0]) {
			all = append(all, r[0])
		}
	}
	switch {
	case resolution == "" && len(all) == 1:
		resolution = all[0]
	case !slices.Contains(all, resolution):
		return fmt.Errorf("resolution %q: want one of %s", resolution, strings.Join(all, ", "))
	}
	var list ofaList
	for _, r := range p.Records {
		if r[0] == resolution {
			list.add(r[1], ofaEntry{json.Number(r[2]), json.Number(r[3]), json.Number(r[4])})
		}
	}
	return list.write(w)
}

// WriteRowsOFA writes rows in OFA's JSON form, keyed by their canonical names,
// with their mean in milliseconds. The standard deviation of single runs is
// not known of rows, and so left out.
func WriteRowsOFA(w io.Writer, rows []lut.Row) error {
	var list ofaList
	for _, r := range rows {
		if r.Cache == lut.CacheWarm {
			list.add(r.Key, ofaEntry{
				Count: json.Number(strconv.FormatInt(r.Samples, 10)),
				Mean:  json.Number(strconv.FormatFloat(r.LatencyMeanNS/1e6, 'g', -1, 64)),
			})
		}
	}
	return list.write(w)
}

type ofaEntry struct {
	Count json.Number `json:"count,omitempty"`
	Mean  json.Number `json:"mean"`
	Std   json.Number `json:"std,omitempty"`
}

// ofaList writes an object in the order of its entries.
type ofaList struct {
	text bytes.Buffer
	err  error
}

func (l *ofaList) add(key string, e ofaEntry) {
	name, err := json.Marshal(key)
	value, err2 := json.MarshalIndent(e, " ", " ")
	l.err = errors.Join(l.err, err, err2)
	if l.text.Len() > 0 {
		l.text.WriteString(",\n ")
	}
	fmt.Fprintf(&l.text, "%s: %s", name, value)
}

func (l *ofaList) write(w io.Writer) error {
	if l.err != nil {
		return l.err
	}
	_, err := fmt.Fprintf(w, "{\n %s\n}\n", l.text.Bytes())
	return err
}
