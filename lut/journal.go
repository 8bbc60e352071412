package lut

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Journal holds what was measured so far, beside the table that it will
// become: a file of JSON lines, the first of which is the table's [Meta] and
// each further one a row, a network, a failure, or a visit to a row or network
// that is not finished, with its CRC-32C. A killed run loses at most the
// measurement in flight; a last line that was cut off is dropped on opening.
// All but visits are on disk when the call that appended them returns, visits
// within a second, so that this is what a power cut may take of them.
//
// One process at a time may hold a journal.
type Journal struct {
	file     *os.File
	meta     Meta  // that it was begun with
	size     int64 // of the lines that are whole
	rows     []Row // alternatives among them
	networks []Network
	failures []Failure
	visits   []Visit
	synced   time.Time
	seen     map[identity]bool
	broken   error // set where the file could not be brought back to size
}

// Visit is one of the stretches of time in which a row or a network is
// measured. What it found is in the form of whoever measures.
type Visit struct {
	Name      string          `json:"name"` // the row's key, or the network's name
	Cache     string          `json:"cache,omitempty"`
	Algorithm string          `json:"algorithm,omitempty"` // of an alternative
	Network   bool            `json:"network,omitempty"`
	Found     json.RawMessage `json:"found"`
}

func (v Visit) validate() error {
	switch {
	case v.Name == "":
		return errors.New("a visit has no name")
	case !v.Network && v.Cache != CacheWarm && v.Cache != CacheCold:
		return fmt.Errorf("visit to %s: cache is %q, want %s or %s", v.Name, v.Cache, CacheWarm, CacheCold)
	case !json.Valid(v.Found):
		return fmt.Errorf("visit to %s: what was found is no JSON", v.Name)
	}
	return nil
}

// journalLine is a line of the journal; one of all but the last is set.
type journalLine struct {
	Meta    json.RawMessage `json:"meta,omitempty"`
	Row     json.RawMessage `json:"row,omitempty"`
	Network json.RawMessage `json:"network,omitempty"`
	Failure json.RawMessage `json:"failure,omitempty"`
	Visit   json.RawMessage `json:"visit,omitempty"`
	CRC     uint32          `json:"crc32c"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (l *journalLine) payload() json.RawMessage {
	return slices.Concat(l.Meta, l.Row, l.Network, l.Failure, l.Visit)
}

// maxLine bounds a line; a network of 100,000 workloads stays below.
const maxLine = 16 << 20

// OpenJournal opens the journal of the table at path, which is path with
// ".journal" appended, or begins it with meta. It refuses a journal of another
// device, runtime, number of threads or schema, and one that is damaged
// elsewhere than at its end.
func OpenJournal(path string, meta Meta) (*Journal, error) {
	path += ".journal"
	fail := func(err error) (*Journal, error) {
		return nil, fmt.Errorf("lut: %s: %w", path, withoutPath(err))
	}
	if err := meta.validate(); err != nil {
		return fail(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fail(err)
	}
	j := &Journal{file: f, seen: map[identity]bool{}}
	if err := j.load(meta); err != nil {
		f.Close()
		return fail(err)
	}
	return j, nil
}

// load reads what is there, drops a torn end, and writes the head of a new journal.
func (j *Journal) load(meta Meta) error {
	r := bufio.NewReader(j.file)
	var torn error
	for number := 1; ; number++ {
		line, err := readLine(r)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if torn != nil { // a whole line after a bad one: not the end of a killed run
			return torn
		}
		if line[len(line)-1] != '\n' {
			break
		}
		if err := j.take(line, number, meta); err != nil {
			var bad lineError
			if !errors.As(err, &bad) {
				return err
			}
			torn = err
			continue
		}
		j.size += int64(len(line))
	}
	if err := j.file.Truncate(j.size); err != nil {
		return err
	}
	if _, err := j.file.Seek(j.size, io.SeekStart); err != nil {
		return err
	}
	if j.size > 0 {
		return nil
	}
	payload, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	if err := j.write(journalLine{Meta: payload}); err != nil {
		return err
	}
	j.meta = meta
	return syncDir(filepath.Dir(j.file.Name()))
}

// readLine returns the next line with its end, or the rest of the file
// without; io.EOF where nothing is left.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, fmt.Errorf("a line is longer than %d bytes: not a journal", maxLine)
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(line) > 0:
			return line, nil
		}
		return line, err
	}
}

// lineError is damage that a killed run may leave in its last line.
type lineError struct {
	number int
	what   string
}

func (e lineError) Error() string {
	return fmt.Sprintf("line %d: %s: remove the file to measure anew", e.number, e.what)
}

// take reads a whole line.
func (j *Journal) take(data []byte, number int, meta Meta) error {
	var line journalLine
	if err := json.Unmarshal(data, &line); err != nil {
		return lineError{number, "damaged"}
	}
	if crc32.Checksum(line.payload(), castagnoli) != line.CRC {
		return lineError{number, "damaged: its checksum does not match"}
	}
	if (number == 1) != (line.Meta != nil) {
		return lineError{number, "damaged: the head is not the first line"}
	}
	var err error
	switch {
	case line.Meta != nil:
		var begun Meta
		if err = json.Unmarshal(line.Meta, &begun); err == nil {
			j.meta = begun
			err = sameOrigin(begun, meta, "remove the file to measure anew, or write to another one")
		}
	case line.Row != nil:
		var row Row
		if err = json.Unmarshal(line.Row, &row); err == nil {
			err = j.addRow(row)
		}
	case line.Network != nil:
		var network Network
		if err = json.Unmarshal(line.Network, &network); err == nil {
			err = j.addNetwork(network)
		}
	case line.Failure != nil:
		var failure Failure
		if err = json.Unmarshal(line.Failure, &failure); err == nil {
			if err = failure.validate(); err == nil {
				j.failures = append(j.failures, failure)
			}
		}
	case line.Visit != nil:
		var visit Visit
		if err = json.Unmarshal(line.Visit, &visit); err == nil {
			if err = visit.validate(); err == nil {
				j.visits = append(j.visits, visit)
			}
		}
	default:
		return lineError{number, "damaged: neither row, network, failure nor visit"}
	}
	if err != nil {
		return fmt.Errorf("line %d: %w", number, err)
	}
	return nil
}

// sameOrigin refuses measurements that may not be mixed, with advice.
func sameOrigin(begun, now Meta, advice string) error {
	for _, c := range []struct {
		what       string
		begun, now any
	}{
		{"schema", begun.Schema, now.Schema},
		{"device fingerprint", begun.Fingerprint, now.Fingerprint},
		{"runtime", begun.Runtime, now.Runtime},
		{"runtime version", begun.RuntimeVersion, now.RuntimeVersion},
		{"runtime's set of options", optionText(begun), optionText(now)},
		{"number of threads", begun.Threads, now.Threads},
	} {
		if c.begun != c.now {
			return fmt.Errorf("the %s was %v, now it is %v: %s", c.what, c.begun, c.now, advice)
		}
	}
	return nil
}

// Meta returns what the journal was begun with.
func (j *Journal) Meta() Meta { return j.meta }

// optionText is the same for the same options of a runtime.
func optionText(m Meta) string {
	if len(m.RuntimeOptions) == 0 {
		return "empty"
	}
	return fmt.Sprint(m.RuntimeOptions)[len("map"):] // which sorts them
}

// Rows returns the rows so far, in the order in which they were measured, and
// Alternatives those that name their algorithm.
func (j *Journal) Rows() []Row {
	rows, _ := splitAlternatives(slices.Clone(j.rows))
	return rows
}

// Alternatives returns the rows so far that name their algorithm.
func (j *Journal) Alternatives() []Row {
	_, alternatives := splitAlternatives(slices.Clone(j.rows))
	return alternatives
}

// Networks returns the networks so far, in the order in which they were measured.
func (j *Journal) Networks() []Network { return slices.Clone(j.networks) }

// Failures returns what could not be measured, in the order of trying.
func (j *Journal) Failures() []Failure { return slices.Clone(j.failures) }

// Visits returns the visits so far, in their order, also those to rows and
// networks that are finished.
func (j *Journal) Visits() []Visit { return slices.Clone(j.visits) }

// AppendVisit adds a visit.
func (j *Journal) AppendVisit(v Visit) error {
	err := v.validate()
	if err == nil {
		err = j.append(v, func(b []byte) journalLine { return journalLine{Visit: b} })
	}
	if err == nil {
		j.visits = append(j.visits, v)
	}
	return j.named(err)
}

// AppendFailure adds a failure and returns when it is on disk.
func (j *Journal) AppendFailure(f Failure) error {
	err := f.validate()
	if err == nil {
		err = j.append(f, func(b []byte) journalLine { return journalLine{Failure: b} })
	}
	if err == nil {
		j.failures = append(j.failures, f)
	}
	return j.named(err)
}

// AppendRow adds a row and returns when it is on disk. It refuses an
// impossible row and one that is already there.
func (j *Journal) AppendRow(r Row) error {
	err := j.addRow(r)
	if err == nil {
		if err = j.append(r, func(b []byte) journalLine { return journalLine{Row: b} }); err != nil {
			j.rows = j.rows[:len(j.rows)-1]
			delete(j.seen, r.identity())
		}
	}
	return j.named(err)
}

// AppendNetwork adds a network and returns when it is on disk. It refuses an
// impossible network and one whose name is already there.
func (j *Journal) AppendNetwork(n Network) error {
	err := j.addNetwork(n)
	if err == nil {
		if err = j.append(n, func(b []byte) journalLine { return journalLine{Network: b} }); err != nil {
			j.networks = j.networks[:len(j.networks)-1]
		}
	}
	return j.named(err)
}

func (j *Journal) append(item any, line func([]byte) journalLine) error {
	payload, err := json.Marshal(item)
	if err != nil {
		return err
	}
	return j.write(line(payload))
}

// named puts the file's name before an error.
func (j *Journal) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("lut: %s: %w", j.file.Name(), withoutPath(err))
}

func (j *Journal) addRow(r Row) error {
	if err := r.validate(); err != nil {
		return err
	}
	id := r.identity()
	if j.seen[id] {
		return fmt.Errorf("%s is already there", id)
	}
	j.seen[id] = true
	j.rows = append(j.rows, r)
	return nil
}

func (j *Journal) addNetwork(n Network) error {
	if err := n.validate(); err != nil {
		return err
	}
	if slices.ContainsFunc(j.networks, func(o Network) bool { return o.Name == n.Name }) {
		return fmt.Errorf("network %q is already there", n.Name)
	}
	j.networks = append(j.networks, n)
	return nil
}

// syncVisits is how often visits are waited for to be on disk.
const syncVisits = time.Second

// write appends a line and waits for the disk, of visits now and then. Where that fails, such as on a
// full disk, it takes the part that was written back, so that the next line
// does not join it.
func (j *Journal) write(line journalLine) error {
	if j.broken != nil {
		return j.broken
	}
	line.CRC = crc32.Checksum(line.payload(), castagnoli)
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(line); err != nil { // ends the line
		return err
	}
	_, err := j.file.Write(b.Bytes())
	if now := time.Now(); err == nil && (line.Visit == nil || now.Sub(j.synced) > syncVisits) {
		err, j.synced = j.file.Sync(), now
	}
	if err != nil {
		if undo := j.file.Truncate(j.size); undo != nil {
			j.broken = err
		} else if _, undo := j.file.Seek(j.size, io.SeekStart); undo != nil {
			j.broken = err
		}
		return err
	}
	j.size += int64(b.Len())
	return nil
}

// Close closes the journal and leaves it for a later run to go on with.
func (j *Journal) Close() error {
	err := j.file.Sync()
	if e := j.file.Close(); err == nil {
		err = e
	}
	return j.named(err)
}

// Remove closes and deletes the journal, once its table is written.
func (j *Journal) Remove() error {
	err := j.file.Close()
	if e := os.Remove(j.file.Name()); err == nil {
		err = e
	}
	return j.named(err)
}
