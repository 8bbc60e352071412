package server

import (
	"bytes"
	"context"
	"encoding/json"
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
)

// oracle predicts. Tables, predictors, and what was asked of them are kept
// while they are used, and forgotten a while after.
type oracle struct {
	luts   *luts
	models *models
	fits   *fits

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

	mu    sync.RWMutex
	parts map[string]*knownPart
}

// knownPart is a workload, and its parts in any prediction, also as JSON: one, or
// those that another runtime takes it apart into.
type knownPart struct {
	workload graph.Workload
	parts    []api.Part
	encoded  []byte // with commas between them
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

// answer predicts what a request of JSON asks for, as JSON.
func (o *oracle) answer(ctx context.Context, body []byte) ([]byte, error) {
	q, ok := scanQuestion(body)
	if !ok {
		var request api.PredictRequest
		if err := decodeStrictly(body, &request); err != nil {
			return nil, err
		}
		q = questionOf(request)
	}
	prediction, parts, err := o.ask(ctx, q, o.fits.patience)
	if err != nil {
		return nil, err
	}
	prediction.Parts = []api.Part{}
	head, err := json.Marshal(prediction)
	if err != nil {
		return nil, err
	}
	size := len(head) + 1
	for _, part := range parts {
		size += len(part.encoded) + 1
	}
	out := append(make([]byte, 0, size), bytes.TrimSuffix(head, []byte("]}"))...) // the parts come last
	for i, part := range parts {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, part.encoded...)
	}
	return append(out, "]}\n"...), nil
}

// predict predicts, and waits for what has to be learned first as long as told.
func (o *oracle) predict(ctx context.Context, request api.PredictRequest, wait time.Duration) (*api.Prediction, error) {
	prediction, parts, err := o.ask(ctx, questionOf(request), wait)
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		prediction.Parts = append(prediction.Parts, part.parts...)
	}
	return prediction, nil
}

// ask predicts. The parts are beside the prediction, not in it.
func (o *oracle) ask(ctx context.Context, q question, wait time.Duration) (*api.Prediction, []*knownPart, error) {
	o.use()
	network := ""
	switch {
	case q.lut == "":
		return nil, nil, problemf(http.StatusBadRequest, "lut is missing: name the table to predict by")
	case (q.model == "") == (len(q.workloads) == 0):
		return nil, nil, problemf(http.StatusBadRequest, "name what to predict: either model, or workloads")
	case len(q.workloads) > maxWorkloads:
		return nil, nil, problemf(http.StatusBadRequest, "%d workloads are more than the %d that are taken", len(q.workloads), maxWorkloads)
	case q.model != "":
		model, err := o.models.get(q.model)
		if err != nil {
			return nil, nil, err
		}
		network = model.Name
		if q.workloads = byteSlices(model.Workloads()); len(q.workloads) == 0 {
			return nil, nil, problemf(http.StatusUnprocessableEntity, "model %s has no workloads to predict", model.Name)
		}
	}
	info, err := o.luts.get(q.lut)
	if err != nil {
		return nil, nil, err
	}
	k, ok := o.open.Get(info.ETag)
	if !ok {
		// A wrong question should not wait for its answer.
		for i, name := range q.workloads {
			if _, err := parseWorkload(i, name); err != nil {
				return nil, nil, err
			}
		}
		if k, err = o.openPredictor(ctx, info, wait); err != nil {
			return nil, nil, err
		}
	}
	workloads, parts, missing, err := k.look(q.workloads)
	if err != nil {
		return nil, nil, err
	}
	predicted, err := k.predictor.Predict(workloads)
	if err != nil {
		return nil, nil, problemf(http.StatusUnprocessableEntity, "%w", err)
	}
	if missing {
		if err := k.add(q.workloads, workloads, parts, predicted.Parts); err != nil {
			return nil, nil, err
		}
	}
	prediction := &api.Prediction{
		Network: network, LUT: info.Name,
		LatencyNS: predicted.LatencyNS, LowNS: predicted.LowNS, HighNS: predicted.HighNS,
		Coverage: predicted.Coverage, Interval: predicted.Interval,
		EnergySource: predicted.EnergySource, OverheadNS: predicted.OverheadNS,
	}
	if predicted.EnergySource != "" {
		prediction.EnergyMJ = &predicted.EnergyMJ
	}
	return prediction, parts, nil
}

func (o *oracle) openPredictor(ctx context.Context, info api.LUT, wait time.Duration) (*known, error) {
	p, err := o.fits.getSoon(ctx, info, wait)
	if err != nil {
		return nil, err
	}
	k := &known{predictor: p, parts: map[string]*knownPart{}}
	if there, ok, _ := o.open.PeekOrAdd(info.ETag, k); ok {
		return there, nil
	}
	return k, nil
}

// look finds the workloads of these names and their parts, nil where the part
// is missing.
func (k *known) look(names [][]byte) (workloads []graph.Workload, parts []*knownPart, missing bool, err error) {
	workloads, parts = make([]graph.Workload, len(names)), make([]*knownPart, len(names))
	k.mu.RLock()
	for i, name := range names {
		if part := k.parts[string(name)]; part != nil {
			workloads[i], parts[i] = part.workload, part
		} else {
			missing = true
		}
	}
	k.mu.RUnlock()
	if !missing {
		return workloads, parts, false, nil
	}
	for i, name := range names {
		if parts[i] == nil {
			if workloads[i], err = parseWorkload(i, name); err != nil {
				return nil, nil, true, err
			}
		}
	}
	return workloads, parts, true, nil
}

// add fills in the parts that are missing, and keeps them.
func (k *known) add(names [][]byte, workloads []graph.Workload, parts []*knownPart, predicted []predictor.Part) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, w := range workloads {
		own := predicted[:len(k.predictor.Cut(workloads[i:i+1]))]
		predicted = predicted[len(own):]
		if parts[i] != nil {
			continue
		}
		p := &knownPart{workload: w}
		for _, part := range own {
			p.parts = append(p.parts, api.Part{Workload: part.Workload.String(), LatencyNS: part.LatencyNS, Source: part.Source})
		}
		list, err := json.Marshal(p.parts)
		if err != nil {
			return err
		}
		p.encoded = list[1 : len(list)-1]
		if len(k.parts) >= maxKnown {
			clear(k.parts)
		}
		k.parts[string(names[i])], parts[i] = p, p
	}
	return nil
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
