// Package api holds what goes over the wire between the daemon and its clients:
// the bodies of requests and answers of /api/v1, as JSON. The daemon serves
// their schema at /openapi.json. Times are in nanoseconds where a name ends in
// _ns, energies in millijoules, sizes in bytes, and moments in RFC 3339, UTC.
package api

import (
	"encoding/json"
	"time"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/lut"
)

// Kinds of jobs.
const (
	Profile  = "profile"  // measures workloads into a table
	Measure  = "measure"  // runs models
	Predict  = "predict"  // predicts models by a table
	Evaluate = "evaluate" // runs models, and predicts them by a table
	Watch    = "watch"    // measures a small panel and looks whether the machine's speed changed
)

// States of a job.
const (
	Queued    = "queued"
	Running   = "running"
	Done      = "done"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// JobSpec is a job to do.
type JobSpec struct {
	Kind string `json:"kind"`
	// LUT is the name of the table that a profile makes, and that predictions
	// are made by.
	LUT string `json:"lut,omitempty"`
	// Replace allows a profile to take the place of a table of that name.
	Replace bool `json:"replace,omitempty"`
	// Space is the search space whose workloads a profile measures.
	Space string `json:"space,omitempty"`
	// Models are digests of uploaded models.
	Models []string `json:"models,omitempty"`
	// Known are tables of other devices: a profile then measures Rows of the
	// workloads that they share, 10 unless told, and predicts the others.
	Known []string `json:"known,omitempty"`
	Rows  int      `json:"rows,omitempty"`
	// BudgetSeconds is the time to measure for: in all for a profile, a model
	// otherwise.
	BudgetSeconds float64 `json:"budget_seconds,omitempty"`
	// Threads to run models on.
	Threads int `json:"threads,omitempty"`
	// Seed of the choice and order of a profile's workloads.
	Seed uint64 `json:"seed,omitempty"`
}

// Progress is how far a running job is.
type Progress struct {
	Share       float64 `json:"share"` // 0 to 1
	LeftSeconds float64 `json:"left_seconds"`
	Step        string  `json:"step,omitempty"`
	Now         string  `json:"now,omitempty"` // what is being done
}

// Job is a job and what became of it.
type Job struct {
	ID       uint64     `json:"id"`
	Spec     JobSpec    `json:"spec"`
	State    string     `json:"state"`
	Created  time.Time  `json:"created"`
	Started  *time.Time `json:"started,omitempty"` // for the first time since it was queued
	Finished *time.Time `json:"finished,omitempty"`
	// Attempts counts starts: more than one where the daemon was killed, or the
	// job tried again.
	Attempts int       `json:"attempts"`
	Progress *Progress `json:"progress,omitempty"`
	// Waiting says why a queued job does not begin yet.
	Waiting string `json:"waiting,omitempty"`
	Error   string `json:"error,omitempty"`
	// Messages are what the work said that its user should know.
	Messages []string `json:"messages,omitempty"`
	// Result is only there where one job is asked for: of a profile the table's
	// [LUT], of a measure a list of measurements as 'hwprofd measure --json'
	// prints them, of a predict a list of [Prediction], of an evaluate
	// [Evaluation], of a watch a [Check].
	Result json.RawMessage `json:"result,omitempty"`
}

// Ended tells whether nothing more will happen to the job.
func (j Job) Ended() bool { return j.State != Queued && j.State != Running }

// Jobs is a list of jobs, the latest first.
type Jobs struct {
	Jobs []Job `json:"jobs"`
}

// Model is an uploaded ONNX model.
type Model struct {
	Digest   string    `json:"digest"` // SHA-256 of the file, in hexadecimal
	Name     string    `json:"name"`
	Bytes    int64     `json:"bytes"`
	Uploaded time.Time `json:"uploaded"`
	MACs     int64     `json:"macs"`
	Params   int64     `json:"parameters"`
	// Layers are what is left to run after all optimizations, in order; only
	// there where one model is asked for.
	Layers []Layer `json:"layers,omitempty"`
}

// Layer is a step of a model.
type Layer struct {
	Node     string `json:"node"`
	Operator string `json:"operator"`
	Workload string `json:"workload,omitempty"` // canonical name, empty where there is no work
	MACs     int64  `json:"macs"`
	Bytes    int64  `json:"bytes"`
}

// Workloads are the canonical names of the model's work, in order.
func (m *Model) Workloads() []string {
	var names []string
	for _, l := range m.Layers {
		if l.Workload != "" {
			names = append(names, l.Workload)
		}
	}
	return names
}

// Models is a list of models, by name.
type Models struct {
	Models []Model `json:"models"`
}

// LUT describes a table.
type LUT struct {
	Name        string    `json:"name"`
	ETag        string    `json:"etag"` // SHA-256 of the file, in hexadecimal
	Bytes       int64     `json:"bytes"`
	Rows        int       `json:"rows"`
	Networks    int       `json:"networks"`
	Device      string    `json:"device"` // fingerprint
	Processor   string    `json:"processor"`
	Runtime     string    `json:"runtime"`
	Threads     int       `json:"threads"`
	Created     time.Time `json:"created"`
	OldestRow   time.Time `json:"oldest_row"` // when measured; the zero time where there are no rows
	NewestRow   time.Time `json:"newest_row"`
	StableShare float64   `json:"stable_share"` // of the rows, 0 to 1
}

// LUTs is a list of tables, by name.
type LUTs struct {
	LUTs []LUT `json:"luts"`
}

// Rows is a part of a table's rows.
type Rows struct {
	Total int       `json:"total"` // that match
	Rows  []lut.Row `json:"rows"`
}

// Device is the machine that the daemon runs on.
type Device struct {
	Fingerprint string `json:"fingerprint"`
	Version     string `json:"version"` // of hwprofd
	device.Info
}

// PredictRequest asks for the cost of a network: of an uploaded model, or of a
// list of workloads that run one after the other.
type PredictRequest struct {
	LUT       string   `json:"lut"`
	Model     string   `json:"model,omitempty"` // digest
	Workloads []string `json:"workloads,omitempty"`
	// Coverage is how often the truth has to lie in the intervals, between 0 and 1;
	// 0 stands for 0.9.
	Coverage float64 `json:"coverage,omitempty"`
	// Suggest asks for so many measurements that would narrow the interval most.
	Suggest int `json:"suggest,omitempty"`
}

// Prediction is the predicted cost of a network.
type Prediction struct {
	Network      string   `json:"network,omitempty"`
	LUT          string   `json:"lut"`
	LatencyNS    float64  `json:"latency_ns"`
	LowNS        float64  `json:"latency_low_ns"`
	HighNS       float64  `json:"latency_high_ns"`
	Coverage     float64  `json:"coverage"` // probability of the interval
	Interval     string   `json:"interval"` // how it was made
	EnergyMJ     *float64 `json:"energy_mj"`
	EnergyLow    *float64 `json:"energy_low_mj,omitempty"`
	EnergyHigh   *float64 `json:"energy_high_mj,omitempty"`
	EnergySource string   `json:"energy_source,omitempty"`
	OverheadNS   float64  `json:"overhead_ns"` // beyond the sum of the parts
	// Clock is there where latencies were scaled to the device's speed of now.
	Clock       *Clock       `json:"clock,omitempty"`
	Suggestions []Suggestion `json:"suggestions,omitempty"`
	Parts       []Part       `json:"parts"`
}

// Suggestion is a workload whose measurement would narrow a prediction.
type Suggestion struct {
	Workload  string  `json:"workload"`
	Times     int     `json:"times"` // that the network does it
	LatencyNS float64 `json:"latency_ns"`
	Source    string  `json:"source"`
	// HalfWidth is that of the interval, relative, once this and those before are
	// measured.
	HalfWidth float64 `json:"half_width"`
}

// Clock is what became of the device's speed since a table was measured, as the
// table's calibration kernel shows.
type Clock struct {
	LUT      string    `json:"lut"`
	At       time.Time `json:"at"`     // of the measurement
	ThenNS   float64   `json:"lut_ns"` // the calibration kernel
	NowNS    float64   `json:"now_ns"`
	Factor   float64   `json:"factor"` // on latencies predicted by the table
	Rescaled bool      `json:"rescaled"`
}

// Part is a workload of a prediction.
type Part struct {
	Workload  string  `json:"workload"`
	LatencyNS float64 `json:"latency_ns"`
	Source    string  `json:"source"` // such as "table" or "regression": the sources of package predictor
	// Uncertainty is the standard deviation of the latency's logarithm.
	Uncertainty float64 `json:"uncertainty"`
}

// Evaluation is models predicted and measured.
type Evaluation struct {
	LUT         string       `json:"lut"`
	Models      []Comparison `json:"models"`
	MedianError float64      `json:"median_error"` // of |predicted - measured| / measured
	Coverage    float64      `json:"coverage"`     // share of the measurements inside their interval
	Clock       *Clock       `json:"clock,omitempty"`
}

// Comparison is a model predicted and measured.
type Comparison struct {
	Network     string          `json:"network"`
	PredictedNS float64         `json:"predicted_ns"`
	LowNS       float64         `json:"low_ns"`
	HighNS      float64         `json:"high_ns"`
	MeasuredNS  float64         `json:"measured_ns"`
	CI95NS      float64         `json:"ci95_ns"`
	Error       float64         `json:"error"` // signed, 0.03 for 3% too slow
	Layers      []ComparedLayer `json:"layers"`
}

// ComparedLayer is a layer predicted and measured; what has no workload is not
// predicted.
type ComparedLayer struct {
	Node        string   `json:"node"`
	Workload    string   `json:"workload"`
	PredictedNS *float64 `json:"predicted_ns"`
	Source      string   `json:"source,omitempty"`
	MeasuredNS  float64  `json:"measured_ns"`
}

// Problem is the body of an error, as RFC 9457 has it.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// RetryAfter, which comes as a header, is when to ask again, if that helps.
	RetryAfter time.Duration `json:"-"`
}

// Error makes a problem an error of the client.
func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return p.Title
}

// Drift is what the watch over the machine's speed knows.
type Drift struct {
	// Begun is when the watch began to compare: at the last alarm, if any.
	Begun  time.Time    `json:"begun"`
	Checks []Check      `json:"checks"` // the oldest first
	Charts []DriftChart `json:"charts"` // after the last check
	Alarms []DriftAlarm `json:"alarms"` // the oldest first
}

// Check is a measurement of the panel, with the facts that may change its speed.
type Check struct {
	At      time.Time         `json:"at"`
	Medians []PanelMedian     `json:"medians"`
	Facts   map[string]string `json:"facts"`
	Clocks  []Clock           `json:"clocks,omitempty"` // of the tables of this device
}

// PanelMedian is the time of a workload of the panel.
type PanelMedian struct {
	Workload string  `json:"workload"`
	NS       float64 `json:"ns"`
}

// DriftChart is the state of a CUSUM chart: an alarm is raised where the
// statistic is beyond the limit on either side; above zero the workload became
// slower. The workload "all" is the geometric mean.
type DriftChart struct {
	Workload  string  `json:"workload"`
	Statistic float64 `json:"statistic"`
	Limit     float64 `json:"limit"`
}

// DriftAlarm says that the machine's speed changed.
type DriftAlarm struct {
	At      time.Time     `json:"at"`    // of the check that raised it
	Since   time.Time     `json:"since"` // check from which on the change shows
	Changes []DriftChange `json:"changes"`
	// Facts are those that changed since the watch began to compare. They need
	// not be the cause.
	Facts []ChangedFact `json:"facts"`
}

// DriftChange is by how much a workload changed: 1.05 for 5% slower.
type DriftChange struct {
	Workload string  `json:"workload"`
	Ratio    float64 `json:"ratio"`
}

// ChangedFact is a fact that is another now.
type ChangedFact struct {
	Name string `json:"name"`
	Was  string `json:"was"`
	Is   string `json:"is"`
}
