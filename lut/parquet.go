package lut

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2/maybe"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"
)

const (
	metaPrefix = "hwprofd."
	sumKey     = metaPrefix + "sha256"
	noSum      = "0000000000000000000000000000000000000000000000000000000000000000"
	// sumMark precedes the checksum in the footer: the key, then in Thrift's
	// compact protocol the header of the value's field and its length, 64.
	sumMark = sumKey + "\x18\x40"

	// maxFileBytes is far above any table (100,000 rows take some 10 MB) and
	// keeps a wrong file from being read into memory.
	maxFileBytes = 1 << 30
)

// Read reads and verifies the table at path. Every error names the file, those
// about a row also the row, counted from 0.
//
// Damage is found before the Parquet reader sees the file: its SHA-256, taken
// with the place of the checksum itself set to zeros, stands in the metadata.
func Read(path string) (*Table, error) {
	data, err := readFile(path)
	if err == nil {
		var t *Table
		if t, err = decode(data); err == nil {
			return t, nil
		}
	}
	return nil, fmt.Errorf("lut: %s: %w", path, err)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	var b bytes.Buffer
	if info, err := f.Stat(); err == nil {
		b.Grow(int(min(max(info.Size(), 0), maxFileBytes)) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(io.LimitReader(f, maxFileBytes+1)); err != nil {
		return nil, withoutPath(err)
	}
	data := b.Bytes()
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("larger than %d bytes: not a latency table", maxFileBytes)
	}
	return data, nil
}

// withoutPath takes the path out of an error that will be given it again.
func withoutPath(err error) error {
	var file *os.PathError
	var rename *os.LinkError
	switch {
	case errors.As(err, &file):
		return fmt.Errorf("%s: %w", file.Op, file.Err)
	case errors.As(err, &rename):
		return fmt.Errorf("%s: %w", rename.Op, rename.Err)
	}
	return err
}

// Write verifies the table and writes it to path in one step: whatever
// happens, path holds either the old file or the new one.
func (t *Table) Write(path string) error {
	data, err := t.encode()
	if err == nil {
		err = withoutPath(maybe.WriteFile(path, data, 0o644))
	}
	if err != nil {
		return fmt.Errorf("lut: %s: %w", path, err)
	}
	return nil
}

func (t *Table) encode() ([]byte, error) {
	if _, err := t.verify(1); err != nil {
		return nil, err
	}
	if t.Meta.Schema != Schema {
		return nil, fmt.Errorf("cannot write schema %d, only %d", t.Meta.Schema, Schema)
	}
	options := []parquet.WriterOption{parquet.Compression(&snappy.Codec{}), parquet.CreatedBy("hwprofd", strconv.Itoa(Schema), "")}
	meta, err := t.metadata()
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		options = append(options, parquet.KeyValueMetadata(key, meta[key]))
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[Row](&b, options...)
	for _, rows := range [][]Row{t.Rows, t.Alternatives} {
		if _, err := w.Write(rows); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return seal(b.Bytes())
}

// metadata is the table's key-value metadata, with a place for the checksum.
func (t *Table) metadata() (map[string]string, error) {
	meta := map[string]string{
		metaPrefix + "schema":          strconv.Itoa(t.Meta.Schema),
		metaPrefix + "fingerprint":     t.Meta.Fingerprint,
		metaPrefix + "runtime":         t.Meta.Runtime,
		metaPrefix + "runtime_version": t.Meta.RuntimeVersion,
		metaPrefix + "threads":         strconv.Itoa(t.Meta.Threads),
		metaPrefix + "created":         t.Meta.Created.UTC().Format(time.RFC3339Nano),
		sumKey:                         noSum,
	}
	if t.Meta.Target != "" {
		meta[metaPrefix+"target"] = t.Meta.Target
	}
	objects := map[string]any{"device": t.Meta.Device, "protocol": t.Meta.Protocol, "networks": t.Networks}
	if t.Published != nil {
		objects["published"] = t.Published
	}
	if len(t.Failures) > 0 {
		objects["failures"] = t.Failures
	}
	if len(t.Meta.RuntimeOptions) > 0 {
		objects["runtime_options"] = t.Meta.RuntimeOptions
	}
	if t.Meta.RuntimeOverheadNS > 0 {
		objects["runtime_overhead_ns"] = t.Meta.RuntimeOverheadNS
	}
	for name, value := range objects {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		meta[metaPrefix+name] = string(text)
	}
	return meta, nil
}

func (t *Table) setMetadata(get func(string) (string, bool)) error {
	var failed error
	text := func(name string) string {
		s, ok := get(metaPrefix + name)
		if !ok && failed == nil {
			failed = fmt.Errorf("metadata %s%s is missing", metaPrefix, name)
		}
		return s
	}
	parse := func(name string, into func(string) error) {
		if err := into(text(name)); err != nil && failed == nil {
			failed = fmt.Errorf("metadata %s%s: %w", metaPrefix, name, err)
		}
	}
	number := func(n *int) func(string) error {
		return func(s string) (err error) { *n, err = strconv.Atoi(s); return err }
	}
	object := func(v any) func(string) error {
		return func(s string) error { return json.Unmarshal([]byte(s), v) }
	}
	parse("schema", number(&t.Meta.Schema))
	if failed == nil && (t.Meta.Schema > Schema || t.Meta.Schema < 1) {
		return t.Meta.validate() // the rest may have another form
	}
	t.Meta.Fingerprint = text("fingerprint")
	t.Meta.Runtime = text("runtime")
	t.Meta.RuntimeVersion = text("runtime_version")
	parse("threads", number(&t.Meta.Threads))
	parse("created", func(s string) (err error) { t.Meta.Created, err = time.Parse(time.RFC3339Nano, s); return err })
	t.Meta.Target, _ = get(metaPrefix + "target")
	parse("device", object(&t.Meta.Device))
	parse("protocol", object(&t.Meta.Protocol))
	parse("networks", object(&t.Networks))
	for name, v := range map[string]any{
		"published": &t.Published, "failures": &t.Failures,
		"runtime_options": &t.Meta.RuntimeOptions, "runtime_overhead_ns": &t.Meta.RuntimeOverheadNS,
	} {
		if _, ok := get(metaPrefix + name); ok {
			parse(name, object(v))
		}
	}
	return failed
}

// decode reads a file that is whole, or says why it is not. The Parquet reader
// may panic on a file that was crafted to pass the checksum.
func decode(data []byte) (t *Table, err error) {
	defer func() {
		if err != nil {
			t = nil
		}
	}()
	defer recoverDamage(&err)
	if err := checkForm(data); err != nil {
		return nil, err
	}
	// Meanwhile the footer is read and room made for the rows, before the columns
	// as the collector then runs less often. No value is read before the sum is
	// known to be right.
	sum := make(chan error, 1)
	go func() { sum <- checkSum(data) }()
	f, rows, opened := openFile(data)
	if err := cmp.Or(<-sum, opened); err != nil {
		return nil, err
	}
	t = &Table{}
	if err := t.setMetadata(f.Lookup); err != nil {
		return nil, err
	}
	if err := checkColumns(f.Schema(), t.Meta.Schema); err != nil {
		return nil, err
	}
	if t.Rows, err = readRows(f, t.Meta.Schema, rows); err != nil {
		return nil, err
	}
	t.Rows, t.Alternatives = splitAlternatives(t.Rows)
	if t.index, err = t.verify(len(t.Rows)/sampledKeys + 1); err == nil {
		t.Meta.Schema = Schema // what an older one lacks is null, false or 0
	}
	return t, err
}

// splitAlternatives tells rows apart by whether they name their algorithm, in
// the memory of all.
func splitAlternatives(all []Row) (rows, alternatives []Row) {
	if !slices.ContainsFunc(all, func(r Row) bool { return r.Algorithm != "" }) {
		return all, nil
	}
	rows = all[:0]
	for _, r := range all {
		if r.Algorithm == "" {
			rows = append(rows, r)
		} else {
			alternatives = append(alternatives, r)
		}
	}
	return rows, alternatives
}

func openFile(data []byte) (f *parquet.File, rows []Row, err error) {
	defer recoverDamage(&err)
	f, err = parquet.OpenFile(bytes.NewReader(data), int64(len(data)), parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return nil, nil, fmt.Errorf("damaged: %s", firstLine(err.Error()))
	}
	return f, make([]Row, claimedRows(f)), nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// checkColumns compares the file's columns with those of Row. A column of
// which only the unit differs is told apart, since it reads as a plausible
// number that is wrong by a factor.
func checkColumns(got *parquet.Schema, schema int) error {
	want := parquet.SchemaOf(Row{})
	known := make(map[string]bool, len(columns))
	for _, c := range columnsOf(schema) {
		known[c.name] = true
	}
	for _, field := range got.Fields() {
		name := field.Name()
		expected, ok := want.Lookup(name)
		if !ok {
			if i := strings.LastIndexByte(name, '_'); i > 0 {
				for _, w := range want.Fields() {
					if j := strings.LastIndexByte(w.Name(), '_'); j > 0 && w.Name()[:j] == name[:i] && isUnit(w.Name()[j+1:]) {
						return fmt.Errorf("column %s: unknown unit %q, want %s", name, name[i+1:], w.Name())
					}
				}
			}
		}
		if !known[name] {
			return fmt.Errorf("column %s is not part of schema %d", name, schema)
		}
		if !field.Leaf() || field.Type().String() != expected.Node.Type().String() || field.Optional() != expected.Node.Optional() {
			return fmt.Errorf("column %s is %s, want %s", name, describe(field), describe(expected.Node))
		}
	}
	for _, field := range want.Fields() {
		if _, ok := got.Lookup(field.Name()); !ok && known[field.Name()] {
			return fmt.Errorf("column %s is missing", field.Name())
		}
	}
	return nil
}

func isUnit(s string) bool { return s == "ns" || s == "mj" || s == "hz" }

func describe(n parquet.Node) string {
	switch {
	case !n.Leaf():
		return "a group"
	case n.Optional():
		return "optional " + n.Type().String()
	}
	return n.Type().String()
}

// seal puts the checksum of data into its place.
func seal(data []byte) ([]byte, error) {
	at := bytes.LastIndex(data, []byte(sumMark+noSum))
	if at < 0 {
		return nil, errors.New("the Parquet writer left no place for the checksum")
	}
	sum := sha256.Sum256(data)
	hex.Encode(data[at+len(sumMark):], sum[:])
	return data, nil
}

// checkForm refuses what is no table at a glance.
func checkForm(data []byte) error {
	if len(data) < 12 || string(data[:4]) != "PAR1" {
		return errors.New("not a Parquet file")
	}
	if string(data[len(data)-4:]) != "PAR1" {
		return errors.New("truncated or damaged: it does not end like a Parquet file")
	}
	at := bytes.LastIndex(data, []byte(sumMark))
	if at < 0 || len(data)-at < len(sumMark)+len(noSum) {
		return fmt.Errorf("no metadata %s: not a latency table of hwprofd, or damaged", sumKey)
	}
	return nil
}

// checkSum reports damage anywhere in a file of the right form.
func checkSum(data []byte) error {
	at := bytes.LastIndex(data, []byte(sumMark)) + len(sumMark)
	h := sha256.New()
	h.Write(data[:at])
	h.Write([]byte(noSum))
	h.Write(data[at+len(noSum):])
	if hex.EncodeToString(h.Sum(nil)) != string(data[at:at+len(noSum)]) {
		return errors.New("damaged: its checksum does not match")
	}
	return nil
}
