package main

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/lut"
)

// rowFilter picks and orders rows of a table.
type rowFilter struct {
	op, dtype, cache, match string
	where                   []string
	sort                    string
	limit                   int
}

func (f *rowFilter) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.op, "op", "", "only this operator, such as conv2d")
	flags.StringVar(&f.dtype, "dtype", "", "only this element type, such as f32")
	flags.StringVar(&f.cache, "cache", "", "only this state of the caches: warm or cold")
	flags.StringVar(&f.match, "match", "", "only workloads whose name matches this regular expression")
	flags.StringArrayVar(&f.where, "where", nil, "only rows of which this holds, such as 'latency_median_ns>1e6' or 'stable=false'; may be given several times")
	flags.StringVar(&f.sort, "sort", "", "order by this column, such as latency_median_ns; with - before it the largest first")
	flags.IntVar(&f.limit, "limit", 0, "print at most so many rows")
}

// condition compares a column with a value.
type condition struct {
	column, operator, value string
}

var conditionForm = regexp.MustCompile(`^\s*([a-z0-9_]+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*$`)

func (f *rowFilter) apply(rows []lut.Row) ([]lut.Row, error) {
	var pattern *regexp.Regexp
	var conditions []condition
	var err error
	if f.match != "" {
		if pattern, err = regexp.Compile(f.match); err != nil {
			return nil, usagef("--match: %w", err)
		}
	}
	if f.cache != "" && f.cache != lut.CacheWarm && f.cache != lut.CacheCold {
		return nil, usagef("--cache %q: want %s or %s", f.cache, lut.CacheWarm, lut.CacheCold)
	}
	if f.limit < 0 {
		return nil, usagef("--limit %d is negative", f.limit)
	}
	for _, text := range f.where {
		m := conditionForm.FindStringSubmatch(text)
		if m == nil {
			return nil, usagef("--where %q: want a column, one of = != < <= > >=, and a value", text)
		}
		if err := checkColumn("--where", m[1]); err != nil {
			return nil, err
		}
		conditions = append(conditions, condition{m[1], m[2], m[3]})
	}
	column, descending := strings.CutPrefix(f.sort, "-")
	if f.sort != "" {
		if err := checkColumn("--sort", column); err != nil {
			return nil, err
		}
	}
	kept := []lut.Row{}
	for i := range rows {
		r := &rows[i]
		ok := (f.op == "" || r.Op == f.op) && (f.dtype == "" || r.DType == f.dtype) && (f.cache == "" || r.Cache == f.cache) &&
			(pattern == nil || pattern.MatchString(r.Key))
		for _, c := range conditions {
			if !ok {
				break
			}
			if ok, err = c.holds(r); err != nil {
				return nil, err
			}
		}
		if ok {
			kept = append(kept, *r)
		}
	}
	if f.sort != "" {
		slices.SortStableFunc(kept, func(a, b lut.Row) int {
			x, _ := a.Cell(column)
			y, _ := b.Cell(column)
			if x == nil || y == nil { // nulls last
				return cmp.Compare(boolInt(x == nil), boolInt(y == nil))
			}
			if descending {
				x, y = y, x
			}
			return compareCells(x, y)
		})
	}
	if f.limit > 0 && len(kept) > f.limit {
		kept = kept[:f.limit]
	}
	return kept, nil
}

func checkColumn(flag, name string) error {
	if slices.Contains(lut.Columns(), name) {
		return nil
	}
	return usagef("%s: there is no column %q; the columns are %s", flag, name, strings.Join(lut.Columns(), ", "))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func compareCells(x, y any) int {
	switch a := x.(type) {
	case int64:
		return cmp.Compare(a, y.(int64))
	case float64:
		return cmp.Compare(a, y.(float64))
	case bool:
		return cmp.Compare(boolInt(a), boolInt(y.(bool)))
	case time.Time:
		return a.Compare(y.(time.Time))
	}
	return cmp.Compare(fmt.Sprint(x), fmt.Sprint(y))
}

// holds compares; a null is equal to an empty value, and else to nothing.
func (c condition) holds(r *lut.Row) (bool, error) {
	cell, _ := r.Cell(c.column)
	if cell == nil || c.value == "" {
		equal := (cell == nil || cell == "") && c.value == ""
		return equal && c.operator == "=" || !equal && c.operator == "!=", nil
	}
	var value any = c.value
	var err error
	switch cell := cell.(type) {
	case int64: // compared as a number that may have a fraction or an exponent
		var v float64
		v, err = parseNumber(c.value)
		return c.ordered(cmp.Compare(float64(cell), v)), c.wrong(err)
	case float64:
		value, err = parseNumber(c.value)
	case bool:
		value, err = strconv.ParseBool(c.value)
	case time.Time:
		if value, err = time.Parse(time.RFC3339Nano, c.value); err != nil {
			value, err = time.Parse(time.DateOnly, c.value) // its begin, UTC
		}
	}
	if err != nil {
		return false, c.wrong(err)
	}
	return c.ordered(compareCells(cell, value)), nil
}

// parseNumber takes no NaN, which is below and above nothing.
func parseNumber(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err == nil && math.IsNaN(v) {
		err = strconv.ErrSyntax
	}
	return v, err
}

func (c condition) wrong(err error) error {
	if err == nil {
		return nil
	}
	return usagef("--where: %s cannot be compared with %q; numbers are such as 12.5, times such as 2026-11-27 or 2026-11-27T04:00:00Z, and nothing stands for null", c.column, c.value)
}

func (c condition) ordered(order int) bool {
	switch c.operator {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}
