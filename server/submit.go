package server

import (
	"cmp"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hwprofd/hwprofd/server/api"
)

const (
	maxBudget     = 7 * 24 * time.Hour
	maxThreads    = 1024
	maxJobModels  = 1000
	maxKnownLUTs  = 100
	maxKnownRows  = 100000
	knownRows     = 10 // that a profile measures beside known tables
	profileBudget = 5 * time.Minute
	measureBudget = 2 * time.Second
)

// submit checks a job, fills in what it leaves out and queues it. What it needs
// has to be there by now, so that it does not fail in the night.
func (s *Server) submit(spec api.JobSpec) (api.Job, error) {
	if err := s.accept(spec); err != nil {
		return api.Job{}, err
	}
	if spec.Kind == api.Watch {
		return s.queue.add(spec)
	}
	budget := measureBudget
	if spec.Kind == api.Profile {
		budget, spec.Seed = profileBudget, max(spec.Seed, 1)
		if len(spec.Known) > 0 {
			spec.Rows = cmp.Or(spec.Rows, knownRows)
		}
	} else if spec.Kind != api.Predict {
		spec.Threads = max(spec.Threads, 1)
	}
	if spec.Kind != api.Predict {
		spec.BudgetSeconds = cmp.Or(spec.BudgetSeconds, budget.Seconds())
	}
	job, err := s.queue.add(spec)
	if err == nil {
		s.log.Info("job queued", zap.Uint64("job", job.ID), zap.String("kind", spec.Kind))
	}
	return job, err
}

// retry queues a job again that failed or was cancelled. What it needs has to be
// there, as for a new one.
func (s *Server) retry(id uint64) (api.Job, error) {
	job, err := s.queue.get(id, false)
	if err != nil {
		return api.Job{}, err
	}
	again := func(job *api.Job) error {
		if job.State != api.Failed && job.State != api.Cancelled {
			return problemf(http.StatusConflict, "job %d is %s: only what failed or was cancelled is tried again", id, job.State)
		}
		job.State, job.Error, job.Messages, job.Started, job.Finished = api.Queued, "", nil, nil, nil
		return nil
	}
	if err := again(&job); err != nil {
		return api.Job{}, err
	}
	if err := s.accept(job.Spec); err != nil {
		return api.Job{}, err
	}
	if job, err = s.queue.change(id, nil, again); err != nil {
		return api.Job{}, err
	}
	s.queue.poke()
	s.log.Info("job queued again", zap.Uint64("job", id), zap.String("kind", job.Spec.Kind))
	return job, nil
}

// accept checks a job.
func (s *Server) accept(spec api.JobSpec) error {
	refuse := func(format string, args ...any) error {
		return problemf(http.StatusBadRequest, format, args...)
	}
	profile := spec.Kind == api.Profile
	if spec.Kind == api.Watch {
		if !reflect.DeepEqual(spec, api.JobSpec{Kind: api.Watch}) {
			return refuse("a watch takes nothing but its kind")
		}
		return nil
	}
	switch {
	case !slices.Contains([]string{api.Profile, api.Measure, api.Predict, api.Evaluate}, spec.Kind):
		return refuse("kind %q is none of profile, measure, predict, evaluate and watch", spec.Kind)
	case spec.LUT == "" && spec.Kind != api.Measure:
		return refuse("lut is missing: name the table")
	case spec.LUT != "" && spec.Kind == api.Measure:
		return refuse("lut does not go with a measure; evaluate compares with a table")
	case profile && sources(spec) != 1:
		return refuse("name what to profile: either space or models, or known tables of other devices")
	case !profile && (len(spec.Known) > 0 || spec.Rows != 0):
		return refuse("known and rows only go with a profile")
	case len(spec.Known) > maxKnownLUTs:
		return refuse("%d known tables are more than the %d that a job takes", len(spec.Known), maxKnownLUTs)
	case spec.Rows != 0 && (len(spec.Known) == 0 || spec.Rows < 3 || spec.Rows > maxKnownRows):
		return refuse("rows %d: with known tables, 3 to %d workloads are measured", spec.Rows, maxKnownRows)
	case !profile && len(spec.Models) == 0:
		return refuse("models is empty: name at least one by its digest")
	case !profile && (spec.Space != "" || spec.Replace || spec.Seed != 0):
		return refuse("space, replace and seed only go with a profile")
	case len(spec.Models) > maxJobModels:
		return refuse("%d models are more than the %d that a job takes", len(spec.Models), maxJobModels)
	case spec.Space != "" && !slices.Contains(s.options.Spaces, spec.Space):
		return refuse("there is no search space %q; there are %s", spec.Space, strings.Join(s.options.Spaces, ", "))
	case spec.BudgetSeconds < 0 || spec.BudgetSeconds > maxBudget.Seconds():
		return refuse("budget_seconds %v is outside 0 to %v", spec.BudgetSeconds, maxBudget.Seconds())
	case spec.BudgetSeconds != 0 && spec.BudgetSeconds < 0.01:
		return refuse("budget_seconds %v is too short: 0.01 is the least", spec.BudgetSeconds)
	case spec.Threads < 0 || spec.Threads > maxThreads:
		return refuse("threads %d is outside 1 to %d", spec.Threads, maxThreads)
	case spec.Threads > 1 && (profile || spec.Kind == api.Predict):
		return refuse("threads only goes with measure and evaluate")
	}
	for i, digest := range spec.Models {
		if _, err := s.models.get(digest); err != nil {
			return refuse("models[%d]: %w", i, err)
		}
	}
	for i, name := range spec.Known {
		if _, err := s.luts.get(name); err != nil {
			return refuse("known[%d]: %w", i, err)
		}
		if slices.Contains(spec.Known[:i], name) {
			return refuse("known[%d]: table %q is there twice", i, name)
		}
	}
	if spec.LUT != "" {
		if err := checkLUTName(spec.LUT); err != nil {
			return err
		}
		_, err := s.luts.get(spec.LUT)
		switch {
		case profile && err == nil && !spec.Replace:
			return problemf(http.StatusConflict, "there is a table %q already: set replace, or take another name", spec.LUT)
		case !profile && err != nil:
			return err
		}
	}
	return nil
}

// sources counts what a profile is told to measure by.
func sources(spec api.JobSpec) (n int) {
	for _, there := range []bool{spec.Space != "", len(spec.Models) > 0, len(spec.Known) > 0} {
		if there {
			n++
		}
	}
	return n
}
