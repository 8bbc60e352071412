package server

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/hwprofd/hwprofd/server/api"
)

// problem is an error with the status that tells a client whose fault it is.
type problem struct {
	status     int
	err        error
	retryAfter time.Duration // when to ask again, if that helps
}

func (p *problem) Error() string { return p.err.Error() }
func (p *problem) Unwrap() error { return p.err }

func problemf(status int, format string, args ...any) error {
	return &problem{status: status, err: fmt.Errorf(format, args...)}
}

// explain returns the status and the text for a client. What is not the
// client's stays in the log.
func (s *Server) explain(r *http.Request, err error) (status int, detail string) {
	var p *problem
	var tooLarge *http.MaxBytesError
	var broken *bodyError
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than the %d bytes that are taken here", tooLarge.Limit)
	case errors.As(err, &p):
		return p.status, p.Error()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout, "the body did not arrive in time"
	case errors.Is(err, syscall.ENOSPC):
		s.log.Error("the disk is full", zap.Error(err))
		return http.StatusInsufficientStorage, "the daemon's disk is full"
	case errors.As(err, &broken):
		return http.StatusBadRequest, "the body cannot be read: " + broken.err.Error()
	case errors.Is(err, context.Canceled), r.Context().Err() != nil:
		return http.StatusBadRequest, "the request ended before it was answered"
	}
	s.log.Error("request failed", zap.String("method", r.Method), zap.String("path", r.URL.Path), zap.Error(err))
	return http.StatusInternalServerError, "the daemon could not do it; its log says why"
}

// writeProblem answers with an error.
func (s *Server) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	status, detail := s.explain(r, err)
	header := w.Header()
	var p *problem
	if errors.As(err, &p) && p.retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(p.retryAfter.Seconds())))
	}
	header.Set("Content-Type", "application/problem+json")
	for _, name := range []string{"Etag", "Cache-Control", "Content-Disposition", "Location"} {
		header.Del(name)
	}
	w.WriteHeader(status)
	writeBody(w, r, api.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail})
}

func writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(status)
	writeBody(w, r, v)
}

var jsonType = []string{"application/json"}

// writeBody ignores errors of writing: only a client that is gone makes them.
func writeBody(w io.Writer, r *http.Request, v any) {
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(v)
	}
}

const (
	jsonLimit    = 1 << 20          // bytes of a JSON body
	bodyDeadline = 10 * time.Second // for a JSON body to arrive
)

// readJSON reads a body of JSON into v, strictly: one value, no unknown names.
// At most bodySlots bodies are held at a time, which bounds the memory.
func (s *Server) readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	if err := checkJSON(r); err != nil {
		return err
	}
	body, err := s.readBody(w, r, nil)
	if err != nil {
		return err
	}
	return decodeStrictly(body, v)
}

func checkJSON(r *http.Request) error {
	if r.Header.Get("Content-Type") == "application/json" {
		return nil // as nearly all have it
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return problemf(http.StatusUnsupportedMediaType, "the body has to be application/json, not %q", r.Header.Get("Content-Type"))
	}
	return nil
}

// bodyError is an error of reading a request's body: its sender's.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// requestBody marks errors of reading, wherever they surface.
type requestBody struct{ io.Reader }

func (b requestBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &bodyError{err}
	}
	return n, err
}

// readBody reads a body, into room where it fits.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, room []byte) ([]byte, error) {
	if r.ContentLength > jsonLimit {
		// A connection closed on who still sends would take the answer with it.
		if r.ContentLength <= 4*jsonLimit && r.Header.Get("Expect") == "" {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyDeadline))
			_, _ = io.Copy(io.Discard, r.Body)
		}
		return nil, &http.MaxBytesError{Limit: jsonLimit}
	}
	select {
	case s.bodies <- struct{}{}:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	defer func() { <-s.bodies }()
	if r.ContentLength != 0 {
		// Some writers, such as those of tests, have no deadlines.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyDeadline))
	}
	body := requestBody{http.MaxBytesReader(w, r.Body, jsonLimit)}
	if r.ContentLength < 0 {
		return io.ReadAll(body)
	}
	whole := slices.Grow(room[:0], int(r.ContentLength))[:r.ContentLength]
	_, err := io.ReadFull(body, whole)
	return whole, err
}

// decodeStrictly says what is wrong with a body and where.
func decodeStrictly(body []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(v)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		return problemf(http.StatusBadRequest, "the body goes on after its JSON object")
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return problemf(http.StatusBadRequest, "the body is no JSON: %v at byte %d", err, syntax.Offset)
	case errors.As(err, &kind):
		return problemf(http.StatusBadRequest, "the body: %s cannot be a %s", cmp.Or(kind.Field, "the whole"), kind.Value)
	case errors.Is(err, io.EOF):
		return problemf(http.StatusBadRequest, "the body is empty; a JSON object is needed")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return problemf(http.StatusBadRequest, "the body is no JSON: it ends too early")
	}
	return problemf(http.StatusBadRequest, "the body: %s", strings.TrimPrefix(err.Error(), "json: "))
}
