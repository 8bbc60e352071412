package server

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/hwprofd/hwprofd/server/api"
)

const (
	lookAgain  = 10 * time.Second // while a job waits for a quiet machine
	lookAtLoad = time.Second      // how long the load is looked at
)

// Hours is a part of the day in local time, in minutes from midnight: from From
// to To, over midnight where To is smaller. The zero value is the whole day.
type Hours struct{ From, To int }

// ParseHours parses text such as "22:00-06:00".
func ParseHours(text string) (Hours, error) {
	var h Hours
	var fromHour, fromMinute, toHour, toMinute int
	n, err := fmt.Sscanf(text, "%d:%d-%d:%d", &fromHour, &fromMinute, &toHour, &toMinute)
	canonical := fmt.Sprintf("%02d:%02d-%02d:%02d", fromHour, fromMinute, toHour, toMinute)
	if err != nil || n != 4 || canonical != text || fromHour > 23 || fromMinute > 59 || toHour > 23 || toMinute > 59 {
		return h, fmt.Errorf("%q is no part of a day: it has to be such as 22:00-06:00", text)
	}
	h.From, h.To = 60*fromHour+fromMinute, 60*toHour+toMinute
	if h.From == h.To {
		return h, fmt.Errorf("%q is no part of a day: it begins when it ends", text)
	}
	return h, nil
}

func (h Hours) String() string {
	return fmt.Sprintf("%02d:%02d-%02d:%02d", h.From/60, h.From%60, h.To/60, h.To%60)
}

// left is how long it is until the hours begin; 0 within them.
func (h Hours) left(t time.Time) time.Duration {
	if h == (Hours{}) {
		return 0
	}
	at := 60*t.Hour() + t.Minute()
	inside := h.From <= at && at < h.To
	if h.From > h.To {
		inside = at >= h.From || at < h.To
	}
	if inside {
		return 0
	}
	minutes := (h.From - at + 24*60) % (24 * 60)
	return time.Duration(minutes)*time.Minute - time.Duration(t.Second())*time.Second
}

// wait waits until the job may begin, and tells whether it may: it does not
// where it was cancelled or the daemon ends. Only measurements wait.
func (s *Server) wait(ctx context.Context, job api.Job) bool {
	if job.Spec.Kind == api.Predict {
		return ctx.Err() == nil
	}
	changes, stop := s.queue.watch(job.ID)
	defer stop()
	for {
		why, again := s.busy(ctx)
		if why == "" {
			return ctx.Err() == nil
		}
		s.queue.update(job.ID, func(job *api.Job) { job.Waiting = why })
		timer := time.NewTimer(again)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				timer.Stop()
				return false
			case <-timer.C:
				waiting = false
			case <-changes:
				if now, err := s.queue.get(job.ID, false); err != nil || now.State != api.Queued {
					timer.Stop()
					return false
				}
			}
		}
	}
}

// busy says why nothing is to be measured now, and when to look again.
func (s *Server) busy(ctx context.Context) (why string, again time.Duration) {
	if left := s.options.Hours.left(time.Now()); left > 0 {
		return "waits for the hours " + s.options.Hours.String(), min(left, time.Hour)
	}
	if s.fits.busy() {
		return "waits until hwprofd has learned from a table", time.Second
	}
	if s.options.MaxLoad <= 0 || s.options.MaxLoad >= 1 {
		return "", 0
	}
	load, ok := s.load(ctx)
	if ok && load > s.options.MaxLoad {
		return fmt.Sprintf("waits for a quiet machine: its processors are %.0f%% busy", 100*load), lookAgain
	}
	return "", 0
}

// machineLoad is the share of the processors' time that went to work in the
// next second. Unlike the load average it does not remember the daemon's own
// last measurement. ok is false where the system does not show it.
func machineLoad(ctx context.Context) (load float64, ok bool) {
	busy, all, ok := processorTime()
	if !ok {
		return 0, false
	}
	pause(ctx, lookAtLoad)
	busyNow, allNow, ok := processorTime()
	if !ok || allNow == all {
		return 0, false
	}
	return float64(busyNow-busy) / float64(allNow-all), true
}

// processorTime is the time, in ticks, that all processors worked, and in all.
func processorTime() (busy, all uint64, ok bool) {
	content, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, false
	}
	line, _, _ := bytes.Cut(content, []byte("\n"))
	fields := bytes.Fields(line)
	// cpu user nice system idle iowait irq softirq steal; guests are in user.
	if len(fields) < 9 || string(fields[0]) != "cpu" {
		return 0, 0, false
	}
	for i, field := range fields[1:9] {
		ticks, err := strconv.ParseUint(string(field), 10, 64)
		if err != nil {
			return 0, 0, false
		}
		all += ticks
		if i != 3 && i != 4 {
			busy += ticks
		}
	}
	return busy, all, true
}
