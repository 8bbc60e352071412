package lut

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
	"golang.org/x/sync/errgroup"
)

// column is a column of the file and the field of Row that holds it.
type column struct {
	name   string
	offset uintptr
	typ    reflect.Type
	since  int // the schema that it came with
}

// columns are those of Row in their order.
var columns = func() []column {
	t := reflect.TypeFor[Row]()
	list := make([]column, t.NumField())
	for i := range list {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("parquet"), ",")
		since, err := strconv.Atoi(cmp.Or(f.Tag.Get("since"), "1"))
		if err != nil {
			panic(err)
		}
		list[i] = column{name, f.Offset, f.Type, since}
	}
	return list
}()

// columnsOf are the columns that files of a schema have.
func columnsOf(schema int) []column {
	return slices.DeleteFunc(slices.Clone(columns), func(c column) bool { return c.since > schema })
}

// readRows reads the rows of a file whose columns were checked: each column
// into values of its type, some columns at once, then the rows in blocks that
// stay in the caches. That takes a third of the time of reading row by row. The
// number of rows that the footer claims is trusted with no more memory than the
// size of the file warrants. The rows are read into those given, if they suffice.
func readRows(f *parquet.File, schema int, rows []Row) ([]Row, error) {
	columns := columnsOf(schema)
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
	if counts[0] > len(rows) {
		rows = make([]Row, counts[0])
	}
	rows = rows[:counts[0]:counts[0]]
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

// claimedRows is the number that the footer claims, as far as so large a file
// may hold it.
func claimedRows(f *parquet.File) int64 { return max(0, min(f.NumRows(), f.Size()/16)) }

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

// Each of the following appends the values of a page, without the nulls.

func appendStrings(list []string, page parquet.Page) []string {
	if dictionary := page.Dictionary(); dictionary != nil {
		return lookUp(list, page, appendStrings(nil, dictionary.Page()))
	}
	values := page.Data()
	data, offsets := values.ByteArray()
	all := string(data) // one allocation a page
	for i := 1; i < len(offsets); i++ {
		list = append(list, all[offsets[i-1]:offsets[i]])
	}
	return list
}

func appendInt32(list []int32, page parquet.Page) []int32 {
	return appendNumbers(list, page, func(v encoding.Values) []int32 { return v.Int32() })
}

func appendInt64(list []int64, page parquet.Page) []int64 {
	return appendNumbers(list, page, func(v encoding.Values) []int64 { return v.Int64() })
}

func appendFloat64(list []float64, page parquet.Page) []float64 {
	return appendNumbers(list, page, func(v encoding.Values) []float64 { return v.Double() })
}

func appendNumbers[T any](list []T, page parquet.Page, plain func(encoding.Values) []T) []T {
	if dictionary := page.Dictionary(); dictionary != nil {
		return lookUp(list, page, plain(dictionary.Page().Data()))
	}
	return append(list, plain(page.Data())...)
}

// lookUp appends the entries of a dictionary that the indexes of a page name.
func lookUp[T any](list []T, page parquet.Page, entries []T) []T {
	values := page.Data()
	for _, at := range values.Int32() {
		list = append(list, entries[at])
	}
	return list
}

func appendPointers(list []*float64, page parquet.Page) []*float64 {
	values := appendFloat64(nil, page)
	for i := range values {
		list = append(list, &values[i])
	}
	return list
}

func appendBools(list []bool, page parquet.Page) []bool {
	data := page.Data()
	packed := data.Boolean()
	for i := range min(page.NumValues(), 8*int64(len(packed))) { // what is missing is found by its number
		list = append(list, packed[i/8]>>(i%8)&1 != 0)
	}
	return list
}

// load reads a column, and returns what assigns its values to the rows from
// first on, and their number.
func (c column) load(f *parquet.File, index int) (fill func(rows []Row, first int), n int, err error) {
	switch c.typ {
	case reflect.TypeFor[string]():
		return loadAs(c, f, index, appendStrings, func(to, v *string) { *to = *v })
	case reflect.TypeFor[int32]():
		return loadAs(c, f, index, appendInt32, func(to, v *int32) { *to = *v })
	case reflect.TypeFor[int64]():
		return loadAs(c, f, index, appendInt64, func(to, v *int64) { *to = *v })
	case reflect.TypeFor[float64]():
		return loadAs(c, f, index, appendFloat64, func(to, v *float64) { *to = *v })
	case reflect.TypeFor[*float64]():
		return loadAs(c, f, index, appendPointers, func(to, v **float64) { *to = *v })
	case reflect.TypeFor[time.Time]():
		return loadAs(c, f, index, appendInt64, func(to *time.Time, v *int64) { *to = time.UnixMicro(*v).UTC() })
	case reflect.TypeFor[bool]():
		return loadAs(c, f, index, appendBools, func(to, v *bool) { *to = *v })
	}
	return nil, 0, fmt.Errorf("column %s: there is no reader of %s", c.name, c.typ)
}

func loadAs[F, V any](c column, f *parquet.File, index int, read func([]V, parquet.Page) []V, assign func(*F, *V)) (func([]Row, int), int, error) {
	all, nulls, err := loadValues(f, index, read)
	if err != nil {
		return nil, 0, fmt.Errorf("row %d: damaged: column %s: %s", nulls+len(all), c.name, firstLine(err.Error()))
	}
	if len(all) == 0 {
		return func([]Row, int) {}, nulls, nil
	}
	return func(rows []Row, first int) {
		values := all[first : first+len(rows)]
		for i := range values {
			assign((*F)(unsafe.Add(unsafe.Pointer(&rows[i]), c.offset)), &values[i])
		}
	}, len(all), nil
}

// loadValues reads all values of a column, with the zero value for nulls. Of a
// column of nothing but nulls it returns their number.
func loadValues[V any](f *parquet.File, index int, read func([]V, parquet.Page) []V) (all []V, nulls int, err error) {
	for _, group := range f.RowGroups() {
		pages := group.ColumnChunks()[index].Pages()
		for {
			page, err := pages.ReadPage()
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil {
				if n := int(page.NumNulls()); len(all) == 0 && int64(n) == page.NumValues() && len(page.DefinitionLevels()) == n {
					nulls += n
				} else {
					if len(all) == 0 {
						all, nulls = make([]V, nulls, max(int64(nulls), claimedRows(f))), 0
					}
					all, err = appendPage(all, page, read)
				}
				parquet.Release(page)
			}
			if err != nil {
				pages.Close()
				return all, nulls, err
			}
		}
		if err := pages.Close(); err != nil {
			return all, nulls, err
		}
	}
	return all, nulls, nil
}

func appendPage[V any](all []V, page parquet.Page, read func([]V, parquet.Page) []V) ([]V, error) {
	levels := page.DefinitionLevels()
	if levels == nil {
		n := len(all)
		all = read(all, page)
		if int64(len(all)-n) != page.NumValues() {
			return all, fmt.Errorf("%d values in a page of %d", len(all)-n, page.NumValues())
		}
		return all, nil
	}
	values := read(nil, page)
	for _, level := range levels {
		var v V
		if level > 0 {
			if len(values) == 0 {
				return all, errors.New("a page has fewer values than its levels tell")
			}
			v, values = values[0], values[1:]
		}
		all = append(all, v)
	}
	return all, nil
}
