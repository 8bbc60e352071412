package dataset_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/hwprofd/hwprofd/dataset"
)

func Example() {
	train, test, err := dataset.FashionMNISTSample()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(train.N, "training and", test.N, "test images of", len(train.Classes), "classes")

	const size, resolution = 64, 20
	tr := dataset.Transform{Resolution: resolution, Shift: 2, Flip: true}
	tr.Mean, tr.Deviation = train.Moments()
	batches, err := dataset.NewBatches(train.N, size, 1)
	if err != nil {
		log.Fatal(err)
	}
	input := make([]float32, size*train.C*resolution*resolution)
	labels := make([]int, size)
	rng := rand.New(rand.NewPCG(1, 0))
	for step := range batches.PerEpoch() {
		train.Batch(input, labels, batches.At(step), tr, rng)
		// ... a training step with input [64, 1, 20, 20] and labels.
	}
	fmt.Println(batches.PerEpoch(), "batches an epoch")
	// Output:
	// 10000 training and 2000 test images of 10 classes
	// 156 batches an epoch
}
