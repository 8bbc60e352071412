package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/hwprofd/hwprofd/server/api"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
)

// daemon is one that serves, for a test.
type daemon struct {
	t      *testing.T
	server *Server
	url    string
	dir    string
	token  string
	stop   func()
}

// startDaemon starts a daemon on dir that ends with the test.
func startDaemon(t *testing.T, dir string, change ...func(*Options)) *daemon {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	options := Options{Dir: dir, Executable: executable, Version: "test", Spaces: []string{"mobile28"}, Log: zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel))}
	for _, c := range change {
		c(&options)
	}
	s, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener, "", "") }()
	d := &daemon{t: t, server: s, url: "http://" + listener.Addr().String(), dir: dir, token: options.Token}
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the daemon ended with %v", err)
		}
	})
	t.Cleanup(d.stop)
	return d
}

// contract checks answers against /openapi.json.
var contract = sync.OnceValues(func() (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	return legacy.NewRouter(doc)
})

// ask sends a request, checks the answer against the contract and its status,
// and reads it into answer, unless that is nil.
func (d *daemon) ask(method, path, kind string, body []byte, status int, answer any) *http.Response {
	d.t.Helper()
	request, err := http.NewRequest(method, d.url+path, bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	return d.send(request, status, answer)
}

func (d *daemon) send(request *http.Request, status int, answer any) *http.Response {
	d.t.Helper()
	if d.token != "" && request.Header.Get("Authorization") == "" {
		request.Header.Set("Authorization", "Bearer "+d.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	what := request.Method + " " + request.URL.Path
	if response.StatusCode != status {
		d.t.Fatalf("%s: status %d, want %d: %s", what, response.StatusCode, status, got)
	}
	if err := conforms(request, response, got); err != nil {
		d.t.Errorf("%s: the answer is not as /openapi.json says: %v\n%s", what, err, got[:min(len(got), 2000)])
	}
	if answer != nil {
		if err := json.Unmarshal(got, answer); err != nil {
			d.t.Fatalf("%s: %v: %s", what, err, got)
		}
	}
	return response
}

// conforms checks an answer: a documented status and body for a documented
// route, a problem where there is none.
func conforms(request *http.Request, response *http.Response, body []byte) error {
	router, err := contract()
	if err != nil {
		return err
	}
	path := *request.URL
	path.Scheme, path.Host = "", ""
	route, parameters, err := router.FindRoute(&http.Request{Method: request.Method, URL: &path})
	if err != nil {
		if strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") {
			return nil // a page
		}
		var p api.Problem
		if response.StatusCode < 400 || response.Header.Get("Content-Type") != "application/problem+json" {
			return err
		}
		return json.Unmarshal(body, &p)
	}
	return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: request, Route: route, PathParams: parameters},
		Status:                 response.StatusCode, Header: response.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
}

func (d *daemon) get(path string, answer any) *http.Response {
	d.t.Helper()
	return d.ask("GET", path, "", nil, http.StatusOK, answer)
}

// upload adds a model with a content that decides what the fake does.
func (d *daemon) upload(name, content string) api.Model {
	d.t.Helper()
	var model api.Model
	d.ask("POST", "/api/v1/models?name="+name, "application/octet-stream", []byte(content), http.StatusCreated, &model)
	return model
}

// addTable puts a table of n rows into the daemon's directory.
func (d *daemon) addTable(name string, n int) {
	d.t.Helper()
	if err := fakeTable(n).Write(filepath.Join(d.dir, "luts", name+tableSuffix)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *daemon) submit(spec string) api.Job {
	d.t.Helper()
	var job api.Job
	d.ask("POST", "/api/v1/jobs", "application/json", []byte(spec), http.StatusCreated, &job)
	return job
}

// await waits until the job is in a state, for as long as the test may take.
func (d *daemon) await(id uint64, reached func(*api.Job) bool) api.Job {
	d.t.Helper()
	changes, stop := d.server.queue.watch(id)
	defer stop()
	for limit := time.After(30 * time.Second); ; {
		job, err := d.server.queue.get(id, true)
		if err != nil {
			d.t.Fatal(err)
		}
		if reached(&job) {
			return job
		}
		if job.Ended() {
			d.t.Fatalf("job %d is %s: %s", id, job.State, job.Error)
		}
		select {
		case <-changes:
		case <-limit:
			d.t.Fatalf("job %d is still %s", id, job.State)
		}
	}
}

func in(state string) func(*api.Job) bool {
	return func(job *api.Job) bool { return job.State == state }
}

func hasProgress(job *api.Job) bool { return job.Progress != nil && job.Progress.Share == 0.25 }

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%q does not say %q", text, part)
	}
}
