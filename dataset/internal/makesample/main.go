// Makesample writes the sample of Fashion-MNIST that package dataset embeds,
// out of the folder with the full set's four files (in Debian, package
// dataset-fashion-mnist). Usage: makesample DIR FILE
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"os"

	"github.com/google/renameio/v2/maybe"

	"github.com/hwprofd/hwprofd/dataset"
)

// Images taken of every class.
const (
	trainPerClass = 1000
	testPerClass  = 200
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: makesample DIR FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir, path string) error {
	train, test, err := dataset.OpenIDX(dir)
	if err != nil {
		return err
	}
	if train, err = train.PerClass(trainPerClass); err != nil {
		return err
	}
	if test, err = test.PerClass(testPerClass); err != nil {
		return err
	}
	var arrays []byte
	for _, s := range []*dataset.Images{train, test} {
		arrays = appendIDX(arrays, s.Pixels, s.N, s.H, s.W)
		arrays = appendIDX(arrays, s.Labels, s.N)
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(arrays); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return maybe.WriteFile(path, packed.Bytes(), 0o644)
}

// appendIDX appends an IDX array of unsigned bytes.
func appendIDX(out, values []byte, shape ...int) []byte {
	out = append(out, 0, 0, 8, byte(len(shape)))
	for _, n := range shape {
		out = binary.BigEndian.AppendUint32(out, uint32(n))
	}
	return append(out, values...)
}
