package operator

import (
	"fmt"
	"math"
	"strings"
)

func init() {
	define("RNN", recurrentOperator(1, 6, []string{"Tanh"}, stepRNN))
	define("GRU", recurrentOperator(3, 6, []string{"Sigmoid", "Tanh"}, stepGRU))
	define("LSTM", recurrentOperator(4, 8, []string{"Sigmoid", "Tanh", "Tanh"}, stepLSTM))
}

// recurrent is the shape and attributes of a recurrent layer.
type recurrent struct {
	gates                      int
	steps, batch, input, units int
	directions                 int
	backward                   bool // the first direction is
	batchFirst                 bool // attribute layout
	clip                       float64
	afterReset, coupled        bool
	activations                [][]activation // by direction
}

type activation func(float64) float64

// recurrentCell is one direction of a layer: its weights and the state of the
// sequence that is being read.
type recurrentCell struct {
	*recurrent
	activations            []activation
	weights, back          []float64
	bias, backBias         []float64 // of a value for each unit of each gate
	peephole               []float64
	state, memory, gate, u []float64
}

func recurrentOperator(gates, inputs int, activations []string, step func(*recurrentCell)) definition {
	outputs := 2
	if gates == 4 {
		outputs = 3
	}
	return definition{least: 3, most: inputs, outputs: outputs,
		infer: func(c *Call) ([]Type, error) {
			r, err := c.recurrent(gates, activations)
			if err != nil {
				return nil, err
			}
			d := c.In[0].DType
			all, last := []int{r.steps, r.directions, r.batch, r.units}, []int{r.directions, r.batch, r.units}
			if r.batchFirst {
				all, last = []int{r.batch, r.steps, r.directions, r.units}, []int{r.batch, r.directions, r.units}
			}
			return c.types([]Type{{d, all}, {d, last}, {d, last}}[:outputs]...)
		},
		run: func(c *Call, out []*Tensor) error {
			r, err := c.recurrent(gates, activations)
			if err != nil {
				return err
			}
			return r.run(c, out, step)
		},
	}
}

func (c *Call) recurrent(gates int, defaults []string) (*recurrent, error) {
	floats := []int{0, 1, 2, 3, 5}
	if gates == 4 {
		floats = append(floats, 6, 7)
	}
	err := firstError(c.wantFloat(floats...), c.wantType(4, I32), c.wantRank(0, 3, 3), c.wantRank(1, 3, 3), c.wantRank(2, 3, 3))
	if err != nil {
		return nil, err
	}
	direction, err := c.choice("direction", "forward", "forward", "reverse", "bidirectional")
	if err != nil {
		return nil, err
	}
	layout, err1 := c.Attributes.Int("layout", 0)
	clip, err2 := c.Attributes.Float("clip", 0)
	reset, err3 := c.Attributes.Int("linear_before_reset", 0)
	coupled, err4 := c.Attributes.Int("input_forget", 0)
	if err := firstError(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	x, back := c.In[0].Shape, c.In[2].Shape
	r := &recurrent{gates: gates, steps: x[0], batch: x[1], input: x[2], units: back[2], directions: 1,
		backward: direction == "reverse", batchFirst: layout != 0, clip: math.Inf(1),
		afterReset: reset != 0, coupled: coupled != 0}
	if r.batchFirst {
		r.steps, r.batch = r.batch, r.steps
	}
	if direction == "bidirectional" {
		r.directions = 2
	}
	if clip > 0 {
		r.clip = float64(clip)
	}
	units, err := c.Attributes.Int("hidden_size", r.units)
	if err != nil {
		return nil, err
	}
	if units != r.units || r.units < 1 {
		return nil, fmt.Errorf(`attribute "hidden_size" is %d, but recurrent weights, input 2, are of shape %v`, units, back)
	}
	initial := []int{r.directions, r.batch, r.units}
	if r.batchFirst {
		initial = []int{r.batch, r.directions, r.units}
	}
	err = firstError(c.wantShape(1, r.directions, gates*r.units, r.input), c.wantShape(2, r.directions, gates*r.units, r.units),
		c.wantShape(3, r.directions, 2*gates*r.units), c.wantShape(4, r.batch), c.wantShape(5, initial...))
	if gates == 4 && err == nil {
		err = firstError(c.wantShape(6, initial...), c.wantShape(7, r.directions, 3*r.units))
	}
	if err != nil {
		return nil, err
	}
	return r, c.recurrentActivations(r, defaults)
}

func (c *Call) recurrentActivations(r *recurrent, defaults []string) error {
	names, err1 := attribute[[]string](c.Attributes, "activations", nil)
	alphas, err2 := attribute[[]float32](c.Attributes, "activation_alpha", nil)
	betas, err3 := attribute[[]float32](c.Attributes, "activation_beta", nil)
	if err := firstError(err1, err2, err3); err != nil {
		return err
	}
	if len(names) == 0 {
		for range r.directions {
			names = append(names, defaults...)
		}
	}
	if len(names) != r.directions*len(defaults) {
		return fmt.Errorf(`attribute "activations" is %v, want %d names`, names, r.directions*len(defaults))
	}
	// Values are used up in order by those functions that have a parameter.
	next := func(list *[]float32, missing float64) float64 {
		if len(*list) == 0 {
			return missing
		}
		v := float64((*list)[0])
		*list = (*list)[1:]
		return v
	}
	var list []activation
	for _, name := range names {
		var f activation
		switch strings.ToLower(name) {
		case "relu":
			f = func(x float64) float64 { return max(x, 0) }
		case "tanh":
			f = math.Tanh
		case "sigmoid":
			f = sigmoid
		case "softsign":
			f = softsign
		case "softplus":
			f = softplus
		case "leakyrelu":
			a := next(&alphas, 0.01)
			f = func(x float64) float64 { return max(x, 0) + a*min(x, 0) }
		case "thresholdedrelu":
			a := next(&alphas, 1)
			f = func(x float64) float64 {
				if x > a {
					return x
				}
				return 0
			}
		case "elu":
			a := next(&alphas, 1)
			f = func(x float64) float64 { return max(x, 0) + a*math.Expm1(min(x, 0)) }
		case "affine":
			a, b := next(&alphas, 1), next(&betas, 0)
			f = func(x float64) float64 { return a*x + b }
		case "scaledtanh":
			a, b := next(&alphas, 1), next(&betas, 1)
			f = func(x float64) float64 { return a * math.Tanh(b*x) }
		case "hardsigmoid":
			a, b := next(&alphas, 0.2), next(&betas, 0.5)
			f = func(x float64) float64 { return max(0, min(1, a*x+b)) }
		default:
			return unsupportedf("activation %q", name)
		}
		list = append(list, f)
	}
	for d := range r.directions {
		r.activations = append(r.activations, list[d*len(defaults):][:len(defaults)])
	}
	return nil
}

// row is which of the rows of a state, for each sequence and direction, is
// that of a direction of a sequence.
func (r *recurrent) row(direction, sequence int) int {
	if r.batchFirst {
		return sequence*r.directions + direction
	}
	return direction*r.batch + sequence
}

func (r *recurrent) run(c *Call, out []*Tensor, step func(*recurrentCell)) error {
	x, lengths := float64s(c.In[0]), float64s(c.input(4))
	for _, n := range lengths {
		if n < 0 || int(n) > r.steps {
			return fmt.Errorf("sequence_lens, input 4, has %g, which is outside 0..%d", n, r.steps)
		}
	}
	h, g := r.units, r.gates*r.units
	w, back, bias, peephole := float64s(c.In[1]), float64s(c.In[2]), float64s(c.input(3)), []float64(nil)
	first, memory := float64s(c.input(5)), []float64(nil)
	if r.gates == 4 {
		memory, peephole = float64s(c.input(6)), float64s(c.input(7))
	}
	y := make([]float64, r.steps*r.batch*r.directions*h)
	last, lastMemory := make([]float64, r.batch*r.directions*h), make([]float64, r.batch*r.directions*h)
	for d := range r.directions {
		cell := &recurrentCell{recurrent: r, activations: r.activations[d],
			weights: w[d*g*r.input:][:g*r.input], back: back[d*g*h:][:g*h],
			gate: make([]float64, g), u: make([]float64, g), bias: make([]float64, g), backBias: make([]float64, g)}
		if bias != nil {
			cell.bias, cell.backBias = bias[2*d*g:][:g], bias[(2*d+1)*g:][:g]
		}
		if peephole != nil {
			cell.peephole = peephole[d*3*h:][:3*h]
		}
		for b := range r.batch {
			at := r.row(d, b) * h
			cell.state, cell.memory = last[at:at+h], lastMemory[at:at+h]
			if first != nil {
				copy(cell.state, first[at:])
			}
			if memory != nil {
				copy(cell.memory, memory[at:])
			}
			n := r.steps
			if lengths != nil {
				n = int(lengths[b])
			}
			for s := range n {
				t := s
				if r.backward || d == 1 {
					t = n - 1 - s
				}
				from, to := t*r.batch+b, (t*r.directions+d)*r.batch+b
				if r.batchFirst {
					from, to = b*r.steps+t, (b*r.steps+t)*r.directions+d
				}
				affine(cell.gate, cell.weights, x[from*r.input:][:r.input], cell.bias)
				step(cell)
				copy(y[to*h:], cell.state)
			}
		}
	}
	for i, v := range [][]float64{y, last, lastMemory} {
		if i < len(out) {
			setFloat64s(out[i], v)
		}
	}
	return nil
}

// affine is the matrix w times x, plus bias.
func affine(dst, w, x, bias []float64) {
	for i := range dst {
		sum := bias[i]
		for k, v := range w[i*len(x):][:len(x)] {
			sum += v * x[k]
		}
		dst[i] = sum
	}
}

// recur is what the state adds to the gates.
func (c *recurrentCell) recur() { affine(c.u, c.back, c.state, c.backBias) }

func (c *recurrentCell) activate(f int, x float64) float64 {
	return c.activations[f](max(-c.clip, min(c.clip, x)))
}

func stepRNN(c *recurrentCell) {
	c.recur()
	for i := range c.state {
		c.state[i] = c.activate(0, c.gate[i]+c.u[i])
	}
}

func stepGRU(c *recurrentCell) {
	h := c.units
	c.recur()
	update, reset, hidden := c.gate[:h], c.gate[h:2*h], c.gate[2*h:]
	for i := range h {
		update[i] = c.activate(0, update[i]+c.u[i])
		reset[i] = c.activate(0, reset[i]+c.u[h+i])
	}
	if !c.afterReset {
		// The state is reset before the weights apply.
		for i := range h {
			reset[i] *= c.state[i]
		}
		affine(c.u[2*h:], c.back[2*h*h:], reset, c.backBias[2*h:])
	}
	for i := range h {
		u := c.u[2*h+i]
		if c.afterReset {
			u *= reset[i]
		}
		c.state[i] = (1-update[i])*c.activate(1, hidden[i]+u) + update[i]*c.state[i]
	}
}

func stepLSTM(c *recurrentCell) {
	h := c.units
	c.recur()
	for i := range h {
		var pi, po, pf float64
		if c.peephole != nil {
			pi, po, pf = c.peephole[i], c.peephole[h+i], c.peephole[2*h+i]
		}
		in := c.activate(0, c.gate[i]+c.u[i]+pi*c.memory[i])
		forget := 1 - in
		if !c.coupled {
			forget = c.activate(0, c.gate[2*h+i]+c.u[2*h+i]+pf*c.memory[i])
		}
		c.memory[i] = forget*c.memory[i] + in*c.activate(1, c.gate[3*h+i]+c.u[3*h+i])
		out := c.activate(0, c.gate[h+i]+c.u[h+i]+po*c.memory[i])
		c.state[i] = out * c.activations[2](c.memory[i])
	}
}
