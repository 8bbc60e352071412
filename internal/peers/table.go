package main

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// series is what all rounds found of one shape against one peer.
type series struct {
	peer, kind, shape, dtype string
	threads                  int
	ratios, peerNS, oursNS   []float64
}

// result is a shape against the better of the peers of a bar.
type result struct {
	shape                  string
	peer                   string // the better one
	rounds                 int
	peerNS, oursNS         float64 // medians
	ratio, lowest, highest float64 // median, and the spread over the rounds
}

// machine is the part of the output of "hwprofd device --json" that the table
// shows.
type machine struct {
	CPUs []struct {
		Model   string `json:"model"`
		Threads int    `json:"threads"`
	} `json:"cpus"`
	Kernels []string `json:"kernels"`
	Virtual bool     `json:"virtual"`
}

// makeSection returns the section of the machine whose rounds are in folder,
// and its processor: in device.json is what the machine is, in peaks*.csv are
// its peaks, in all other .csv files comparisons, a file a round and group.
func makeSection(folder string) (name, section string, err error) {
	var m machine
	path := filepath.Join(folder, "device.json")
	text, err := os.ReadFile(path)
	if err != nil {
		return "", "", err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return "", "", fmt.Errorf("%s: %w", path, err)
	}
	if len(m.CPUs) == 0 || m.CPUs[0].Model == "" {
		return "", "", fmt.Errorf("%s: it names no processor", path)
	}
	all, err := readRounds(folder)
	if err != nil {
		return "", "", err
	}
	peaks, err := readPeaks(folder)
	if err != nil {
		return "", "", err
	}
	var b strings.Builder
	m.write(&b, all, peaks)
	return m.CPUs[0].Model, b.String(), nil
}

// putSection puts a section into the file at path, in the place of an older one
// of the same name, else at the end.
func putSection(path, name, section string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := "<!-- begin: "+name+" -->\n", "<!-- end: "+name+" -->\n"
	section = begin + section + end
	before, rest, found := strings.Cut(string(text), begin)
	if !found {
		return os.WriteFile(path, []byte(before+"\n"+section), 0o666)
	}
	_, after, closed := strings.Cut(rest, end)
	if !closed {
		return fmt.Errorf("%s: %q has no %q", path, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return os.WriteFile(path, []byte(before+section+after), 0o666)
}

// write writes the section: every bar, then the shapes of each.
func (m *machine) write(w io.Writer, all []*series, peaks map[string]float64) {
	fmt.Fprintf(w, "## %s\n\n", m.CPUs[0].Model)
	virtual := ""
	if m.Virtual {
		virtual = ", a virtual machine"
	}
	fmt.Fprintf(w, "%d hardware threads%s; kernels: %s.", m.CPUs[0].Threads, virtual, strings.Join(m.Kernels, ", "))
	if len(peaks) > 0 {
		fmt.Fprintf(w, " Measured peaks of one thread: %s.", describePeaks(peaks))
	}
	fmt.Fprint(w, "\n\n| work | threads | shapes | geometric mean | worst | bar |\n| --- | --- | --- | --- | --- | --- |\n")
	var details strings.Builder
	for _, b := range bars {
		for _, threads := range threadCounts(all) {
			results := b.results(all, threads)
			if len(results) == 0 {
				continue
			}
			mean, worst := summarize(results)
			fmt.Fprintf(w, "| %s | %d | %d | %.2f | %.2f (%s) | %s |\n", b.name, threads, len(results), mean, worst.ratio, worst.shape, b.verdict(results, peaks, threads))
			b.detail(&details, results, peaks, threads)
		}
	}
	fmt.Fprintf(w, "\n%s", details.String())
}

// threadCounts are the numbers of threads that were measured with.
func threadCounts(all []*series) []int {
	var counts []int
	for _, s := range all {
		counts = append(counts, s.threads)
	}
	slices.Sort(counts)
	return slices.Compact(counts)
}

func readRounds(folder string) ([]*series, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.csv"))
	if err != nil {
		return nil, err
	}
	type key struct {
		peer, kind, shape, dtype string
		threads                  int
	}
	seen := make(map[key]*series)
	for _, path := range paths {
		if strings.HasPrefix(filepath.Base(path), "peaks") {
			continue
		}
		comparisons, err := readComparisons(path)
		if err != nil {
			return nil, err
		}
		for _, c := range comparisons {
			if c.oursNS == 0 {
				continue
			}
			k := key{c.peer, c.kind, shapeName(c.kind, c.shape), c.dtype, c.threads}
			if strings.HasSuffix(c.shape, "_fused") {
				k.peer += " (fused)"
			}
			s := seen[k]
			if s == nil {
				s = &series{peer: k.peer, kind: k.kind, shape: k.shape, dtype: k.dtype, threads: k.threads}
				seen[k] = s
			}
			s.ratios = append(s.ratios, c.ratio())
			s.peerNS = append(s.peerNS, c.ns)
			s.oursNS = append(s.oursNS, c.oursNS)
		}
	}
	if len(seen) == 0 {
		return nil, fmt.Errorf("%s: no comparisons to make a table of", folder)
	}
	var list []*series
	for _, s := range seen {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *series) int {
		return cmp.Or(cmp.Compare(work(a), work(b)), cmp.Compare(a.shape, b.shape), cmp.Compare(a.peer, b.peer))
	})
	return list, nil
}

// work is the order of the shapes in the tables: smaller first, by the peer's
// time.
func work(s *series) float64 { return slices.Min(s.peerNS) }

// readComparisons reads what compare has written.
func readComparisons(path string) ([]comparison, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := csv.NewReader(f)
	in.FieldsPerRecord = 8
	var list []comparison
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if record[0] == columns[0] {
			continue
		}
		line, _ := in.FieldPos(0)
		r, err := parseRow(record[:6])
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, line, err)
		}
		c := comparison{row: r}
		if record[6] != "" {
			if c.oursNS, err = strconv.ParseFloat(record[6], 64); err != nil || !(c.oursNS > 0) {
				return nil, fmt.Errorf("%s:%d: ours_ns is %q, want a time in ns", path, line, record[6])
			}
		}
		list = append(list, c)
	}
}

// readPeaks returns the best rate of each of the machine's peaks over all
// rounds.
func readPeaks(folder string) (map[string]float64, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "peaks*.csv"))
	if err != nil {
		return nil, err
	}
	peaks := make(map[string]float64)
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return nil, err
		}
		rows, err := readAllRows(path, f)
		f.Close()
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			if r.kind == peakKind {
				peaks[r.shape] = max(peaks[r.shape], r.rate)
			}
		}
	}
	return peaks, nil
}

func describePeaks(peaks map[string]float64) string {
	var parts []string
	for _, p := range []struct{ name, text, unit string }{
		{"fma512", "FMA on 512 bits", "GFLOP/s"}, {"fma256", "FMA on 256 bits", "GFLOP/s"},
		{"vpdpbusd512", "VPDPBUSD", "GOP/s"}, {"vdpbf16ps512", "VDPBF16PS", "GFLOP/s"},
		{"memcpy16k", "copy of 16 KiB", "GB/s"}, {"memcpy256k", "of 256 KiB", "GB/s"},
		{"memcpy4096k", "of 4 MiB", "GB/s"}, {"memcpy65536k", "of 64 MiB", "GB/s"},
	} {
		if rate, ok := peaks[p.name]; ok {
			parts = append(parts, fmt.Sprintf("%s %.1f %s", p.text, rate, p.unit))
		}
	}
	return strings.Join(parts, ", ")
}

// results are the shapes of b, each against the peer that it does worst
// against.
func (b *bar) results(all []*series, threads int) []result {
	if b.threads != 0 && b.threads != threads {
		return nil
	}
	var list []result
	at := make(map[string]int)
	for _, s := range all {
		if s.threads != threads || s.dtype != b.dtype || b.kind != "" && s.kind != b.kind || !b.isOf(s.peer) || !b.belongs(s.shape) {
			continue
		}
		r := result{
			shape: s.shape, peer: s.peer, rounds: len(s.ratios),
			peerNS: median(slices.Clone(s.peerNS)), oursNS: median(slices.Clone(s.oursNS)), ratio: median(slices.Clone(s.ratios)),
			lowest: slices.Min(s.ratios), highest: slices.Max(s.ratios),
		}
		name := s.kind + s.shape
		i, ok := at[name]
		switch {
		case !ok:
			at[name] = len(list)
			list = append(list, r)
		case r.ratio > list[i].ratio:
			list[i] = r
		}
	}
	return list
}

// summarize returns the geometric mean of the ratios and the largest.
func summarize(results []result) (mean float64, worst result) {
	var sum float64
	for _, r := range results {
		sum += math.Log(r.ratio)
		if r.ratio > worst.ratio {
			worst = r
		}
	}
	return math.Exp(sum / float64(len(results))), worst
}

// verdict says which parts of the bar are reached, and by how much the others
// are missed.
func (b *bar) verdict(results []result, peaks map[string]float64, threads int) string {
	var parts []string
	say := func(reached bool, what, missed string) {
		if reached {
			parts = append(parts, what+" reached")
		} else {
			parts = append(parts, "**"+what+" missed "+missed+"**")
		}
	}
	mean, worst := summarize(results)
	if b.mean > 0 {
		say(mean <= b.mean, fmt.Sprintf("mean ≤ %.2f", b.mean), fmt.Sprintf("by %.1f%%", 100*(mean/b.mean-1)))
	}
	if b.worst > 0 {
		above := 0
		for _, r := range results {
			if r.ratio > b.worst {
				above++
			}
		}
		missed := fmt.Sprintf("by %.0f%%", 100*(worst.ratio/b.worst-1))
		if len(results) > 1 {
			missed = fmt.Sprintf("by %d of %d, by up to %.0f%%", above, len(results), 100*(worst.ratio/b.worst-1))
		}
		say(above == 0, fmt.Sprintf("each ≤ %.2f", b.worst), missed)
	}
	if b.peak > 0 {
		for _, r := range results {
			share := share(r, peaks, threads)
			if b.peakShape(r.shape) && share > 0 {
				say(share >= b.peak, fmt.Sprintf("%s ≥ %.0f%% of peak", r.shape, 100*b.peak), fmt.Sprintf("with %.0f%%", 100*share))
			}
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "none")
}

// share is the share of the machine's FMA peak at which a matrix product runs,
// 0 where that cannot be told.
func share(r result, peaks map[string]float64, threads int) float64 {
	var m, n, k int
	peak := max(peaks["fma512"], peaks["fma256"]) * float64(threads)
	if scan(r.shape, "m%dn%dk%d", &m, &n, &k) != nil || peak == 0 {
		return 0
	}
	return 2 * float64(m) * float64(n) * float64(k) / r.oursNS / peak
}

// detail writes the table of one bar's shapes.
func (b *bar) detail(w io.Writer, results []result, peaks map[string]float64, threads int) {
	withPeak := b.kind == "gemm" && b.dtype == "f32" && share(results[0], peaks, threads) > 0
	fmt.Fprintf(w, "<details><summary>%s; threads: %d, shapes: %d</summary>\n\n", b.name, threads, len(results))
	head, rule := "| shape | better peer | its | ours | ratio | spread |", "| --- | --- | --- | --- | --- | --- |"
	if withPeak {
		head, rule = head+" of peak |", rule+" --- |"
	}
	fmt.Fprintf(w, "%s\n%s\n", head, rule)
	amount := b.amount
	if amount == nil {
		amount = microseconds
	}
	for _, r := range results {
		fmt.Fprintf(w, "| %s | %s | %s | %s | %.2f | %.2f..%.2f |", r.shape, r.peer, amount(r.peerNS), amount(r.oursNS), r.ratio, r.lowest, r.highest)
		if withPeak {
			fmt.Fprintf(w, " %.0f%% |", 100*share(r, peaks, threads))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "\n</details>\n\n")
}

func microseconds(ns float64) string {
	if ns < 1e5 {
		return fmt.Sprintf("%.1f µs", ns/1e3)
	}
	return fmt.Sprintf("%.0f µs", ns/1e3)
}
