package graph

import (
	"math"
	"slices"

	"github.com/hwprofd/hwprofd/graph/operator"
)

var attentionKinds = []Kind{"MatMul", Reshape}

// joinAttention makes one Attention node of the forms in which exporters write
// scaled dot-product attention:
//
//	softmax(q k^T * scale + mask) v
//
// with the scale, a factor or divisor, on the product, on q, or on q and k; the
// mask added, or selected by a Where; and k transposed as it is or together
// with its heads. A constant mask that hides exactly what comes later becomes
// the attribute is_causal. Where q, k and v are transposed from projections to
// heads, and the result back, the node takes and gives projections instead.
func joinAttention(r *rewriter, n *Node) (bool, error) {
	if n.Kind == Reshape {
		return r.joinHeads(n), nil
	}
	if !n.Plain() || n.Outputs[0].DType != F32 {
		return false, nil
	}
	weights := r.withoutNaNGuard(n.Inputs[0])
	softmax := r.before(weights, Softmax)
	v := n.Inputs[1]
	rank := len(v.Shape)
	if softmax == nil || weights == n.Inputs[0] && r.uses(weights) != 1 || rank < 3 || rank > 4 || len(weights.Shape) != rank || v.Role != RoleNone || !softmax.overLast() {
		return false, nil
	}
	scores := softmax.Inputs[0]
	mask, guarded := (*Value)(nil), weights != n.Inputs[0]
	var hidden *Node // that makes a mask of conditions
	if p := r.only(scores, Add); p.plainOrTyped(Add) {
		for i, x := range p.Inputs {
			if r.isScores(x) && slices.Equal(x.Shape, scores.Shape) {
				scores, mask = x, p.Inputs[1-i]
				break
			}
		}
	} else if p := r.only(scores, "Where"); p != nil {
		if c, ok := scalarOf(p.Inputs[2]); ok && c < -1e3 && r.isScores(p.Inputs[1]) && slices.Equal(p.Inputs[1].Shape, scores.Shape) {
			mask = r.value(n.Name+".mask", F32, p.Inputs[0].Shape...)
			hidden = &Node{
				Name: r.free(n.Name + ".mask"), Kind: "Where", Outputs: []*Value{mask},
				Inputs:     []*Value{p.Inputs[0], r.constant(n.Name+".seen", operator.New(F32)), p.Inputs[2]},
				Attributes: Attributes{Named: operator.Attributes{}},
			}
			scores = p.Inputs[1]
		}
	}
	factors, scale := r.product(scores)
	if len(factors) != 1 {
		return false, nil
	}
	product := r.only(factors[0], "MatMul")
	if product == nil || !product.Plain() || len(product.Inputs[0].Shape) != rank || len(product.Inputs[1].Shape) != rank {
		return false, nil
	}
	q, qScale := r.unscaled(product.Inputs[0])
	kT, kScale := r.unscaled(product.Inputs[1])
	scale *= qScale * kScale
	if q.Role != RoleNone || kT.Role != RoleNone || !(scale > 0) || math.IsInf(scale, 0) ||
		!slices.Equal(q.Shape[:rank-2], kT.Shape[:rank-2]) || !slices.Equal(q.Shape[:rank-2], v.Shape[:rank-2]) {
		return false, nil
	}
	queries, keys := q.Shape[rank-2], kT.Shape[rank-1]

	named := operator.Attributes{"scale": float32(scale)}
	if mask != nil {
		m, ok := r.maskOf(mask, hidden)
		switch {
		case ok && queries == keys && isCausal(m, queries):
			named["is_causal"], mask, hidden = int64(1), nil, nil
		case ok && guarded && !everyRowSees(m, keys), !ok && guarded:
			return false, nil // rows that see nothing are 0 by the guard, not NaN
		}
		// The operator hides the keys for which a mask has no column.
		if mask != nil && (len(mask.Shape) > rank || len(mask.Shape) < 2 || mask.Shape[len(mask.Shape)-1] != keys) {
			return false, nil
		}
	}
	var nodes []*Node
	k, transposed := r.keys(kT, n.Name)
	if transposed == nil && k == nil {
		if queries < 16 { // the copy would cost more than the product
			return false, nil
		}
		k, transposed = r.swapped(kT, n.Name)
	}
	if transposed != nil {
		nodes = append(nodes, transposed)
	}
	if hidden != nil && mask != nil {
		nodes = append(nodes, hidden)
	}
	inputs := []*Value{q, k, v}
	if rank == 4 {
		fewK, fewV := r.unrepeated(k, nodes), r.unrepeated(v, nil)
		if fewK != nil && fewV != nil && fewK.Shape[1] == fewV.Shape[1] {
			inputs = []*Value{q, fewK, fewV}
		}
	}
	out := n.Outputs[0]
	if rank == 3 {
		for i, x := range inputs {
			if tokens := r.tokensFirst(x, nodes); tokens != nil {
				shape := tokens.Shape
				image := r.value(x.Name+".tokens", F32, 1, shape[0], shape[1], shape[2])
				lifted, node := r.transposed(image, headsFirst, x.Name+".heads")
				nodes = append(nodes,
					&Node{Name: r.free(image.Name), Kind: Reshape, Inputs: []*Value{tokens}, Outputs: []*Value{image}, Attributes: Attributes{Shape: image.Shape}},
					node)
				inputs[i] = lifted
				continue
			}
			lifted := r.value(x.Name+".heads", F32, append([]int{1}, x.Shape...)...)
			nodes = append(nodes, &Node{Name: r.free(lifted.Name), Kind: Reshape, Inputs: []*Value{x}, Outputs: []*Value{lifted}, Attributes: Attributes{Shape: lifted.Shape}})
			inputs[i] = lifted
		}
		out = r.value(n.Name+".heads", F32, append([]int{1}, out.Shape...)...)
	}
	if mask != nil {
		inputs = append(inputs, mask)
	}
	attention := &Node{Name: n.Name, Kind: "Attention", Inputs: inputs, Outputs: []*Value{out}, Attributes: Attributes{Named: named}}
	nodes = append(nodes, attention)
	if rank == 3 {
		attention.Name = r.free(n.Name + ".attention")
		nodes = append(nodes, &Node{Name: n.Name, Kind: Reshape, Inputs: []*Value{out}, Outputs: n.Outputs, Attributes: Attributes{Shape: n.Outputs[0].Shape}})
	}
	r.replace(n, nodes...)
	return true, nil
}

// made is the node that computes v, emitted or in the list.
func (r *rewriter) made(v *Value, nodes []*Node) *Node {
	for _, n := range nodes {
		if n.Outputs[0] == v {
			return n
		}
	}
	return r.producer(v)
}

// unrepeated is x [batch, groups, tokens, elements] where v is x with each
// head repeated for the queries of its group; nil where it is not.
func (r *rewriter) unrepeated(v *Value, nodes []*Node) *Value {
	joined := r.made(v, nodes)
	if joined == nil || !joined.typed(Reshape) {
		return nil
	}
	repeated := r.before(joined.Inputs[0], "Expand")
	if repeated == nil {
		return nil
	}
	single := r.before(repeated.Inputs[0], Reshape)
	if single == nil || !single.typed(Reshape) {
		return nil
	}
	x, one, many := single.Inputs[0], repeated.Inputs[0].Shape, joined.Inputs[0].Shape
	if len(x.Shape) != 4 || len(one) != 5 || len(many) != 5 || one[2] != 1 {
		return nil
	}
	b, h, s, d := x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]
	if !slices.Equal(one, []int{b, h, 1, s, d}) || !slices.Equal(many, []int{b, h, many[2], s, d}) || !slices.Equal(v.Shape, []int{b, h * many[2], s, d}) {
		return nil
	}
	return x
}

// tokensFirst is x [tokens, heads, elements] where v is x with the first two
// swapped; nil where it is not.
func (r *rewriter) tokensFirst(v *Value, nodes []*Node) *Value {
	if p := r.made(v, nodes); p != nil && p.Kind == "Transpose" && slices.Equal(p.permutation(), []int{1, 0, 2}) {
		return p.Inputs[0]
	}
	return nil
}

// overLast reports whether a softmax is over the last dimension.
func (n *Node) overLast() bool {
	axis, rank := n.Attributes.Axis, len(n.Inputs[0].Shape)
	if n.Plain() {
		var err error
		if axis, err = n.Attributes.Named.Int("axis", -1); err != nil {
			return false
		}
	}
	return axis == -1 || axis == rank-1
}

// isScores reports whether v is a product of matrices, but for constants.
func (r *rewriter) isScores(v *Value) bool {
	factors, _ := r.product(v)
	return len(factors) == 1 && r.only(factors[0], "MatMul") != nil
}

// withoutNaNGuard is x where v is Where(IsNaN(x), 0, x), else v.
func (r *rewriter) withoutNaNGuard(v *Value) *Value {
	p := r.only(v, "Where")
	if p == nil {
		return v
	}
	guard := r.only(p.Inputs[0], "IsNaN")
	if c, ok := scalarOf(p.Inputs[1]); guard == nil || !ok || c != 0 || guard.Inputs[0] != p.Inputs[2] || r.uses(p.Inputs[2]) != 2 {
		return v
	}
	return p.Inputs[2]
}

// unscaled is v without the constants that it is multiplied by, and these.
func (r *rewriter) unscaled(v *Value) (*Value, float64) {
	if factors, scale := r.product(v); len(factors) == 1 && slices.Equal(factors[0].Shape, v.Shape) {
		return factors[0], scale
	}
	return v, 1
}

// keys is k where kT is k with its last two dimensions swapped. Where kT comes
// from a transpose of heads too, a node that does only that is returned.
func (r *rewriter) keys(kT *Value, name string) (k *Value, n *Node) {
	p := r.before(kT, "Transpose")
	if p == nil {
		return nil, nil
	}
	x := p.Inputs[0]
	perm := slices.Clone(p.permutation())
	last := len(perm) - 1
	perm[last-1], perm[last] = perm[last], perm[last-1]
	if slices.IsSorted(perm) {
		return x, nil
	}
	return r.transposed(x, perm, name+".keys")
}

// swapped is a transpose of the last two dimensions.
func (r *rewriter) swapped(v *Value, name string) (*Value, *Node) {
	perm := make([]int, len(v.Shape))
	for i := range perm {
		perm[i] = i
	}
	last := len(perm) - 1
	perm[last-1], perm[last] = perm[last], perm[last-1]
	return r.transposed(v, perm, name+".keys")
}

// transposed is a new transpose of v.
func (r *rewriter) transposed(v *Value, perm []int, name string) (*Value, *Node) {
	shape := make([]int, len(perm))
	for i, p := range perm {
		shape[i] = v.Shape[p]
	}
	out := r.value(name, v.DType, shape...)
	return out, &Node{
		Name: r.free(name), Kind: "Transpose", Inputs: []*Value{v}, Outputs: []*Value{out},
		Attributes: Attributes{Named: operator.Attributes{"perm": int64s(perm)}},
	}
}

// maskOf is what a constant mask adds; of conditions, those that hidden has.
func (r *rewriter) maskOf(mask *Value, hidden *Node) ([]float32, bool) {
	if hidden == nil {
		if mask.Role == RoleNone || mask.Data == nil {
			return nil, false
		}
		return mask.Data, true
	}
	condition := hidden.Inputs[0]
	t := condition.Tensor()
	if condition.Role == RoleNone || t == nil {
		return nil, false
	}
	seen, ok := t.Data.([]bool)
	m := make([]float32, len(seen))
	for i, s := range seen {
		if !s {
			m[i] = float32(math.Inf(-1))
		}
	}
	return m, ok
}

// isCausal reports whether a mask of size x size adds nothing up to the
// diagonal and hides what is after it.
func isCausal(m []float32, size int) bool {
	if len(m) != size*size {
		return false
	}
	for i := range size {
		for j := range size {
			if x := m[i*size+j]; j <= i && x != 0 || j > i && !(x < -1e3) {
				return false
			}
		}
	}
	return true
}

// everyRowSees reports whether no row of a mask hides all keys.
func everyRowSees(m []float32, keys int) bool {
	for i := 0; i+keys <= len(m); i += keys {
		if !slices.ContainsFunc(m[i:i+keys], func(x float32) bool { return x > -1e3 }) {
			return false
		}
	}
	return len(m) > 0 && len(m)%keys == 0
}

// joinHeads lets an attention whose operands are transposed from projections
// [batch, tokens, heads * elements], and whose result, n, is transposed back,
// work on projections.
func (r *rewriter) joinHeads(n *Node) bool {
	back := r.only(n.Inputs[0], "Transpose")
	if back == nil || !slices.Equal(back.permutation(), headsFirst) {
		return false
	}
	attention := r.only(back.Inputs[0], "Attention")
	if attention == nil || len(attention.Inputs[0].Shape) != 4 || attention.in(4) != nil || !attention.onlyFirstOutput() {
		return false
	}
	shape := n.Inputs[0].Shape // [batch, tokens, heads, elements]
	joined := []int{shape[0], shape[1], shape[2] * shape[3]}
	inputs := slices.Clone(attention.Inputs)
	var nodes []*Node
	for i := range 3 {
		p := r.before(inputs[i], "Transpose")
		if p == nil || !slices.Equal(p.permutation(), headsFirst) {
			return false
		}
		x := p.Inputs[0]
		want := []int{x.Shape[0], x.Shape[1], x.Shape[2] * x.Shape[3]}
		if split := r.before(x, Reshape); split != nil && slices.Equal(split.Inputs[0].Shape, want) {
			inputs[i] = split.Inputs[0]
			continue
		}
		flat := r.value(x.Name+".projection", F32, want...)
		nodes = append(nodes, &Node{Name: r.free(flat.Name), Kind: Reshape, Inputs: []*Value{x}, Outputs: []*Value{flat}, Attributes: Attributes{Shape: want}})
		inputs[i] = flat
	}
	named := operator.Attributes{"q_num_heads": int64(shape[2]), "kv_num_heads": int64(attention.Inputs[1].Shape[1])}
	for key, value := range attention.Attributes.Named {
		named[key] = value
	}
	m := &Node{Name: attention.Name, Kind: "Attention", Inputs: inputs, Outputs: n.Outputs, Attributes: Attributes{Named: named}}
	nodes = append(nodes, m)
	if !slices.Equal(joined, n.Outputs[0].Shape) {
		out := r.value(n.Name+".projection", F32, joined...)
		m.Outputs = []*Value{out}
		nodes = append(nodes, &Node{Name: n.Name, Kind: Reshape, Inputs: []*Value{out}, Outputs: n.Outputs, Attributes: Attributes{Shape: n.Outputs[0].Shape}})
	}
	r.replace(n, nodes...)
	return true
}

// headsFirst swaps tokens and heads.
var headsFirst = []int{0, 2, 1, 3}
