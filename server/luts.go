package server

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/server/api"
)

const tableSuffix = ".lut.parquet"

// luts keeps tables, NAME.lut.parquet each. What describes them is worked out
// once for each version of a file.
type luts struct {
	dir string

	mu    sync.Mutex
	known map[string]knownLUT
}

type knownLUT struct {
	info api.LUT
	size int64
	time time.Time
}

func (l *luts) path(name string) string { return filepath.Join(l.dir, name+tableSuffix) }

func checkLUTName(name string) error {
	if !validName(name) {
		return problemf(http.StatusBadRequest, "%q is no name of a table: use up to 100 letters, digits, dots, dashes and underscores", name)
	}
	return nil
}

// get describes a table.
func (l *luts) get(name string) (api.LUT, error) {
	if err := checkLUTName(name); err != nil {
		return api.LUT{}, err
	}
	stat, err := os.Stat(l.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return api.LUT{}, problemf(http.StatusNotFound, "there is no table %q", name)
	}
	if err != nil {
		return api.LUT{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, ok := l.known[name]; ok && known.size == stat.Size() && known.time.Equal(stat.ModTime()) {
		return known.info, nil
	}
	info, _, err := readLUT(l.path(name))
	if err != nil {
		return api.LUT{}, err
	}
	info.Name = name
	l.known[name] = knownLUT{info, stat.Size(), stat.ModTime()}
	return info, nil
}

// open opens the file of a table, and describes that version of it.
func (l *luts) open(name string) (api.LUT, *os.File, error) {
	for {
		info, err := l.get(name)
		if err != nil {
			return api.LUT{}, nil, err
		}
		file, err := os.Open(l.path(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed just now
		}
		if err != nil {
			return api.LUT{}, nil, err
		}
		if after, err := l.get(name); err == nil && after.ETag == info.ETag {
			return info, file, nil
		}
		file.Close() // another one took its place meanwhile
	}
}

// readLUT reads and describes the table at path.
func readLUT(path string) (api.LUT, *lut.Table, error) {
	etag, size, err := fileDigest(path)
	if err != nil {
		return api.LUT{}, nil, err
	}
	table, err := lut.Read(path)
	if err != nil {
		return api.LUT{}, nil, err
	}
	meta := table.Meta
	info := api.LUT{
		ETag: etag, Bytes: size, Rows: len(table.Rows), Networks: len(table.Networks),
		Device: meta.Fingerprint, Runtime: strings.TrimSpace(meta.Runtime + " " + meta.RuntimeVersion), Threads: meta.Threads, Created: meta.Created,
	}
	if len(meta.Device.CPUs) > 0 {
		info.Processor = meta.Device.CPUs[0].Model
	}
	stable := 0
	for i := range table.Rows {
		row := &table.Rows[i]
		if row.Stable {
			stable++
		}
		if info.OldestRow.IsZero() || row.MeasuredAt.Before(info.OldestRow) {
			info.OldestRow = row.MeasuredAt
		}
		if row.MeasuredAt.After(info.NewestRow) {
			info.NewestRow = row.MeasuredAt
		}
	}
	if len(table.Rows) > 0 {
		info.StableShare = float64(stable) / float64(len(table.Rows))
	}
	return info, table, nil
}

func fileDigest(path string) (digest string, size int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer file.Close()
	hash := sha256.New()
	if size, err = io.Copy(hash, file); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(hash.Sum(nil)), size, nil
}

// list describes the tables, by name. Files that are no sound tables are
// passed to bad and left out.
func (l *luts) list(bad func(error)) ([]api.LUT, error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, err
	}
	list := []api.LUT{}
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), tableSuffix)
		if !ok || !validName(name) {
			continue
		}
		info, err := l.get(name)
		if err != nil {
			bad(err)
			continue
		}
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b api.LUT) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// add keeps a table that comes as a file, if it is sound.
func (l *luts) add(name string, body io.Reader, replace bool) (info api.LUT, added bool, err error) {
	if err := checkLUTName(name); err != nil {
		return api.LUT{}, false, err
	}
	file, err := os.CreateTemp(l.dir, "upload-*")
	if err != nil {
		return api.LUT{}, false, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if _, err := io.Copy(file, body); err != nil {
		return api.LUT{}, false, err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return api.LUT{}, false, err
	}
	if info, _, err = readLUT(file.Name()); err != nil {
		// The name of the temporary file tells the client nothing.
		return api.LUT{}, false, problemf(http.StatusUnprocessableEntity, "%s", strings.ReplaceAll(err.Error(), file.Name(), name))
	}
	return l.publish(file.Name(), name, replace)
}

// publish moves the sound table at path to its place.
func (l *luts) publish(path, name string, replace bool) (info api.LUT, added bool, err error) {
	there, err := l.get(name)
	var p *problem
	switch {
	case err == nil:
		digest, _, err := fileDigest(path)
		if err != nil {
			return api.LUT{}, false, err
		}
		if digest == there.ETag {
			return there, false, os.Remove(path)
		}
		if !replace {
			return api.LUT{}, false, problemf(http.StatusConflict, "there is another table %q; ask to replace it, or take another name", name)
		}
	case errors.As(err, &p):
		added = true
	case !replace:
		return api.LUT{}, false, fmt.Errorf("the table in the way cannot be read: %w", err)
	}
	if err := os.Rename(path, l.path(name)); err != nil {
		return api.LUT{}, false, err
	}
	// Two versions within the clock's resolution look the same from outside.
	l.mu.Lock()
	delete(l.known, name)
	l.mu.Unlock()
	info, err = l.get(name)
	return info, added, err
}

func (l *luts) remove(name string) error {
	if err := checkLUTName(name); err != nil {
		return err
	}
	err := os.Remove(l.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return problemf(http.StatusNotFound, "there is no table %q", name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, name)
	return err
}

// sweep removes what uploads left that a crash cut short.
func (l *luts) sweep() error {
	left, err := filepath.Glob(filepath.Join(l.dir, "upload-*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}
