package server

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hwprofd/hwprofd/server/api"
	"github.com/hwprofd/hwprofd/server/client"
)

// TestLearning holds back what a table is learned by: who asks is told to come
// back, and gets the answer then. The next daemon need not learn again.
func TestLearning(t *testing.T) {
	d := startDaemon(t, t.TempDir())
	proceed, real, times := make(chan struct{}), d.server.fits.fit, 0
	d.server.fits.fit = func(ctx context.Context, table, file string) error {
		times++
		<-proceed
		return real(ctx, table, file)
	}
	d.server.fits.patience = time.Millisecond
	d.addTable("a", 60)
	asked := api.PredictRequest{LUT: "a", Workloads: []string{fakeWorkloads()[0].String()}}
	question, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	var problem api.Problem
	for range 2 {
		response := d.ask("POST", "/api/v1/predict", "application/json", question, 503, &problem)
		if response.Header.Get("Retry-After") != "5" {
			t.Errorf("Retry-After is %q", response.Header.Get("Retry-After"))
		}
	}
	contains(t, problem.Detail, `learning from table "a"`)
	d.ask("POST", "/api/v1/predict", "application/json", []byte(`{"lut":"a","workloads":["nothing"]}`), 400, &problem)
	if why, _ := d.server.busy(t.Context()); why == "" {
		t.Error("a measurement may begin beside it")
	}
	close(proceed)
	d.server.fits.patience = time.Minute
	if _, err := (&client.Client{URL: d.url}).Predict(t.Context(), asked); err != nil {
		t.Error(err)
	}
	d.stop()

	d = startDaemon(t, d.dir)
	d.server.fits.fit = func(context.Context, string, string) error { times++; return os.ErrInvalid }
	d.ask("POST", "/api/v1/predict", "application/json", question, 200, nil)
	if times != 1 {
		t.Errorf("it learned %d times", times)
	}
	d.stop()

	// A file that is damaged is made again, one of a table that is no more goes.
	files, err := filepath.Glob(filepath.Join(d.dir, "predictors", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	for _, path := range []string{files[0], filepath.Join(d.dir, "predictors", "other.predictor")} {
		if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d = startDaemon(t, d.dir)
	d.ask("POST", "/api/v1/predict", "application/json", question, 200, nil)
	if now, err := filepath.Glob(filepath.Join(d.dir, "predictors", "*")); err != nil || len(now) != 1 || now[0] != files[0] {
		t.Error(now, err)
	}
}

// TestScanQuestion compares with package json on bodies that are nearly right.
func TestScanQuestion(t *testing.T) {
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		fields := rapid.SliceOfN(rapid.SampledFrom([]string{
			`"lut":"a"`, `"model":"b"`, `"workloads":["x","y"]`, `"workloads" : [ "x" ] `, `"workloads":[]`, `"workloads":["x",]`,
			`"lut":"\u0061"`, `"lut":"é"`, `"lut":null`, `"lut":1`, `"lut":"`, `"Lut":"a"`, `"other":"a"`, `lut:"a"`, ``,
		}), 0, 3).Draw(t, "fields")
		comma := rapid.SampledFrom([]string{",", " ,\n", ",,"}).Draw(t, "comma")
		end := rapid.SampledFrom([]string{"}", " } \n", "}x", "]", ""}).Draw(t, "end")
		if rapid.Bool().Draw(t, "right") {
			fields = []string{rapid.SampledFrom([]string{`"lut":"a"`, `"model":"b"`, `"workloads":["x","y"]`, `"workloads" : [ "x" ] `}).Draw(t, "field")}
			end = rapid.SampledFrom([]string{"}", " } \n"}).Draw(t, "right end")
		}
		body := []byte("{" + strings.Join(fields, comma) + end)
		got, ok := scanQuestion(body, nil)
		if !ok {
			return
		}
		taken++
		var want api.PredictRequest
		if err := decodeStrictly(body, &want); err != nil {
			t.Fatalf("%s: taken, though %v", body, err)
		}
		if got.lut != want.LUT || got.model != want.Model || len(got.workloads) != len(want.Workloads) {
			t.Fatalf("%s: %+v, want %+v", body, got, want)
		}
		for i, name := range got.workloads {
			if string(name) != want.Workloads[i] {
				t.Fatalf("%s: %q, want %q", body, name, want.Workloads[i])
			}
		}
	})
	if _, ok := scanQuestion([]byte(`{"lut":"a","workloads":["x","y"]}`), nil); !ok {
		t.Error("the usual form is not taken")
	}
	if taken == 0 {
		t.Error("no body was taken")
	}
}
