package device

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// tree is the root of a file system with /proc and /sys, real or a fixture.
// A file that is missing or unreadable reads as absent.
type tree struct{ fs.FS }

// text returns the file's content without surrounding white space and the NUL
// that device-tree strings end with.
func (t tree) text(name string) (string, bool) {
	data, err := fs.ReadFile(t.FS, name)
	if err != nil {
		return "", false
	}
	return string(bytes.Trim(data, " \t\r\n\x00")), true
}

// number returns the file's content as a decimal integer.
func (t tree) number(name string) (int64, bool) {
	s, ok := t.text(name)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// glob returns the matching names in natural order: cpu2 before cpu10.
func (t tree) glob(pattern string) []string {
	names, err := fs.Glob(t.FS, pattern)
	if err != nil { // only a malformed pattern, and all are constants
		panic(err)
	}
	slices.SortFunc(names, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return names
}

// exists reports whether the file is there, readable or not.
func (t tree) exists(name string) bool {
	_, err := fs.Stat(t.FS, name)
	return err == nil || errors.Is(err, fs.ErrPermission)
}

// readable reports whether this process may open the file. It does not read:
// some sensors take long to answer or fail while idle.
func (t tree) readable(name string) bool {
	f, err := t.Open(name)
	if err != nil {
		return false
	}
	return f.Close() == nil
}

// listSize returns how many numbers a kernel list such as "0-3,8" names.
func listSize(list string) int {
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		first, last, ranged := strings.Cut(strings.TrimSpace(part), "-")
		lo, err := strconv.Atoi(first)
		if err != nil {
			return 0
		}
		hi := lo
		if ranged {
			if hi, err = strconv.Atoi(last); err != nil || hi < lo {
				return 0
			}
		}
		n += hi - lo + 1
	}
	return n
}
