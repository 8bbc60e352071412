package dataset

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// OpenIDX reads a data set in the format of MNIST
// (http://yann.lecun.com/exdb/mnist/), such as MNIST itself or Fashion-MNIST,
// from its four files in a folder: train-images-idx3-ubyte,
// train-labels-idx1-ubyte and the same with t10k for train, each with or
// without .gz behind its name. Classes are named by their numbers.
func OpenIDX(dir string) (train, test *Images, err error) {
	if train, err = openIDXPair(dir, "train"); err != nil {
		return nil, nil, err
	}
	if test, err = openIDXPair(dir, "t10k"); err != nil {
		return nil, nil, err
	}
	for len(train.Classes) < len(test.Classes) {
		train.Classes = append(train.Classes, strconv.Itoa(len(train.Classes)))
	}
	test.Classes = train.Classes
	return train, test, nil
}

func openIDXPair(dir, part string) (*Images, error) {
	s := &Images{Name: filepath.Base(dir) + " " + part}
	if err := readFile(filepath.Join(dir, part+"-images-idx3-ubyte"), s.readIDXImages); err != nil {
		return nil, err
	}
	labels := filepath.Join(dir, part+"-labels-idx1-ubyte")
	if err := readFile(labels, s.readIDXLabels); err != nil {
		return nil, err
	}
	top := uint8(0)
	for _, label := range s.Labels {
		top = max(top, label)
	}
	for i := range int(top) + 1 {
		s.Classes = append(s.Classes, strconv.Itoa(i))
	}
	return s, nil
}

// readFile calls read with the content of path, or of path with .gz behind
// its name, unpacked. Errors name the file.
func readFile(path string, read func(r *reader) error) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		packed, e := os.Open(path + ".gz")
		if errors.Is(e, fs.ErrNotExist) {
			return fmt.Errorf("dataset: %w, nor is there %s.gz", err, filepath.Base(path))
		}
		path, file, err = path+".gz", packed, e
	}
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	defer file.Close()
	var r io.Reader = bufio.NewReader(file)
	if filepath.Ext(path) == ".gz" {
		if r, err = gzip.NewReader(r); err != nil {
			return fmt.Errorf("dataset: %s: %w", path, err)
		}
	}
	in := &reader{r: r}
	if err = read(in); err == nil {
		err = in.end()
	}
	if err != nil {
		return fmt.Errorf("dataset: %s: %w", path, err)
	}
	return nil
}

// reader counts the bytes read, so that errors can say where they are.
type reader struct {
	r      io.Reader
	offset int64
}

// maxValues bounds the values of one file, in bytes.
const maxValues = 1<<31 - 1

// bytes reads n bytes of what is named.
func (r *reader) bytes(n int, what string) ([]byte, error) {
	// Grows with what is there, not with what a damaged header promises.
	data, err := io.ReadAll(io.LimitReader(r.r, int64(n)))
	r.offset += int64(len(data))
	if err != nil {
		return nil, fmt.Errorf("at byte %d, in %s: %w", r.offset, what, err)
	}
	if len(data) < n {
		return nil, fmt.Errorf("ends at byte %d, after %d of %d bytes of %s", r.offset, len(data), n, what)
	}
	return data, nil
}

// end reports an error if there is more to read, or if what was read does not
// match its checksum.
func (r *reader) end() error {
	var one [1]byte
	switch n, err := io.ReadFull(r.r, one[:]); {
	case n > 0:
		return fmt.Errorf("goes on at byte %d, behind the last value", r.offset)
	case err != io.EOF:
		return fmt.Errorf("at byte %d: %w", r.offset, err)
	}
	return nil
}

// idx reads an IDX array of unsigned bytes with the given number of dimensions.
func (r *reader) idx(dimensions int, what string) (shape []int, values []byte, err error) {
	start := r.offset
	header, err := r.bytes(4+4*dimensions, "the header")
	if err != nil {
		return nil, nil, err
	}
	const unsignedByte = 8
	if want := uint32(unsignedByte<<8 | dimensions); binary.BigEndian.Uint32(header) != want {
		return nil, nil, fmt.Errorf("at byte %d: magic number %#08x, want %#08x for %s", start, binary.BigEndian.Uint32(header), want, what)
	}
	size := int64(1)
	for d := range dimensions {
		n := binary.BigEndian.Uint32(header[4+4*d:])
		if n == 0 || int64(n) > maxValues/size {
			return nil, nil, fmt.Errorf("at byte %d: %d as size of dimension %d of %s", start+int64(4+4*d), n, d, what)
		}
		size *= int64(n)
		shape = append(shape, int(n))
	}
	values, err = r.bytes(int(size), what)
	return shape, values, err
}

func (s *Images) readIDXImages(r *reader) error {
	shape, pixels, err := r.idx(3, "images")
	if err != nil {
		return err
	}
	s.N, s.C, s.H, s.W, s.Pixels = shape[0], 1, shape[1], shape[2], pixels
	return nil
}

func (s *Images) readIDXLabels(r *reader) error {
	shape, labels, err := r.idx(1, "labels")
	if err != nil {
		return err
	}
	if shape[0] != s.N {
		return fmt.Errorf("at byte 4: %d labels for %d images", shape[0], s.N)
	}
	s.Labels = labels
	return nil
}
