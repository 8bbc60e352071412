package profiler

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hwprofd/hwprofd/graph"
)

// maxGrid bounds the workloads of a grid: measuring more takes days.
const maxGrid = 100_000

// gridFields are the fields of a grid's entry beside op, dtype and epilogue, in
// the order in which they vary, the last one fastest.
var gridFields = []string{"n", "c", "h", "w", "k", "r", "s", "stride", "pad", "dilation", "group"}

// gridEntry is a set of workloads: one for each combination of the values.
type gridEntry struct {
	op, dtype, epilogue []string
	values              map[string][]int
	depthwise           bool // group is "c"
}

// ReadGrid reads the workloads to measure from a file, JSON or CSV by its name.
//
// A JSON file is an array of canonical names and of objects, whose fields are
// op, dtype (f32 if absent), epilogue, n (1), c, h, w (as h), k, r, s (as r),
// stride, pad, dilation (for all directions) and group, which may be "c" as in
// depthwise convolutions. A value is a number or a text, an array of them, or
// {"from": 16, "to": 64, "step": 16}; an object stands for all combinations.
//
// A CSV file has a line of column names, which are those fields, or workload for
// canonical names. Several values in a cell are separated by |, and 16:64:16 is
// a range.
//
// Workloads that come up twice are there once. Errors name the file and the
// entry.
func ReadGrid(path string) ([]graph.Workload, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("profiler: grid: %w", err)
	}
	read := readGridJSON
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		read = readGridCSV
	}
	g := &grid{seen: map[string]bool{}}
	if err := read(data, g); err != nil {
		return nil, fmt.Errorf("profiler: %s: %w", path, err)
	}
	if len(g.workloads) == 0 {
		return nil, fmt.Errorf("profiler: %s: it names no workloads", path)
	}
	return g.workloads, nil
}

type grid struct {
	workloads []graph.Workload
	seen      map[string]bool
}

func (g *grid) add(w graph.Workload) error {
	if err := w.Validate(); err != nil {
		return err
	}
	key := w.String()
	if g.seen[key] {
		return nil
	}
	if len(g.workloads) == maxGrid {
		return fmt.Errorf("more than %d workloads", maxGrid)
	}
	g.seen[key] = true
	g.workloads = append(g.workloads, w)
	return nil
}

func (g *grid) addName(name string) error {
	w, err := graph.ParseWorkload(name)
	if err != nil {
		return err
	}
	return g.add(w)
}

func readGridJSON(data []byte, g *grid) error {
	var entries []json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&entries); err != nil {
		return fmt.Errorf("want an array of workloads: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the array of workloads")
	}
	for i, entry := range entries {
		if err := addJSON(entry, g); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
	}
	return nil
}

func addJSON(entry json.RawMessage, g *grid) error {
	var name string
	if json.Unmarshal(entry, &name) == nil {
		return g.addName(name)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(entry, &fields); err != nil {
		return errors.New("want a name or an object")
	}
	e := newGridEntry()
	for field, raw := range fields {
		texts, err := jsonValues(raw)
		if err == nil {
			err = e.set(field, texts)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
	}
	return e.expand(g)
}

// jsonValues are the values of a field as text.
func jsonValues(raw json.RawMessage) ([]string, error) {
	var span struct{ From, To, Step *int }
	var list []json.RawMessage
	switch raw[0] {
	case '{':
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&span); err != nil || span.From == nil || span.To == nil {
			return nil, fmt.Errorf(`%s is no range: want {"from": 16, "to": 64, "step": 16}`, raw)
		}
		step := 1
		if span.Step != nil {
			step = *span.Step
		}
		return rangeValues(*span.From, *span.To, step)
	case '[':
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
	default:
		list = []json.RawMessage{raw}
	}
	var texts []string
	for _, item := range list {
		var text string
		if json.Unmarshal(item, &text) != nil {
			text = string(item)
		}
		texts = append(texts, text)
	}
	return texts, nil
}

func rangeValues(from, to, step int) ([]string, error) {
	if step < 1 || to < from || (to-from)/step >= maxGrid {
		return nil, fmt.Errorf("%d to %d by %d is no range", from, to, step)
	}
	var texts []string
	for v := from; v <= to; v += step {
		texts = append(texts, strconv.Itoa(v))
	}
	return texts, nil
}

func readGridCSV(data []byte, g *grid) error {
	r := csv.NewReader(bytes.NewReader(data))
	r.TrimLeadingSpace = true
	columns, err := r.Read()
	if err != nil {
		return fmt.Errorf("want a line of column names: %w", err)
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line, _ := r.FieldPos(0)
		if err := addRecord(columns, record, g); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

func addRecord(columns, record []string, g *grid) error {
	e := newGridEntry()
	for i, column := range columns {
		cell := strings.TrimSpace(record[i])
		column = strings.TrimSpace(column)
		if cell == "" {
			continue
		}
		if column == "workload" {
			if err := g.addName(cell); err != nil {
				return err
			}
			continue
		}
		var texts []string
		for part := range strings.SplitSeq(cell, "|") {
			span := strings.Split(part, ":")
			if len(span) == 1 {
				texts = append(texts, strings.TrimSpace(part))
				continue
			}
			numbers := []int{0, 0, 1}
			for j, text := range span {
				n, err := strconv.Atoi(strings.TrimSpace(text))
				if err != nil || j > 2 {
					return fmt.Errorf("%s: %q is no range: want 16:64:16", column, part)
				}
				numbers[j] = n
			}
			more, err := rangeValues(numbers[0], numbers[1], numbers[2])
			if err != nil {
				return fmt.Errorf("%s: %w", column, err)
			}
			texts = append(texts, more...)
		}
		if err := e.set(column, texts); err != nil {
			return fmt.Errorf("%s: %w", column, err)
		}
	}
	if len(e.op) == 0 && len(e.values) == 0 { // names only
		return nil
	}
	return e.expand(g)
}

func newGridEntry() *gridEntry {
	return &gridEntry{dtype: []string{string(graph.F32)}, values: map[string][]int{}}
}

func (e *gridEntry) set(field string, texts []string) error {
	switch field {
	case "op":
		e.op = texts
	case "dtype":
		e.dtype = texts
	case "epilogue":
		e.epilogue = texts
	default:
		if !slices.Contains(gridFields, field) {
			return fmt.Errorf("there is no such field; the fields are op, dtype, epilogue, %s", strings.Join(gridFields, ", "))
		}
		if field == "group" && slices.Equal(texts, []string{"c"}) {
			e.depthwise = true
			return nil
		}
		for _, text := range texts {
			n, err := strconv.Atoi(text)
			if err != nil {
				return fmt.Errorf("%q is not a number", text)
			}
			e.values[field] = append(e.values[field], n)
		}
	}
	return nil
}

// expand adds every combination.
func (e *gridEntry) expand(g *grid) error {
	if len(e.op) == 0 {
		return errors.New("op is missing")
	}
	epilogues := e.epilogue
	if len(epilogues) == 0 {
		epilogues = []string{""}
	}
	for _, op := range e.op {
		for _, dtype := range e.dtype {
			for _, epilogue := range epilogues {
				w := graph.Workload{Op: graph.Op(op), DType: graph.DType(dtype), N: 1, Epilogue: epilogue}
				if err := e.vary(w, 0, map[string]int{}, g); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (e *gridEntry) vary(w graph.Workload, field int, chosen map[string]int, g *grid) error {
	if field == len(gridFields) {
		return g.add(e.workload(w, chosen))
	}
	name := gridFields[field]
	if len(e.values[name]) == 0 {
		return e.vary(w, field+1, chosen, g)
	}
	for _, v := range e.values[name] {
		chosen[name] = v
		if err := e.vary(w, field+1, chosen, g); err != nil {
			return err
		}
	}
	return nil
}

func (e *gridEntry) workload(w graph.Workload, chosen map[string]int) graph.Workload {
	or := func(name string, otherwise int) int {
		if v, ok := chosen[name]; ok {
			return v
		}
		return otherwise
	}
	w.N = or("n", 1)
	w.C, w.H, w.K, w.R = or("c", 0), or("h", 0), or("k", 0), or("r", 0)
	w.W, w.S = or("w", w.H), or("s", w.R)
	conv := w.Op == graph.OpConv2D
	windowed := 0
	if conv {
		windowed = 1
	}
	w.StrideH = or("stride", windowed)
	w.StrideW = w.StrideH
	w.PadTop = or("pad", 0)
	w.PadLeft, w.PadBottom, w.PadRight = w.PadTop, w.PadTop, w.PadTop
	w.DilationH = or("dilation", windowed)
	w.DilationW = w.DilationH
	w.Group = or("group", windowed)
	if e.depthwise {
		w.Group = w.C
	}
	if w.Epilogue == "" && (conv || w.Op == graph.OpLinear) {
		w.Epilogue = "none"
	}
	return w
}
