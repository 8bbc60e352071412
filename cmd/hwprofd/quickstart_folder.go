package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2/maybe"
)

// quickstartFolder is where a quickstart keeps its files, and what it needs to
// go on after an interruption.
type quickstartFolder struct {
	dir   string
	state quickstartState
}

// quickstartState is the content of quickstart.json. Everything else that an
// interrupted run needs is in the files of its steps.
type quickstartState struct {
	Version     int                      `json:"version"`
	Fingerprint string                   `json:"device_fingerprint"`
	Seed        uint64                   `json:"seed"`
	Budget      time.Duration            `json:"budget_ns"`
	Began       time.Time                `json:"began"`
	Spent       map[string]time.Duration `json:"spent_ns"` // by step, over all runs
	Finished    map[string]bool          `json:"finished"`
}

const quickstartVersion = 1

func (f *quickstartFolder) path(name string) string { return filepath.Join(f.dir, name) }

func (f *quickstartFolder) table() string      { return f.path("device.lut.parquet") }
func (f *quickstartFolder) checkpoint() string { return f.path("supernet.ckpt") }
func (f *quickstartFolder) evaluations() string {
	return f.path("search.jsonl")
}
func (f *quickstartFolder) check() string  { return f.path("check.json") }
func (f *quickstartFolder) report() string { return f.path("report.html") }

// openQuickstartFolder creates the folder, or opens the one of an earlier run.
// Budget and seed of an earlier run stay as they were; asking for others is an
// error, since results of two runs must not mix.
func openQuickstartFolder(dir, fingerprint string, seed uint64, seedGiven bool, budget time.Duration, budgetGiven bool) (*quickstartFolder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f := &quickstartFolder{dir: dir, state: quickstartState{
		Version: quickstartVersion, Fingerprint: fingerprint, Seed: seed, Budget: budget, Began: time.Now().UTC().Truncate(time.Second),
	}}
	f.state.Spent, f.state.Finished = map[string]time.Duration{}, map[string]bool{}
	path := f.path("quickstart.json")
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, f.save()
	}
	if err != nil {
		return nil, err
	}
	old := quickstartState{}
	if err := json.Unmarshal(content, &old); err != nil {
		return nil, fmt.Errorf("%s: %w; remove the folder or name another with -o", path, err)
	}
	switch {
	case old.Version != quickstartVersion:
		return nil, fmt.Errorf("%s: written by another version of hwprofd (state %d, this one writes %d); name another folder with -o", path, old.Version, quickstartVersion)
	case old.Fingerprint != fingerprint:
		return nil, fmt.Errorf("%s: begun on device %s, this is %s; name another folder with -o", path, old.Fingerprint, fingerprint)
	case seedGiven && old.Seed != seed:
		return nil, usagef("%s: begun with --seed %d; leave --seed away to go on, or name another folder with -o", path, old.Seed)
	case budgetGiven && old.Budget != budget:
		return nil, usagef("%s: begun with --budget %v; leave --budget away to go on, or name another folder with -o", path, old.Budget)
	case old.Spent == nil || old.Finished == nil || old.Budget <= 0:
		return nil, fmt.Errorf("%s: fields are missing; remove the folder or name another with -o", path)
	}
	f.state = old
	return f, nil
}

func (f *quickstartFolder) save() error { return writeJSONFile(f.path("quickstart.json"), f.state) }

// writeJSONFile replaces a file in one step.
func writeJSONFile(path string, v any) error {
	content, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return maybe.WriteFile(path, append(content, '\n'), 0o644)
}

// readJSONFile reads what writeJSONFile wrote; false where there is no file.
func readJSONFile(path string, v any) (bool, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(content, v); err != nil {
		return false, fmt.Errorf("%s: %w; remove the file", path, err)
	}
	return true, nil
}
