package main

import (
	"flag"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/internal/sshlab"
	"github.com/hwprofd/hwprofd/lut"
)

var (
	agree      = flag.Duration("agree", 0, "how long each profile of TestAgreeOnSSH measures")
	agreeModel = flag.String("agree-model", "", "the model that TestAgreeOnSSH measures, instead of a small one")
)

// TestAgreeOnSSH measures here and over ssh in turns, and says in how many rows
// the tables agree: those of here and there as those of here, if measuring from
// another machine changes nothing.
func TestAgreeOnSSH(t *testing.T) {
	if *agree == 0 {
		t.Skip("takes long on a quiet machine; run with -agree DURATION")
	}
	l := sshlab.New(t, "")
	bin, dir := program(t), t.TempDir()
	model := *agreeModel
	if model == "" {
		model = filepath.Join(dir, "model.onnx")
		if err := writeModel(model); err != nil {
			t.Fatal(err)
		}
	}
	var tables []*lut.Table
	for i, on := range []string{"", "ssh://kitchen", "", "ssh://kitchen"} {
		output := filepath.Join(dir, fmt.Sprintf("%d.lut.parquet", i))
		args := []string{"profile", "-o", output, "--model", model, "--budget", agree.String(), "--meter", "none"}
		if on != "" {
			args = append(args, "--on", on)
		}
		begin := time.Now()
		runProgram(t, bin, args...)
		t.Logf("%v", time.Since(begin).Round(time.Second/10))
		table, err := lut.Read(output)
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	l.Left(t)
	mean := map[string]float64{}
	for _, pair := range []struct {
		name string
		a, b int
	}{
		{"here, here", 0, 2}, {"ssh, ssh", 1, 3}, {"here, ssh", 0, 1}, {"here, ssh", 2, 1}, {"here, ssh", 2, 3},
	} {
		off := map[string]float64{}
		for _, r := range tables[pair.a].Rows {
			off[r.Key] = r.LatencyMedianNS
		}
		var differences []float64
		within := [3]int{}
		for _, r := range tables[pair.b].Rows {
			d := math.Log(r.LatencyMedianNS / off[r.Key])
			differences = append(differences, d)
			for i, share := range []float64{.015, .04, .08} {
				if math.Abs(d) <= share {
					within[i]++
				}
			}
		}
		slices.Sort(differences)
		n := len(differences)
		middle := differences[n/2]
		mean[pair.name] += middle
		t.Logf("%-10s %d rows: within 1.5%% %.0f%%, 4%% %.0f%%, 8%% %.0f%%; the second's median ratio %.4f", pair.name, n,
			100*float64(within[0])/float64(n), 100*float64(within[1])/float64(n), 100*float64(within[2])/float64(n), math.Exp(middle))
	}
	if m := mean["here, ssh"] / 3; math.Abs(m) > .04 {
		t.Errorf("over ssh rows are %.1f%% longer than here", 100*m)
	}
}
