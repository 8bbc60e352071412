package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/hwprofd/hwprofd/server"
	"github.com/hwprofd/hwprofd/server/api"
	"github.com/hwprofd/hwprofd/server/client"
)

// Profile a model on another machine, and fetch the table.
func Example() {
	ctx := context.Background()
	c := client.Client{URL: "https://pi4.example:7380", Token: os.Getenv("HWPROFD_TOKEN")}
	file, err := os.Open("resnet.onnx")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	model, err := c.UploadModel(ctx, "resnet.onnx", file)
	if err != nil {
		log.Fatal(err)
	}
	job, err := c.Submit(ctx, api.JobSpec{Kind: api.Profile, LUT: "pi4", Models: []string{model.Digest}})
	if err != nil {
		log.Fatal(err)
	}
	job, err = c.Wait(ctx, job.ID, func(job api.Job) {
		if job.Progress != nil {
			fmt.Printf("%.0f%%\n", 100*job.Progress.Share)
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.State, job.Error)
	table, err := os.Create("pi4.lut.parquet")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.DownloadLUT(ctx, "pi4", "", table); err != nil {
		log.Fatal(err)
	}
}

func TestProblems(t *testing.T) {
	s, err := server.New(server.Options{Dir: t.TempDir(), Executable: "none"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	http := httptest.NewServer(s.Handler())
	defer http.Close()
	c := client.Client{URL: http.URL + "/"}
	ctx := t.Context()
	if _, err := c.Device(ctx); err != nil {
		t.Error(err)
	}
	if tables, err := c.LUTs(ctx); err != nil || len(tables) != 0 {
		t.Errorf("%v, %v", tables, err)
	}
	wants := func(err error, status int) {
		t.Helper()
		var p *api.Problem
		if !errors.As(err, &p) || p.Status != status || p.Detail == "" {
			t.Errorf("error %#v, want a problem with status %d", err, status)
		}
	}
	_, err = c.Job(ctx, 7)
	wants(err, 404)
	wants(c.Cancel(ctx, 7), 404)
	wants(c.Retry(ctx, 7), 404)
	_, err = c.Wait(ctx, 7, nil)
	wants(err, 404)
	_, err = c.Submit(ctx, api.JobSpec{Kind: "dance"})
	wants(err, 400)
	_, err = c.Predict(ctx, api.PredictRequest{LUT: "none", Workloads: []string{"x"}})
	wants(err, 404)
	_, err = c.UploadLUT(ctx, "a", false, bytes.NewReader([]byte("no table")))
	wants(err, 422)
	_, err = c.DownloadLUT(ctx, "a", "", new(bytes.Buffer))
	wants(err, 404)
	if jobs, err := c.Jobs(ctx, api.Running); err != nil || len(jobs) != 0 {
		t.Errorf("%v, %v", jobs, err)
	}
}

// TestWaitConnectsAgain serves a job whose first stream of events breaks.
func TestWaitConnectsAgain(t *testing.T) {
	streams := 0
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		job := api.Job{ID: 3, State: api.Running, Progress: &api.Progress{Share: 0.5}}
		if r.URL.Path == "/api/v1/jobs/3/events" {
			if streams++; streams == 2 {
				job.State = api.Done
			}
			data, _ := json.Marshal(&job)
			fmt.Fprintf(w, "event: progress\ndata: %s\n\n", data)
			return
		}
		job.State, job.Result = api.Done, json.RawMessage(`{"name":"a"}`)
		_ = json.NewEncoder(w).Encode(&job)
	}))
	defer fake.Close()
	told, lost := 0, 0
	c := client.Client{URL: fake.URL, Lost: func(error) { lost++ }}
	job, err := c.Wait(t.Context(), 3, func(api.Job) { told++ })
	if err != nil || job.State != api.Done || string(job.Result) != `{"name":"a"}` || told != 2 || lost != 1 {
		t.Errorf("%+v after %d events and %d losses: %v", job, told, lost, err)
	}
}
