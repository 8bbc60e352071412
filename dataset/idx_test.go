package dataset

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// smallIDX returns the files of a tiny data set, by name.
func smallIDX() map[string][]byte {
	images := func(n byte, pixels ...byte) []byte {
		return append([]byte{0, 0, 8, 3, 0, 0, 0, n, 0, 0, 0, 1, 0, 0, 0, 2}, pixels...)
	}
	labels := func(l ...byte) []byte { return append([]byte{0, 0, 8, 1, 0, 0, 0, byte(len(l))}, l...) }
	return map[string][]byte{
		"train-images-idx3-ubyte": images(3, 1, 2, 3, 4, 5, 6),
		"train-labels-idx1-ubyte": labels(0, 1, 0),
		"t10k-images-idx3-ubyte":  images(2, 7, 8, 9, 10),
		"t10k-labels-idx1-ubyte":  labels(2, 0),
	}
}

func zipped(t testing.TB, data []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func writeFiles(t testing.TB, files map[string][]byte) string {
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOpenIDX(t *testing.T) {
	files := smallIDX()
	files["t10k-images-idx3-ubyte.gz"] = zipped(t, files["t10k-images-idx3-ubyte"])
	delete(files, "t10k-images-idx3-ubyte")
	train, test, err := OpenIDX(writeFiles(t, files))
	if err != nil {
		t.Fatal(err)
	}
	if train.N != 3 || train.C != 1 || train.H != 1 || train.W != 2 || !slices.Equal(train.Pixels, []uint8{1, 2, 3, 4, 5, 6}) || !slices.Equal(train.Labels, []uint8{0, 1, 0}) {
		t.Errorf("train is %+v", train)
	}
	if test.N != 2 || !slices.Equal(test.Pixels, []uint8{7, 8, 9, 10}) || !slices.Equal(test.Labels, []uint8{2, 0}) {
		t.Errorf("test is %+v", test)
	}
	for _, s := range []*Images{train, test} {
		if !slices.Equal(s.Classes, []string{"0", "1", "2"}) {
			t.Errorf("classes of %s are %v", s.Name, s.Classes)
		}
	}
}

func TestOpenIDXErrors(t *testing.T) {
	for _, c := range []struct {
		name, file, want string
		change           func([]byte) []byte
	}{
		{"missing", "t10k-labels-idx1-ubyte", "no such file", func([]byte) []byte { return nil }},
		{"empty", "train-labels-idx1-ubyte", "ends at byte 0, after 0 of 8 bytes of the header", func([]byte) []byte { return []byte{} }},
		{"cut", "train-images-idx3-ubyte", "ends at byte 20, after 4 of 6 bytes of images", func(d []byte) []byte { return d[:20] }},
		{"long", "train-images-idx3-ubyte", "goes on at byte 22", func(d []byte) []byte { return append(d, 0) }},
		{"magic", "train-images-idx3-ubyte", "at byte 0: magic number 0x00000903", func(d []byte) []byte { d[2] = 9; return d }},
		{"huge", "train-images-idx3-ubyte", "at byte 8: 4278190081 as size of dimension 1", func(d []byte) []byte { d[8] = 255; return d }},
		{"count", "train-labels-idx1-ubyte", "2 labels for 3 images", func(d []byte) []byte { d[7] = 2; return d[:10] }},
		{"gzip", "train-images-idx3-ubyte.gz", "gzip: invalid header", func([]byte) []byte { return []byte("this is not gzip") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := smallIDX()
			plain := strings.TrimSuffix(c.file, ".gz")
			data := files[plain]
			delete(files, plain)
			if data = c.change(data); data != nil {
				files[c.file] = data
			}
			dir := writeFiles(t, files)
			_, _, err := OpenIDX(dir)
			if err == nil {
				t.Fatal("no error")
			}
			if text := err.Error(); !strings.Contains(text, c.want) && c.name != "missing" || !strings.Contains(text, filepath.Join(dir, c.file)) || strings.Contains(text, "\n") {
				t.Errorf("error %q does not say %q of %s in one line", text, c.want, c.file)
			}
		})
	}
}

// Every cut of a packed file is an error: the checksum at its end is missed.
func TestTruncatedGzip(t *testing.T) {
	files := smallIDX()
	packed := zipped(t, files["train-images-idx3-ubyte"])
	delete(files, "train-images-idx3-ubyte")
	for n := range packed {
		files["train-images-idx3-ubyte.gz"] = packed[:n]
		if _, _, err := OpenIDX(writeFiles(t, files)); err == nil {
			t.Errorf("no error from the first %d of %d bytes", n, len(packed))
		}
	}
}

func FuzzIDX(f *testing.F) {
	for _, data := range smallIDX() {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &Images{}
		in := &reader{r: bytes.NewReader(data)}
		if s.readIDXImages(in) == nil && len(s.Pixels) != s.N*s.C*s.H*s.W {
			t.Errorf("%d pixels of %d images %d x %d", len(s.Pixels), s.N, s.H, s.W)
		}
		in = &reader{r: bytes.NewReader(data)}
		if s.readIDXLabels(in) == nil && len(s.Labels) != s.N {
			t.Errorf("%d labels of %d images", len(s.Labels), s.N)
		}
	})
}
