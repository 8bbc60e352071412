package onnx

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb"
)

// smallFile is the size in bytes below which files are read instead of mapped.
const smallFile = 1 << 20

// contents is all of a file. Large ones are mapped where the system can do
// that, privately: changes of the memory stay here. A mapping is kept as long
// as the process, as tensors refer to it.
func contents(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", f.Name())
	}
	if size := info.Size(); size >= smallFile && int64(int(size)) == size {
		data, err := mapFile(f, int(size))
		if err == nil || !errors.Is(err, errors.ErrUnsupported) {
			return data, err
		}
	}
	return io.ReadAll(f)
}

// external are the files beside a model that hold tensors of it.
type external struct {
	root  *os.Root // the model's folder; nil where the model is no file
	files map[string][]byte
}

// openFolder opens the folder of a model, which its tensors must not leave.
func openFolder(model string) (*external, error) {
	root, err := os.OpenRoot(filepath.Dir(model))
	return &external{root: root, files: make(map[string][]byte)}, err
}

func (e *external) close() {
	if e.root != nil {
		e.root.Close()
	}
}

// bytes is the data of a tensor that is kept in another file.
func (e *external) bytes(p *onnxpb.TensorProto) ([]byte, error) {
	if e.root == nil {
		return nil, errNoFolder
	}
	var location string
	var offset, length int64 = 0, -1
	for _, entry := range p.ExternalData {
		var err error
		switch value := entry.GetValue(); entry.GetKey() {
		case "location":
			location = value
		case "offset":
			offset, err = strconv.ParseInt(value, 10, 64)
		case "length":
			if length, err = strconv.ParseInt(value, 10, 64); err == nil && length < 0 {
				err = fmt.Errorf("a length of %d bytes", length)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("external data: %w", err)
		}
	}
	if location == "" {
		return nil, errors.New("external data: there is no location")
	}
	data, ok := e.files[location]
	if !ok {
		path := filepath.FromSlash(slashed(location))
		// Opening a pipe would wait for one who writes.
		if info, err := e.root.Stat(path); err == nil && !info.Mode().IsRegular() {
			return nil, fmt.Errorf("external data in %q: it is no regular file", location)
		}
		f, err := e.root.Open(path)
		if err != nil {
			return nil, fmt.Errorf("external data, which must be in the model's folder: %w", err)
		}
		defer f.Close()
		if data, err = contents(f); err != nil {
			return nil, fmt.Errorf("external data in %q: %w", location, err)
		}
		e.files[location] = data
	}
	if length < 0 {
		length = int64(len(data)) - offset
	}
	if offset < 0 || length < 0 || offset > int64(len(data)) || length > int64(len(data))-offset {
		return nil, fmt.Errorf("external data: %d bytes from byte %d on, but %q has %d bytes", length, offset, location, len(data))
	}
	return data[offset : offset+length : offset+length], nil
}

// slashed is a location with slashes: some write it with backslashes, on Windows.
func slashed(location string) string { return strings.ReplaceAll(location, `\`, "/") }
