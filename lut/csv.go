package lut

import (
	"encoding/csv"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"time"
)

// Columns are the names of a row's columns, as in the file.
func Columns() []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return names
}

// Cell is the value of a column: a string, int64, float64, bool, or time.Time,
// or nil where it is null. It is nil, false where there is no such column.
func (r *Row) Cell(column string) (value any, ok bool) {
	for i, c := range columns {
		if c.name != column {
			continue
		}
		f := reflect.ValueOf(r).Elem().Field(i)
		switch {
		case f.Kind() == reflect.Pointer && f.IsNil():
			return nil, true
		case f.Kind() == reflect.Pointer:
			return f.Elem().Interface(), true
		case f.CanInt():
			return f.Int(), true
		}
		return f.Interface(), true
	}
	return nil, false
}

// WriteCSV writes rows with the columns and values of the file; what is null
// is empty.
func WriteCSV(w io.Writer, rows []Row) error {
	c := csv.NewWriter(w)
	names := Columns()
	c.Write(names)
	record := make([]string, len(names))
	for i := range rows {
		for n, name := range names {
			value, _ := rows[i].Cell(name)
			switch v := value.(type) {
			case nil:
				record[n] = ""
			case float64:
				record[n] = strconv.FormatFloat(v, 'g', -1, 64)
			case time.Time:
				record[n] = v.UTC().Format(time.RFC3339Nano)
			default:
				record[n] = fmt.Sprint(v)
			}
		}
		c.Write(record)
	}
	c.Flush()
	return c.Error()
}
