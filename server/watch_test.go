package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/server/api"
)

func TestWatch(t *testing.T) {
	d := startDaemon(t, t.TempDir(), func(o *Options) { o.WatchEvery = time.Hour })
	for len(d.server.queue.list("")) == 0 { // the first check comes at once
		time.Sleep(time.Millisecond)
	}
	d.await(1, in(api.Done))
	d.await(d.submit(`{"kind":"watch"}`).ID, in(api.Done))
	var drift api.Drift
	d.get("/api/v1/drift", &drift)
	if len(drift.Checks) != 2 || len(drift.Checks[0].Medians) != len(panel) || drift.Checks[0].Medians[0] != (api.PanelMedian{Workload: panel[0], NS: 1001}) || drift.Checks[0].Facts["device"] == "" {
		t.Errorf("checks: %+v", drift.Checks)
	}
	if len(drift.Charts) != len(panel)+1 {
		t.Errorf("charts: %+v", drift.Charts)
	}
	d.get("/drift", nil)
	d.get("/metrics", nil)
	var p api.Problem
	d.ask("POST", "/api/v1/jobs", "application/json", []byte(`{"kind":"watch","lut":"a"}`), http.StatusBadRequest, &p)
	contains(t, p.Detail, "nothing but its kind")
}

// TestPanelIsTypical holds the panel to what bench can measure.
func TestPanelIsTypical(t *testing.T) {
	var typical []string
	for _, w := range graph.Typical() {
		typical = append(typical, w.String())
	}
	for _, name := range panel {
		if !slices.Contains(typical, name) {
			t.Errorf("%s is not among the typical workloads", name)
		}
	}
}

func TestWaitsForAQuietMachine(t *testing.T) {
	loads := make(chan float64, 1)
	d := startDaemon(t, t.TempDir(), func(o *Options) { o.MaxLoad = 0.5 })
	d.addTable("a", 60)
	d.server.load = func(context.Context) (float64, bool) { return <-loads, true }
	model := d.upload("net.onnx", "model")
	loads <- 0.93
	job := d.submit(`{"kind":"measure","models":["` + model.Digest + `"]}`)
	waiting := d.await(job.ID, func(job *api.Job) bool { return job.Waiting != "" })
	contains(t, waiting.Waiting, "93% busy")
	d.ask("POST", fmt.Sprintf("/api/v1/jobs/%d/cancel", job.ID), "", nil, http.StatusAccepted, nil)
	// The next one finds the machine quiet, and a prediction does not care.
	d.await(d.submit(`{"kind":"predict","lut":"a","models":["`+model.Digest+`"]}`).ID, in(api.Done))
	loads <- 0.2
	d.await(d.submit(`{"kind":"measure","models":["`+model.Digest+`"]}`).ID, in(api.Done))
}

func TestHours(t *testing.T) {
	for _, wrong := range []string{"", "22-6", "22:00-22:00", "24:00-06:00", "22:60-06:00", "1:00-06:00", "22:00-06:00x"} {
		if h, err := ParseHours(wrong); err == nil {
			t.Errorf("%q became %v", wrong, h)
		}
	}
	night, err := ParseHours("22:00-06:00")
	if err != nil || night.String() != "22:00-06:00" {
		t.Fatalf("%v, %v", night, err)
	}
	noon := Hours{From: 12 * 60, To: 13*60 + 30}
	at := func(hour, minute int) time.Time { return time.Date(2026, 1, 1, hour, minute, 0, 0, time.Local) }
	for _, test := range []struct {
		hours Hours
		at    time.Time
		left  time.Duration
	}{
		{Hours{}, at(3, 0), 0},
		{night, at(21, 59), time.Minute}, {night, at(22, 0), 0}, {night, at(0, 0), 0}, {night, at(5, 59), 0}, {night, at(6, 0), 16 * time.Hour},
		{noon, at(11, 0), time.Hour}, {noon, at(13, 29), 0}, {noon, at(13, 30), 22*time.Hour + 30*time.Minute},
	} {
		if got := test.hours.left(test.at); got != test.left {
			t.Errorf("%v at %v: %v left, want %v", test.hours, test.at.Format("15:04"), got, test.left)
		}
	}
}
