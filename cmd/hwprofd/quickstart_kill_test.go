package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/nas/space"
	"github.com/hwprofd/hwprofd/nas/supernet"
)

var kills = flag.Int("kills", 0, "how often TestQuickstartSurvivesKill kills the program while it profiles, and while it trains; 0: not at all")

// TestQuickstartSurvivesKill kills a quickstart at random moments of profiling
// and of training, and lets it go on: no visit may be lost, and the end result is of the same kind as that of a run left alone.
func TestQuickstartSurvivesKill(t *testing.T) {
	if *kills == 0 {
		t.Skip("takes minutes; run with -kills 10")
	}
	bin := program(t)
	dir := t.TempDir()
	args := []string{"quickstart", "-o", dir, "--budget", "60s"}
	rng := rand.New(rand.NewPCG(1, uint64(*kills)))
	mobile, err := space.ByName(quickstartSpace, 1, 10)
	if err != nil {
		t.Fatal(err)
	}

	table, checkpoint := filepath.Join(dir, "device.lut.parquet"), filepath.Join(dir, "supernet.ckpt")
	var measured []string // all that was ever in the journal
	steps := 0            // that were ever in the checkpoint
	for _, stage := range []struct {
		name    string
		grows   string // written to while the stage makes progress
		over    string // and when it is over
		longest time.Duration
	}{
		{"profiling", table + ".journal", table, 600 * time.Millisecond},
		{"training", checkpoint, filepath.Join(dir, "smallest.onnx"), 600 * time.Millisecond},
	} {
		for i := range *kills {
			cmd := exec.Command(bin, args...)
			var output bytes.Buffer
			cmd.Stdout, cmd.Stderr = &output, &output
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for begin, before := time.Now(), written(stage.grows); written(stage.grows).Equal(before); time.Sleep(5 * time.Millisecond) {
				if time.Since(begin) > time.Minute {
					t.Fatalf("%s %d: did not begin:\n%s", stage.name, i, output.String())
				}
			}
			time.Sleep(time.Duration(rng.Float64() * float64(stage.longest)))
			if exists(stage.over) {
				t.Fatalf("%s %d: was over before it was killed; lower the number of kills:\n%s", stage.name, i, output.String())
			}
			cmd.Process.Kill()
			cmd.Wait()
			if !exists(table) {
				visits := journalVisits(t, wholeLines(t, table+".journal"))
				if len(visits) < len(measured) || !slices.Equal(visits[:len(measured)], measured) {
					t.Fatalf("%s %d: the journal had %d visits, and has other %d", stage.name, i, len(measured), len(visits))
				}
				measured = visits
			}
			if exists(checkpoint) {
				net, err := supernet.Load(checkpoint, mobile)
				if err != nil {
					t.Fatalf("%s %d: %v", stage.name, i, err)
				}
				if at := net.Training().Step; at < steps {
					t.Fatalf("%s %d: the checkpoint is at step %d, it was at %d", stage.name, i, at, steps)
				} else {
					steps = at
				}
			}
			t.Logf("%s %d: killed; %d visits in the journal, %d steps in the checkpoint", stage.name, i, len(measured), steps)
		}
	}
	if len(measured) == 0 || steps == 0 {
		t.Errorf("%d visits and %d steps survived the kills; none of them tried anything", len(measured), steps)
	}

	output, err := exec.Command(bin, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("last run: %v\n%s", err, output)
	}
	t.Logf("%s", output)
	result, err := lut.Read(table)
	if err != nil {
		t.Fatal(err)
	}
	if missing := lacking(result, measured); len(missing) > 0 {
		t.Errorf("the table lacks what was in the journal: %q", missing)
	}
	for pattern, want := range map[string]int{"*.lut.parquet": 1, "*.ckpt": 1, "*.onnx": 3, "report.html": 1, "*.journal": 0} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(found) != want {
			t.Errorf("%s: %v, %v; want %d", pattern, found, err, want)
		}
	}
	if !strings.Contains(string(output), "What was found on this machine") {
		t.Error("the last run does not say what was found")
	}
}

// written is when a file was last written to.
func written(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// wholeLines is what a journal has, without a last line that was cut off.
func wholeLines(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content[:bytes.LastIndexByte(content, '\n')+1]
}

// journalVisits are the names of what a journal has measurements of, one for
// each, in their order.
func journalVisits(t *testing.T, lines []byte) (names []string) {
	t.Helper()
	for line := range bytes.Lines(lines) {
		var item struct{ Visit *lut.Visit }
		if err := json.Unmarshal(line, &item); err != nil {
			t.Fatalf("a line of a journal: %v: %q", err, line)
		}
		if item.Visit != nil {
			names = append(names, item.Visit.Name)
		}
	}
	return names
}

// lacking are the names that a table has nothing of.
func lacking(table *lut.Table, names []string) (missing []string) {
	has := map[string]bool{}
	for _, r := range table.Rows {
		has[r.Key] = true
	}
	for _, n := range table.Networks {
		has[n.Name] = true
	}
	for _, name := range names {
		if !has[name] {
			missing = append(missing, name)
		}
	}
	return missing
}
