package graph

import "math"

// joinHardSwish emits n; the forms in which exporters write out a hard swish
// or hard sigmoid become one node:
//
//	relu6(x+3) * 1/6        HardSigmoid
//	x * HardSigmoid(x)      HardSwish
//	(x * relu6(x+3)) * 1/6  HardSwish
func (f *fusion) joinHardSwish(n *Node) {
	if n.Kind != Mul || n.Attributes.Epilogue != (Epilogue{}) {
		f.emit(n)
		return
	}
	joined := func(kind Kind, source *Value) {
		f.emit(&Node{Name: n.Name, Kind: kind, Inputs: []*Value{source}, Outputs: n.Outputs})
	}
	if isScalar(n.Inputs[1], 1./6) {
		x := n.Inputs[0]
		if source := f.relu6Source(x); source != nil {
			f.dropRelu6(x)
			joined(HardSigmoid, source)
			return
		}
		if p := f.only(x, Mul); p != nil {
			for i, gate := range p.Inputs {
				if source := f.relu6Source(gate); source != nil && source == p.Inputs[1-i] {
					f.dropRelu6(gate)
					f.drop(x)
					f.uses[source]--
					joined(HardSwish, source)
					return
				}
			}
		}
	}
	for i, gate := range n.Inputs {
		if p := f.only(gate, HardSigmoid); p != nil && p.Inputs[0] == n.Inputs[1-i] {
			f.drop(gate)
			f.uses[p.Inputs[0]]--
			joined(HardSwish, p.Inputs[0])
			return
		}
	}
	f.emit(n)
}

// only is the node that computes v if it is of that kind and v has one use.
func (f *fusion) only(v *Value, kind Kind) *Node {
	if p := f.before(v); p != nil && p.Kind == kind && f.uses[v] == 1 {
		return p
	}
	return nil
}

// relu6Source is x where v is relu6(x+3), and neither has another use.
func (f *fusion) relu6Source(v *Value) *Value {
	if clip := f.only(v, Relu6); clip != nil {
		if add := f.only(clip.Inputs[0], Add); add != nil && isScalar(add.Inputs[1], 3) {
			return add.Inputs[0]
		}
	}
	return nil
}

func (f *fusion) dropRelu6(v *Value) {
	f.drop(f.before(v).Inputs[0])
	f.drop(v)
}

// isScalar reports whether v is a constant of one element, about want.
func isScalar(v *Value, want float64) bool {
	return v.Role == RoleConstant && len(v.Data) == 1 && math.Abs(float64(v.Data[0])-want) < 1e-6
}
