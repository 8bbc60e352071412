package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/google/renameio/v2/maybe"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/predictor/transfer"
)

// knownFlags name the tables of other devices that a new one's is completed
// from, and how much of it is measured.
type knownFlags struct {
	known []string
	rows  int
}

func (f *knownFlags) add(flags *pflag.FlagSet, usage string) {
	flags.StringArrayVar(&f.known, "known", nil, usage)
}

func (f *knownFlags) addRows(flags *pflag.FlagSet) {
	flags.IntVar(&f.rows, "rows", 10, "workloads to measure of those that the --known tables share")
}

// check is for profile, which measures nothing else then. It leaves the plan as
// if the grid of the rows was given already.
func (f *knownFlags) check(plan *profilePlan, rows bool, on string) error {
	switch {
	case !f.set() && rows:
		return usagef("--rows goes with --known")
	case !f.set():
		return nil
	case len(plan.spaces)+len(plan.models) > 0 || plan.grid != "" || plan.cover > 0:
		return usagef("--known says what to measure; leave out --space, --model, --grid and --cover")
	case !slices.Equal(plan.caches, []string{lut.CacheWarm}):
		return usagef("--known is for warm caches, as predictions are")
	case isDaemon(on):
		return usagef("--known is not for a daemon: use --on ssh://, or upload the tables to it and ask it for a profile with known, see docs/daemon.md")
	case len(plan.threads) > 1:
		return usagef("--known makes one table: give the command once for each number of --threads")
	}
	plan.grid = "to be chosen"
	return nil
}

// set tells whether there are tables of other devices.
func (f *knownFlags) set() bool { return len(f.known) > 0 }

func (f *knownFlags) read() ([]*lut.Table, error) {
	if !f.set() {
		return nil, usagef("--known is missing: name the table of a device that is known; hwprofd profile makes one")
	}
	var tables []*lut.Table
	for i, path := range f.known {
		if slices.Contains(f.known[:i], path) {
			return nil, usagef("--known %s is given twice", path)
		}
		t, err := lut.Read(path)
		if err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// choose says which rows of a new device to measure.
func (f *knownFlags) choose(known []*lut.Table, seed uint64) ([]graph.Workload, error) {
	if f.rows < 3 {
		return nil, usagef("--rows %d: want at least 3 workloads to measure", f.rows)
	}
	return transfer.ChooseRows(known, f.rows, seed)
}

// writeRows writes workloads as a grid, which profile --grid reads.
func writeRows(path string, workloads []graph.Workload) error {
	data, err := json.MarshalIndent(workloadNames(workloads), "", "  ")
	if err != nil {
		return err
	}
	return maybe.WriteFile(path, append(data, '\n'), 0o644)
}

func workloadNames(workloads []graph.Workload) []string {
	names := make([]string, len(workloads))
	for i, w := range workloads {
		names[i] = w.String()
	}
	return names
}

// completeTable writes a table of a few measured rows with the others, which
// known tables and they predict.
func completeTable(path string, known []*lut.Table, measured *lut.Table, seed uint64) (summary string, err error) {
	table, err := transfer.CompleteTable(known, measured, seed)
	if err != nil {
		return "", err
	}
	if err := table.Write(path); err != nil {
		return "", err
	}
	var widths []float64
	for _, r := range table.Rows {
		if r.Predicted() {
			widths = append(widths, r.LatencyCI95NS/r.LatencyMedianNS)
		}
	}
	summary = fmt.Sprintf("%s: %d rows are measured, %d predicted", path, len(table.Rows)-len(widths), len(widths))
	if len(widths) > 0 {
		slices.Sort(widths)
		summary += fmt.Sprintf(", half of them to ±%.0f%% or better (95%%)", 100*widths[len(widths)/2])
	}
	return summary, nil
}

// completion is what profile does with the tables of other devices: it measures
// some of their workloads, and completes the table that it has written.
type completion struct {
	known []*lut.Table
	grid  string // beside the table, so that a run that was cut off finds the same
	seed  uint64
}

// begin makes the chosen workloads the grid of cmd.
func (f *knownFlags) begin(cmd *cobra.Command, output string, seed uint64) (*completion, error) {
	known, err := f.read()
	if err != nil {
		return nil, err
	}
	chosen, err := f.choose(known, seed)
	if err != nil {
		return nil, err
	}
	c := &completion{known: known, grid: output + ".rows.json", seed: seed}
	if err := writeRows(c.grid, chosen); err != nil {
		return nil, err
	}
	return c, cmd.Flags().Set("grid", c.grid)
}

func (c *completion) finish(output string, p *progress) error {
	measured, err := lut.Read(output)
	if err != nil {
		return err
	}
	summary, err := completeTable(output, c.known, measured, c.seed)
	if err != nil {
		return fmt.Errorf("%s has what was measured, but cannot be completed: %w", output, err)
	}
	p.say("%s", summary)
	return os.Remove(c.grid)
}
