package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/http/pprof"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/server/api"
)

// route is a pattern of http.ServeMux and what it does. Its error becomes the
// answer.
type route struct {
	method, path string
	handle       func(w http.ResponseWriter, r *http.Request) error
}

// apiRoutes are what /openapi.json describes.
func (s *Server) apiRoutes() []route {
	return []route{
		{"GET", "/healthz", s.getHealth},
		{"GET", "/openapi.json", s.getOpenAPI},
		{"GET", "/metrics", s.getMetrics},
		{"GET", "/api/v1/device", s.getDevice},
		{"GET", "/api/v1/models", s.getModels},
		{"POST", "/api/v1/models", s.postModel},
		{"GET", "/api/v1/models/{digest}", s.getModel},
		{"DELETE", "/api/v1/models/{digest}", s.deleteModel},
		{"GET", "/api/v1/luts", s.getLUTs},
		{"GET", "/api/v1/luts/{name}", s.getLUT},
		{"PUT", "/api/v1/luts/{name}", s.putLUT},
		{"DELETE", "/api/v1/luts/{name}", s.deleteLUT},
		{"GET", "/api/v1/luts/{name}/rows", s.getRows},
		{"GET", "/api/v1/luts/{name}/diff", s.getDiff},
		{"POST", "/api/v1/predict", s.postPredict},
		{"GET", "/api/v1/drift", s.getDrift},
		{"GET", "/api/v1/jobs", s.getJobs},
		{"POST", "/api/v1/jobs", s.postJob},
		{"GET", "/api/v1/jobs/{id}", s.getJob},
		{"DELETE", "/api/v1/jobs/{id}", s.deleteJob},
		{"POST", "/api/v1/jobs/{id}/cancel", s.postCancel},
		{"POST", "/api/v1/jobs/{id}/retry", s.postRetry},
		{"GET", "/api/v1/jobs/{id}/events", s.getEvents},
	}
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range s.apiRoutes() {
		pattern := rt.method + " " + rt.path
		mux.Handle(pattern, s.metrics.count(pattern, s.answer(rt.handle)))
	}
	for _, rt := range s.pageRoutes() {
		pattern := rt.method + " " + rt.path
		mux.Handle(pattern, s.metrics.count(pattern, s.answerPage(rt.handle)))
	}
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("/", s.metrics.count("other", s.answer(func(w http.ResponseWriter, r *http.Request) error {
		return notFound(w, r, mux)
	})))
	return mux
}

func (s *Server) answer(handle func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := handle(w, r); err != nil {
			s.writeProblem(w, r, err)
		}
	})
}

// notFound answers what no route takes: with the methods that the path has, if
// any.
func notFound(w http.ResponseWriter, r *http.Request, mux *http.ServeMux) error {
	var allowed []string
	for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
		if _, pattern := mux.Handler(&http.Request{Method: method, URL: &url.URL{Path: r.URL.Path}, Host: r.Host}); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		return problemf(http.StatusNotFound, "there is nothing at %s; /openapi.json lists what there is", r.URL.Path)
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return problemf(http.StatusMethodNotAllowed, "%s takes %s, not %s", r.URL.Path, strings.Join(allowed, ", "), r.Method)
}

func (s *Server) getHealth(w http.ResponseWriter, r *http.Request) error {
	if err := s.Healthy(); err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

// Healthy tells whether the daemon can do its work.
func (s *Server) Healthy() error {
	if _, err := os.Stat(s.luts.dir); err != nil {
		return err
	}
	s.queue.list(api.Running) // hangs where the queue does
	return nil
}

func (s *Server) getDevice(w http.ResponseWriter, r *http.Request) error {
	info, err := device.Detect()
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, api.Device{Fingerprint: info.Fingerprint(), Version: s.options.Version, Info: info})
	return nil
}

func (s *Server) getModels(w http.ResponseWriter, r *http.Request) error {
	list, err := s.models.list()
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, api.Models{Models: list})
	return nil
}

func (s *Server) postModel(w http.ResponseWriter, r *http.Request) error {
	name := r.URL.Query().Get("name")
	if name != "" && !validName(name) {
		return problemf(http.StatusBadRequest, "name=%q: use up to 100 letters, digits, dots, dashes and underscores", name)
	}
	body, err := s.upload(w, r)
	if err != nil {
		return err
	}
	model, added, err := s.models.add(r.Context(), name, body)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if added {
		status = http.StatusCreated
	}
	w.Header().Set("Location", "/api/v1/models/"+model.Digest)
	writeJSON(w, r, status, model)
	return nil
}

// upload is the body of a request that brings a file.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) (io.Reader, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind != "application/octet-stream" {
		return nil, problemf(http.StatusUnsupportedMediaType, "the body has to be the file as it is, application/octet-stream, not %s", kind)
	}
	if r.ContentLength > s.options.MaxUpload {
		return nil, &http.MaxBytesError{Limit: s.options.MaxUpload}
	}
	return requestBody{http.MaxBytesReader(w, r.Body, s.options.MaxUpload)}, nil
}

func (s *Server) getModel(w http.ResponseWriter, r *http.Request) error {
	model, err := s.models.get(r.PathValue("digest"))
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, model)
	return nil
}

func (s *Server) deleteModel(w http.ResponseWriter, r *http.Request) error {
	digest := r.PathValue("digest")
	for _, job := range s.queue.list("") {
		if !job.Ended() && slices.Contains(job.Spec.Models, digest) {
			return problemf(http.StatusConflict, "job %d needs the model: cancel it first", job.ID)
		}
	}
	if err := s.models.remove(digest); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// describe looks into a model by 'hwprofd graph show'.
func (s *Server) describe(ctx context.Context, path string) (api.Model, error) {
	select {
	case s.describing <- struct{}{}:
	case <-ctx.Done():
		return api.Model{}, ctx.Err()
	}
	defer func() { <-s.describing }()
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	show := &child{executable: s.options.Executable, dir: filepath.Dir(path), args: []string{"graph", "show", "--optimized", "--json", filepath.Base(path)}}
	out, err := show.run(limited)
	var said *childError
	switch {
	case errors.As(err, &said):
		return api.Model{}, problemf(http.StatusUnprocessableEntity, "this model cannot be used: %s", strings.ReplaceAll(said.said, filepath.Base(path), "model"))
	case limited.Err() != nil && ctx.Err() == nil:
		return api.Model{}, problemf(http.StatusUnprocessableEntity, "this model cannot be used: it takes longer than a minute to read")
	case err != nil:
		return api.Model{}, err
	}
	var summary struct {
		MACs       int64 `json:"macs"`
		Parameters int64 `json:"parameters"`
		Nodes      []struct {
			Name     string `json:"name"`
			Operator string `json:"operator"`
			Workload string `json:"workload"`
			MACs     int64  `json:"macs"`
			Bytes    int64  `json:"bytes"`
		} `json:"nodes"`
	}
	if err := json.Unmarshal(out, &summary); err != nil {
		return api.Model{}, fmt.Errorf("what graph show printed: %w", err)
	}
	model := api.Model{MACs: summary.MACs, Params: summary.Parameters}
	for _, n := range summary.Nodes {
		model.Layers = append(model.Layers, api.Layer{Node: n.Name, Operator: n.Operator, Workload: n.Workload, MACs: n.MACs, Bytes: n.Bytes})
	}
	return model, nil
}

func (s *Server) getLUTs(w http.ResponseWriter, r *http.Request) error {
	list, err := s.luts.list(s.badTable)
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, api.LUTs{LUTs: list})
	return nil
}

// getLUT sends the file, or the part of it that is asked for, unless the client
// has it.
func (s *Server) getLUT(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	info, file, err := s.luts.open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	header := w.Header()
	header.Set("ETag", `"`+info.ETag+`"`)
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Type", "application/vnd.apache.parquet")
	header.Set("Content-Disposition", `attachment; filename="`+name+tableSuffix+`"`)
	refused := &refusals{ResponseWriter: w}
	http.ServeContent(refused, r, "", info.NewestRow, file)
	switch refused.status {
	case http.StatusPreconditionFailed:
		return problemf(refused.status, "table %q is another version than the one that is asked for: its ETag is %q", name, info.ETag)
	case http.StatusRequestedRangeNotSatisfiable:
		return problemf(refused.status, "table %q has %d bytes, and no part %q", name, info.Bytes, r.Header.Get("Range"))
	}
	return nil
}

// refusals keeps back answers of http.ServeContent that are errors, which are to
// be problems as all others.
type refusals struct {
	http.ResponseWriter
	status int // 0 unless it was refused
}

func (r *refusals) WriteHeader(status int) {
	if status >= 400 {
		r.status = status
		return
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *refusals) Write(p []byte) (int, error) {
	if r.status != 0 {
		return len(p), nil
	}
	return r.ResponseWriter.Write(p)
}

func (s *Server) putLUT(w http.ResponseWriter, r *http.Request) error {
	replace, err := boolParameter(r, "replace")
	if err != nil {
		return err
	}
	if err := checkLUTName(r.PathValue("name")); err != nil {
		return err
	}
	body, err := s.upload(w, r)
	if err != nil {
		return err
	}
	info, added, err := s.luts.add(r.PathValue("name"), body, replace)
	if err != nil {
		return err
	}
	s.learn(info)
	status := http.StatusOK
	if added {
		status = http.StatusCreated
	}
	writeJSON(w, r, status, info)
	return nil
}

func (s *Server) deleteLUT(w http.ResponseWriter, r *http.Request) error {
	if err := s.luts.remove(r.PathValue("name")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

const (
	defaultRows = 50
	maxRows     = 1000 // of an answer
)

// rowQuery is which rows of a table, in which order.
type rowQuery struct {
	Contains      string // in the key
	Op            string
	Sort          string // column
	Descending    bool
	Offset, Limit int
}

func readRowQuery(r *http.Request) (q rowQuery, err error) {
	values := r.URL.Query()
	q = rowQuery{Contains: values.Get("contains"), Op: values.Get("op"), Sort: values.Get("sort")}
	if q.Sort, q.Descending = strings.CutPrefix(q.Sort, "-"); q.Sort == "" {
		q.Sort = "key"
	}
	if !slices.Contains(lut.Columns(), q.Sort) {
		return q, problemf(http.StatusBadRequest, "sort=%s: there is no such column; there are %s", q.Sort, strings.Join(lut.Columns(), ", "))
	}
	if q.Offset, err = intParameter(r, "offset", 0, 0, math.MaxInt32); err != nil {
		return q, err
	}
	q.Limit, err = intParameter(r, "limit", defaultRows, 1, maxRows)
	return q, err
}

// order is the query's value of sort.
func (q rowQuery) order() string {
	if q.Descending {
		return "-" + q.Sort
	}
	return q.Sort
}

// match returns the numbers of the rows that match, in order.
func (q rowQuery) match(table *lut.Table) []int {
	var matching []int
	for i := range table.Rows {
		if row := &table.Rows[i]; (q.Op == "" || row.Op == q.Op) && strings.Contains(row.Key, q.Contains) {
			matching = append(matching, i)
		}
	}
	slices.SortStableFunc(matching, func(a, b int) int {
		va, _ := table.Rows[a].Cell(q.Sort)
		vb, _ := table.Rows[b].Cell(q.Sort)
		if q.Descending {
			va, vb = vb, va
		}
		return compareCells(va, vb)
	})
	return matching
}

// page returns the part of the matching rows that is asked for.
func (q rowQuery) page(table *lut.Table, matching []int) api.Rows {
	answer := api.Rows{Total: len(matching), Rows: []lut.Row{}}
	from := min(q.Offset, len(matching))
	for _, i := range matching[from:min(from+q.Limit, len(matching))] {
		answer.Rows = append(answer.Rows, table.Rows[i])
	}
	return answer
}

func (s *Server) getRows(w http.ResponseWriter, r *http.Request) error {
	q, err := readRowQuery(r)
	if err != nil {
		return err
	}
	_, table, err := s.oracle.table(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, q.page(table, q.match(table)))
	return nil
}

// getDiff compares the table, the old one, with another.
func (s *Server) getDiff(w http.ResponseWriter, r *http.Request) error {
	across, err := boolParameter(r, "across")
	if err != nil {
		return err
	}
	differences, err := s.diff(r, r.PathValue("name"), r.URL.Query().Get("new"), across)
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, differences)
	return nil
}

func (s *Server) diff(r *http.Request, older, newer string, across bool) (*lut.Differences, error) {
	if newer == "" {
		return nil, problemf(http.StatusBadRequest, "new is missing: name the table to compare with")
	}
	_, a, err := s.oracle.table(r.Context(), older)
	if err != nil {
		return nil, err
	}
	_, b, err := s.oracle.table(r.Context(), newer)
	if err != nil {
		return nil, err
	}
	d, err := lut.Diff(a, b, lut.DiffOptions{Alpha: 0.05, Threshold: 0.02, Across: across})
	if err != nil {
		return nil, problemf(http.StatusUnprocessableEntity, "%w", err)
	}
	return d, nil
}

func (s *Server) postPredict(w http.ResponseWriter, r *http.Request) error {
	if err := checkJSON(r); err != nil {
		return err
	}
	room := scratches.Get().(*scratch)
	defer room.release()
	var err error
	if room.body, err = s.readBody(w, r, room.body); err != nil {
		return err
	}
	if err := s.oracle.answer(r.Context(), room); err != nil {
		return err
	}
	w.Header()["Content-Type"] = jsonType
	w.Header().Set("Content-Length", strconv.Itoa(len(room.answer)))
	_, _ = w.Write(room.answer)
	return nil
}

func (s *Server) getJobs(w http.ResponseWriter, r *http.Request) error {
	state := r.URL.Query().Get("state")
	if state != "" && !slices.Contains([]string{api.Queued, api.Running, api.Done, api.Failed, api.Cancelled}, state) {
		return problemf(http.StatusBadRequest, "state=%q is no state of a job", state)
	}
	writeJSON(w, r, http.StatusOK, api.Jobs{Jobs: s.queue.list(state)})
	return nil
}

func (s *Server) postJob(w http.ResponseWriter, r *http.Request) error {
	var spec api.JobSpec
	if err := s.readJSON(w, r, &spec); err != nil {
		return err
	}
	job, err := s.submit(spec)
	if err != nil {
		return err
	}
	w.Header().Set("Location", fmt.Sprintf("/api/v1/jobs/%d", job.ID))
	writeJSON(w, r, http.StatusCreated, job)
	return nil
}

func jobID(r *http.Request) (uint64, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, problemf(http.StatusBadRequest, "%q is no number of a job", r.PathValue("id"))
	}
	return id, nil
}

func (s *Server) getJob(w http.ResponseWriter, r *http.Request) error {
	id, err := jobID(r)
	if err != nil {
		return err
	}
	job, err := s.queue.get(id, true)
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, job)
	return nil
}

func (s *Server) deleteJob(w http.ResponseWriter, r *http.Request) error {
	id, err := jobID(r)
	if err != nil {
		return err
	}
	if err := s.queue.remove(id); err != nil {
		return err
	}
	if err := os.RemoveAll(s.workDir(id)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) postCancel(w http.ResponseWriter, r *http.Request) error {
	id, err := jobID(r)
	if err != nil {
		return err
	}
	job, err := s.cancel(id)
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusAccepted, job)
	return nil
}

func (s *Server) postRetry(w http.ResponseWriter, r *http.Request) error {
	id, err := jobID(r)
	if err != nil {
		return err
	}
	job, err := s.retry(id)
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusAccepted, job)
	return nil
}

func intParameter(r *http.Request, name string, missing, low, high int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, problemf(http.StatusBadRequest, "%s=%q is no number of %d to %d", name, text, low, high)
	}
	return n, nil
}

func boolParameter(r *http.Request, name string) (bool, error) {
	switch text := r.URL.Query().Get(name); text {
	case "", "false", "0":
		return false, nil
	case "true", "1":
		return true, nil
	default:
		return false, problemf(http.StatusBadRequest, "%s=%q is neither true nor false", name, text)
	}
}
