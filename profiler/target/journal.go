package target

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// localJournal is the copy of a run's journal on this machine, byte by byte the
// same as far as it goes.
type localJournal struct {
	file *os.File
	size int64 // whole lines
	rows int
}

// openJournal opens the copy beside a table, or begins one, and drops a line
// that was cut off when this machine was.
func openJournal(table string) (*localJournal, error) {
	path := table + ".journal"
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*localJournal, error) {
		f.Close()
		return nil, fmt.Errorf("target: %s: %w", path, err)
	}
	if err := lockFile(f); err != nil {
		if errors.Is(err, errLocked) {
			err = errors.New("another hwprofd is copying into it")
		}
		return fail(err)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return fail(err)
	}
	data = wholeLines(data)
	j := &localJournal{file: f, size: int64(len(data)), rows: countRows(data)}
	if err := f.Truncate(j.size); err != nil {
		return fail(err)
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync() // not every system can
		dir.Close()
	}
	return j, nil
}

// add appends whole lines and returns when they are on disk. What was written
// of them before an error is taken back.
func (j *localJournal) add(lines []byte) error {
	_, err := j.file.WriteAt(lines, j.size)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		_ = j.file.Truncate(j.size) // a torn end is dropped on opening, too
		return fmt.Errorf("target: %s: %w", j.file.Name(), err)
	}
	if j.size == 0 {
		j.rows--
	}
	j.size += int64(len(lines))
	j.rows += countRows(lines) + 1
	return nil
}

// sum is the checksum of the first n bytes.
func (j *localJournal) sum(n int64) (string, error) {
	data := make([]byte, n)
	if _, err := j.file.ReadAt(data, 0); err != nil {
		return "", fmt.Errorf("target: %s: %w", j.file.Name(), err)
	}
	return sumBytes(data), nil
}

// close leaves the journal for a later run; an empty one is of no use to it.
func (j *localJournal) close() {
	if j.size == 0 {
		os.Remove(j.file.Name())
	}
	j.file.Close()
}

// remove closes and removes it, once its table is written.
func (j *localJournal) remove() error {
	j.file.Close()
	return os.Remove(j.file.Name())
}
