package supernet_test

import (
	"context"
	"fmt"

	"github.com/hwprofd/hwprofd/dataset"
	"github.com/hwprofd/hwprofd/nas/space"
	"github.com/hwprofd/hwprofd/nas/supernet"
)

// One step of training, for as long as an example may take; some minutes give
// a useful supernet.
func Example() {
	images, _, err := dataset.FashionMNISTSample()
	if err != nil {
		fmt.Println(err)
		return
	}
	validation, training, err := images.Split(1000, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	mobile, err := space.ByName("mobile28", images.C, len(images.Classes))
	if err != nil {
		fmt.Println(err)
		return
	}
	net, err := supernet.Train(context.Background(), supernet.Config{
		Space: mobile, Train: training, Validation: validation, Steps: 1, Seed: 1,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	calibration, _, err := training.Split(64, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	evaluator, err := net.NewEvaluator(calibration, validation, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	smallest := mobile.Smallest()
	scores, err := evaluator.Evaluate(context.Background(), smallest)
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := net.Export(smallest, scores[0])
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(g.Metadata["space"], "at", g.Metadata["resolution"], "pixels:", g.Params(), "parameters")
	// Output:
	// mobile28 at 20 pixels: 9368 parameters
}
