package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
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
	maxAnswers    = 1024            // ready answers in memory
	maxAnswer     = 16 << 10        // bytes of an answer that is kept ready
	maxNames      = 16 << 10        // parsed names of workloads in memory
	forgetAfter   = 5 * time.Minute // without use
	maxNameLength = 512
)

// oracle predicts. Tables, the predictors fitted to them, parsed names and
// whole answers are kept while they are used, and forgotten a while after.
type oracle struct {
	luts   *luts
	models *models

	fits       singleflight.Group
	tables     *lru.Cache[string, *lut.Table]           // by ETag
	predictors *lru.Cache[string, *predictor.Predictor] // by ETag
	names      *lru.Cache[string, graph.Workload]
	answers    *lru.Cache[[sha256.Size]byte, answer] // by digest of the question

	mu     sync.Mutex
	used   time.Time
	forget *time.Timer // nil while there is nothing to forget
}

// answer is what a question was answered with, by a version of a table.
type answer struct {
	lut, etag string
	body      []byte
}

func newOracle(l *luts, m *models) *oracle {
	o := &oracle{luts: l, models: m}
	// New fails only for sizes that are not positive.
	o.tables, _ = lru.New[string, *lut.Table](openTables)
	o.predictors, _ = lru.New[string, *predictor.Predictor](openTables)
	o.names, _ = lru.New[string, graph.Workload](maxNames)
	o.answers, _ = lru.New[[sha256.Size]byte, answer](maxAnswers)
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
	o.predictors.Purge()
	o.names.Purge()
	o.answers.Purge()
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
	table, err := once(ctx, &o.fits, "table "+info.ETag, func() (*lut.Table, error) {
		read, table, err := readLUT(o.luts.path(name))
		if err == nil {
			o.tables.Add(read.ETag, table)
		}
		return table, err
	})
	return info, table, err
}

// predictor returns a predictor fitted to the table of the given version.
func (o *oracle) predictor(ctx context.Context, info api.LUT) (*predictor.Predictor, error) {
	if p, ok := o.predictors.Get(info.ETag); ok {
		return p, nil
	}
	return once(ctx, &o.fits, "predictor "+info.ETag, func() (*predictor.Predictor, error) {
		table, err := lut.Read(o.luts.path(info.Name))
		if err != nil {
			return nil, err
		}
		p, err := predictor.Fit(table)
		if err != nil {
			return nil, problemf(http.StatusUnprocessableEntity, "table %q: %w", info.Name, err)
		}
		o.predictors.Add(info.ETag, p)
		return p, nil
	})
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
	o.use()
	question := sha256.Sum256(body)
	if known, ok := o.answers.Get(question); ok {
		if info, err := o.luts.get(known.lut); err == nil && info.ETag == known.etag {
			return known.body, nil
		}
	}
	var request api.PredictRequest
	if err := decodeStrictly(body, &request); err != nil {
		return nil, err
	}
	prediction, etag, err := o.predict(ctx, request)
	if err != nil {
		return nil, err
	}
	var encoded bytes.Buffer
	if err := json.NewEncoder(&encoded).Encode(prediction); err != nil {
		return nil, err
	}
	// A model may be removed, after which the answer is another.
	if encoded.Len() <= maxAnswer && request.Model == "" {
		o.answers.Add(question, answer{request.LUT, etag, bytes.Clone(encoded.Bytes())})
	}
	return encoded.Bytes(), nil
}

// predict predicts, and tells by which version of the table.
func (o *oracle) predict(ctx context.Context, request api.PredictRequest) (prediction *api.Prediction, etag string, err error) {
	o.use()
	network, names := "", request.Workloads
	switch {
	case request.LUT == "":
		return nil, "", problemf(http.StatusBadRequest, "lut is missing: name the table to predict by")
	case (request.Model == "") == (len(request.Workloads) == 0):
		return nil, "", problemf(http.StatusBadRequest, "name what to predict: either model, or workloads")
	case len(request.Workloads) > maxWorkloads:
		return nil, "", problemf(http.StatusBadRequest, "%d workloads are more than the %d that are taken", len(request.Workloads), maxWorkloads)
	case request.Model != "":
		model, err := o.models.get(request.Model)
		if err != nil {
			return nil, "", err
		}
		network, names = model.Name, model.Workloads()
		if len(names) == 0 {
			return nil, "", problemf(http.StatusUnprocessableEntity, "model %s has no workloads to predict", model.Name)
		}
	}
	workloads := make([]graph.Workload, len(names))
	for i, name := range names {
		w, err := o.workload(name)
		if err != nil {
			return nil, "", problemf(http.StatusBadRequest, "workloads[%d]: %w", i, err)
		}
		workloads[i] = w
	}
	info, err := o.luts.get(request.LUT)
	if err != nil {
		return nil, "", err
	}
	p, err := o.predictor(ctx, info)
	if err != nil {
		return nil, "", err
	}
	predicted, err := p.Predict(workloads)
	if err != nil {
		return nil, "", problemf(http.StatusUnprocessableEntity, "%w", err)
	}
	answer := &api.Prediction{
		Network: network, LUT: info.Name,
		LatencyNS: predicted.LatencyNS, LowNS: predicted.LowNS, HighNS: predicted.HighNS,
		Coverage: predicted.Coverage, Interval: predicted.Interval,
		EnergySource: predicted.EnergySource, OverheadNS: predicted.OverheadNS,
		Parts: make([]api.Part, len(names)),
	}
	if predicted.EnergySource != "" {
		answer.EnergyMJ = &predicted.EnergyMJ
	}
	for i, part := range predicted.Parts {
		answer.Parts[i] = api.Part{Workload: names[i], LatencyNS: part.LatencyNS, Source: part.Source}
	}
	return answer, info.ETag, nil
}

// workload parses a canonical name.
func (o *oracle) workload(name string) (graph.Workload, error) {
	if w, ok := o.names.Get(name); ok {
		return w, nil
	}
	if len(name) > maxNameLength {
		return graph.Workload{}, fmt.Errorf("a name of %d bytes is no workload's", len(name))
	}
	w, err := graph.ParseWorkload(name)
	if err != nil {
		return graph.Workload{}, err
	}
	o.names.Add(name, w)
	return w, nil
}
