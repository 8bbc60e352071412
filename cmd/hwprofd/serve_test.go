package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/server/api"
	"github.com/hwprofd/hwprofd/server/client"
)

// served is a daemon in a process of its own.
type served struct {
	cmd    *exec.Cmd
	client client.Client
}

// serve starts the program as a daemon. The test binary is the program when it
// is called by its name.
func serve(t *testing.T, dir string, args ...string) *served {
	t.Helper()
	bin := filepath.Join(dir, "hwprofd")
	if _, err := os.Stat(bin); err != nil {
		program, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		// A symbolic link would not do: the daemon starts itself by its path.
		if err := os.Link(program, bin); err != nil {
			content, err := os.ReadFile(program)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(bin, content, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd := exec.Command(bin, append([]string{"serve", "--listen", "127.0.0.1:0", "--dir", "state"}, args...)...)
	cmd.Dir = dir
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			go io.Copy(io.Discard, stderr)
			return &served{cmd, client.Client{URL: "http://" + line.Address}}
		}
		t.Log(lines.Text())
	}
	t.Fatal("the daemon ended at once")
	return nil
}

// TestServeSurvivesKill kills a daemon while it measures: the next one goes on
// with what was measured, and the job ends as if nothing had happened.
func TestServeSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d := serve(t, dir)
	model := filepath.Join(dir, "model.onnx")
	if err := writeModel(model); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	uploaded, err := d.client.UploadModel(ctx, "small.onnx", bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	job, err := d.client.Submit(ctx, api.JobSpec{Kind: api.Profile, LUT: "here", Models: []string{uploaded.Digest}, BudgetSeconds: 2})
	if err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(dir, "state", "work", fmt.Sprint(job.ID), "table.lut.parquet.journal")
	for !exists(journal) || len(journalVisits(t, wholeLines(t, journal))) == 0 {
		time.Sleep(5 * time.Millisecond)
		if ctx.Err() != nil {
			t.Fatal("nothing is measured")
		}
	}
	d.cmd.Process.Kill()
	d.cmd.Wait()
	before := journalVisits(t, wholeLines(t, journal))

	d = serve(t, dir)
	job, err = d.client.Wait(ctx, job.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if job.State != api.Done || job.Attempts != 2 {
		t.Fatalf("the job is %s after %d attempts: %s", job.State, job.Attempts, job.Error)
	}
	path := filepath.Join(dir, "fetched")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := d.client.DownloadLUT(ctx, "here", "", file); err != nil {
		t.Fatal(err)
	}
	table, err := lut.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if missing := lacking(table, before); len(missing) > 0 {
		t.Errorf("the table lacks what was in the journal: %q", missing)
	}
	prediction, err := d.client.Predict(ctx, api.PredictRequest{LUT: "here", Model: uploaded.Digest})
	if err != nil || len(prediction.Parts) != len(uploaded.Workloads()) {
		t.Errorf("prediction %+v: %v", prediction, err)
	}
	job, err = d.client.Submit(ctx, api.JobSpec{Kind: api.Evaluate, LUT: "here", Models: []string{uploaded.Digest}, BudgetSeconds: 0.2})
	if err != nil {
		t.Fatal(err)
	}
	if job, err = d.client.Wait(ctx, job.ID, nil); err != nil || job.State != api.Done {
		t.Fatalf("evaluate: %+v, %v", job, err)
	}
	var e api.Evaluation
	if err := json.Unmarshal(job.Result, &e); err != nil || len(e.Models) != 1 || e.Models[0].Network != "small.onnx" || e.Models[0].MeasuredNS <= 0 {
		t.Errorf("evaluation %s: %v", job.Result, err)
	}
	d.cmd.Process.Signal(syscall.SIGTERM)
	if err := d.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}
