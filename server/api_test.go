package server

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/server/api"
)

// TestEveryRouteIsDescribed compares the routes with the document, both ways.
func TestEveryRouteIsDescribed(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		t.Fatal(err)
	}
	described, served := []string{}, []string{}
	for path, methods := range doc.Paths {
		for method := range methods {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	for _, rt := range (&Server{}).apiRoutes() {
		served = append(served, rt.method+" "+rt.path)
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described:\n%s\nserved:\n%s", strings.Join(described, "\n"), strings.Join(served, "\n"))
	}
}

func TestPlainAnswers(t *testing.T) {
	d := startDaemon(t, t.TempDir())
	var machine api.Device
	d.get("/api/v1/device", &machine)
	if machine.Fingerprint != machine.Info.Fingerprint() {
		t.Errorf("fingerprint %s is not that of the facts", machine.Fingerprint)
	}
	d.get("/healthz", nil)
	var models api.Models
	d.get("/api/v1/models", &models)
	var tables api.LUTs
	d.get("/api/v1/luts", &tables)
	var jobs api.Jobs
	d.get("/api/v1/jobs?state=running", &jobs)
	response := d.get("/openapi.json", nil)
	request, _ := http.NewRequest("GET", d.url+"/openapi.json", nil)
	request.Header.Set("If-None-Match", response.Header.Get("ETag"))
	d.send(request, http.StatusNotModified, nil)
	d.get("/metrics", nil)
}

func TestModels(t *testing.T) {
	d := startDaemon(t, t.TempDir(), func(o *Options) { o.MaxUpload = 1000 })
	model := d.upload("a.onnx", "model a")
	if model.Name != "a.onnx" || model.Bytes != 7 || len(model.Layers) != len(fakeWorkloads()) {
		t.Errorf("got %+v", model)
	}
	var again api.Model
	d.ask("POST", "/api/v1/models?name=b.onnx", "", []byte("model a"), http.StatusOK, &again)
	if again.Digest != model.Digest || again.Name != "a.onnx" {
		t.Errorf("the same content again became %+v", again)
	}
	d.get("/api/v1/models/"+model.Digest, &again)
	var list api.Models
	d.get("/api/v1/models", &list)
	if len(list.Models) != 1 || list.Models[0].Layers != nil {
		t.Errorf("list: %+v", list)
	}
	var p api.Problem
	d.ask("POST", "/api/v1/models", "", []byte("broken"), http.StatusUnprocessableEntity, &p)
	contains(t, p.Detail, "not an ONNX file")
	d.ask("POST", "/api/v1/models", "", nil, http.StatusBadRequest, nil)
	d.ask("POST", "/api/v1/models?name=../x", "", []byte("m"), http.StatusBadRequest, nil)
	d.ask("POST", "/api/v1/models", "text/html", []byte("m"), http.StatusUnsupportedMediaType, nil)
	d.ask("POST", "/api/v1/models", "", make([]byte, 1001), http.StatusRequestEntityTooLarge, nil)
	// Without a length, the limit shows only on reading.
	request, _ := http.NewRequest("POST", d.url+"/api/v1/models", io.MultiReader(strings.NewReader(strings.Repeat("x", 2000))))
	d.send(request, http.StatusRequestEntityTooLarge, nil)
	d.ask("GET", "/api/v1/models/xyz", "", nil, http.StatusBadRequest, nil)
	d.ask("DELETE", "/api/v1/models/"+model.Digest, "", nil, http.StatusNoContent, nil)
	d.ask("GET", "/api/v1/models/"+model.Digest, "", nil, http.StatusNotFound, nil)
	left, _ := os.ReadDir(filepath.Join(d.dir, "models"))
	if len(left) != 0 {
		t.Errorf("files are left: %v", left)
	}
}

func TestTables(t *testing.T) {
	d := startDaemon(t, t.TempDir())
	path := filepath.Join(t.TempDir(), "a")
	if err := fakeTable(60).Write(path); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var info api.LUT
	d.ask("PUT", "/api/v1/luts/pi4", "application/octet-stream", content, http.StatusCreated, &info)
	d.ask("PUT", "/api/v1/luts/pi4", "", content, http.StatusOK, nil)
	if info.Rows != 60 || info.Networks != 4 || info.StableShare != 0.9 || info.Processor != "Fake CPU" {
		t.Errorf("described as %+v", info)
	}
	d.ask("PUT", "/api/v1/luts/pi5", "", content[:len(content)-9], http.StatusUnprocessableEntity, nil)
	d.ask("PUT", "/api/v1/luts/.hidden", "", content, http.StatusBadRequest, nil)
	other := fakeTable(61)
	if err := other.Write(path); err != nil {
		t.Fatal(err)
	}
	second, _ := os.ReadFile(path)
	d.ask("PUT", "/api/v1/luts/pi4", "", second, http.StatusConflict, nil)
	d.ask("PUT", "/api/v1/luts/pi4?replace=maybe", "", second, http.StatusBadRequest, nil)
	d.ask("PUT", "/api/v1/luts/new", "", second, http.StatusCreated, nil)

	download := d.get("/api/v1/luts/pi4", nil)
	if download.Header.Get("ETag") != `"`+info.ETag+`"` {
		t.Errorf("ETag %s, want that of the description, %s", download.Header.Get("ETag"), info.ETag)
	}
	request, _ := http.NewRequest("GET", d.url+"/api/v1/luts/pi4", nil)
	request.Header.Set("If-None-Match", download.Header.Get("ETag"))
	d.send(request, http.StatusNotModified, nil)
	d.ask("PUT", "/api/v1/luts/pi4?replace=true", "", second, http.StatusOK, nil)
	d.send(request, http.StatusOK, nil) // another version now
	request.Header.Del("If-None-Match")
	request.Header.Set("Range", "bytes=0-3")
	part, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer part.Body.Close()
	if magic, _ := io.ReadAll(part.Body); part.StatusCode != http.StatusPartialContent || string(magic) != "PAR1" {
		t.Errorf("the first bytes are %q with status %d", magic, part.StatusCode)
	}
	request.Header.Set("Range", "bytes=99999999-")
	var problem api.Problem
	if got := d.send(request, http.StatusRequestedRangeNotSatisfiable, &problem); got.Header.Get("Content-Range") == "" || problem.Status != got.StatusCode {
		t.Errorf("a part beyond the end: %+v with headers %v", problem, got.Header)
	}
	request.Header.Del("Range")
	request.Header.Set("If-Match", `"another"`)
	d.send(request, http.StatusPreconditionFailed, &problem)
	contains(t, problem.Detail, `table "pi4" is another version`)

	var rows api.Rows
	d.get("/api/v1/luts/pi4/rows?sort=-latency_median_ns&limit=5&offset=2&contains=conv2d", &rows)
	want := slices.Clone(other.Rows)
	want = slices.DeleteFunc(want, func(r lut.Row) bool { return !strings.Contains(r.Key, "conv2d") })
	slices.SortStableFunc(want, func(a, b lut.Row) int { return int(math.Copysign(1, b.LatencyMedianNS-a.LatencyMedianNS)) })
	if rows.Total != len(want) || len(rows.Rows) != 5 || rows.Rows[0].LatencyMedianNS != want[2].LatencyMedianNS {
		t.Errorf("%d rows of %d, the first %v ns; want %v of %d", len(rows.Rows), rows.Total, rows.Rows[0].LatencyMedianNS, want[2].LatencyMedianNS, len(want))
	}
	d.ask("GET", "/api/v1/luts/pi4/rows?sort=nonsense", "", nil, http.StatusBadRequest, nil)
	d.ask("GET", "/api/v1/luts/pi4/rows?limit=0", "", nil, http.StatusBadRequest, nil)
	d.ask("GET", "/api/v1/luts/none/rows", "", nil, http.StatusNotFound, nil)
	var differences lut.Differences
	d.get("/api/v1/luts/pi4/diff?new=new", &differences)
	if len(differences.Rows) != 61 || differences.Mean != 1 {
		t.Errorf("%d differences with a mean of %v between the same table", len(differences.Rows), differences.Mean)
	}
	d.ask("GET", "/api/v1/luts/pi4/diff", "", nil, http.StatusBadRequest, nil)
	d.ask("DELETE", "/api/v1/luts/pi4", "", nil, http.StatusNoContent, nil)
	d.ask("DELETE", "/api/v1/luts/pi4", "", nil, http.StatusNotFound, nil)
}

func TestPredict(t *testing.T) {
	d := startDaemon(t, t.TempDir())
	d.addTable("a", 60)
	model := d.upload("net.onnx", "model")
	var byModel, byNames, again api.Prediction
	d.ask("POST", "/api/v1/predict", "application/json", fmt.Appendf(nil, `{"lut":"a","model":%q}`, model.Digest), http.StatusOK, &byModel)
	names, _ := json.Marshal(model.Workloads())
	question := fmt.Appendf(nil, `{"lut":"a","workloads":%s}`, names)
	d.ask("POST", "/api/v1/predict", "application/json", question, http.StatusOK, &byNames)
	d.ask("POST", "/api/v1/predict", "application/json; charset=utf-8", question, http.StatusOK, &again)
	if byModel.Network != "net.onnx" || byModel.LatencyNS != byNames.LatencyNS || again.LatencyNS != byNames.LatencyNS {
		t.Errorf("predictions differ: %v, %v, %v ns", byModel.LatencyNS, byNames.LatencyNS, again.LatencyNS)
	}
	// The parts are the rows of the table, and the whole close to what the
	// networks of the table are of theirs: 1% more.
	sum := 0.0
	for i, part := range byNames.Parts {
		want := fakeNS(fakeWorkloads()[i])
		if part.Source != "table" || part.LatencyNS != want {
			t.Errorf("part %d: %+v, want %v ns of the table", i, part, want)
		}
		sum += part.LatencyNS
	}
	if ratio := byNames.LatencyNS / sum; ratio < 1 || ratio > 1.02 {
		t.Errorf("the whole is %v of its parts", ratio)
	}
	// Another version of the table must not be answered by the old one.
	table := fakeTable(60)
	for i := range table.Rows {
		row := &table.Rows[i]
		for _, v := range []*float64{&row.LatencyMedianNS, &row.LatencyMeanNS, &row.LatencyP10NS, &row.LatencyP90NS} {
			*v *= 2
		}
	}
	for i := range table.Networks {
		n := &table.Networks[i]
		for _, v := range []*float64{&n.LatencyMedianNS, &n.LatencyP10NS, &n.LatencyP90NS} {
			*v *= 2
		}
	}
	if err := table.Write(filepath.Join(d.dir, "luts", "a"+tableSuffix)); err != nil {
		t.Fatal(err)
	}
	d.ask("POST", "/api/v1/predict", "application/json", question, http.StatusOK, &again)
	if ratio := again.LatencyNS / byNames.LatencyNS; math.Abs(ratio-2) > 0.01 {
		t.Errorf("after all rows doubled, the prediction is %v times as long", ratio)
	}
	for _, test := range []struct {
		body, want string
		status     int
	}{
		{`{"lut":"a"}`, "either model, or workloads", 400},
		{`{"lut":"a","model":"x","workloads":["y"]}`, "either model, or workloads", 400},
		{`{"workloads":["y"]}`, "lut is missing", 400},
		{`{"lut":"none","workloads":["` + model.Workloads()[0] + `"]}`, "no table", 404},
		{`{"lut":"a","workloads":["conv2d/f32"]}`, "workloads[0]", 400},
		{`{"lut":"a","wrkloads":[]}`, "wrkloads", 400},
		{`{"lut":5}`, "lut cannot be a number", 400},
		{`{"lut":"a"`, "ends too early", 400},
		{`{"lut":"a"}{}`, "goes on", 400},
		{``, "empty", 400},
	} {
		var p api.Problem
		d.ask("POST", "/api/v1/predict", "application/json", []byte(test.body), test.status, &p)
		contains(t, p.Detail, test.want)
	}
	d.ask("POST", "/api/v1/predict", "text/plain", question, http.StatusUnsupportedMediaType, nil)
	d.ask("POST", "/api/v1/predict", "application/json", make([]byte, jsonLimit+1), http.StatusRequestEntityTooLarge, nil)
}

func TestJobs(t *testing.T) {
	d := startDaemon(t, t.TempDir())
	model := d.upload("net.onnx", "model")
	second := d.upload("net.onnx", "another model")

	profile := d.submit(`{"kind":"profile","lut":"a","models":["` + model.Digest + `","` + second.Digest + `"]}`)
	if profile.Spec.BudgetSeconds != profileBudget.Seconds() || profile.Spec.Seed != 1 {
		t.Errorf("the defaults are not filled in: %+v", profile.Spec)
	}
	job := d.await(profile.ID, in(api.Done))
	if !slices.Equal(job.Messages, []string{"energy is modelled"}) {
		t.Errorf("messages: %v", job.Messages)
	}
	var info api.LUT
	if err := json.Unmarshal(job.Result, &info); err != nil || info.Name != "a" || info.Rows != 100 {
		t.Errorf("result %s: %v", job.Result, err)
	}
	d.ask("POST", "/api/v1/jobs", "application/json", []byte(`{"kind":"profile","lut":"a","space":"mobile28"}`), http.StatusConflict, nil)

	measure := d.await(d.submit(`{"kind":"measure","models":["`+model.Digest+`"]}`).ID, in(api.Done))
	predict := d.await(d.submit(`{"kind":"predict","lut":"a","models":["`+model.Digest+`"]}`).ID, in(api.Done))
	evaluate := d.await(d.submit(`{"kind":"evaluate","lut":"a","models":["`+model.Digest+`","`+second.Digest+`"]}`).ID, in(api.Done))
	var e api.Evaluation
	if err := json.Unmarshal(evaluate.Result, &e); err != nil {
		t.Fatal(err)
	}
	if len(e.Models) != 2 || e.Models[0].Network != "net.onnx" || e.Models[1].Network != "net-2.onnx" {
		t.Fatalf("evaluated %+v", e)
	}
	c := e.Models[0]
	if c.Layers[0].PredictedNS != nil || c.Layers[1].PredictedNS == nil || *c.Layers[1].PredictedNS != fakeNS(fakeWorkloads()[0]) {
		t.Errorf("layers %+v", c.Layers[:2])
	}
	if want := c.PredictedNS/12345 - 1; math.Abs(c.Error-want) > 1e-12 || e.MedianError != math.Abs(c.Error) {
		t.Errorf("errors %v and %v, want %v", c.Error, e.MedianError, want)
	}
	for _, id := range []uint64{profile.ID, measure.ID, predict.ID, evaluate.ID} {
		d.get(fmt.Sprintf("/api/v1/jobs/%d", id), nil)
		if _, err := os.Stat(d.server.workDir(id)); err == nil {
			t.Errorf("the folder of job %d is still there", id)
		}
	}
	var list api.Jobs
	d.get("/api/v1/jobs", &list)
	if len(list.Jobs) != 4 || list.Jobs[0].ID != evaluate.ID || list.Jobs[0].Result != nil {
		t.Errorf("list: %+v", list)
	}
	d.ask("DELETE", fmt.Sprintf("/api/v1/jobs/%d", measure.ID), "", nil, http.StatusNoContent, nil)
	d.ask("GET", fmt.Sprintf("/api/v1/jobs/%d", measure.ID), "", nil, http.StatusNotFound, nil)
	d.ask("POST", fmt.Sprintf("/api/v1/jobs/%d/cancel", predict.ID), "", nil, http.StatusConflict, nil)
	d.ask("GET", "/api/v1/jobs/x", "", nil, http.StatusBadRequest, nil)
	d.ask("GET", "/api/v1/jobs?state=asleep", "", nil, http.StatusBadRequest, nil)

	for _, test := range []struct{ spec, want string }{
		{`{}`, "kind"},
		{`{"kind":"dance"}`, "dance"},
		{`{"kind":"profile"}`, "lut is missing"},
		{`{"kind":"profile","lut":"../b","space":"mobile28"}`, "no name of a table"},
		{`{"kind":"profile","lut":"b"}`, "either space or models"},
		{`{"kind":"profile","lut":"b","space":"moebius"}`, "moebius"},
		{`{"kind":"measure"}`, "models is empty"},
		{`{"kind":"measure","lut":"a","models":["x"]}`, "does not go with"},
		{`{"kind":"measure","models":["x"]}`, "models[0]"},
		{`{"kind":"measure","models":["` + model.Digest + `"],"budget_seconds":-1}`, "budget_seconds"},
		{`{"kind":"measure","models":["` + model.Digest + `"],"budget_seconds":1e99}`, "budget_seconds"},
		{`{"kind":"measure","models":["` + model.Digest + `"],"threads":-1}`, "threads"},
		{`{"kind":"measure","models":["` + model.Digest + `"],"seed":3}`, "seed"},
	} {
		var p api.Problem
		d.ask("POST", "/api/v1/jobs", "application/json", []byte(test.spec), http.StatusBadRequest, &p)
		contains(t, p.Detail, test.want)
	}
}

func TestFailedJobSaysWhy(t *testing.T) {
	d := startDaemon(t, t.TempDir())
	model := d.upload("net.onnx", "model")
	// Since its upload the file went bad.
	if err := os.WriteFile(d.server.models.path(model.Digest), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	job := d.await(d.submit(`{"kind":"measure","models":["`+model.Digest+`"]}`).ID, in(api.Failed))
	contains(t, job.Error, "not an ONNX file")
	if err := os.WriteFile(d.server.models.path(model.Digest), []byte("talkative"), 0o600); err != nil {
		t.Fatal(err)
	}
	job = d.await(d.submit(`{"kind":"measure","models":["`+model.Digest+`"]}`).ID, in(api.Failed))
	contains(t, job.Error, "printed more than")
}

func TestCancelAndEvents(t *testing.T) {
	d := startDaemon(t, t.TempDir())
	slow, fast := d.upload("slow.onnx", "slow"), d.upload("fast.onnx", "fast")
	running := d.submit(`{"kind":"measure","models":["` + slow.Digest + `"]}`)
	waiting := d.submit(`{"kind":"measure","models":["` + slow.Digest + `"]}`)
	last := d.submit(`{"kind":"measure","models":["` + fast.Digest + `"]}`)
	d.await(running.ID, hasProgress)
	d.ask("DELETE", fmt.Sprintf("/api/v1/jobs/%d", running.ID), "", nil, http.StatusConflict, nil)
	d.ask("DELETE", "/api/v1/models/"+slow.Digest, "", nil, http.StatusConflict, nil)

	response, err := http.Get(fmt.Sprintf("%s/api/v1/jobs/%d/events", d.url, running.ID))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var events []string
	var final api.Job
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if event, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			if events = append(events, event); len(events) == 1 {
				d.ask("POST", fmt.Sprintf("/api/v1/jobs/%d/cancel", waiting.ID), "", nil, http.StatusAccepted, nil)
				d.ask("POST", fmt.Sprintf("/api/v1/jobs/%d/cancel", running.ID), "", nil, http.StatusAccepted, nil)
			}
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			final = api.Job{}
			if err := json.Unmarshal([]byte(data), &final); err != nil {
				t.Fatal(err)
			}
		}
	}
	if events[len(events)-1] != "end" || final.State != api.Cancelled {
		t.Errorf("events %v, the last with a job that is %s", events, final.State)
	}
	d.await(waiting.ID, in(api.Cancelled))
	d.await(last.ID, in(api.Done))
	d.ask("GET", "/api/v1/jobs/99/events", "", nil, http.StatusNotFound, nil)
}

// TestRetry tries a profile again that failed, as on a full disk: it goes on with
// what was measured.
func TestRetry(t *testing.T) {
	d := startDaemon(t, t.TempDir())
	model := d.upload("net.onnx", "net")
	file := d.server.models.path(model.Digest)
	if err := os.WriteFile(file, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	job := d.await(d.submit(`{"kind":"profile","lut":"a","models":["`+model.Digest+`"]}`).ID, in(api.Failed))
	if err := os.WriteFile(filepath.Join(d.server.workDir(job.ID), "table"+tableSuffix+".journal"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("net"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/api/v1/jobs/%d/retry", job.ID)
	d.addTable("a", 60)
	d.ask("POST", path, "", nil, http.StatusConflict, nil) // the table's name is taken
	d.ask("DELETE", "/api/v1/luts/a", "", nil, http.StatusNoContent, nil)
	var again api.Job
	d.ask("POST", path, "", nil, http.StatusAccepted, &again)
	if again.State != api.Queued || again.Error != "" || again.Finished != nil {
		t.Errorf("tried again: %+v", again)
	}
	job = d.await(job.ID, in(api.Done))
	if job.Attempts != 2 || !slices.Contains(job.Messages, "resumed") {
		t.Errorf("after %d attempts, messages %q", job.Attempts, job.Messages)
	}
	d.get("/api/v1/luts/a", nil)
	d.ask("POST", path, "", nil, http.StatusConflict, nil)
	d.ask("POST", "/api/v1/jobs/99/retry", "", nil, http.StatusNotFound, nil)
}

// TestRestart ends a daemon in the middle of a job; the next one goes on.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	d := startDaemon(t, dir)
	slow, fast := d.upload("slow.onnx", "slow"), d.upload("fast.onnx", "fast")
	d.await(d.submit(`{"kind":"measure","models":["`+fast.Digest+`"]}`).ID, in(api.Done))
	first := d.submit(`{"kind":"profile","lut":"a","models":["` + slow.Digest + `"]}`)
	second := d.submit(`{"kind":"measure","models":["` + fast.Digest + `"]}`)
	d.await(first.ID, hasProgress)
	if _, err := New(Options{Dir: dir}); err == nil {
		t.Error("two daemons share a directory")
	} else {
		contains(t, err.Error(), "another daemon")
	}
	d.stop()
	// What a profile that was killed leaves.
	if err := os.WriteFile(filepath.Join(dir, "work", fmt.Sprint(first.ID), "table"+tableSuffix+".journal"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "models", slow.Digest+".onnx"), []byte("fast now"), 0o600); err != nil {
		t.Fatal(err)
	}
	d = startDaemon(t, dir)
	done := d.await(first.ID, in(api.Done))
	if done.Attempts != 2 || !slices.Contains(done.Messages, "resumed") {
		t.Errorf("after the restart: %d attempts, messages %v", done.Attempts, done.Messages)
	}
	d.await(second.ID, in(api.Done))
	var job api.Job
	d.get("/api/v1/jobs/1", &job)
	if job.State != api.Done || job.Result == nil {
		t.Errorf("the job of the first daemon is %s with result %s", job.State, job.Result)
	}
}

func TestMetricsPassPromtool(t *testing.T) {
	d := startDaemon(t, t.TempDir())
	d.addTable("a", 60)
	model := d.upload("net.onnx", "model")
	d.await(d.submit(`{"kind":"measure","models":["`+model.Digest+`"]}`).ID, in(api.Done))
	d.ask("GET", "/nothing", "", nil, http.StatusNotFound, nil)
	response, err := http.Get(d.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`hwprofd_jobs{state="done"} 1`, `hwprofd_jobs{state="queued"} 0`, `hwprofd_lut_rows{lut="a"} 60`,
		`hwprofd_lut_newest_row_timestamp_seconds{lut="a"} 1.767323104e+09`, // 2026-01-02 03:05:04 UTC
		`hwprofd_job_duration_seconds_count{kind="measure",state="done"} 1`,
		`hwprofd_http_requests_total{code="404",route="other"} 1`,
	} {
		contains(t, string(text), want)
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("no promtool here")
	}
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(string(text))
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "Z9": true, "0": true, "pi4.2026-11_b": true, strings.Repeat("x", 100): true,
		"": false, ".a": false, "-a": false, "_a": false, "a/b": false, "a b": false, "a\x00": false, "ä": false, "..": false, strings.Repeat("x", 101): false,
	} {
		if got := validName(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}
