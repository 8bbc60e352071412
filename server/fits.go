package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/hwprofd/hwprofd/predictor"
	"github.com/hwprofd/hwprofd/server/api"
)

// fits keeps what was learned from tables, a file for each version of a table,
// so that it is learned once: a thousand rows take a minute of a small machine.
type fits struct {
	dir     string
	version string // of hwprofd: another one may learn better
	luts    *luts
	// fit learns from a table into a file, in another process, whose memory is
	// given back.
	fit func(ctx context.Context, table, file string) error

	// daemon ends with the daemon. A fit goes on when who asked for it leaves.
	daemon context.Context
	end    context.CancelFunc

	group singleflight.Group
	slot  chan struct{} // one fit at a time

	patience time.Duration // of a request

	mu    sync.Mutex
	begun map[string]time.Time // fits that run or wait, by the table's ETag
}

const (
	suffixPredictor = ".predictor"
	// usualPatience is how long a request waits for a fit before it is told to
	// come back: small tables take less.
	usualPatience = 10 * time.Second
	retryAfter    = 5 * time.Second
	// pagePatience is that of a page, which says what it waits for.
	pagePatience = time.Second
	untilDone    = 24 * time.Hour // that of a job
)

func newFits(dir, version string, l *luts, fit func(ctx context.Context, table, file string) error) *fits {
	f := &fits{dir: dir, version: version, luts: l, fit: fit, slot: make(chan struct{}, 1), patience: usualPatience, begun: map[string]time.Time{}}
	f.daemon, f.end = context.WithCancel(context.Background())
	return f
}

func (f *fits) path(etag string) string {
	sum := sha256.Sum256([]byte(etag + "\n" + f.version))
	return filepath.Join(f.dir, hex.EncodeToString(sum[:16])+suffixPredictor)
}

// get returns the predictor of a table, and waits for it as long as ctx lasts.
func (f *fits) get(ctx context.Context, info api.LUT) (*predictor.Predictor, error) {
	return once(ctx, &f.group, info.ETag, func() (*predictor.Predictor, error) {
		f.mu.Lock()
		f.begun[info.ETag] = time.Now()
		f.mu.Unlock()
		defer func() {
			f.mu.Lock()
			delete(f.begun, info.ETag)
			f.mu.Unlock()
		}()
		file := f.path(info.ETag)
		if p, err := predictor.Load(file); err == nil {
			return p, nil
		}
		f.slot <- struct{}{}
		defer func() { <-f.slot }()
		err := f.fit(f.daemon, f.luts.path(info.Name), file)
		var said *childError
		switch {
		case errors.As(err, &said) && strings.Contains(said.said, syscall.ENOSPC.Error()):
			return nil, syscall.ENOSPC
		case errors.As(err, &said):
			return nil, problemf(http.StatusUnprocessableEntity, "table %q: %s", info.Name, strings.ReplaceAll(said.said, f.luts.path(info.Name), info.Name))
		case err != nil:
			return nil, err
		}
		if now, err := f.luts.get(info.Name); err != nil || now.ETag != info.ETag {
			return nil, errors.Join(os.Remove(file), &problem{status: http.StatusServiceUnavailable, retryAfter: time.Second, err: fmt.Errorf("table %q was replaced meanwhile; ask again", info.Name)})
		}
		f.sweep()
		return predictor.Load(file)
	})
}

// getSoon is get for who waits no longer than for a while.
func (f *fits) getSoon(ctx context.Context, info api.LUT, wait time.Duration) (*predictor.Predictor, error) {
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	p, err := f.get(limited, info)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		f.mu.Lock()
		begun, ok := f.begun[info.ETag]
		f.mu.Unlock()
		if !ok { // it ended just now
			begun = time.Now()
		}
		return nil, &problem{
			status: http.StatusServiceUnavailable, retryAfter: retryAfter,
			err: fmt.Errorf("hwprofd is learning from table %q, which has %d rows, since %v; ask again: it goes on meanwhile", info.Name, info.Rows, time.Since(begun).Round(time.Second)),
		}
	}
	return p, err
}

// close ends what is being learned, and waits for its end.
func (f *fits) close() {
	f.end()
	f.slot <- struct{}{}
}

// busy tells whether something is being learned, which takes all processors.
func (f *fits) busy() bool { return len(f.slot) > 0 }

// sweep removes files of tables that are no more, and what a crash left. Those
// that it cannot remove are tried again the next time.
func (f *fits) sweep() {
	tables, err := f.luts.list(func(error) {})
	if err != nil {
		return
	}
	keep := map[string]bool{}
	for _, t := range tables {
		keep[f.path(t.ETag)] = true
	}
	files, _ := filepath.Glob(filepath.Join(f.dir, "*")) // fails only for a wrong pattern
	for _, file := range files {
		if !keep[file] {
			_ = os.Remove(file)
		}
	}
}

// fitTable learns from a table by 'hwprofd predict'.
func (s *Server) fitTable(ctx context.Context, table, file string) error {
	fit := &child{executable: s.options.Executable, dir: filepath.Dir(file), args: []string{"predict", "--lut", table, "--save", file}}
	_, err := fit.run(ctx)
	return err
}

// learn prepares predictions by a table that just came, unless that would
// disturb a measurement; then the first question does it.
func (s *Server) learn(info api.LUT) {
	s.mu.Lock()
	running := s.running
	s.mu.Unlock()
	if running == 0 {
		go s.fits.get(s.fits.daemon, info) //nolint:errcheck // who asks for a prediction is told
	}
}
