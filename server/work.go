package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/server/api"
)

var errCancelled = errors.New("cancelled")

// work does the jobs, one after the other, until ctx ends.
func (s *Server) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.queue.wake:
		}
		for ctx.Err() == nil {
			job, ok := s.queue.next()
			if !ok {
				break
			}
			if !s.wait(ctx, job) {
				continue // cancelled, or the daemon ends
			}
			s.do(ctx, job.ID)
		}
		trim()
	}
}

// do does one job and keeps what came of it.
func (s *Server) do(daemon context.Context, id uint64) {
	ctx, cancel := context.WithCancelCause(daemon)
	defer cancel(nil)
	job, err := s.queue.change(id, nil, func(job *api.Job) error {
		if job.State != api.Queued {
			return errCancelled
		}
		started := now()
		job.State, job.Attempts, job.Waiting = api.Running, job.Attempts+1, ""
		if job.Started == nil {
			job.Started = &started
		}
		return nil
	})
	if err != nil {
		if !errors.Is(err, errCancelled) {
			s.log.Error("job not started", zap.Uint64("job", id), zap.Error(err))
			// The disk may be full: trying at once again would not help.
			pause(daemon, time.Minute)
		}
		return
	}
	s.setRunning(id, cancel)
	defer s.setRunning(0, nil)
	log := s.log.With(zap.Uint64("job", id), zap.String("kind", job.Spec.Kind))
	log.Info("job started", zap.Int("attempt", job.Attempts))
	begin := time.Now()
	result, err := s.perform(ctx, &job)
	if err != nil && daemon.Err() != nil {
		// The job waits for the next daemon.
		log.Info("job interrupted")
		return
	}
	state, said := api.Done, ""
	switch {
	case errors.Is(context.Cause(ctx), errCancelled) && err != nil:
		state = api.Cancelled
	case err != nil:
		state, said = api.Failed, err.Error()
	}
	if err := s.finish(id, state, said, result); err != nil {
		log.Error("job's end not kept", zap.Error(err))
		state, said = api.Failed, "its result could not be kept: "+err.Error()
		if err := s.finish(id, state, said, nil); err != nil {
			s.queue.update(id, func(job *api.Job) { job.State, job.Error = state, said })
		}
	}
	s.metrics.jobEnded(job.Spec.Kind, state, time.Since(begin))
	if state != api.Failed {
		// The journal of a profile that failed may be worth more than its space.
		if err := os.RemoveAll(s.workDir(id)); err != nil {
			log.Warn("folder of the job not removed", zap.Error(err))
		}
	}
	log.Info("job ended", zap.String("state", state), zap.String("error", said), zap.Duration("took", time.Since(begin)))
}

func (s *Server) finish(id uint64, state, said string, result any) error {
	var encoded json.RawMessage
	if state == api.Done {
		var err error
		if encoded, err = json.Marshal(result); err != nil {
			return err
		}
	}
	_, err := s.queue.change(id, encoded, func(job *api.Job) error {
		finished := now()
		job.State, job.Error, job.Finished, job.Progress = state, said, &finished, nil
		return nil
	})
	return err
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (s *Server) setRunning(id uint64, cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.cancelRunning = id, cancel
}

// cancel ends a job that waits or runs.
func (s *Server) cancel(id uint64) (api.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == id && s.cancelRunning != nil {
		s.cancelRunning(errCancelled)
		return s.queue.get(id, false)
	}
	job, err := s.queue.change(id, nil, func(job *api.Job) error {
		if job.Ended() {
			return problemf(409, "job %d is %s already", id, job.State)
		}
		finished := now()
		job.State, job.Waiting, job.Finished = api.Cancelled, "", &finished
		return nil
	})
	if err == nil {
		s.queue.poke()
	}
	return job, err
}

func (s *Server) workDir(id uint64) string {
	return filepath.Join(s.options.Dir, "work", strconv.FormatUint(id, 10))
}

// perform does what a job asks for and returns its result.
func (s *Server) perform(ctx context.Context, job *api.Job) (any, error) {
	dir := s.workDir(job.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	files, err := s.linkModels(dir, job.Spec.Models)
	if err != nil {
		return nil, err
	}
	switch job.Spec.Kind {
	case api.Profile:
		return s.profile(ctx, job, dir, files)
	case api.Measure:
		return s.measureAll(ctx, job, dir, files)
	case api.Predict:
		return s.predictAll(ctx, job.Spec)
	case api.Evaluate:
		return s.evaluate(ctx, job, dir, files)
	case api.Watch:
		return s.check(ctx, job, dir)
	}
	return nil, fmt.Errorf("there is no job of kind %q", job.Spec.Kind)
}

// linkModels gives the models their names within dir, which become the names
// of networks in tables. A model can be removed meanwhile.
func (s *Server) linkModels(dir string, digests []string) ([]string, error) {
	var files []string
	for _, digest := range digests {
		model, err := s.models.get(digest)
		if err != nil {
			return nil, err
		}
		name := model.Name
		if !strings.HasSuffix(name, ".onnx") {
			name += ".onnx"
		}
		for n := 2; slices.Contains(files, name); n++ {
			name = fmt.Sprintf("%s-%d.onnx", strings.TrimSuffix(model.Name, ".onnx"), n)
		}
		files = append(files, name)
		path := filepath.Join(dir, name)
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if os.Link(s.models.path(digest), path) == nil {
			continue
		}
		if err := copyFile(path, s.models.path(digest)); err != nil { // no hard links here, as on Android
			return nil, err
		}
	}
	return files, nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func (s *Server) child(job *api.Job, dir string, args ...string) *child {
	return &child{
		executable: s.options.Executable, dir: dir, args: args,
		progress: func(p api.Progress) {
			s.queue.update(job.ID, func(job *api.Job) { job.Progress = &p })
		},
		message: func(text string) {
			s.queue.update(job.ID, func(job *api.Job) {
				if len(job.Messages) < 20 {
					job.Messages = append(slices.Clone(job.Messages), text)
				}
			})
		},
	}
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).String()
}

// profile measures into a file of the job's folder, which a daemon that was
// killed goes on with, and moves the table to its place at the end.
func (s *Server) profile(ctx context.Context, job *api.Job, dir string, files []string) (any, error) {
	path := filepath.Join(dir, "table"+tableSuffix)
	// The table may be whole, and only its move be left to do.
	_, table, err := readLUT(path)
	if err == nil && len(job.Spec.Known) > 0 && !slices.ContainsFunc(table.Rows, func(r lut.Row) bool { return r.Predicted() }) {
		// What is measured is all that it has.
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		err = fs.ErrNotExist
	}
	if err != nil {
		args := []string{"profile", "-o", filepath.Base(path), "--resume", "--budget", seconds(job.Spec.BudgetSeconds), "--seed", strconv.FormatUint(job.Spec.Seed, 10)}
		if job.Spec.Space != "" {
			args = append(args, "--space", job.Spec.Space)
		}
		for _, file := range files {
			args = append(args, "--model", file)
		}
		for _, name := range job.Spec.Known {
			args = append(args, "--known", s.luts.path(name), "--rows", strconv.Itoa(job.Spec.Rows))
		}
		if _, err := s.child(job, dir, args...).run(ctx); err != nil {
			return nil, err
		}
	}
	info, _, err := s.luts.publish(path, job.Spec.LUT, job.Spec.Replace)
	if err != nil {
		return nil, err
	}
	s.queue.update(job.ID, func(job *api.Job) { job.Progress = &api.Progress{Share: 1, Step: "learn from the table"} })
	if _, err := s.fits.get(ctx, info); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		s.queue.update(job.ID, func(job *api.Job) {
			job.Messages = append(slices.Clone(job.Messages), "no predictions by this table: "+err.Error())
		})
	}
	return info, nil
}

// measurement is what is read of what measure --json prints.
type measurement struct {
	Network   string  `json:"network"`
	MedianNS  float64 `json:"median_ns"`
	CI95NS    float64 `json:"ci95_ns"`
	Workloads []struct {
		Node     string  `json:"node"`
		Workload string  `json:"workload"`
		MedianNS float64 `json:"median_ns"`
	} `json:"workloads"`
}

func (s *Server) measure(ctx context.Context, job *api.Job, dir, file string, done, of int) (json.RawMessage, error) {
	s.queue.update(job.ID, func(job *api.Job) {
		job.Progress = &api.Progress{
			Share: float64(done) / float64(of), LeftSeconds: float64(of-done) * job.Spec.BudgetSeconds,
			Step: fmt.Sprintf("model %d of %d", done+1, of), Now: file,
		}
	})
	out, err := s.child(job, dir, "measure", "--json", "--model", file, "--budget", seconds(job.Spec.BudgetSeconds), "--threads", strconv.Itoa(job.Spec.Threads)).run(ctx)
	if err != nil {
		return nil, err
	}
	if !json.Valid(out) {
		return nil, fmt.Errorf("measure printed no JSON for %s", file)
	}
	return out, nil
}

func (s *Server) measureAll(ctx context.Context, job *api.Job, dir string, files []string) (any, error) {
	var all []json.RawMessage
	for i, file := range files {
		one, err := s.measure(ctx, job, dir, file, i, len(files))
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func (s *Server) predictAll(ctx context.Context, spec api.JobSpec) (any, error) {
	var all []*api.Prediction
	for _, digest := range spec.Models {
		one, err := s.oracle.predict(ctx, api.PredictRequest{LUT: spec.LUT, Model: digest}, untilDone)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// evaluate measures models and puts predictions beside, scaled to the clock of now.
func (s *Server) evaluate(ctx context.Context, job *api.Job, dir string, files []string) (any, error) {
	evaluation := &api.Evaluation{LUT: job.Spec.LUT, Models: []api.Comparison{}}
	var errs []float64
	inside := 0
	table, err := s.luts.get(job.Spec.LUT)
	if err != nil {
		return nil, err
	}
	here, err := device.Detect()
	if err != nil {
		return nil, err
	}
	if isOf(table, here) {
		if evaluation.Clock, err = s.measureClock(ctx, job, dir, table); err != nil {
			return nil, err
		}
	}
	for i, file := range files {
		out, err := s.measure(ctx, job, dir, file, i, len(files))
		if err != nil {
			return nil, err
		}
		var measured measurement
		if err := json.Unmarshal(out, &measured); err != nil {
			return nil, fmt.Errorf("what measure printed for %s: %w", file, err)
		}
		predicted, err := s.oracle.predict(ctx, api.PredictRequest{LUT: job.Spec.LUT, Model: job.Spec.Models[i]}, untilDone)
		if err != nil {
			return nil, err
		}
		c := compare(file, predicted, measured)
		evaluation.Models = append(evaluation.Models, c)
		errs = append(errs, math.Abs(c.Error))
		if c.LowNS <= c.MeasuredNS && c.MeasuredNS <= c.HighNS {
			inside++
		}
	}
	slices.Sort(errs)
	n := len(errs)
	evaluation.MedianError = (errs[(n-1)/2] + errs[n/2]) / 2
	evaluation.Coverage = float64(inside) / float64(n)
	return evaluation, nil
}

// compare puts a prediction beside a measurement, layer by layer. The same
// workload costs the same wherever it stands, so that the name is enough.
func compare(network string, p *api.Prediction, m measurement) api.Comparison {
	c := api.Comparison{
		Network: network, PredictedNS: p.LatencyNS, LowNS: p.LowNS, HighNS: p.HighNS,
		MeasuredNS: m.MedianNS, CI95NS: m.CI95NS, Error: p.LatencyNS/m.MedianNS - 1,
		Layers: make([]api.ComparedLayer, len(m.Workloads)),
	}
	parts := map[string]*api.Part{}
	for i := range p.Parts {
		parts[p.Parts[i].Workload] = &p.Parts[i]
	}
	for i, w := range m.Workloads {
		layer := api.ComparedLayer{Node: w.Node, Workload: w.Workload, MeasuredNS: w.MedianNS}
		if part := parts[w.Workload]; part != nil {
			layer.PredictedNS, layer.Source = &part.LatencyNS, part.Source
		}
		c.Layers[i] = layer
	}
	return c
}
