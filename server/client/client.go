// Package client calls the daemon's API: it uploads models, submits jobs and
// waits for them, fetches tables and asks for predictions. The bodies are those
// of package api. An answer that is an error is an *api.Problem, with the status
// and what was wrong.
package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hwprofd/hwprofd/server/api"
)

// Client calls one daemon. It is safe for concurrent use.
type Client struct {
	// URL of the daemon, such as http://127.0.0.1:7380.
	URL string
	// Token, if the daemon wants one.
	Token string
	// HTTP sends the requests: http.DefaultClient where it is nil. For a
	// certificate of one's own, give it a transport that trusts it.
	HTTP *http.Client
	// Lost, if set, is called with the reason when Wait has lost the daemon and
	// tries to reach it again.
	Lost func(reason error)
}

const maxProblem = 1 << 20 // bytes of an error's body that are read

// request sends a request and returns the answer if it is no error. The caller
// closes its body.
func (c *Client) request(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, body)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	if response.StatusCode < 400 {
		return response, nil
	}
	defer response.Body.Close()
	problem := &api.Problem{Title: http.StatusText(response.StatusCode), Status: response.StatusCode}
	if after, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && after > 0 {
		problem.RetryAfter = time.Duration(after) * time.Second
	}
	if text, err := io.ReadAll(io.LimitReader(response.Body, maxProblem)); err == nil && json.Unmarshal(text, problem) != nil {
		problem.Detail = strings.TrimSpace(string(text)) // of something between here and the daemon
	}
	return nil, problem
}

// call sends a value and reads one; either may be nil.
func (c *Client) call(ctx context.Context, method, path string, send, receive any) error {
	header, body := http.Header{}, io.Reader(nil)
	if send != nil {
		encoded, err := json.Marshal(send)
		if err != nil {
			return err
		}
		header.Set("Content-Type", "application/json")
		body = bytes.NewReader(encoded)
	}
	response, err := c.request(ctx, method, path, header, body)
	if err != nil {
		return err
	}
	return read(response, receive)
}

func read(response *http.Response, v any) error {
	defer response.Body.Close()
	if v == nil {
		_, err := io.Copy(io.Discard, response.Body)
		return err
	}
	if err := json.NewDecoder(response.Body).Decode(v); err != nil {
		return fmt.Errorf("%s: the answer cannot be read: %w", response.Request.URL, err)
	}
	return nil
}

// Device describes the daemon's machine.
func (c *Client) Device(ctx context.Context) (*api.Device, error) {
	v := new(api.Device)
	return v, c.call(ctx, http.MethodGet, "/api/v1/device", nil, v)
}

// UploadModel uploads an ONNX file under a name such as resnet.onnx. What the
// daemon has already keeps its name.
func (c *Client) UploadModel(ctx context.Context, name string, onnx io.Reader) (*api.Model, error) {
	response, err := c.request(ctx, http.MethodPost, "/api/v1/models?name="+url.QueryEscape(name), http.Header{"Content-Type": {"application/octet-stream"}}, onnx)
	if err != nil {
		return nil, err
	}
	v := new(api.Model)
	return v, read(response, v)
}

// Models lists the uploaded models, without their layers.
func (c *Client) Models(ctx context.Context) ([]api.Model, error) {
	var v api.Models
	err := c.call(ctx, http.MethodGet, "/api/v1/models", nil, &v)
	return v.Models, err
}

// LUTs lists the daemon's tables.
func (c *Client) LUTs(ctx context.Context) ([]api.LUT, error) {
	var v api.LUTs
	err := c.call(ctx, http.MethodGet, "/api/v1/luts", nil, &v)
	return v.LUTs, err
}

// DownloadLUT writes a table's Parquet file to w and returns its version. Where
// the daemon still has the version that is given, nothing is written.
func (c *Client) DownloadLUT(ctx context.Context, name, version string, w io.Writer) (newest string, err error) {
	header := http.Header{}
	if version != "" {
		header.Set("If-None-Match", `"`+version+`"`)
	}
	response, err := c.request(ctx, http.MethodGet, "/api/v1/luts/"+url.PathEscape(name), header, nil)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotModified {
		return version, nil
	}
	_, err = io.Copy(w, response.Body)
	return strings.Trim(response.Header.Get("ETag"), `"`), err
}

// UploadLUT gives the daemon a table. Another table of that name is only
// replaced if asked.
func (c *Client) UploadLUT(ctx context.Context, name string, replace bool, parquet io.Reader) (*api.LUT, error) {
	path := "/api/v1/luts/" + url.PathEscape(name) + "?replace=" + strconv.FormatBool(replace)
	response, err := c.request(ctx, http.MethodPut, path, http.Header{"Content-Type": {"application/octet-stream"}}, parquet)
	if err != nil {
		return nil, err
	}
	v := new(api.LUT)
	return v, read(response, v)
}

// Predict predicts what a network costs. Where the daemon has to learn from the
// table first, which takes up to minutes for a large one, Predict waits for it.
func (c *Client) Predict(ctx context.Context, request api.PredictRequest) (*api.Prediction, error) {
	for {
		v := new(api.Prediction)
		err := c.call(ctx, http.MethodPost, "/api/v1/predict", request, v)
		var problem *api.Problem
		if !errors.As(err, &problem) || problem.Status != http.StatusServiceUnavailable || problem.RetryAfter == 0 {
			return v, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(problem.RetryAfter):
		}
	}
}

// Submit queues a job.
func (c *Client) Submit(ctx context.Context, spec api.JobSpec) (*api.Job, error) {
	v := new(api.Job)
	return v, c.call(ctx, http.MethodPost, "/api/v1/jobs", spec, v)
}

// Job returns a job, with its result if it is done.
func (c *Client) Job(ctx context.Context, id uint64) (*api.Job, error) {
	v := new(api.Job)
	return v, c.call(ctx, http.MethodGet, jobPath(id), nil, v)
}

// Jobs lists the jobs in a state, or all, the latest first.
func (c *Client) Jobs(ctx context.Context, state string) ([]api.Job, error) {
	var v api.Jobs
	err := c.call(ctx, http.MethodGet, "/api/v1/jobs?state="+url.QueryEscape(state), nil, &v)
	return v.Jobs, err
}

// Retry queues a job again that failed or was cancelled; a profile that failed
// goes on from its journal.
func (c *Client) Retry(ctx context.Context, id uint64) error {
	return c.call(ctx, http.MethodPost, jobPath(id)+"/retry", nil, nil)
}

// Cancel ends a job that waits or runs.
func (c *Client) Cancel(ctx context.Context, id uint64) error {
	return c.call(ctx, http.MethodPost, jobPath(id)+"/cancel", nil, nil)
}

func jobPath(id uint64) string { return "/api/v1/jobs/" + strconv.FormatUint(id, 10) }

const (
	reconnectAfter = 2 * time.Second
	patience       = 15 * time.Minute
)

// Wait waits until a job has ended and returns it with its result. Each change
// on the way is passed to progress, if that is not nil. Where the daemon is
// restarted or lost, Wait connects again, for a quarter of an hour. A job that
// failed or was cancelled is no error: see its state.
func (c *Client) Wait(ctx context.Context, id uint64, progress func(api.Job)) (*api.Job, error) {
	var lost time.Time
	for {
		connected, ended, err := c.follow(ctx, id, progress)
		var problem *api.Problem
		switch {
		case ended:
			return c.Job(ctx, id)
		case errors.As(err, &problem):
			return nil, err
		case err == nil:
			err = errors.New("the connection was closed")
		}
		if connected || lost.IsZero() {
			lost = time.Now()
			if c.Lost != nil && ctx.Err() == nil {
				c.Lost(err)
			}
		}
		if time.Since(lost) > patience {
			return nil, fmt.Errorf("lost, and not found again for %v: %w", patience, err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(reconnectAfter):
		}
	}
}

// follow reads the job's events until they end.
func (c *Client) follow(ctx context.Context, id uint64, progress func(api.Job)) (connected, ended bool, err error) {
	response, err := c.request(ctx, http.MethodGet, jobPath(id)+"/events", http.Header{"Accept": {"text/event-stream"}}, nil)
	if err != nil {
		return false, false, err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var job api.Job
		if err := json.Unmarshal([]byte(data), &job); err != nil {
			return true, false, fmt.Errorf("an event of job %d cannot be read: %w", id, err)
		}
		if progress != nil {
			progress(job)
		}
		if job.Ended() {
			return true, true, nil
		}
	}
	return true, false, lines.Err()
}
