package main

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/lut"
)

var kills = flag.Int("kills", 0, "how often TestQuickstartSurvivesKill kills the program while it profiles, and while it trains; 0: not at all")

// TestQuickstartSurvivesKill kills a quickstart at random moments of profiling
// and of training, and lets it go on: no measurement may be lost or made
// again, and the end result is of the same kind as that of a run left alone.
func TestQuickstartSurvivesKill(t *testing.T) {
	if *kills == 0 {
		t.Skip("takes minutes; run with -kills 10")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The test binary is the program when it is called by its name.
	bin := filepath.Join(t.TempDir(), "hwprofd")
	if err := os.Symlink(program, bin); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args := []string{"quickstart", "-o", dir, "--budget", "60s"}
	rng := rand.New(rand.NewPCG(1, uint64(*kills)))

	for _, stage := range []struct {
		name    string
		started func() bool
		over    string // exists when the stage is over
		longest time.Duration
	}{
		{"profiling", func() bool { return exists(filepath.Join(dir, "device.lut.parquet.journal")) }, filepath.Join(dir, "device.lut.parquet"), 1500 * time.Millisecond},
		{"training", func() bool { return exists(filepath.Join(dir, "device.lut.parquet")) }, filepath.Join(dir, "smallest.onnx"), 2 * time.Second},
	} {
		for i := range *kills {
			before := journalLines(t, dir)
			cmd := exec.Command(bin, args...)
			var output bytes.Buffer
			cmd.Stdout, cmd.Stderr = &output, &output
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for begin := time.Now(); !stage.started(); time.Sleep(5 * time.Millisecond) {
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
			after := journalLines(t, dir)
			if !bytes.HasPrefix(after, before) && !exists(filepath.Join(dir, "device.lut.parquet")) {
				t.Fatalf("%s %d: the journal lost measurements: %d bytes before, %d after", stage.name, i, len(before), len(after))
			}
			t.Logf("%s %d: killed; journal %d bytes", stage.name, i, len(after))
		}
	}

	output, err := exec.Command(bin, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("last run: %v\n%s", err, output)
	}
	t.Logf("%s", output)
	if _, err := lut.Read(filepath.Join(dir, "device.lut.parquet")); err != nil {
		t.Error(err)
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

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// journalLines are the whole lines of the profiling journal.
func journalLines(t *testing.T, dir string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "device.lut.parquet.journal"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(fmt.Errorf("journal: %w", err))
	}
	return content[:bytes.LastIndexByte(content, '\n')+1]
}
