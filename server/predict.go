package server

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/predictor"
	"github.com/hwprofd/hwprofd/server/api"
)

const (
	maxWorkloads  = 10000           // of a network to predict
	openTables    = 4               // tables and predictors in memory
	maxKnown      = 16 << 10        // workloads of a predictor that are kept ready
	forgetAfter   = 5 * time.Minute // without use
	maxNameLength = 512
	maxSuggest    = 1000
)

// oracle predicts. Tables, predictors, and what was asked of them are kept
// while they are used, and forgotten a while after.
type oracle struct {
	luts   *luts
	models *models
	fits   *fits
	clocks *clocks

	reads  singleflight.Group
	tables *lru.Cache[string, *lut.Table] // by ETag
	open   *lru.Cache[string, *known]     // by ETag

	mu     sync.Mutex
	used   time.Time
	forget *time.Timer // nil while there is nothing to forget
}

// known is a predictor with the workloads that it was asked for, by name: in
// networks of a kind most are the same.
type known struct {
	predictor *predictor.Predictor

	mu        sync.RWMutex
	workloads map[string]*knownWorkload
}

// knownWorkload is a workload, and its parts in any prediction as JSON: one, or
// those that another runtime takes it apart into, with commas between them.
type knownWorkload struct {
	prepared *predictor.Prepared
	encoded  []byte
}

func newOracle(l *luts, m *models, f *fits) *oracle {
	o := &oracle{luts: l, models: m, fits: f}
	// New fails only for sizes that are not positive.
	o.tables, _ = lru.New[string, *lut.Table](openTables)
	o.open, _ = lru.New[string, *known](openTables)
	return o
}

// use puts off the forgetting. The timer is not reset at each use, which comes
// thousands of times a second: it looks at the time of the last when it fires.
func (o *oracle) use() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.used = time.Now()
	if o.forget == nil {
		o.forget = time.AfterFunc(forgetAfter, o.expire)
	}
}

func (o *oracle) expire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if left := forgetAfter - time.Since(o.used); left > 0 {
		o.forget = time.AfterFunc(left, o.expire)
		return
	}
	o.forget = nil
	o.tables.Purge()
	o.open.Purge()
	go trim()
}

// table returns a table in memory.
func (o *oracle) table(ctx context.Context, name string) (api.LUT, *lut.Table, error) {
	o.use()
	info, err := o.luts.get(name)
	if err != nil {
		return api.LUT{}, nil, err
	}
	if table, ok := o.tables.Get(info.ETag); ok {
		return info, table, nil
	}
	table, err := once(ctx, &o.reads, info.ETag, func() (*lut.Table, error) {
		read, table, err := readLUT(o.luts.path(name))
		if err == nil {
			o.tables.Add(read.ETag, table)
		}
		return table, err
	})
	return info, table, err
}

// once lets the first who asks do the work, and all others wait for it.
func once[T any](ctx context.Context, group *singleflight.Group, key string, work func() (T, error)) (T, error) {
	done := group.DoChan(key, func() (any, error) { return work() })
	select {
	case result := <-done:
		value, _ := result.Val.(T)
		return value, result.Err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// scratch is what a request needs while it is answered. It is used again, as
// most of what a prediction would else cost is to clean up after it.
type scratch struct {
	body, answer []byte
	names        [][]byte
	workloads    []*predictor.Prepared
	parts        []*knownWorkload
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// largestScratch is the most bytes of a body that is kept for the next.
const largestScratch = 64 << 10

func (s *scratch) release() {
	if cap(s.body) > largestScratch || cap(s.answer) > largestScratch {
		return
	}
	clear(s.names) // that bodies and predictors can be forgotten
	clear(s.workloads)
	clear(s.parts)
	scratches.Put(s)
}

// answer predicts what the request in s.body asks for, as JSON in s.answer.
func (o *oracle) answer(ctx context.Context, s *scratch) error {
	q, ok := scanQuestion(s.body, s.names[:0])
	if !ok {
		var request api.PredictRequest
		if err := decodeStrictly(s.body, &request); err != nil {
			return err
		}
		q = questionOf(request)
	}
	s.names = q.workloads
	prediction, err := o.ask(ctx, q, o.fits.patience, s)
	if err != nil {
		return err
	}
	prediction.Parts = []api.Part{}
	if prediction.Clock != nil {
		prediction.Parts = scaledParts(s.workloads, prediction.Clock.Factor)
		whole, err := json.Marshal(prediction)
		s.answer = append(append(s.answer[:0], whole...), '\n')
		return err
	}
	head, err := json.Marshal(prediction)
	if err != nil {
		return err
	}
	out := append(s.answer[:0], bytes.TrimSuffix(head, []byte("]}"))...) // the parts come last
	for i, part := range s.parts {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, part.encoded...)
	}
	s.answer = append(out, "]}\n"...)
	return nil
}

// predict predicts, and waits for what has to be learned first as long as told.
func (o *oracle) predict(ctx context.Context, request api.PredictRequest, wait time.Duration) (*api.Prediction, error) {
	s := new(scratch)
	prediction, err := o.ask(ctx, questionOf(request), wait, s)
	if err != nil {
		return nil, err
	}
	factor := 1.0
	if prediction.Clock != nil {
		factor = prediction.Clock.Factor
	}
	prediction.Parts = scaledParts(s.workloads, factor)
	return prediction, nil
}

// scaledParts are the parts of workloads with their latencies times factor.
func scaledParts(workloads []*predictor.Prepared, factor float64) []api.Part {
	var parts []api.Part
	for _, w := range workloads {
		parts = append(parts, apiParts(w)...)
	}
	for i := range parts {
		parts[i].LatencyNS *= factor
	}
	return parts
}

func apiParts(w *predictor.Prepared) []api.Part {
	var parts []api.Part
	for _, part := range w.Parts() {
		parts = append(parts, api.Part{Workload: part.Workload.String(), LatencyNS: part.LatencyNS, Source: part.Source, Uncertainty: part.Uncertainty})
	}
	return parts
}

// ask predicts. The parts are in the scratch, not in the prediction.
func (o *oracle) ask(ctx context.Context, q question, wait time.Duration, s *scratch) (*api.Prediction, error) {
	o.use()
	network := ""
	switch {
	case q.lut == "":
		return nil, problemf(http.StatusBadRequest, "lut is missing: name the table to predict by")
	case (q.model == "") == (len(q.workloads) == 0):
		return nil, problemf(http.StatusBadRequest, "name what to predict: either model, or workloads")
	case q.coverage < 0 || q.coverage >= 1:
		return nil, problemf(http.StatusBadRequest, "coverage %g is not between 0 and 1", q.coverage)
	case q.suggest < 0 || q.suggest > maxSuggest:
		return nil, problemf(http.StatusBadRequest, "suggest %d is outside 0 to %d", q.suggest, maxSuggest)
	case len(q.workloads) > maxWorkloads:
		return nil, problemf(http.StatusBadRequest, "%d workloads are more than the %d that are taken", len(q.workloads), maxWorkloads)
	case q.model != "":
		model, err := o.models.get(q.model)
		if err != nil {
			return nil, err
		}
		network = model.Name
		if q.workloads = byteSlices(model.Workloads()); len(q.workloads) == 0 {
			return nil, problemf(http.StatusUnprocessableEntity, "model %s has no workloads to predict", model.Name)
		}
	}
	info, err := o.luts.get(q.lut)
	if err != nil {
		return nil, err
	}
	k, ok := o.open.Get(info.ETag)
	if !ok {
		// A wrong question should not wait for its answer.
		for i, name := range q.workloads {
			if _, err := parseWorkload(i, name); err != nil {
				return nil, err
			}
		}
		if k, err = o.openPredictor(ctx, info, wait); err != nil {
			return nil, err
		}
	}
	if err := k.find(q.workloads, s); err != nil {
		return nil, err
	}
	p := k.predictor
	if q.coverage != 0 {
		if p, err = p.Within(q.coverage); err != nil {
			return nil, problemf(http.StatusBadRequest, "%w", err)
		}
	}
	predicted, err := p.PredictPrepared(s.workloads)
	if err != nil {
		return nil, problemf(http.StatusUnprocessableEntity, "%w", err)
	}
	clock, _ := o.clocks.get(info.ETag)
	if clock.Rescaled {
		predicted = predicted.Scaled(clock.Factor)
	}
	prediction := &api.Prediction{
		Network: network, LUT: info.Name,
		LatencyNS: predicted.LatencyNS, LowNS: predicted.LowNS, HighNS: predicted.HighNS,
		Coverage: predicted.Coverage, Interval: predicted.Interval,
		EnergySource: predicted.EnergySource, OverheadNS: predicted.OverheadNS,
	}
	if predicted.EnergySource != "" {
		prediction.EnergyMJ, prediction.EnergyLow, prediction.EnergyHigh = &predicted.EnergyMJ, &predicted.EnergyLow, &predicted.EnergyHigh
	}
	if clock.Rescaled {
		scaledBy := clock // the usual answer need not pay for one on the heap
		prediction.Clock = &scaledBy
	}
	if q.suggest > 0 {
		if err := suggest(p, q.suggest, s.workloads, prediction); err != nil {
			return nil, err
		}
	}
	return prediction, nil
}

// suggest adds what would be best measured to a prediction of workloads.
func suggest(p *predictor.Predictor, n int, prepared []*predictor.Prepared, prediction *api.Prediction) error {
	var workloads []graph.Workload
	for _, w := range prepared {
		for _, part := range w.Parts() {
			workloads = append(workloads, part.Workload)
		}
	}
	suggestions, err := p.Suggest(workloads, n)
	if err != nil {
		return err
	}
	factor := 1.0
	if prediction.Clock != nil {
		factor = prediction.Clock.Factor
	}
	for _, s := range suggestions {
		prediction.Suggestions = append(prediction.Suggestions, api.Suggestion{
			Workload: s.Workload.String(), Times: s.Times, LatencyNS: factor * s.LatencyNS, Source: s.Source, HalfWidth: math.Expm1(s.Width),
		})
	}
	return nil
}

func (o *oracle) openPredictor(ctx context.Context, info api.LUT, wait time.Duration) (*known, error) {
	p, err := o.fits.getSoon(ctx, info, wait)
	if err != nil {
		return nil, err
	}
	k := &known{predictor: p, workloads: map[string]*knownWorkload{}}
	if there, ok, _ := o.open.PeekOrAdd(info.ETag, k); ok {
		return there, nil
	}
	return k, nil
}

// find finds the workloads of these names.
func (k *known) find(names [][]byte, s *scratch) error {
	s.workloads, s.parts = s.workloads[:0], s.parts[:0]
	k.mu.RLock()
	for _, name := range names {
		s.parts = append(s.parts, k.workloads[string(name)])
	}
	k.mu.RUnlock()
	for i, w := range s.parts {
		if w == nil {
			var err error
			if w, err = k.prepare(i, names[i]); err != nil {
				return err
			}
			s.parts[i] = w
		}
		s.workloads = append(s.workloads, w.prepared)
	}
	return nil
}

// prepare works out the i-th workload of a question, and keeps it.
func (k *known) prepare(i int, name []byte) (*knownWorkload, error) {
	parsed, err := parseWorkload(i, name)
	if err != nil {
		return nil, err
	}
	prepared, err := k.predictor.Prepare(parsed)
	if err != nil {
		return nil, problemf(http.StatusUnprocessableEntity, "workloads[%d]: %w", i, err)
	}
	list, err := json.Marshal(apiParts(prepared))
	if err != nil {
		return nil, err
	}
	w := &knownWorkload{prepared, list[1 : len(list)-1]}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.workloads) >= maxKnown {
		clear(k.workloads)
	}
	k.workloads[string(name)] = w
	return w, nil
}

func parseWorkload(i int, name []byte) (graph.Workload, error) {
	if len(name) > maxNameLength {
		return graph.Workload{}, problemf(http.StatusBadRequest, "workloads[%d]: a name of %d bytes is no workload's", i, len(name))
	}
	w, err := graph.ParseWorkload(string(name))
	if err != nil {
		return graph.Workload{}, problemf(http.StatusBadRequest, "workloads[%d]: %w", i, err)
	}
	return w, nil
}
