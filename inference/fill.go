package inference

import (
	"fmt"
	"math/rand/v2"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// FillInputs gives the plan inputs to be timed with: numbers uniform in -1..1
// and integers 1, an index into any table and a mask that lets all through. It
// fails for inputs of a type that is neither.
func (p *Plan) FillInputs(seed uint64) error {
	random := rand.New(rand.NewPCG(seed, 1))
	for i, x := range p.inputs {
		switch data := x.Data.(type) {
		case []float32:
			for j := range data {
				data[j] = 2*random.Float32() - 1
			}
		case []float64:
			for j := range data {
				data[j] = 2*random.Float64() - 1
			}
		case []uint16:
			for j := range data {
				if data[j] = 1; x.DType.IsHalf() {
					data[j] = operator.ToHalf(x.DType, 2*random.Float32()-1)
				}
			}
		case []int8:
			ones(data)
		case []int16:
			ones(data)
		case []int32:
			ones(data)
		case []int64:
			ones(data)
		case []uint8:
			ones(data)
		case []uint32:
			ones(data)
		case []uint64:
			ones(data)
		case []bool:
			for j := range data {
				data[j] = true
			}
		default:
			return fmt.Errorf("inference: input %d is of type %s, which cannot be filled", i, x.DType)
		}
	}
	return nil
}

func ones[T int8 | int16 | int32 | int64 | uint8 | uint32 | uint64](data []T) {
	for i := range data {
		data[i] = 1
	}
}
