package dataset

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
)

//go:generate go run ./internal/makesample /usr/share/datasets/fashion-mnist fashion_mnist_sample.gz

// sample is one gzip stream of four IDX arrays: training images and labels,
// test images and labels. internal/makesample writes it.
//
//go:embed fashion_mnist_sample.gz
var sample []byte

// FashionMNISTClasses are the names of the classes of Fashion-MNIST.
var FashionMNISTClasses = []string{
	"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
}

// FashionMNISTSample returns a part of Fashion-MNIST (Xiao, Rasul and
// Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
// Learning Algorithms", 2017): of every class the first 1,000 of its 6,000
// training images and the first 200 of its 1,000 test images, in the order of
// the full set. Images are 28 x 28 and grey.
func FashionMNISTSample() (train, test *Images, err error) {
	packed, err := gzip.NewReader(bytes.NewReader(sample))
	if err != nil {
		return nil, nil, fmt.Errorf("dataset: embedded sample: %w", err)
	}
	r := &reader{r: packed}
	train = &Images{Name: "Fashion-MNIST sample train", Classes: FashionMNISTClasses}
	test = &Images{Name: "Fashion-MNIST sample test", Classes: FashionMNISTClasses}
	for _, read := range []func(*reader) error{train.readIDXImages, train.readIDXLabels, test.readIDXImages, test.readIDXLabels, (*reader).end} {
		if err := read(r); err != nil {
			return nil, nil, fmt.Errorf("dataset: embedded sample: %w", err)
		}
	}
	return train, test, nil
}
