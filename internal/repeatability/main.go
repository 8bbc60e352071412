// Command repeatability says how well a measurement on this machine can be
// repeated: it profiles the same workloads several times, on the machine as it
// is and beside a load on another CPU, and prints how far the medians are from
// those of the first profile, with what drifted divided out and without.
//
//	go run ./internal/repeatability                    the full panel, about half an hour
//	go run ./internal/repeatability -n 60 -each 100ms  a smaller one, about two minutes
//
// The parts are quiet (the first profile again, -apart later), bursts (beside a
// load that comes and goes, busy half of the time for 0.2 to 5 s), constant
// (beside one that does not), and coverage (how many of the first profile's
// intervals hold what ten times as much time finds, half of it before the first
// profile and half after all else).
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/profiler"
)

func main() {
	var b bench
	var parts, load string
	flag.IntVar(&b.count, "n", 300, "number of workloads")
	flag.DurationVar(&b.each, "each", 400*time.Millisecond, "time for each, in the mean")
	flag.Uint64Var(&b.seed, "seed", 1, "seed of the choice of workloads and of the load")
	flag.DurationVar(&b.apart, "apart", 0, "time between the two quiet profiles")
	flag.StringVar(&b.folder, "keep", "", "folder for the tables (default: a temporary one)")
	flag.StringVar(&parts, "parts", "quiet,bursts,constant,coverage", "what to measure beside the first profile")
	flag.StringVar(&load, "load", "", "be the load: bursts or constant")
	flag.Parse()
	if load != "" {
		runLoad(load, b.seed)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.run(ctx, os.Stdout, strings.Split(parts, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "repeatability:", err)
		os.Exit(1)
	}
}

type bench struct {
	count       int
	each, apart time.Duration
	seed        uint64
	folder      string
	workloads   []graph.Workload
	first       *lut.Table
	reference   *lut.Table // whose baseline all others take
}

func (b *bench) run(ctx context.Context, w io.Writer, parts []string) error {
	for _, part := range parts {
		if !slices.Contains([]string{"quiet", "bursts", "constant", "coverage"}, part) {
			return fmt.Errorf("-parts: there is no %q", part)
		}
	}
	if b.folder == "" {
		folder, err := os.MkdirTemp("", "repeatability")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		b.folder = folder
	} else if err := os.MkdirAll(b.folder, 0o755); err != nil {
		return err
	}
	b.workloads = choose(b.count, b.seed)
	var err error
	var before *lut.Table
	if slices.Contains(parts, "coverage") {
		if before, err = b.profile(ctx, "before", longTimes/2); err != nil {
			return err
		}
	}
	if b.first, err = b.profile(ctx, "first", 1); err != nil {
		return err
	}
	fmt.Fprintf(w, "%d workloads, %v for each; first profile: %s\n\n", len(b.first.Rows), b.each, describe(b.first))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "PROFILE\tMEDIANS\t1.5%\t2%\t4%\t8%\tWORST DECILE\tCONTENDED\tSTABLE\tUNCONTENDED WITHIN 2%")
	for _, part := range parts {
		if part == "coverage" {
			continue
		}
		if err := b.part(ctx, tw, part); err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	if err := tw.Flush(); err != nil || before == nil {
		return err
	}
	after, err := b.profile(ctx, "after", longTimes/2)
	if err != nil {
		return fmt.Errorf("coverage: %w", err)
	}
	coverage(w, b.first, before, after)
	return nil
}

// longTimes is how much longer than a profile what its intervals are held
// against is measured.
const longTimes = 10

func (b *bench) part(ctx context.Context, w io.Writer, part string) error {
	switch part {
	case "quiet":
		select {
		case <-time.After(b.apart):
		case <-ctx.Done():
			return ctx.Err()
		}
	case "bursts", "constant":
		stop, err := startLoad(part, b.seed)
		if err != nil {
			return err
		}
		defer stop()
	}
	table, err := b.profile(ctx, part, 1)
	if err != nil {
		return err
	}
	compare(w, part, b.first, table)
	return nil
}

// profile measures the workloads, for times as long, as if the machine's clock
// were that of the first profile.
func (b *bench) profile(ctx context.Context, name string, times int) (*lut.Table, error) {
	info, err := device.Detect()
	if err != nil {
		return nil, err
	}
	options := profiler.Options{
		Budget:     time.Duration(times) * b.each * time.Duration(len(b.workloads)),
		RelativeCI: 0.01,
		Seed:       b.seed + uint64(len(name)), // another order each
	}
	if times > 1 { // all of the time is used
		options.RelativeCI = 1e-9
	}
	if b.reference != nil {
		options.Baseline = profiler.Baseline(b.reference)
	}
	meta := lut.Meta{
		Schema: lut.Schema, Device: info, Fingerprint: info.Fingerprint(), Runtime: lut.OwnRuntime, RuntimeVersion: "(devel)",
		Threads: 1, Created: time.Now().UTC().Truncate(time.Second),
	}
	path := filepath.Join(b.folder, name+".lut.parquet")
	if err := os.RemoveAll(path + ".journal"); err != nil {
		return nil, err
	}
	table, err := profiler.New(options).Run(ctx, path, meta, b.workloads, nil)
	if b.reference == nil {
		b.reference = table
	}
	return table, err
}

// describe sums up how a table was measured.
func describe(t *lut.Table) string {
	var samples, contended, interrupted int64
	stable, flagged, bimodal := 0, 0, 0
	for _, r := range t.Rows {
		samples += r.Samples
		contended += r.SamplesContended
		interrupted += r.SamplesInterrupted
		if r.Stable {
			stable++
		}
		if r.Contended {
			flagged++
		}
		if r.Bimodal {
			bimodal++
		}
	}
	return fmt.Sprintf("%d samples that count, %d contended, %d interrupted; of %d rows %d stable, %d contended, %d bimodal",
		samples, contended, interrupted, len(t.Rows), stable, flagged, bimodal)
}

// compare prints how many rows of a table are within some parts of the first
// one's medians.
func compare(w io.Writer, name string, first, table *lut.Table) {
	var corrected, raw []float64
	contended, stable, quiet, near := 0, 0, 0, 0
	for _, r := range table.Rows {
		wl, err := r.Workload()
		if err != nil {
			continue
		}
		f, ok := first.Lookup(wl)
		if !ok {
			continue
		}
		off := math.Abs(math.Log(r.LatencyMedianNS / f.LatencyMedianNS))
		corrected = append(corrected, off)
		raw = append(raw, math.Abs(math.Log(r.RawMedianNS/f.RawMedianNS)))
		if r.Contended {
			contended++
		} else if quiet++; off <= math.Log(1.02) {
			near++
		}
		if r.Stable {
			stable++
		}
	}
	n := float64(len(corrected))
	for _, v := range []struct {
		what string
		off  []float64
	}{{"corrected", corrected}, {"raw", raw}} {
		slices.Sort(v.off)
		fmt.Fprintf(w, "%s\t%s", name, v.what)
		for _, limit := range []float64{0.015, 0.02, 0.04, 0.08} {
			within := 0
			for _, off := range v.off {
				if off <= math.Log(1+limit) {
					within++
				}
			}
			fmt.Fprintf(w, "\t%.1f%%", 100*float64(within)/n)
		}
		fmt.Fprintf(w, "\t%.1f%%\t%.1f%%\t%.1f%%\t%d of %d\n", 100*(math.Exp(v.off[int(0.9*n)])-1), 100*float64(contended)/n, 100*float64(stable)/n, near, quiet)
	}
}

// coverage prints how many of the first table's intervals hold the mean of what
// long profiles before and after found, of all rows and of those that are marked
// neither contended nor not stable, and how far the two are from each other.
func coverage(w io.Writer, first, before, after *lut.Table) {
	type count struct{ covered, all int }
	var all, quiet, stable count
	var apart []float64
	for _, f := range first.Rows {
		wl, err := f.Workload()
		if err != nil {
			continue
		}
		x, ok := before.Lookup(wl)
		y, ok2 := after.Lookup(wl)
		if !ok || !ok2 {
			continue
		}
		apart = append(apart, math.Abs(math.Log(x.LatencyMedianNS/y.LatencyMedianNS)))
		long := math.Sqrt(x.LatencyMedianNS * y.LatencyMedianNS)
		holds := math.Abs(f.LatencyMedianNS-long) <= f.LatencyCI95NS
		for _, c := range []struct {
			*count
			is bool
		}{{&all, true}, {&quiet, !f.Contended}, {&stable, f.Stable}} {
			if c.is {
				c.all++
				if holds {
					c.covered++
				}
			}
		}
	}
	slices.Sort(apart)
	near := 0
	for _, a := range apart {
		if a <= math.Log(1.015) {
			near++
		}
	}
	fmt.Fprintf(w, "coverage: the intervals of %d of %d rows hold what ten times as much time finds; %d of %d that are not contended, %d of %d stable ones\n",
		all.covered, all.all, quiet.covered, quiet.all, stable.covered, stable.all)
	fmt.Fprintf(w, "before and after: %d of %d within 1.5%%, nine tenths within %.1f%%\n", near, len(apart), 100*(math.Exp(apart[int(0.9*float64(len(apart)))])-1))
	fmt.Fprintf(w, "before: %s\nafter: %s\n", describe(before), describe(after))
}
