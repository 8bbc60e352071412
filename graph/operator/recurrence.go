package operator

import (
	"fmt"
	"math"
	"slices"
)

func init() {
	define("LinearAttention", definition{least: 3, most: 6, outputs: 2, infer: inferLinearAttention, run: runLinearAttention, exact: true})
	define("CausalConvWithState", definition{least: 2, most: 4, outputs: 2, infer: inferCausalConv, run: runCausalConv, exact: true})
}

// linearAttention is attention without a softmax: a state [keys values] for each
// head, which each token updates and reads.
type linearAttention struct {
	batch, tokens, heads, states, keys, values int // states are heads of keys and values
	scale                                      float64
	gated, delta                               bool
	gates, rates                               int // elements for each token, of inputs 4 and 5
}

func (c *Call) linearAttention() (l linearAttention, err error) {
	var err2, err3 error
	l.heads, err = c.Attributes.Int("q_num_heads", 0)
	l.states, err2 = c.Attributes.Int("kv_num_heads", 0)
	rule, err3 := c.Attributes.String("update_rule", "gated_delta")
	scale, err4 := c.Attributes.Float("scale", 0)
	if err = firstError(err, err2, err3, err4, c.wantFloat(0, 1, 2), c.wantFloat(3), c.wantFloat(4), c.wantFloat(5)); err != nil {
		return l, err
	}
	switch rule {
	case "linear", "gated", "delta", "gated_delta":
	default:
		return l, fmt.Errorf(`attribute "update_rule" is %q, want "linear", "gated", "delta" or "gated_delta"`, rule)
	}
	l.gated, l.delta = rule == "gated" || rule == "gated_delta", rule == "delta" || rule == "gated_delta"
	if l.gated != c.has(4) || l.delta != c.has(5) {
		return l, fmt.Errorf("input 4 goes with the gated rules, input 5 with those of delta; the rule is %q", rule)
	}
	for i := range 6 {
		if err := c.wantRank(i, 3, 3); err != nil && i != 3 {
			return l, err
		}
	}
	if l.states < 1 || l.heads < l.states || l.heads%l.states != 0 {
		return l, fmt.Errorf("%d heads of queries and %d of keys, want a multiple", l.heads, l.states)
	}
	q, v := c.In[0].Shape, c.In[2].Shape
	if q[2]%l.heads != 0 || v[2]%l.states != 0 {
		return l, fmt.Errorf("inputs of shape %v and %v do not divide into %d and %d heads", q, v, l.heads, l.states)
	}
	l.batch, l.tokens, l.keys, l.values = q[0], q[1], q[2]/l.heads, v[2]/l.states
	if l.scale = float64(scale); scale == 0 {
		l.scale = 1 / math.Sqrt(float64(l.keys))
	}
	if err := firstError(c.wantShape(1, l.batch, l.tokens, l.states*l.keys), c.wantShape(2, l.batch, l.tokens, l.states*l.values),
		c.wantShape(3, l.batch, l.states, l.keys, l.values)); err != nil {
		return l, err
	}
	if l.gated {
		if l.gates = c.In[4].Shape[2]; l.gates != l.states && l.gates != l.states*l.keys {
			return l, fmt.Errorf("input 4 is of shape %v, want one element a head, or one a key", c.In[4].Shape)
		}
		err = c.wantShape(4, l.batch, l.tokens, l.gates)
	}
	if l.delta && err == nil {
		if l.rates = c.In[5].Shape[2]; l.rates != l.states && l.rates != 1 {
			return l, fmt.Errorf("input 5 is of shape %v, want one element a head, or one", c.In[5].Shape)
		}
		err = c.wantShape(5, l.batch, l.tokens, l.rates)
	}
	return l, err
}

func inferLinearAttention(c *Call) ([]Type, error) {
	l, err := c.linearAttention()
	if err != nil {
		return nil, err
	}
	state := c.In[0].DType
	if c.has(3) {
		state = c.In[3].DType
	}
	return c.types(Type{c.In[0].DType, []int{l.batch, l.tokens, l.heads * l.values}}, Type{state, []int{l.batch, l.states, l.keys, l.values}})
}

func runLinearAttention(c *Call, out []*Tensor) error {
	l, err := c.linearAttention()
	if err != nil {
		return err
	}
	q, k, v, gates, rates := float64s(c.In[0]), float64s(c.In[1]), float64s(c.In[2]), float64s(c.input(4)), float64s(c.input(5))
	y := make([]float64, l.batch*l.tokens*l.heads*l.values)
	state := make([]float64, l.batch*l.states*l.keys*l.values)
	if c.has(3) {
		copy(state, float64s(c.In[3]))
	}
	update := make([]float64, l.values)
	for b := range l.batch {
		for h := range l.states {
			s := state[(b*l.states+h)*l.keys*l.values:][:l.keys*l.values]
			for t := range l.tokens {
				at := b*l.tokens + t
				key, value := k[(at*l.states+h)*l.keys:][:l.keys], v[(at*l.states+h)*l.values:][:l.values]
				if l.gated {
					each := l.gates / l.states // 1, or keys
					for i := range s {
						s[i] *= math.Exp(gates[at*l.gates+h*each+i/l.values%each])
					}
				}
				copy(update, value)
				if l.delta {
					rate := rates[at*l.rates+h%l.rates]
					for j := range update {
						for i, x := range key {
							update[j] -= s[i*l.values+j] * x
						}
						update[j] *= rate
					}
				}
				for i, x := range key {
					for j, u := range update {
						s[i*l.values+j] += x * u
					}
				}
				for g := h * l.heads / l.states; g < (h+1)*l.heads/l.states; g++ {
					query, row := q[(at*l.heads+g)*l.keys:][:l.keys], y[(at*l.heads+g)*l.values:][:l.values]
					for i, x := range query {
						for j := range row {
							row[j] += l.scale * x * s[i*l.values+j]
						}
					}
				}
			}
		}
	}
	setFloat64s(out[0], y)
	if len(out) > 1 {
		setFloat64s(out[1], state)
	}
	return nil
}

// causalConv checks the operands of a depthwise convolution [batch channels
// length] that sees what was before, and returns its activation.
func (c *Call) causalConv() (activation string, err error) {
	activation, err = c.Attributes.String("activation", "none")
	if err = firstError(err, c.wantFloat(0, 1, 2, 3), c.wantRank(0, 3, 3), c.wantRank(1, 3, 3)); err != nil {
		return "", err
	}
	if !slices.Contains([]string{"none", "silu", "swish"}, activation) {
		return "", fmt.Errorf(`attribute "activation" is %q, want "none", "silu" or "swish"`, activation)
	}
	x, kernel := c.In[0].Shape, c.In[1].Shape[2]
	if kernel < 1 {
		return "", fmt.Errorf("input 1 is of shape %v, without elements", c.In[1].Shape)
	}
	return activation, firstError(c.wantShape(1, x[1], 1, kernel), c.wantShape(2, x[1]), c.wantShape(3, x[0], x[1], kernel-1))
}

func inferCausalConv(c *Call) ([]Type, error) {
	if _, err := c.causalConv(); err != nil {
		return nil, err
	}
	x := c.In[0]
	return c.types(Type{x.DType, x.Shape}, Type{x.DType, []int{x.Shape[0], x.Shape[1], c.In[1].Shape[2] - 1}})
}

func runCausalConv(c *Call, out []*Tensor) error {
	activation, err := c.causalConv()
	if err != nil {
		return err
	}
	x, w, bias, past := float64s(c.In[0]), float64s(c.In[1]), float64s(c.input(2)), float64s(c.input(3))
	channels, length, kernel := c.In[0].Shape[1], c.In[0].Shape[2], c.In[1].Shape[2]
	y, present := make([]float64, len(x)), []float64{}
	line := make([]float64, kernel-1+length)
	for i := range c.In[0].Shape[0] * channels {
		clear(line)
		if past != nil {
			copy(line, past[i*(kernel-1):(i+1)*(kernel-1)])
		}
		copy(line[kernel-1:], x[i*length:(i+1)*length])
		for t := range length {
			sum := 0.
			if bias != nil {
				sum = bias[i%channels]
			}
			for j, v := range w[i%channels*kernel:][:kernel] {
				sum += v * line[t+j]
			}
			y[i*length+t] = sum
		}
		present = append(present, line[length:]...)
	}
	if activation != "none" && out[0] != nil {
		setFloat64s(out[0], y) // which rounds to the type
		for i, v := range float64s(out[0]) {
			y[i] = v * sigmoid(v)
		}
	}
	setFloat64s(out[0], y)
	if len(out) > 1 {
		setFloat64s(out[1], present)
	}
	return nil
}
