package dataset

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const cifarRecord = 1 + 3*32*32

// cifarFile returns a file whose i-th image has label i mod 10 and pixels of
// the given value.
func cifarFile(value byte) []byte {
	data := bytes.Repeat([]byte{value}, cifarImages*cifarRecord)
	for i := range cifarImages {
		data[i*cifarRecord] = byte(i % 10)
	}
	return data
}

func TestOpenCIFAR10(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) {
		t.Helper()
		var packed bytes.Buffer
		w, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range []string{"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"} {
		write(name+".bin.gz", cifarFile(byte(i+1)))
	}
	train, test, err := OpenCIFAR10(dir)
	if err != nil {
		t.Fatal(err)
	}
	if train.N != 50_000 || test.N != 10_000 || len(train.Pixels) != train.N*3*32*32 {
		t.Errorf("%d training and %d test images", train.N, test.N)
	}
	if train.Labels[10_007] != 7 || train.Pixels[10_007*3072] != 2 || test.Pixels[0] != 6 {
		t.Error("images are not in the order of the files")
	}

	bad := cifarFile(1)
	bad[3*cifarRecord] = 10
	write("data_batch_2.bin.gz", bad)
	_, _, err = OpenCIFAR10(dir)
	if want := filepath.Join(dir, "data_batch_2.bin.gz") + ": at byte 9219: label 10 of 10 classes"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	write("data_batch_2.bin.gz", bad[:5*cifarRecord])
	_, _, err = OpenCIFAR10(dir)
	if want := "data_batch_2.bin.gz: ends at byte 15365, after"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	os.Remove(filepath.Join(dir, "data_batch_2.bin.gz"))
	_, _, err = OpenCIFAR10(dir)
	if want := "data_batch_2.bin: no such file"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

func FuzzCIFAR(f *testing.F) {
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newCIFAR10("fuzz")
		if s.readCIFAR(&reader{r: bytes.NewReader(data)}) == nil && (s.N != cifarImages || len(s.Labels) != s.N) {
			t.Errorf("%d images, %d labels", s.N, len(s.Labels))
		}
	})
}
