// Package lut keeps what was measured on a device: the latency table (LUT) of
// its workloads, as one Apache Parquet file for a device, runtime and number of
// threads, and the journal that stands beside the file while it is measured.
//
// The file opens in pandas, polars and DuckDB. A row is a workload in a cache
// state; its columns carry their unit in the name:
//
//	key                 canonical name of the workload, see graph.Workload
//	op, dtype           operator and element type, such as conv2d and f32
//	n, c, h, w          input
//	k, r, s             output channels and window (add, mul: second operand)
//	stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right,
//	dilation_h, dilation_w, group, epilogue
//	latency_median_ns, latency_mean_ns, latency_p10_ns, latency_p90_ns
//	latency_ci95_ns     half-width of the 95% confidence interval of the median
//	raw_median_ns       median before drift was divided out
//	samples             number of timed samples; 0 of a row that was not measured
//	                    but predicted from other devices' tables: its percentiles
//	                    and interval are those of the prediction
//	stable              whether the asked interval was reached within the budget
//	energy_mj           energy of one run in millijoules, or null
//	energy_source       the meter, or "modelled"; null where energy is
//	cache_state         warm or cold
//	macs, bytes         multiply-accumulates; bytes read and written
//	measured_at         timestamp, UTC, microseconds
//
// and since schema 2, before which they read as false, 0 or null:
//
//	contended           other work slowed the machine down all the time, or for
//	                    so long that few samples were left: the latency is
//	                    corrected for it, but less certain than its interval says
//	bimodal             the samples have two clusters: the median is one of two times
//	samples_contended, samples_interrupted
//	                    samples that count in raw_median_ns only: taken beside
//	                    other work, or while the thread had to wait for a CPU
//	first_run_ns        time of the first run after loading, or null
//	energy_gross_mj, energy_idle_mj
//	                    as metered, and what of it the idle machine would have
//	                    used: energy_mj is their difference; null where modelled
//	cycles, instructions, cache_misses
//	                    of one run, in user space, or null where nothing counts them
//	peak_memory_bytes   memory of its tensors and weights; of another runtime the
//	                    most that its process had resident; or null
//	temperature_c       of the processor, or null
//	clock_hz            of the core, or null
//	compute_slowdown, memory_slowdown
//	                    time of the calibration kernels over their undisturbed
//	                    time, in the samples that count
//
// and since schema 3, before which they read as null:
//
//	runtime_nodes       nodes that another runtime makes of the workload, by its
//	                    own account, without those that only change layouts; or
//	                    null where it gives none
//	border_ns           of latency_median_ns, the part that it spends on changing
//	                    the layout of tensors at the borders of a model, which a
//	                    network does not pay for each of its workloads; or null
//	algorithm           the algorithm that the runtime was told to use, or null
//	                    where it had its choice, as it has in older files. A
//	                    workload has one row without, which is what it costs, and
//	                    maybe others with: the alternatives
//
// The Parquet metadata carries, below keys that begin with "hwprofd.", the
// schema version, the device and its fingerprint, the runtime and its version,
// the threads, the measurement protocol, the target that was measured from
// another machine, if any, whole networks that were measured on the same
// device, what could not be measured and why, if anything, a published table
// that was imported, if any, and a SHA-256 over the whole file.
package lut

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
)

// Schema is the version of the file format that this package writes. It reads
// older ones, as if they were of this one, and no newer ones. A new version adds
// columns; it never changes the meaning of one.
const Schema = 3

// Meta says on what and how a table was measured.
type Meta struct {
	Schema         int         `json:"schema"`
	Device         device.Info `json:"device"`
	Fingerprint    string      `json:"fingerprint"` // of Device
	Runtime        string      `json:"runtime"`     // such as "hwprofd"
	RuntimeVersion string      `json:"runtime_version"`
	Threads        int         `json:"threads"`
	// RuntimeOptions are those of a runtime that change its times.
	RuntimeOptions map[string]string `json:"runtime_options,omitempty"`
	// RuntimeOverheadNS is what a run costs of which the work takes no time, of
	// a runtime that is asked for each operator as for a network; it is part of
	// every row. 0 where runs of a workload have no such part.
	RuntimeOverheadNS float64   `json:"runtime_overhead_ns,omitempty"`
	Protocol          Protocol  `json:"protocol"`
	Created           time.Time `json:"created"`
	// Target is the machine that was measured from another one, such as ssh://pi@kitchen.
	Target string `json:"target,omitempty"`
}

// Protocol is the measurement protocol that was asked for. What each row
// reached stands in the row.
type Protocol struct {
	RelativeCI     float64 `json:"relative_ci"`           // width of the 95% interval of the median, end to end, over the median
	BudgetSeconds  float64 `json:"budget_seconds"`        // for the whole run
	MaxItemSeconds float64 `json:"max_item_seconds"`      // for one workload
	Pinned         bool    `json:"pinned"`                // thread pinned to a core
	Calibration    string  `json:"calibration,omitempty"` // interleaved kernel, bound by arithmetic, whose drift is divided out
	// Baseline has what the calibration kernels took on the undisturbed machine.
	Baseline *Baseline `json:"baseline,omitempty"`
	// EnergyModel made the energies that are modelled; nil: coefficients from
	// literature did.
	EnergyModel *EnergyModel `json:"energy_model,omitempty"`
}

// EnergyModel is a model of energy that was fitted to the rows with a metered
// one: so much for each multiply-accumulate, for each byte, and as long as it lasts.
type EnergyModel struct {
	PicojoulePerMAC  float64 `json:"pj_per_mac"`
	PicojoulePerByte float64 `json:"pj_per_byte"`
	StaticWatt       float64 `json:"static_w"`
	FittedTo         string  `json:"fitted_to"`    // meter, such as "rapl/package"
	Rows             int     `json:"rows"`         // that it was fitted to
	MedianError      float64 `json:"median_error"` // of these, relative
}

// Baseline is the speed of an undisturbed machine: the ns of one run of each
// calibration kernel.
type Baseline struct {
	ClockNS   float64 `json:"clock_ns"`   // a chain of dependent operations
	ComputeNS float64 `json:"compute_ns"` // bound by arithmetic
	MemoryNS  float64 `json:"memory_ns"`  // bound by memory
}

// Network is a whole network that was measured on the device.
type Network struct {
	Name            string   `json:"name"`
	Workloads       []string `json:"workloads"` // canonical names in order of execution
	LatencyMedianNS float64  `json:"latency_median_ns"`
	LatencyP10NS    float64  `json:"latency_p10_ns"`
	LatencyP90NS    float64  `json:"latency_p90_ns"`
	LatencyCI95NS   float64  `json:"latency_ci95_ns"` // half-width
	Samples         int64    `json:"samples"`         // 0 of one that was predicted
	Use             string   `json:"use"`             // "fit", "calibrate", "test" or UsePair

	// As in a row; of tables of schema 1 they read as 0 or false.
	RawMedianNS float64 `json:"raw_median_ns,omitempty"`
	FirstRunNS  float64 `json:"first_run_ns,omitempty"`
	Contended   bool    `json:"contended,omitempty"`
	Bimodal     bool    `json:"bimodal,omitempty"`

	// Shares are the parts of LatencyMedianNS that each of Workloads takes within
	// the network; empty where the runtime does not tell.
	Shares []float64 `json:"shares,omitempty"`

	// As in a row, of pairs; of tables before schema 3 they read as nil.
	RuntimeNodes *float64 `json:"runtime_nodes,omitempty"`
	BorderNS     *float64 `json:"border_ns,omitempty"`
}

// OwnRuntime is this project's own runtime in Meta.Runtime.
const OwnRuntime = "hwprofd"

// UsePair is the use of two neighbours of a network, measured in one model to
// learn whether the runtime fuses them. The workloads are those of both when
// measured apart, of which the last is the second's.
const UsePair = "pair"

// Failure is a workload or a network that could not be measured.
type Failure struct {
	Name    string `json:"name"`                  // a workload's key, or a network's name
	Cache   string `json:"cache_state,omitempty"` // of a workload
	Network bool   `json:"network"`               // Name is a network's
	Reason  string `json:"reason"`
	// Algorithm is that of a workload that was to be an alternative.
	Algorithm string `json:"algorithm,omitempty"`
}

func (f *Failure) validate() error {
	switch {
	case f.Name == "":
		return errors.New("a failure has no name")
	case f.Reason == "":
		return fmt.Errorf("the failure of %s has no reason", f.Name)
	case f.Network:
		return nil
	case f.Cache != CacheWarm && f.Cache != CacheCold:
		return fmt.Errorf("the failure of %s has cache_state %q, want %s or %s", f.Name, f.Cache, CacheWarm, CacheCold)
	}
	_, err := graph.ParseWorkload(f.Name)
	return err
}

// Table is a latency table in memory.
type Table struct {
	Meta Meta
	Rows []Row
	// Alternatives are rows of workloads as they are by a certain algorithm, in
	// the file among the others. Nothing that asks for the cost of a workload
	// sees them.
	Alternatives []Row
	Networks     []Network
	// Failures are what was to be measured and could not be.
	Failures []Failure
	// Published is set in a table that was imported, if it has entries that are
	// no rows.
	Published *Published

	indexed sync.Once
	index   index
}

// Marks are what to say beside the time of a row, in words: that it was
// predicted, or else whether its interval is wider than asked, whether other work
// was beside it all the time, and whether it has two times. A contended row is
// never stable, even if narrow.
func (t *Table) Marks(r *Row) []string {
	if r.Predicted() {
		return []string{"predicted"}
	}
	var marks []string
	asked := t.Meta.Protocol.RelativeCI
	if !r.Stable && !(r.Contended && asked > 0 && 2*r.LatencyCI95NS <= asked*r.LatencyMedianNS) {
		marks = append(marks, "wider than asked")
	}
	if r.Contended {
		marks = append(marks, "contended")
	}
	if r.Bimodal {
		marks = append(marks, "bimodal")
	}
	return marks
}

// ParseWorkloads parses the names of the network's workloads.
func (n *Network) ParseWorkloads() ([]graph.Workload, error) {
	workloads := make([]graph.Workload, len(n.Workloads))
	for i, key := range n.Workloads {
		var err error
		if workloads[i], err = graph.ParseWorkload(key); err != nil {
			return nil, fmt.Errorf("%q: %w", n.Name, err)
		}
	}
	return workloads, nil
}

// SumOfParts returns the sum of the medians of a network's workloads, with warm
// caches, and how many of them have no row. The whole network takes longer, for
// what lies between them, or less, where one leaves its output in the caches.
func (t *Table) SumOfParts(n *Network) (ns float64, missing int) {
	for _, key := range n.Workloads {
		w, err := graph.ParseWorkload(key)
		if err != nil {
			missing++
			continue
		}
		row, ok := t.Lookup(w)
		if !ok {
			missing++
			continue
		}
		ns += row.LatencyMedianNS
	}
	return ns, missing
}

// identity is what only one row of a table may have.
type identity struct{ key, cache, algorithm string }

func (r *Row) identity() identity { return identity{r.Key, r.Cache, r.Algorithm} }

// String is the identity in words.
func (i identity) String() string {
	if i.algorithm != "" {
		return fmt.Sprintf("%s (%s, %s)", i.key, i.cache, i.algorithm)
	}
	return fmt.Sprintf("%s (%s)", i.key, i.cache)
}

// Lookup returns the row of w with warm caches. It is safe for concurrent use;
// Rows must not change after the first call.
func (t *Table) Lookup(w graph.Workload) (Row, bool) {
	t.indexed.Do(func() {
		if t.index.slots == nil {
			t.index, _ = t.indexRows()
		}
	})
	if i := t.find(w, CacheWarm); i >= 0 {
		return t.Rows[i], true
	}
	return Row{}, false
}

// AlternativesOf returns the rows of w with warm caches by certain algorithms.
func (t *Table) AlternativesOf(w graph.Workload) []Row {
	var list []Row
	key := w.String()
	for _, r := range t.Alternatives {
		if r.Key == key && r.Cache == CacheWarm {
			list = append(list, r)
		}
	}
	return list
}

// Verify reports the first thing that no sound table has: a schema that is not
// this one, metadata that is missing, or a row or network that is impossible
// or there twice. Rows are counted from 0. [Table.Write] and [Journal] verify by
// themselves, and [Read] all but the keys of large tables: of some 4,000 rows
// spread over the table, it compares the key with the dimensions, as the
// checksum says that the others are as they were verified and written.
func (t *Table) Verify() error {
	if _, err := t.verify(1); err != nil {
		return fmt.Errorf("lut: %w", err)
	}
	return nil
}

// sampledKeys is the number of keys that are compared on reading.
const sampledKeys = 4096

// verify checks the values of every row, and the key of each so many. It also
// returns the index that it made.
func (t *Table) verify(each int) (x index, err error) {
	if err := t.Meta.validate(); err != nil {
		return x, err
	}
	if x, err = t.verifyRows(each); err != nil {
		return x, err
	}
	if err := verifyAlternatives(t.Alternatives); err != nil {
		return x, err
	}
	if t.Published != nil {
		if err := t.Published.Validate(); err != nil {
			return x, fmt.Errorf("published table: %w", err)
		}
	}
	names := make(map[string]bool, len(t.Networks))
	for i := range t.Networks {
		n := &t.Networks[i]
		if err := n.validate(); err != nil {
			return x, fmt.Errorf("network %d: %w", i, err)
		}
		if names[n.Name] {
			return x, fmt.Errorf("network %d: %q is there twice", i, n.Name)
		}
		names[n.Name] = true
	}
	for i := range t.Failures {
		if err := t.Failures[i].validate(); err != nil {
			return x, fmt.Errorf("failure %d: %w", i, err)
		}
	}
	return x, nil
}

// verifyRows checks each row alone, in parallel, then that none is there twice.
func (t *Table) verifyRows(each int) (index, error) {
	x := newIndex(len(t.Rows))
	hashes := make([]uint64, len(t.Rows))
	first, failed := len(t.Rows), error(nil)
	var lock sync.Mutex
	inParallel(len(t.Rows), func(from, to int) {
		for i := from; i < to; i++ {
			r := &t.Rows[i]
			err := r.validateValues()
			if i%each == 0 {
				err = r.validate()
			}
			if err == nil && r.Algorithm != "" {
				err = fmt.Errorf("it names the algorithm %q: it belongs to the alternatives", r.Algorithm)
			}
			if err != nil {
				lock.Lock()
				if i < first {
					first, failed = i, fmt.Errorf("row %d: %w", i, err)
				}
				lock.Unlock()
				return
			}
			hashes[i] = x.hash(r.workload(), r.Cache) // while the row is at hand
		}
	})
	if failed != nil {
		return index{}, failed
	}
	return x, t.fill(x, hashes)
}

// verifyAlternatives checks rows that name their algorithm.
func verifyAlternatives(rows []Row) error {
	seen := make(map[identity]int, len(rows))
	for i := range rows {
		r := &rows[i]
		err := r.validate()
		if first, twice := seen[r.identity()]; err == nil && twice {
			err = fmt.Errorf("%s is already alternative %d", r.identity(), first)
		} else if err == nil && r.Algorithm == "" {
			err = errors.New("it names no algorithm")
		}
		if err != nil {
			return fmt.Errorf("alternative %d: %w", i, err)
		}
		seen[r.identity()] = i
	}
	return nil
}

// indexRows makes an index of the rows, or tells which is there twice; its first
// one is in the index.
func (t *Table) indexRows() (index, error) {
	x := newIndex(len(t.Rows))
	hashes := make([]uint64, len(t.Rows))
	for i := range t.Rows {
		hashes[i] = x.hash(t.Rows[i].workload(), t.Rows[i].Cache)
	}
	return x, t.fill(x, hashes)
}

// fill adds the rows to an index, and tells of one that is there twice.
func (t *Table) fill(x index, hashes []uint64) (err error) {
	for i := range t.Rows {
		r := &t.Rows[i]
		first := x.add(hashes[i], i, func(at int) bool { return t.Rows[at].Key == r.Key && t.Rows[at].Cache == r.Cache })
		if first >= 0 && err == nil {
			err = fmt.Errorf("row %d: %s is already in row %d", i, r.identity(), first)
		}
	}
	return err
}

// find returns the number of a row, or -1.
func (t *Table) find(w graph.Workload, cache string) int {
	return t.index.find(t.index.hash(w, cache), func(at int) bool { return t.Rows[at].workload() == w && t.Rows[at].Cache == cache })
}

func (m *Meta) validate() error {
	switch {
	case m.Schema > Schema:
		return fmt.Errorf("schema %d is newer than %d: update hwprofd to read it", m.Schema, Schema)
	case m.Schema < 1:
		return fmt.Errorf("schema %d does not exist", m.Schema)
	case m.Fingerprint == "":
		return errors.New("the device fingerprint is missing")
	case m.Runtime == "":
		return errors.New("the runtime is missing")
	case m.Threads < 1:
		return fmt.Errorf("threads is %d", m.Threads)
	case !(m.RuntimeOverheadNS >= 0):
		return fmt.Errorf("the runtime's overhead is %v ns", m.RuntimeOverheadNS)
	}
	return nil
}

func (n *Network) validate() error {
	if n.Name == "" {
		return errors.New("the name is missing")
	}
	if !slices.Contains([]string{"fit", "calibrate", "test", UsePair}, n.Use) {
		return fmt.Errorf("%q: use is %q, want fit, calibrate, test or %s", n.Name, n.Use, UsePair)
	}
	if n.Use == UsePair && len(n.Workloads) < 2 {
		return fmt.Errorf("%q: a pair of one workload", n.Name)
	}
	if len(n.Workloads) == 0 {
		return fmt.Errorf("%q: it has no workloads", n.Name)
	}
	if _, err := n.ParseWorkloads(); err != nil {
		return err
	}
	if n.Shares != nil && len(n.Shares) != len(n.Workloads) {
		return fmt.Errorf("%q: %d shares for %d workloads", n.Name, len(n.Shares), len(n.Workloads))
	}
	sum := 0.0
	for i, share := range n.Shares {
		if !(share > 0) {
			return fmt.Errorf("%q: the share of %s is %g, want a positive number", n.Name, n.Workloads[i], share)
		}
		sum += share
	}
	if sum > 1.001 {
		return fmt.Errorf("%q: its shares add up to %g", n.Name, sum)
	}
	if n.Samples < 0 {
		return fmt.Errorf("%q: samples is %d", n.Name, n.Samples)
	}
	if err := validateLatencies(n.LatencyMedianNS, n.LatencyP10NS, n.LatencyP90NS, n.LatencyCI95NS); err != nil {
		return fmt.Errorf("%q: %w", n.Name, err)
	}
	return nil
}
