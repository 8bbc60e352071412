package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"
	"golang.org/x/perf/benchfmt"
	"gonum.org/v1/gonum/stat"

	"github.com/hwprofd/hwprofd/server/api"
)

// panel are the workloads of a check, of those that 'hwprofd bench' measures:
// bound by arithmetic, by the caches, and by memory twice.
var panel = []string{
	"conv2d/f32/n1c64h56w56/k64r3s3/stride1.pad1.dil1.group1/relu",
	"linear/f32/n196c768/k768/none",
	"conv2d/f32/n1c72h56w56/k72r3s3/stride1.pad1.dil1.group72/relu",
	"linear/f32/n1c2048/k1000/none",
	"add/f32/n1c256h56w56/k256r56s56/relu",
}

const (
	checkCount  = 9
	checkSample = 20 * time.Millisecond
)

var (
	driftBucket = []byte("drift")
	driftKey    = []byte("state")
)

// drift reads the state of the watch.
func (s *Server) drift() (api.Drift, error) {
	d := api.Drift{Checks: []api.Check{}, Charts: []api.DriftChart{}, Alarms: []api.DriftAlarm{}}
	err := s.queue.db.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(driftBucket)
		if bucket == nil {
			return nil
		}
		return json.Unmarshal(bucket.Get(driftKey), &d)
	})
	return d, err
}

func (s *Server) keepDrift(d *api.Drift) error {
	state, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return s.queue.db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucketIfNotExists(driftBucket)
		if err != nil {
			return err
		}
		return bucket.Put(driftKey, state)
	})
}

// scheduleChecks submits a check now and then until ctx ends, unless one waits
// already. The first comes when the last is as old as the interval.
func (s *Server) scheduleChecks(ctx context.Context) {
	if s.options.WatchEvery <= 0 {
		return
	}
	wait := time.Duration(0)
	if d, err := s.drift(); err == nil && len(d.Checks) > 0 {
		wait = max(0, s.options.WatchEvery-time.Since(d.Checks[len(d.Checks)-1].At))
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = s.options.WatchEvery
		waits := slices.ContainsFunc(s.queue.list(""), func(job api.Job) bool { return job.Spec.Kind == api.Watch && !job.Ended() })
		if waits {
			continue
		}
		if _, err := s.queue.add(api.JobSpec{Kind: api.Watch}); err != nil {
			s.log.Error("check not queued", zap.Error(err))
		}
	}
}

// check measures the panel and looks whether the machine's speed changed, and the
// clock since each of its tables was measured.
func (s *Server) check(ctx context.Context, job *api.Job, dir string) (any, error) {
	var names []string
	for _, name := range panel {
		names = append(names, regexp.QuoteMeta(name))
	}
	child := s.child(job, dir, "bench", "--workloads", "^("+strings.Join(names, "|")+")$", "--count", fmt.Sprint(checkCount), "--sample", checkSample.String())
	out, err := child.run(ctx)
	if err != nil {
		return nil, err
	}
	medians, err := readBench(out)
	if err != nil {
		return nil, err
	}
	clocks, err := s.measureClocks(ctx, job, dir)
	if err != nil {
		return nil, err
	}
	d, err := s.drift()
	if err != nil {
		return nil, err
	}
	check := api.Check{At: now(), Medians: medians, Facts: driftFacts(), Clocks: clocks}
	alarm := observe(&d, check)
	if err := s.keepDrift(&d); err != nil {
		return nil, err
	}
	if alarm != nil {
		s.log.Warn("the machine's speed changed", zap.Any("alarm", alarm))
	}
	return check, nil
}

// readBench returns the median time of each workload of the output of bench.
func readBench(out []byte) ([]api.PanelMedian, error) {
	times := map[string][]float64{}
	var order []string
	reader := benchfmt.NewReader(bytes.NewReader(out), "bench")
	for reader.Scan() {
		result, ok := reader.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		seconds, ok := result.Value("sec/op")
		if !ok {
			continue
		}
		_, name, ok := strings.Cut(string(result.Name), "/")
		if !ok {
			continue
		}
		if times[name] == nil {
			order = append(order, name)
		}
		times[name] = append(times[name], 1e9*seconds)
	}
	if err := reader.Err(); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(order) == 0 {
		return nil, errors.New("bench measured nothing of the panel")
	}
	medians := make([]api.PanelMedian, len(order))
	for i, name := range order {
		slices.Sort(times[name])
		medians[i] = api.PanelMedian{Workload: name, NS: stat.Quantile(0.5, stat.Empirical, times[name], nil)}
	}
	return medians, nil
}

func (s *Server) getDrift(w http.ResponseWriter, r *http.Request) error {
	d, err := s.drift()
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, d)
	return nil
}

// driftPage is the watch as a page shows it.
type driftPage struct {
	page
	Watching string // how often, empty where not
	Drift    api.Drift
	Alarms   []api.DriftAlarm // the latest first
	Charts   []seriesChart
	Running  []api.Job
	Needed   int // checks that are missing until a change can be told
}

func (s *Server) driftPage(w http.ResponseWriter, r *http.Request) error {
	d, err := s.drift()
	if err != nil {
		return err
	}
	data := driftPage{page: s.page("Drift", "drift"), Drift: d, Alarms: slices.Clone(d.Alarms)}
	slices.Reverse(data.Alarms)
	if s.options.WatchEvery > 0 {
		data.Watching = s.options.WatchEvery.String()
	}
	for _, job := range s.queue.list("") {
		if job.Spec.Kind == api.Watch && !job.Ended() {
			data.Running, data.Live = append(data.Running, job), true
		}
	}
	compared := 0
	for _, c := range d.Checks {
		if c.At.After(d.Begun) {
			compared++
		}
	}
	data.Needed = max(0, warmUp+1-compared)
	for _, c := range d.Charts {
		data.Charts = append(data.Charts, drawSeries(&d, c))
	}
	return s.render(w, r, http.StatusOK, "drift", data)
}
