package server

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/server/api"
)

// clocks are what became of the device's speed since its tables were measured.
// Jobs that measure anyway measure a table's calibration kernel once more; what
// is predicted by the table follows the last of these measurements.
type clocks struct {
	db *bbolt.DB

	mu sync.RWMutex
	of map[string]api.Clock // by the table's ETag: another table has another clock
}

var (
	clocksBucket = []byte("clocks")
	clocksKey    = []byte("last")
)

func openClocks(db *bbolt.DB) (*clocks, error) {
	c := &clocks{db: db, of: map[string]api.Clock{}}
	err := db.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(clocksBucket)
		if bucket == nil {
			return nil
		}
		return json.Unmarshal(bucket.Get(clocksKey), &c.of)
	})
	return c, err
}

// get returns the last measurement for a table.
func (c *clocks) get(etag string) (api.Clock, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	clock, ok := c.of[etag]
	return clock, ok
}

// keep adds a measurement, and forgets those of tables that are no more.
func (c *clocks) keep(etag string, clock api.Clock, tables []api.LUT) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	there := map[string]bool{etag: true}
	for _, t := range tables {
		there[t.ETag] = true
	}
	c.of[etag] = clock
	maps.DeleteFunc(c.of, func(etag string, _ api.Clock) bool { return !there[etag] })
	state, err := json.Marshal(c.of)
	if err != nil {
		return err
	}
	return c.db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucketIfNotExists(clocksBucket)
		if err != nil {
			return err
		}
		return bucket.Put(clocksKey, state)
	})
}

// isOf tells whether a table is of a device, and of the runtime that its
// calibration kernel can be measured with.
func isOf(table api.LUT, info device.Info) bool {
	runtime, _, _ := strings.Cut(table.Runtime, " ") // the rest is its version
	return table.Device == info.Fingerprint() && runtime == lut.OwnRuntime
}

// measureClock measures the calibration kernel of a table of this device.
func (s *Server) measureClock(ctx context.Context, job *api.Job, dir string, table api.LUT) (*api.Clock, error) {
	out, err := s.child(job, dir, "evaluate", "--lut", s.luts.path(table.Name), "--clock", "--json").run(ctx)
	if err != nil {
		return nil, err
	}
	clock := &api.Clock{LUT: table.Name, At: now()}
	if err := json.Unmarshal(out, clock); err != nil {
		return nil, fmt.Errorf("what evaluate --clock printed: %w", err)
	}
	if clock.Rescaled {
		s.log.Warn("the device's clock changed since the table was measured", zap.String("lut", table.Name), zap.Float64("factor", clock.Factor))
	}
	tables, err := s.luts.list(s.badTable)
	if err != nil {
		return nil, err
	}
	return clock, s.oracle.clocks.keep(table.ETag, *clock, tables)
}

// measureClocks measures the calibration kernels of all tables of this device.
// Where one cannot be measured, the others can.
func (s *Server) measureClocks(ctx context.Context, job *api.Job, dir string) ([]api.Clock, error) {
	tables, err := s.luts.list(s.badTable)
	if err != nil {
		return nil, err
	}
	here, err := device.Detect()
	if err != nil {
		return nil, err
	}
	var all []api.Clock
	for _, table := range tables {
		if !isOf(table, here) {
			continue
		}
		clock, err := s.measureClock(ctx, job, dir, table)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			s.log.Error("clock not measured", zap.String("lut", table.Name), zap.Error(err))
		default:
			all = append(all, *clock)
		}
	}
	return all, nil
}
