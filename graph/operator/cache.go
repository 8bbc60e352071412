package operator

import (
	"fmt"
	"slices"
)

func init() {
	define("TensorScatter", definition{least: 2, most: 3, outputs: 1, infer: inferTensorScatter, run: runTensorScatter, exact: true})
}

// cacheUpdate is the axis of a cache that TensorScatter writes along, and
// whether it starts again after the end.
func (c *Call) cacheUpdate() (a int, circular bool, err error) {
	a, err = c.axisAttribute(-2)
	mode, err2 := c.Attributes.String("mode", "linear")
	if err := firstError(err, err2, c.wantSame(0, 1), c.wantType(2, I32, I64)); err != nil {
		return 0, false, err
	}
	if mode != "linear" && mode != "circular" {
		return 0, false, fmt.Errorf("attribute \"mode\" is %q, want \"linear\" or \"circular\"", mode)
	}
	cache, update := c.In[0].Shape, c.In[1].Shape
	if a == 0 {
		return 0, false, fmt.Errorf("attribute \"axis\" is the dimension of the batch")
	}
	if len(cache) != len(update) || !slices.Equal(with(cache, a, 0), with(update, a, 0)) || update[a] > cache[a] {
		return 0, false, fmt.Errorf("update of shape %v does not fit a cache of shape %v along axis %d", update, cache, a)
	}
	return a, mode == "circular", c.wantShape(2, cache[0])
}

func inferTensorScatter(c *Call) ([]Type, error) {
	_, _, err := c.cacheUpdate()
	return []Type{{c.In[0].DType, c.In[0].Shape}}, err
}

func runTensorScatter(c *Call, out []*Tensor) error {
	a, circular, err := c.cacheUpdate()
	if err != nil {
		return err
	}
	if err := runCopy(c, out); err != nil {
		return err
	}
	starts := make([]int, c.In[0].Shape[0])
	if c.has(2) {
		if starts, err = c.ints(2); err != nil {
			return err
		}
	}
	outer, size, inner := split3(c.In[0].Shape, a)
	n := c.In[1].Shape[a]
	move := between(out[0], c.In[1])
	for i := range outer {
		start := starts[i*len(starts)/outer]
		if start < 0 || !circular && start+n > size {
			return fmt.Errorf("input 2: %d elements from %d on are outside a cache of %d", n, start, size)
		}
		for k := range n {
			move.copy((i*size+(start+k)%size)*inner, (i*n+k)*inner, inner)
		}
	}
	return nil
}
