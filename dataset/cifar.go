package dataset

import (
	"fmt"
	"path/filepath"
)

// OpenCIFAR10 reads CIFAR-10 (https://www.cs.toronto.edu/~kriz/cifar.html)
// from the files of its binary version in a folder, data_batch_1.bin to
// data_batch_5.bin and test_batch.bin, each with or without .gz behind its
// name.
func OpenCIFAR10(dir string) (train, test *Images, err error) {
	train, test = newCIFAR10("CIFAR-10 train"), newCIFAR10("CIFAR-10 test")
	for i := 1; i <= 5 && err == nil; i++ {
		err = readFile(filepath.Join(dir, fmt.Sprintf("data_batch_%d.bin", i)), train.readCIFAR)
	}
	if err == nil {
		err = readFile(filepath.Join(dir, "test_batch.bin"), test.readCIFAR)
	}
	if err != nil {
		return nil, nil, err
	}
	return train, test, nil
}

func newCIFAR10(name string) *Images {
	return &Images{
		Name: name, C: 3, H: 32, W: 32,
		Classes: []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"},
	}
}

// cifarImages is the number of images in each file.
const cifarImages = 10_000

// readCIFAR adds the images of a file: a byte of label and 3,072 of pixels each.
func (s *Images) readCIFAR(r *reader) error {
	size := s.C * s.H * s.W
	data, err := r.bytes(cifarImages*(1+size), "images")
	if err != nil {
		return err
	}
	for at := 0; at < len(data); at += 1 + size {
		if int(data[at]) >= len(s.Classes) {
			return fmt.Errorf("at byte %d: label %d of %d classes", at, data[at], len(s.Classes))
		}
		s.Labels = append(s.Labels, data[at])
		s.Pixels = append(s.Pixels, data[at+1:at+1+size]...)
		s.N++
	}
	return nil
}
