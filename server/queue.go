package server

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/hwprofd/hwprofd/server/api"
)

const (
	maxQueued = 1000 // jobs that wait
	maxEnded  = 1000 // jobs that are kept after their end
)

var (
	jobsBucket    = []byte("jobs")
	resultsBucket = []byte("results")
)

// queue holds the jobs: on disk, so that they survive, and without their
// results in memory. What the disk has is changed first; progress is only in
// memory.
type queue struct {
	db *bbolt.DB

	mu       sync.Mutex
	jobs     map[uint64]*api.Job
	watchers map[uint64]map[chan struct{}]bool
	wake     chan struct{} // has room for one: the queue may have work
}

// openQueue opens the queue at path. Jobs that ran when the last daemon ended
// wait again.
func openQueue(path string) (*queue, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is in use: another daemon serves this directory", path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	q := &queue{db: db, jobs: map[uint64]*api.Job{}, watchers: map[uint64]map[chan struct{}]bool{}, wake: make(chan struct{}, 1)}
	err = db.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists(resultsBucket); err != nil {
			return err
		}
		jobs, err := tx.CreateBucketIfNotExists(jobsBucket)
		if err != nil {
			return err
		}
		return jobs.ForEach(func(key, value []byte) error {
			job := new(api.Job)
			if err := json.Unmarshal(value, job); err != nil {
				return fmt.Errorf("job %x: %w", key, err)
			}
			if job.State == api.Running {
				job.State = api.Queued
			}
			q.jobs[job.ID] = job
			return nil
		})
	})
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	q.poke()
	return q, nil
}

func (q *queue) close() error { return q.db.Close() }

func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func jobKey(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

// put writes a job to disk. q.mu is held.
func put(tx *bbolt.Tx, job *api.Job) error {
	stored := *job
	stored.Progress, stored.Waiting, stored.Result = nil, "", nil
	value, err := json.Marshal(&stored)
	if err != nil {
		return err
	}
	return tx.Bucket(jobsBucket).Put(jobKey(job.ID), value)
}

func (q *queue) add(spec api.JobSpec) (api.Job, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting, ended := 0, []uint64{}
	for id, job := range q.jobs {
		if job.State == api.Queued {
			waiting++
		} else if job.Ended() {
			ended = append(ended, id)
		}
	}
	if waiting >= maxQueued {
		return api.Job{}, problemf(http.StatusTooManyRequests, "%d jobs wait already: cancel some, or try again later", waiting)
	}
	slices.Sort(ended)
	old := ended[:max(0, len(ended)-maxEnded)]
	job := &api.Job{Spec: spec, State: api.Queued, Created: now()}
	err := q.db.Update(func(tx *bbolt.Tx) error {
		for _, id := range old {
			if err := errors.Join(tx.Bucket(jobsBucket).Delete(jobKey(id)), tx.Bucket(resultsBucket).Delete(jobKey(id))); err != nil {
				return err
			}
		}
		var err error
		if job.ID, err = tx.Bucket(jobsBucket).NextSequence(); err != nil {
			return err
		}
		return put(tx, job)
	})
	if err != nil {
		return api.Job{}, err
	}
	for _, id := range old {
		delete(q.jobs, id)
	}
	q.jobs[job.ID] = job
	q.poke()
	return *job, nil
}

// get returns a copy of a job, with its result if it is asked for.
func (q *queue) get(id uint64, withResult bool) (api.Job, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	job, ok := q.jobs[id]
	if !ok {
		return api.Job{}, problemf(http.StatusNotFound, "there is no job %d", id)
	}
	got := *job
	if !withResult || !job.Ended() {
		return got, nil
	}
	err := q.db.View(func(tx *bbolt.Tx) error {
		got.Result = slices.Clone(tx.Bucket(resultsBucket).Get(jobKey(id)))
		return nil
	})
	return got, err
}

// list returns the jobs in a state, or all, the latest first.
func (q *queue) list(state string) []api.Job {
	q.mu.Lock()
	defer q.mu.Unlock()
	jobs := []api.Job{}
	for job := range maps.Values(q.jobs) {
		if state == "" || job.State == state {
			jobs = append(jobs, *job)
		}
	}
	slices.SortFunc(jobs, func(a, b api.Job) int { return cmp.Compare(b.ID, a.ID) })
	return jobs
}

// next returns the job that waits longest.
func (q *queue) next() (api.Job, bool) {
	waiting := q.list(api.Queued)
	if len(waiting) == 0 {
		return api.Job{}, false
	}
	return waiting[len(waiting)-1], true
}

// change changes a job on disk and in memory, unless change refuses.
func (q *queue) change(id uint64, result json.RawMessage, change func(*api.Job) error) (api.Job, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	job, ok := q.jobs[id]
	if !ok {
		return api.Job{}, problemf(http.StatusNotFound, "there is no job %d", id)
	}
	changed := *job
	if err := change(&changed); err != nil {
		return api.Job{}, err
	}
	err := q.db.Update(func(tx *bbolt.Tx) error {
		if result != nil {
			if err := tx.Bucket(resultsBucket).Put(jobKey(id), result); err != nil {
				return err
			}
		}
		return put(tx, &changed)
	})
	if err != nil {
		return api.Job{}, err
	}
	q.jobs[id] = &changed
	q.tell(id)
	return changed, nil
}

// update changes a job in memory only.
func (q *queue) update(id uint64, change func(*api.Job)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if job, ok := q.jobs[id]; ok {
		changed := *job
		change(&changed)
		q.jobs[id] = &changed
		q.tell(id)
	}
}

// remove forgets a job that has ended.
func (q *queue) remove(id uint64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	job, ok := q.jobs[id]
	if !ok {
		return problemf(http.StatusNotFound, "there is no job %d", id)
	}
	if !job.Ended() {
		return problemf(http.StatusConflict, "job %d is %s: cancel it first", id, job.State)
	}
	err := q.db.Update(func(tx *bbolt.Tx) error {
		return errors.Join(tx.Bucket(jobsBucket).Delete(jobKey(id)), tx.Bucket(resultsBucket).Delete(jobKey(id)))
	})
	if err != nil {
		return err
	}
	delete(q.jobs, id)
	q.tell(id)
	return nil
}

// watch returns a channel that says when the job has changed. Changes while
// nobody looks are one.
func (q *queue) watch(id uint64) (changes <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.watchers[id] == nil {
		q.watchers[id] = map[chan struct{}]bool{}
	}
	q.watchers[id][ch] = true
	return ch, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.watchers[id], ch)
		if len(q.watchers[id]) == 0 {
			delete(q.watchers, id)
		}
	}
}

// tell says that a job has changed. q.mu is held.
func (q *queue) tell(id uint64) {
	for ch := range q.watchers[id] {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// now has the resolution that is written.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
