package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	keepAlive     = 15 * time.Second // between comments on a stream that has no news
	eventDeadline = 10 * time.Second // for an event to be taken
)

// getEvents streams the states of a job as server-sent events: 'progress' with
// the job at each change, 'end' with the job once it has ended, and with it the
// stream.
func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) error {
	id, err := jobID(r)
	if err != nil {
		return err
	}
	if _, err := s.queue.get(id, false); err != nil {
		return err
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return problemf(http.StatusTooManyRequests, "%d event streams are open already", maxStreams)
	}
	changes, stop := s.queue.watch(id)
	defer stop()
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	quiet := time.NewTicker(keepAlive)
	defer quiet.Stop()
	for {
		job, err := s.queue.get(id, false)
		if err != nil {
			return nil // it was removed
		}
		event := "progress"
		if job.Ended() {
			event = "end"
		}
		data, err := json.Marshal(&job)
		if err != nil {
			return nil
		}
		_ = control.SetWriteDeadline(time.Now().Add(eventDeadline))
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, data); err != nil {
			return nil
		}
		if control.Flush() != nil || job.Ended() {
			return nil
		}
		for waiting := true; waiting; {
			select {
			case <-changes:
				waiting = false
			case <-quiet.C:
				_ = control.SetWriteDeadline(time.Now().Add(eventDeadline))
				if _, err := fmt.Fprint(w, ":\n\n"); err != nil || control.Flush() != nil {
					return nil
				}
			case <-r.Context().Done():
				return nil
			case <-s.streaming.Done():
				return nil
			}
		}
	}
}
