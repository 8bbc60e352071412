// Package server is the daemon: an HTTP API to measure networks on this
// machine, to predict what others cost by tables that were measured, and to keep
// the tables; and a web page for people.
//
// Jobs wait in a queue on disk (bbolt) and are done one at a time, so that
// measurements do not disturb each other, each by a verb of hwprofd in a process
// of its own. A daemon that was killed begins the job again that ran; a profile
// goes on from its journal. Tables and models are files in the daemon's
// directory:
//
//	DIR/queue.db                 jobs and their results
//	DIR/luts/NAME.lut.parquet    tables
//	DIR/predictors/              what was learned from the tables
//	DIR/models/DIGEST.onnx       models as they were uploaded, by their SHA-256
//	DIR/models/DIGEST.json       what is in them
//	DIR/work/ID/                 what the job ID needs while it is done
//
// Package api has the bodies of requests and answers, package client calls them.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Options of a Server.
type Options struct {
	Dir string // what the daemon keeps, see the package's comment
	// Executable is the program whose verbs do the work: hwprofd.
	Executable string
	Version    string // of hwprofd
	// Spaces are the search spaces that can be profiled.
	Spaces []string
	// Token, if set, has to come with every request.
	Token string
	// MaxUpload is the size in bytes of the largest model or table that is
	// taken: 512 MiB by default.
	MaxUpload int64
	// WatchEvery is how often the machine's speed is checked; 0: not at all.
	WatchEvery time.Duration
	// Hours, if set, are those in which measurements may begin.
	Hours Hours
	// MaxLoad is the busy share of the processors' time, 0 to 1, above which a
	// measurement does not begin; 0 and 1: at any load.
	MaxLoad float64
	Log     *zap.Logger // by default nothing is logged
}

const (
	defaultMaxUpload = 512 << 20
	bodySlots        = 64 // JSON bodies in memory
	maxStreams       = 256
	transferTimeout  = 15 * time.Minute // for an upload or a download
	// heapFloor is memory that is asked for and never touched, so that the system
	// never gives it. The garbage collector, which runs when the heap has doubled,
	// then runs every so many bytes at least, not every few megabytes: while it
	// does, requests wait.
	heapFloor = 32 << 20
)

// Server is the daemon. Its Handler may be used by itself in tests; Serve does
// the jobs too.
type Server struct {
	options Options
	log     *zap.Logger
	queue   *queue
	models  *models
	luts    *luts
	fits    *fits
	oracle  *oracle
	metrics *metrics
	handler http.Handler

	bodies        chan struct{} // a slot a body
	streams       chan struct{} // a slot an event stream
	describing    chan struct{} // one slot: models are looked into one at a time
	streaming     context.Context
	endStreams    context.CancelFunc
	mu            sync.Mutex
	running       uint64 // job, 0 where none runs
	cancelRunning context.CancelCauseFunc

	load func(context.Context) (float64, bool) // of the machine; tests have their own
}

// New opens or makes the directory. It fails where another daemon has it.
func New(options Options) (*Server, error) {
	if options.MaxUpload == 0 {
		options.MaxUpload = defaultMaxUpload
	}
	if options.Log == nil {
		options.Log = zap.NewNop()
	}
	var err error
	if options.Dir, err = filepath.Abs(options.Dir); err != nil { // children work in other folders
		return nil, err
	}
	for _, name := range []string{"luts", "models", "predictors", "work"} {
		if err := os.MkdirAll(filepath.Join(options.Dir, name), 0o700); err != nil {
			return nil, err
		}
	}
	s := &Server{
		options: options, log: options.Log, load: machineLoad,
		luts:   &luts{dir: filepath.Join(options.Dir, "luts"), known: map[string]knownLUT{}},
		bodies: make(chan struct{}, bodySlots), streams: make(chan struct{}, maxStreams), describing: make(chan struct{}, 1),
	}
	s.models = newModels(filepath.Join(options.Dir, "models"), s.describe)
	s.fits = newFits(filepath.Join(options.Dir, "predictors"), options.Version, s.luts, s.fitTable)
	s.oracle = newOracle(s.luts, s.models, s.fits)
	s.streaming, s.endStreams = context.WithCancel(context.Background())
	if s.queue, err = openQueue(filepath.Join(options.Dir, "queue.db")); err != nil {
		return nil, err
	}
	s.oracle.clocks, err = openClocks(s.queue.db)
	if err := errors.Join(err, s.models.sweep(), s.luts.sweep()); err != nil {
		s.queue.close()
		return nil, err
	}
	s.metrics = newMetrics(s)
	s.handler = s.guard(s.routes())
	return s, nil
}

// Close gives the directory free. Serve does it too.
func (s *Server) Close() error {
	s.endStreams()
	s.fits.close()
	return s.queue.close()
}

// Handler serves the API and the page.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve serves on a listener and does jobs until ctx ends, and closes the
// server. The job that runs then is interrupted and goes on with the next
// daemon.
func (s *Server) Serve(ctx context.Context, listener net.Listener, certFile, keyFile string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	floor := make([]byte, heapFloor)
	defer runtime.KeepAlive(floor)
	server := &http.Server{
		Handler: s.handler, ErrorLog: zap.NewStdLog(s.log),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: transferTimeout, WriteTimeout: transferTimeout,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	var background sync.WaitGroup
	background.Go(func() { s.work(ctx) })
	background.Go(func() { s.scheduleChecks(ctx) })
	background.Go(func() {
		<-ctx.Done()
		s.endStreams()
		patience, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if server.Shutdown(patience) != nil {
			server.Close()
		}
	})
	var err error
	if certFile != "" {
		err = server.ServeTLS(listener, certFile, keyFile)
	} else {
		err = server.Serve(listener)
	}
	stop()
	background.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	if closing := s.Close(); err == nil && closing != nil {
		err = fmt.Errorf("closing the queue: %w", closing)
	}
	return err
}
