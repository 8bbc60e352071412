package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/hwprofd/hwprofd/dataset"
)

// images are the parts of a data set: most training images train, a tenth of
// them guides the search, and test images are only for networks that are done.
type images struct {
	train, validation, test *dataset.Images
}

// splitSeed draws the images that guide the search. It is the same for every
// verb and seed, since a search that looked at other images than training left
// out would be judged by what the supernet knows by heart.
const splitSeed = 1

// loadImages reads a folder, or the embedded sample where none is named.
func loadImages(folder string) (images, error) {
	var all, test *dataset.Images
	var err error
	if folder == "" {
		all, test, err = dataset.FashionMNISTSample()
	} else {
		all, test, err = openFolder(folder)
	}
	if err != nil {
		return images{}, err
	}
	validation, train, err := all.Split(all.N/10, splitSeed)
	return images{train, validation, test}, err
}

// openFolder reads whichever standard files a folder has.
func openFolder(folder string) (train, test *dataset.Images, err error) {
	train, test, err = dataset.OpenIDX(folder)
	if !errors.Is(err, fs.ErrNotExist) {
		return train, test, err
	}
	train, test, err = dataset.OpenCIFAR10(folder)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: has neither the files of MNIST or Fashion-MNIST (train-images-idx3-ubyte ...) nor those of CIFAR-10 (data_batch_1.bin ...)", folder)
	}
	return train, test, err
}
