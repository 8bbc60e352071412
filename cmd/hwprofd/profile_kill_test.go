package main

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/lut"
)

var profileKills = flag.Int("profile-kills", 0, "how often TestProfileSurvivesKill kills the program; 0: not at all; 200 take twenty minutes")

// TestProfileSurvivesKill kills a profile at random moments, from its start to
// the writing of its table, and goes on with it: what was measured stays as it
// was, and the table that comes of it in the end is sound and has all of it.
func TestProfileSurvivesKill(t *testing.T) {
	if *profileKills == 0 {
		t.Skip("takes minutes; run with -profile-kills 10")
	}
	bin := program(t)
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(2, uint64(*profileKills)))
	tables, kept, early := 0, 0, 0
	var whole time.Duration // of a run that is left alone
	for killed := 0; killed < *profileKills; tables++ {
		path := filepath.Join(dir, "table.lut.parquet")
		var journal []byte // its whole lines
		for !exists(path) {
			cmd := exec.Command(bin, "profile", "-o", path, "--space", "mobile28", "--budget", "3s", "--resume")
			var output bytes.Buffer
			cmd.Stdout, cmd.Stderr = &output, &output
			begin := time.Now()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			var err error
			if whole == 0 || killed >= *profileKills {
				err = <-ended
			} else {
				select {
				case err = <-ended:
				case <-time.After(time.Duration(rng.Float64() * 1.2 * float64(whole))):
					cmd.Process.Kill()
					err = <-ended
				}
			}
			if err != nil && cmd.ProcessState.Exited() {
				t.Fatalf("after %d kills: %v\n%s", killed, err, output.String())
			}
			if err == nil {
				if whole == 0 { // later ones may go on with a lot, and be short
					whole = time.Since(begin)
				}
			} else if killed++; killed%20 == 0 {
				t.Logf("%d kills so far", killed)
			}
			if exists(path) {
				break
			}
			before := journal
			if exists(path + ".journal") {
				journal = wholeLines(t, path+".journal")
			}
			if !bytes.HasPrefix(journal, before) {
				t.Fatalf("after %d kills: the journal lost some of its first %d bytes\n%s", killed, len(before), output.String())
			}
			found := len(journalVisits(t, journal))
			kept += found - len(journalVisits(t, before))
			if found == 0 {
				early++
			}
		}
		table, err := lut.Read(path)
		if err != nil {
			t.Fatalf("after %d kills: %v", killed, err)
		}
		if missing := lacking(table, journalVisits(t, journal)); len(missing) > 0 {
			t.Fatalf("after %d kills: the table lacks what was in the journal: %q", killed, missing)
		}
		found, err := filepath.Glob(filepath.Join(dir, "*table*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found { // a kill may leave the journal beside the table
			if file != path && file != path+".journal" {
				t.Logf("after %d kills: %s is left", killed, filepath.Base(file))
			}
		}
		t.Logf("table %d is whole after %d kills", tables+1, killed)
		for _, file := range found {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d kills, %d of them before anything was measured; %d visits survived one; %d tables", *profileKills, early, kept, tables)
}

// TestProfileAfterClockWasSetBack goes on with measurements of the day after
// tomorrow: they count as any others.
func TestProfileAfterClockWasSetBack(t *testing.T) {
	bin := program(t)
	dir := t.TempDir()
	model := filepath.Join(dir, "model.onnx")
	if err := writeModel(model); err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(dir, "first.lut.parquet"), filepath.Join(dir, "second.lut.parquet")
	runProgram(t, bin, "profile", "-o", first, "--model", model, "--budget", "200ms")
	table, err := lut.Read(first)
	if err != nil {
		t.Fatal(err)
	}
	journal, err := lut.OpenJournal(second, table.Meta)
	if err != nil {
		t.Fatal(err)
	}
	ahead := map[string]time.Time{}
	for _, row := range table.Rows[:2] {
		row.MeasuredAt = row.MeasuredAt.Add(48 * time.Hour)
		ahead[row.Key] = row.MeasuredAt
		if err := journal.AppendRow(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := journal.Close(); err != nil {
		t.Fatal(err)
	}
	runProgram(t, bin, "profile", "-o", second, "--model", model, "--budget", "200ms", "--resume")
	runProgram(t, bin, "lut", "verify", second)
	if table, err = lut.Read(second); err != nil {
		t.Fatal(err)
	}
	for _, row := range table.Rows {
		if at, ok := ahead[row.Key]; ok && !row.MeasuredAt.Equal(at) {
			t.Errorf("%s was measured again", row.Key)
		}
	}
}
