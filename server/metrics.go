package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"github.com/hwprofd/hwprofd/server/api"
)

// metrics are what Prometheus reads. What the daemon knows anyway is looked up
// when it asks; only events are counted as they come.
type metrics struct {
	server   *Server
	handler  http.Handler
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	jobs     *prometheus.HistogramVec
}

var (
	jobsDesc    = prometheus.NewDesc("hwprofd_jobs", "Jobs by state.", []string{"state"}, nil)
	rowsDesc    = prometheus.NewDesc("hwprofd_lut_rows", "Rows of a latency table.", []string{"lut"}, nil)
	stableDesc  = prometheus.NewDesc("hwprofd_lut_stable_ratio", "Share of a table's rows whose interval is as narrow as asked.", []string{"lut"}, nil)
	oldestDesc  = prometheus.NewDesc("hwprofd_lut_oldest_row_timestamp_seconds", "When the oldest row of a latency table was measured.", []string{"lut"}, nil)
	newestDesc  = prometheus.NewDesc("hwprofd_lut_newest_row_timestamp_seconds", "When the newest row of a latency table was measured.", []string{"lut"}, nil)
	driftDesc   = prometheus.NewDesc("hwprofd_drift_statistic", "CUSUM of a workload of the watch, as a share of the limit: an alarm is raised beyond 1 (slower) and -1 (faster).", []string{"workload"}, nil)
	alarmDesc   = prometheus.NewDesc("hwprofd_drift_last_alarm_timestamp_seconds", "When the watch last found that the machine's speed changed.", nil, nil)
	versionDesc = prometheus.NewDesc("hwprofd_build_info", "Always 1; the label says which version runs.", []string{"version"}, nil)
)

func newMetrics(s *Server) *metrics {
	m := &metrics{
		server: s,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hwprofd_http_requests_total", Help: "Requests by route and status code.",
		}, []string{"route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hwprofd_http_request_duration_seconds", Help: "Time to answer a request, by route.",
			Buckets: []float64{0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10},
		}, []string{"route"}),
		jobs: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hwprofd_job_duration_seconds", Help: "Time that a job ran, by kind and state at its end.",
			Buckets: []float64{1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 30000},
		}, []string{"kind", "state"}),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(m, m.requests, m.seconds, m.jobs,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: zap.NewStdLog(s.log)})
	return m
}

// Describe makes metrics a prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{jobsDesc, rowsDesc, stableDesc, oldestDesc, newestDesc, driftDesc, alarmDesc, versionDesc} {
		ch <- d
	}
}

// Collect makes metrics a prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	states := map[string]int{api.Queued: 0, api.Running: 0, api.Done: 0, api.Failed: 0, api.Cancelled: 0}
	for _, job := range m.server.queue.list("") {
		states[job.State]++
	}
	for state, n := range states {
		gauge(jobsDesc, float64(n), state)
	}
	if d, err := m.server.drift(); err == nil {
		for _, c := range d.Charts {
			gauge(driftDesc, c.Statistic/c.Limit, c.Workload)
		}
		if n := len(d.Alarms); n > 0 {
			gauge(alarmDesc, unixSeconds(d.Alarms[n-1].At))
		}
	}
	gauge(versionDesc, 1, m.server.options.Version)
	tables, err := m.server.luts.list(m.server.badTable)
	if err != nil {
		m.server.log.Error("tables not listed", zap.Error(err))
	}
	for _, t := range tables {
		gauge(rowsDesc, float64(t.Rows), t.Name)
		if t.Rows == 0 {
			continue
		}
		gauge(stableDesc, t.StableShare, t.Name)
		gauge(oldestDesc, unixSeconds(t.OldestRow), t.Name)
		gauge(newestDesc, unixSeconds(t.NewestRow), t.Name)
	}
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (m *metrics) jobEnded(kind, state string, took time.Duration) {
	m.jobs.WithLabelValues(kind, state).Observe(took.Seconds())
}

// count counts the requests of a route and their time.
func (m *metrics) count(route string, next http.Handler) http.Handler {
	seconds := m.seconds.WithLabelValues(route)
	ok := m.requests.WithLabelValues(route, "200")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)
		seconds.Observe(time.Since(begin).Seconds())
		if recorder.status == http.StatusOK {
			ok.Inc()
			return
		}
		m.requests.WithLabelValues(route, strconv.Itoa(recorder.status)).Inc()
	})
}

// statusRecorder remembers the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (s *Server) getMetrics(w http.ResponseWriter, r *http.Request) error {
	s.metrics.handler.ServeHTTP(w, r)
	return nil
}

// badTable logs a file that is no sound table.
func (s *Server) badTable(err error) { s.log.Warn("a table cannot be read", zap.Error(err)) }
