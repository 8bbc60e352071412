package server

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/server/api"
)

// rowPage is a row with what follows from it.
type rowPage struct {
	Key, CacheState                          string
	Marks                                    []string // what is to be heeded
	MedianNS                                 float64
	Interval, GFLOPS, GBS, Intensity, Energy string
	Samples                                  int64
	MeasuredAt                               time.Time
}

func showRow(t *lut.Table, r *lut.Row) rowPage {
	p := rowPage{
		Key: r.Key, CacheState: r.Cache, Marks: t.Marks(r), MedianNS: r.LatencyMedianNS,
		Interval: strconv.FormatFloat(100*r.LatencyCI95NS/r.LatencyMedianNS, 'f', 1, 64) + "%",
		GFLOPS:   "-", Intensity: "-", Energy: "-", GBS: threeDigits(float64(r.Bytes) / r.LatencyMedianNS),
		Samples: r.Samples, MeasuredAt: r.MeasuredAt,
	}
	if r.MACs > 0 {
		p.GFLOPS = threeDigits(2 * float64(r.MACs) / r.LatencyMedianNS)
		if r.Bytes > 0 {
			p.Intensity = threeDigits(2 * float64(r.MACs) / float64(r.Bytes))
		}
	}
	if r.EnergyMJ != nil {
		p.Energy = threeDigits(*r.EnergyMJ) + " mJ (" + r.EnergySource + ")"
	}
	return p
}

// sortChoices are the orders that the page offers, of those that there are.
var sortChoices = []struct{ Value, Label string }{
	{"key", "name"}, {"-latency_median_ns", "slowest first"}, {"latency_median_ns", "fastest first"},
	{"-macs", "most multiply-accumulates"}, {"-bytes", "most bytes"}, {"-latency_ci95_ns", "widest interval"},
	{"stable", "least stable first"}, {"-measured_at", "newest first"}, {"measured_at", "oldest first"},
}

type sortChoice struct {
	Value, Label string
	Current      bool
}

func (s *Server) lutPage(w http.ResponseWriter, r *http.Request) error {
	q, err := readRowQuery(r)
	if err != nil {
		return err
	}
	info, table, err := s.oracle.table(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	matching := q.match(table)
	// Beyond the end is the last page.
	q.Offset = min(q.Offset, max(0, (len(matching)-1)/q.Limit*q.Limit))
	data := struct {
		page
		LUT            api.LUT
		Query          rowQuery
		Ops            []string
		Sorts          []sortChoice
		Rows           api.Rows
		Shown          []rowPage
		Roofline       *roofline
		From, To       int
		Page, Pages    int
		Previous, Next string
	}{
		page: s.page(info.Name, "home"), LUT: info, Query: q, Rows: q.page(table, matching),
		Roofline: drawRoofline(table, matching),
	}
	ops := map[string]bool{}
	for i := range table.Rows {
		ops[table.Rows[i].Op] = true
	}
	data.Ops = slices.Sorted(maps.Keys(ops))
	for _, c := range sortChoices {
		data.Sorts = append(data.Sorts, sortChoice{c.Value, c.Label, c.Value == q.order()})
	}
	for i := range data.Rows.Rows {
		data.Shown = append(data.Shown, showRow(table, &data.Rows.Rows[i]))
	}
	data.From, data.To = q.Offset+1, q.Offset+len(data.Shown)
	data.Page, data.Pages = q.Offset/q.Limit+1, (data.Rows.Total+q.Limit-1)/q.Limit
	at := func(offset int) string {
		values := r.URL.Query()
		values.Set("offset", strconv.Itoa(offset))
		return "?" + values.Encode()
	}
	if q.Offset > 0 {
		data.Previous = at(max(0, q.Offset-q.Limit))
	}
	if data.To < data.Rows.Total {
		data.Next = at(q.Offset + q.Limit)
	}
	return s.render(w, r, http.StatusOK, "lut", data)
}

func (s *Server) comparePage(w http.ResponseWriter, r *http.Request) error {
	tables, err := s.luts.list(s.badTable)
	if err != nil {
		return err
	}
	across, err := boolParameter(r, "across")
	if err != nil {
		return err
	}
	data := struct {
		page
		LUTs           []api.LUT
		Old, New       string
		Across         bool
		Differences    *lut.Differences
		Shown          []lut.Difference
		Slower, Faster int
		Problem        string
	}{page: s.page("Compare", "compare"), LUTs: tables, Old: r.URL.Query().Get("old"), New: r.URL.Query().Get("new"), Across: across}
	if data.Old != "" || data.New != "" {
		data.Differences, err = s.diff(r, data.Old, data.New, across)
		var p *problem
		switch {
		case errors.As(err, &p):
			data.Problem = p.Error()
		case err != nil:
			return err
		default:
			data.Shown = data.Differences.Rows[:min(len(data.Differences.Rows), maxListed)]
			for _, d := range data.Differences.Rows {
				if d.Slower {
					data.Slower++
				}
				if d.Faster {
					data.Faster++
				}
			}
		}
	}
	return s.render(w, r, http.StatusOK, "compare", data)
}
