package lut

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"golang.org/x/sync/errgroup"
)

// column is a column of the file and the field of Row that holds it.
type column struct {
	name   string
	offset uintptr
	typ    reflect.Type
}

// columns are those of Row in their order.
var columns = func() []column {
	t := reflect.TypeFor[Row]()
	list := make([]column, t.NumField())
	for i := range list {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("parquet"), ",")
		list[i] = column{name, f.Offset, f.Type}
	}
	return list
}()

// readRows reads the rows of a file whose columns were checked: each column
// into values of its type, some columns at once, then the rows in blocks that
// stay in the caches. That takes a third of the time of reading row by row. The
// number of rows that the footer claims is not trusted with memory; that of the
// keys, which were read, is.
func readRows(f *parquet.File) ([]Row, error) {
	fill := make([]func(rows []Row, first int), len(columns))
	counts := make([]int, len(columns))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, c := range columns {
		leaf, ok := f.Schema().Lookup(c.name)
		if !ok {
			return nil, fmt.Errorf("column %s is missing", c.name)
		}
		group.Go(func() (err error) {
			defer recoverDamage(&err)
			fill[i], counts[i], err = c.load(f, leaf.ColumnIndex)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, c := range columns {
		if counts[i] != counts[0] {
			return nil, fmt.Errorf("row %d: damaged: column %s: %d values for %d keys", min(counts[i], counts[0]), c.name, counts[i], counts[0])
		}
	}
	rows := make([]Row, counts[0])
	inParallel(len(rows), func(from, to int) {
		const block = 256
		for first := from; first < to; first += block {
			part := rows[first:min(first+block, to)]
			for _, f := range fill {
				f(part, first)
			}
		}
	})
	return rows, nil
}

// inParallel splits n rows among the processors.
func inParallel(n int, work func(from, to int)) {
	workers := min(runtime.GOMAXPROCS(0), n/1000+1)
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() { work(i*n/workers, (i+1)*n/workers) })
	}
	group.Wait()
}

// recoverDamage makes an error of a panic of the Parquet reader, which may
// happen on a file that was crafted to pass the checksum.
func recoverDamage(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("damaged: %s", firstLine(fmt.Sprint(p)))
	}
}

// pageStrings are the values of a page, of which the nulls are left out.
func pageStrings(page parquet.Page) []string {
	if dictionary := page.Dictionary(); dictionary != nil {
		return lookUp(page, pageStrings(dictionary.Page()))
	}
	values := page.Data()
	data, offsets := values.ByteArray()
	if len(offsets) == 0 {
		return nil
	}
	all := string(data) // one allocation a page
	list := make([]string, len(offsets)-1)
	for i := range list {
		list[i] = all[offsets[i]:offsets[i+1]]
	}
	return list
}

// lookUp replaces the indexes of a page by the entries of its dictionary.
func lookUp[T any](page parquet.Page, entries []T) []T {
	values := page.Data()
	indexes := values.Int32()
	list := make([]T, len(indexes))
	for i, at := range indexes {
		list[i] = entries[at]
	}
	return list
}

// numbers are the values of a page, of which the nulls are left out.
func numbers[T any](page parquet.Page, plain func(parquet.Page) []T) []T {
	if dictionary := page.Dictionary(); dictionary != nil {
		return lookUp(page, plain(dictionary.Page()))
	}
	return plain(page)
}

func pageInt32(page parquet.Page) []int32    { v := page.Data(); return v.Int32() }
func pageInt64(page parquet.Page) []int64    { v := page.Data(); return v.Int64() }
func pageDouble(page parquet.Page) []float64 { v := page.Data(); return v.Double() }

// load reads a column, and returns what assigns its values to the rows from
// first on, and their number.
func (c column) load(f *parquet.File, index int) (fill func(rows []Row, first int), n int, err error) {
	switch c.typ {
	case reflect.TypeFor[string]():
		return loadAs(c, f, index, pageStrings, func(to, v *string) { *to = *v })
	case reflect.TypeFor[int32]():
		return loadAs(c, f, index, func(p parquet.Page) []int32 { return numbers(p, pageInt32) }, func(to, v *int32) { *to = *v })
	case reflect.TypeFor[int64]():
		return loadAs(c, f, index, func(p parquet.Page) []int64 { return numbers(p, pageInt64) }, func(to, v *int64) { *to = *v })
	case reflect.TypeFor[float64]():
		return loadAs(c, f, index, func(p parquet.Page) []float64 { return numbers(p, pageDouble) }, func(to, v *float64) { *to = *v })
	case reflect.TypeFor[*float64]():
		return loadAs(c, f, index, pagePointers, func(to, v **float64) { *to = *v })
	case reflect.TypeFor[time.Time]():
		return loadAs(c, f, index, func(p parquet.Page) []int64 { return numbers(p, pageInt64) }, func(to *time.Time, v *int64) { *to = time.UnixMicro(*v).UTC() })
	case reflect.TypeFor[bool]():
		return loadAs(c, f, index, pageBools, func(to, v *bool) { *to = *v })
	}
	return nil, 0, fmt.Errorf("column %s: there is no reader of %s", c.name, c.typ)
}

func pagePointers(page parquet.Page) []*float64 {
	values := slices.Clone(numbers(page, pageDouble)) // the page's own memory is used again
	list := make([]*float64, len(values))
	for i := range values {
		list[i] = &values[i]
	}
	return list
}

func pageBools(page parquet.Page) []bool {
	list := make([]bool, 0, page.NumValues())
	var buffer [512]parquet.Value
	for r := page.Values(); ; {
		n, err := r.ReadValues(buffer[:])
		for _, v := range buffer[:n] {
			list = append(list, v.Boolean())
		}
		if err != nil || n == 0 { // what is missing is found by its number
			return list
		}
	}
}

func loadAs[F, V any](c column, f *parquet.File, index int, read func(parquet.Page) []V, assign func(*F, *V)) (func([]Row, int), int, error) {
	all, err := loadValues(f, index, read)
	if err != nil {
		return nil, 0, fmt.Errorf("row %d: damaged: column %s: %s", len(all), c.name, firstLine(err.Error()))
	}
	return func(rows []Row, first int) {
		values := all[first : first+len(rows)]
		for i := range values {
			assign((*F)(unsafe.Add(unsafe.Pointer(&rows[i]), c.offset)), &values[i])
		}
	}, len(all), nil
}

// loadValues reads all values of a column, with the zero value for nulls.
func loadValues[V any](f *parquet.File, index int, read func(parquet.Page) []V) (all []V, err error) {
	// As many as the footer claims, as far as so large a file may hold.
	all = make([]V, 0, max(0, min(f.NumRows(), f.Size()/16)))
	for _, group := range f.RowGroups() {
		pages := group.ColumnChunks()[index].Pages()
		for {
			page, err := pages.ReadPage()
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil {
				all, err = appendPage(all, page, read(page))
				parquet.Release(page)
			}
			if err != nil {
				pages.Close()
				return all, err
			}
		}
		if err := pages.Close(); err != nil {
			return all, err
		}
	}
	return all, nil
}

func appendPage[V any](all []V, page parquet.Page, values []V) ([]V, error) {
	levels := page.DefinitionLevels()
	if levels == nil {
		if int64(len(values)) != page.NumValues() {
			return all, fmt.Errorf("%d values in a page of %d", len(values), page.NumValues())
		}
		return append(all, values...), nil
	}
	next := 0
	all = slices.Grow(all, len(levels))
	for _, level := range levels {
		var v V
		if level > 0 {
			if next == len(values) {
				return all, fmt.Errorf("%d values are fewer than the levels tell", len(values))
			}
			v = values[next]
			next++
		}
		all = append(all, v)
	}
	return all, nil
}
