package operator

import "math"

func init() {
	for name, f := range map[string]func(line []float64){
		"Softmax": softmax, "LogSoftmax": logSoftmax, "Hardmax": hardmax,
	} {
		define(name, definition{least: 1, most: 1, outputs: 1, infer: inferSoftmax, run: runSoftmax(f)})
	}
}

func inferSoftmax(c *Call) ([]Type, error) {
	_, err := c.axisAttribute(-1)
	return []Type{{c.In[0].DType, c.In[0].Shape}}, firstError(err, c.wantFloat(0))
}

// runSoftmax changes each line along the axis by f.
func runSoftmax(f func(line []float64)) func(*Call, []*Tensor) error {
	return func(c *Call, out []*Tensor) error {
		a, err := c.axisAttribute(-1)
		if err != nil {
			return err
		}
		outer, n, inner := split3(c.In[0].Shape, a)
		if n == 0 {
			return nil
		}
		switch x := c.In[0].Data.(type) {
		case []float32:
			mapLines(out[0].Data.([]float32), x, outer, n, inner, f)
		case []float64:
			mapLines(out[0].Data.([]float64), x, outer, n, inner, f)
		}
		return nil
	}
}

func mapLines[T float32 | float64](y, x []T, outer, n, inner int, f func(line []float64)) {
	line := make([]float64, n)
	for i := range outer {
		for j := range inner {
			from := i*n*inner + j
			for k := range line {
				line[k] = float64(x[from+k*inner])
			}
			f(line)
			for k, v := range line {
				y[from+k*inner] = T(v)
			}
		}
	}
}

func largest(line []float64) float64 {
	m := line[0]
	for _, v := range line[1:] {
		m = larger(m, v)
	}
	return m
}

func softmax(line []float64) {
	m, sum := largest(line), 0.0
	for i, v := range line {
		line[i] = math.Exp(v - m)
		sum += line[i]
	}
	for i := range line {
		line[i] /= sum
	}
}

func logSoftmax(line []float64) {
	m, sum := largest(line), 0.0
	for _, v := range line {
		sum += math.Exp(v - m)
	}
	shift := math.Log(sum)
	for i, v := range line {
		line[i] = v - m - shift
	}
}

// hardmax is one at the first of the largest elements, and zero elsewhere.
func hardmax(line []float64) {
	first := 0
	for i, v := range line {
		if v > line[first] || v != v && line[first] == line[first] {
			first = i
		}
	}
	clear(line)
	line[first] = 1
}
