package graph

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hwprofd/hwprofd/graph/operator"
)

// detail is the work of an operator of ONNX in full. It is written as
//
//	inputs/outputs/attributes
//
// Inputs and outputs are joined by +. Each is its dimensions joined by x, or
// scalar; with its type before it (i64:1x128) where that is not the workload's;
// after a c where it is a constant of floating-point numbers, such as a weight;
// or _ where it is left out. Where the elements of a constant input decide what
// work there is, they are written: i64[0:-1] is a vector, i64=2 a scalar.
//
// Attributes are name=value, sorted by name and joined by commas, or - where
// there are none: whole numbers as they are, others with a point, lists in
// brackets, text escaped as in URLs. Attributes that do not change how much
// work there is, and those at ONNX's default, are left out.
type detail struct {
	inputs, outputs []tensorDetail
	attributes      operator.Attributes
}

type tensorDetail struct {
	missing  bool
	dtype    DType
	shape    []int
	constant bool
	values   *operator.Tensor // where they decide what work there is
}

// operatorNames are the operators of ONNX by their names in lower case.
var operatorNames = sync.OnceValue(func() map[Op]string {
	m := make(map[Op]string)
	for _, name := range operator.Names() {
		m[Op(strings.ToLower(name))] = name
	}
	return m
})

// decisive are the inputs whose elements decide what work there is.
var decisive = map[string][]int{
	"Resize": {2, 3}, "Upsample": {1}, "Slice": {1, 2, 3, 4}, "Pad": {1, 3}, "Reshape": {1}, "Expand": {1},
	"Tile": {1}, "Split": {1}, "TopK": {1}, "OneHot": {1}, "ConstantOfShape": {0}, "Range": {0, 1, 2}, "CumSum": {1},
	"Trilu": {1}, "Squeeze": {1}, "Unsqueeze": {1}, "ReduceSum": {1}, "ReduceMean": {1}, "ReduceMax": {1}, "ReduceMin": {1},
	"ReduceProd": {1}, "ReduceL1": {1}, "ReduceL2": {1}, "ReduceLogSum": {1}, "ReduceLogSumExp": {1}, "ReduceSumSquare": {1},
	"CenterCropPad": {1}, "Col2Im": {1, 2}, "DFT": {1, 2}, "STFT": {1, 3}, "AffineGrid": {1},
}

// indifferent are attributes that say nothing about the amount of work.
var indifferent = map[string]bool{
	"epsilon": true, "alpha": true, "beta": true, "gamma": true, "lambd": true, "bias": true, "momentum": true, "seed": true,
	"extrapolation_value": true, "cubic_coeff_a": true, "training_mode": true, "scale": true, "value": true,
}

// defaults are values of attributes that are the same as none.
var defaults = map[string]any{
	"Gather.axis": int64(0), "GatherElements.axis": int64(0), "ScatterElements.axis": int64(0), "Split.axis": int64(0),
	"Softmax.axis": int64(-1), "LogSoftmax.axis": int64(-1), "Hardmax.axis": int64(-1), "TopK.axis": int64(-1),
	"LayerNormalization.axis": int64(-1), "RMSNormalization.axis": int64(-1),
}

// detailOf describes a plain node.
func detailOf(n *Node) detail {
	d := detail{attributes: operator.Attributes{}}
	name := string(n.Kind)
	for i, v := range n.Inputs {
		if v == nil {
			d.inputs = append(d.inputs, tensorDetail{missing: true})
			continue
		}
		t := tensorDetail{dtype: v.DType, shape: v.Shape}
		t.constant = v.Role != RoleNone && v.DType.IsFloat()
		if v.Role != RoleNone && slices.Contains(decisive[name], i) && len(v.Shape) < 2 && v.Elements() <= 16 {
			t.values, t.constant = v.Tensor(), false
		}
		d.inputs = append(d.inputs, t)
	}
	for _, v := range n.Outputs {
		if v == nil {
			d.outputs = append(d.outputs, tensorDetail{missing: true})
			continue
		}
		d.outputs = append(d.outputs, tensorDetail{dtype: v.DType, shape: v.Shape})
	}
	for key, value := range n.Attributes.Named {
		if indifferent[key] || defaults[name+"."+key] == nonList(value) && nonList(value) != nil {
			continue
		}
		if _, ok := value.(*operator.Tensor); ok {
			continue
		}
		d.attributes[key] = value
	}
	return d
}

// nonList is v unless it cannot be compared.
func nonList(v any) any {
	switch v.(type) {
	case int64, float32, string:
		return v
	}
	return nil
}

func (d detail) text(own DType) string {
	var b strings.Builder
	for i, list := range [][]tensorDetail{d.inputs, d.outputs} {
		if i > 0 {
			b.WriteByte('/')
		}
		for j, t := range list {
			if j > 0 {
				b.WriteByte('+')
			}
			t.write(&b, own)
		}
	}
	b.WriteByte('/')
	for i, key := range slices.Sorted(maps.Keys(d.attributes)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(key + "=" + attributeText(d.attributes[key]))
	}
	if len(d.attributes) == 0 {
		b.WriteByte('-')
	}
	return b.String()
}

func (t tensorDetail) write(b *strings.Builder, own DType) {
	switch {
	case t.missing:
		b.WriteByte('_')
		return
	case t.values != nil:
		list := attributeText(elementsOf(t.values))
		if len(t.shape) == 0 {
			list = "=" + strings.Trim(list, "[]")
		}
		b.WriteString(string(t.dtype) + list)
		return
	}
	if t.constant {
		b.WriteByte('c')
	}
	if t.dtype != own {
		b.WriteString(string(t.dtype) + ":")
	}
	b.WriteString(shapeText(t.shape))
}

func shapeText(shape []int) string {
	if len(shape) == 0 {
		return "scalar"
	}
	list := make([]string, len(shape))
	for i, d := range shape {
		list[i] = strconv.Itoa(d)
	}
	return strings.Join(list, "x")
}

// elementsOf are those of a tensor as an attribute would have them.
func elementsOf(t *operator.Tensor) any {
	if x, ok := t.Ints(); ok {
		return x
	}
	x, _ := t.Floats()
	return x
}

func attributeText(value any) string {
	switch v := value.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case float32:
		s := strconv.FormatFloat(float64(v), 'f', -1, 32)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	case string:
		s := url.QueryEscape(v)
		if s == "" || s[0] == '-' || s[0] == '+' || '0' <= s[0] && s[0] <= '9' {
			s = "~" + s
		}
		return s
	case []int64:
		return listText(v)
	case []float32:
		return listText(v)
	case []string:
		return listText(v)
	}
	return ""
}

func listText[T any](list []T) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = attributeText(v)
	}
	return "[" + strings.Join(parts, ":") + "]"
}

func parseAttribute(s string) (any, error) {
	list, ok := strings.CutPrefix(s, "[")
	if !ok {
		return parseScalar(s)
	}
	list, ok = strings.CutSuffix(list, "]")
	if !ok {
		return nil, fmt.Errorf("%q does not end in ]", s)
	}
	if list == "" {
		return []int64{}, nil
	}
	var ints []int64
	var floats []float32
	var texts []string
	for _, part := range strings.Split(list, ":") {
		v, err := parseScalar(part)
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case int64:
			ints = append(ints, v)
		case float32:
			floats = append(floats, v)
		case string:
			texts = append(texts, v)
		}
	}
	switch n := strings.Count(list, ":") + 1; n {
	case len(ints):
		return ints, nil
	case len(floats):
		return floats, nil
	case len(texts):
		return texts, nil
	}
	return nil, fmt.Errorf("%q mixes types", s)
}

func parseScalar(s string) (any, error) {
	if s == "" {
		return nil, errors.New("a value is empty")
	}
	if c := s[0]; c != '-' && c != '+' && (c < '0' || c > '9') {
		v, err := url.QueryUnescape(strings.TrimPrefix(s, "~"))
		return v, err
	}
	if strings.Contains(s, ".") {
		v, err := strconv.ParseFloat(s, 32)
		return float32(v), err
	}
	return strconv.ParseInt(s, 10, 64)
}

func parseDetail(s string, own DType) (detail, error) {
	var d detail
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return d, fmt.Errorf("%d parts, want inputs, outputs and attributes", len(parts))
	}
	for i, list := range []*[]tensorDetail{&d.inputs, &d.outputs} {
		for _, part := range strings.Split(parts[i], "+") {
			t, err := parseTensor(part, own)
			if err != nil {
				return d, err
			}
			*list = append(*list, t)
		}
	}
	d.attributes = operator.Attributes{}
	if parts[2] == "-" {
		return d, nil
	}
	for _, part := range strings.Split(parts[2], ",") {
		key, value, ok := strings.Cut(part, "=")
		if !ok || key == "" {
			return d, fmt.Errorf("%q is no attribute", part)
		}
		v, err := parseAttribute(value)
		if err != nil {
			return d, fmt.Errorf("attribute %s: %w", key, err)
		}
		d.attributes[key] = v
	}
	return d, nil
}

func parseTensor(s string, own DType) (tensorDetail, error) {
	if s == "_" {
		return tensorDetail{missing: true}, nil
	}
	t := tensorDetail{dtype: own}
	if i := strings.IndexAny(s, "[="); i > 0 {
		t.dtype = DType(s[:i])
		text := s[i:]
		if text[0] == '=' {
			text = "[" + text[1:] + "]"
		}
		values, err := parseAttribute(text)
		if err != nil {
			return t, err
		}
		t.values, err = valuesTensor(t.dtype, values)
		if err != nil {
			return t, err
		}
		if s[i] == '=' {
			if t.values.Shape[0] != 1 {
				return t, fmt.Errorf("%q is no scalar", s)
			}
			t.values.Shape = []int{}
		}
		t.shape = t.values.Shape
		return t, nil
	}
	rest := s
	// Types do not begin with a c, nor do shapes.
	if after, ok := strings.CutPrefix(rest, "c"); ok {
		rest, t.constant = after, true
	}
	if name, after, ok := strings.Cut(rest, ":"); ok {
		if t.dtype, rest = DType(name), after; t.dtype == own || t.dtype.Size() == 0 {
			return t, fmt.Errorf("%q names the type %q", s, name)
		}
	}
	if rest == "scalar" {
		t.shape = []int{}
		return t, nil
	}
	for _, part := range strings.Split(rest, "x") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return t, fmt.Errorf("%q is no dimension", part)
		}
		t.shape = append(t.shape, n)
	}
	return t, operator.CheckShape(t.shape)
}

func valuesTensor(d DType, values any) (*operator.Tensor, error) {
	switch x := values.(type) {
	case []int64:
		t := &operator.Tensor{DType: d, Shape: []int{len(x)}, Data: x}
		if d == I64 {
			return t, nil
		}
		if d != I32 && d != U8 && d != I8 {
			break
		}
		t.DType = I64
		out, err := operator.Evaluate("Cast", operator.Attributes{"to": castTo[d]}, []*operator.Tensor{t}, 1)
		if err != nil {
			return nil, err
		}
		return out[0], nil
	case []float32:
		if d == F32 {
			return &operator.Tensor{DType: d, Shape: []int{len(x)}, Data: x}, nil
		}
	}
	return nil, fmt.Errorf("values of type %q are not supported", d)
}

// castTo are the numbers by which ONNX names types.
var castTo = map[DType]int64{F32: 1, U8: 2, I8: 3, I32: 6, I64: 7, Bool: 9, F16: 10, BF16: 16}

// detail is that of a valid workload that has one.
func (w Workload) detail() detail {
	d, _ := parseDetail(w.Detail, w.DType)
	return d
}

func (w Workload) validateDetail() error {
	name := operatorNames()[w.Op]
	if name == "" {
		return fmt.Errorf("unknown operator %q", w.Op)
	}
	d, err := parseDetail(w.Detail, w.DType)
	if err != nil {
		return err
	}
	if got := d.text(w.DType); got != w.Detail {
		return fmt.Errorf("not canonical: want %s", got)
	}
	if i := slices.IndexFunc(d.inputs, func(t tensorDetail) bool { return !t.missing }); i < 0 || d.inputs[i].dtype != w.DType {
		return fmt.Errorf("its first input is not of type %s", w.DType)
	}
	args := make([]*operator.Argument, len(d.inputs))
	for i, t := range d.inputs {
		if !t.missing {
			args[i] = &operator.Argument{Type: operator.Type{DType: t.dtype, Shape: t.shape}, Constant: t.values}
		}
	}
	types, err := operator.Infer(name, d.attributes, args, len(d.outputs))
	var unknown *operator.NotConstantError
	if errors.As(err, &unknown) {
		return nil // the name leaves out longer lists
	}
	if err != nil {
		return err
	}
	for i, t := range d.outputs {
		if !t.missing && (types[i].DType != t.dtype || !slices.Equal(types[i].Shape, t.shape)) {
			return fmt.Errorf("output %d is %s:%s, want %s:%s", i, t.dtype, shapeText(t.shape), types[i].DType, shapeText(types[i].Shape))
		}
	}
	return nil
}

// shape is that of input i, nil where there is none.
func (d detail) shape(i int) []int {
	if i >= len(d.inputs) {
		return nil
	}
	return d.inputs[i].shape
}

// macs are the multiply-accumulates of the operators that are sums of products.
func (d detail) macs(op Op) int64 {
	elements := func(shape []int) int64 { return int64(operator.Elements(shape)) }
	x, y := d.shape(0), d.outputs[0].shape
	perOutput := func(weight []int) int64 { // of convolutions: [K, ...]
		if len(weight) == 0 {
			return 0
		}
		return clampProduct(elements(y), elements(weight[1:]))
	}
	switch op {
	case "conv", "convinteger":
		return perOutput(d.shape(1))
	case "qlinearconv":
		return perOutput(d.shape(3))
	case "convtranspose":
		if w := d.shape(1); len(w) > 0 {
			return clampProduct(elements(x), elements(w[1:]))
		}
	case "matmul", "matmulinteger", "qlinearmatmul", "gemm":
		if transposed, _ := d.attributes.Int("transA", 0); len(x) > 1 && transposed != 0 {
			return clampProduct(elements(y), int64(x[len(x)-2]))
		}
		if len(x) > 0 {
			return clampProduct(elements(y), int64(x[len(x)-1]))
		}
	case "lstm", "gru", "rnn":
		if len(x) > 1 {
			return clampProduct(int64(x[0])*int64(x[1]), elements(d.shape(1))+elements(d.shape(2)))
		}
	case "attention":
		q, k := x, d.shape(1)
		if len(q) == 4 && len(k) == 4 {
			return clampProduct(elements(q), 2*int64(k[2]))
		}
		if len(q) == 3 && len(k) == 3 {
			return clampProduct(elements(q), 2*int64(k[1]))
		}
	case "einsum":
		equation, _ := d.attributes.String("equation", "")
		size := map[rune]int64{}
		left, _, _ := strings.Cut(strings.ReplaceAll(equation, " ", ""), "->")
		for i, term := range strings.Split(left, ",") {
			if s := d.shape(i); len(s) == len(term) {
				for j, c := range term {
					size[c] = int64(s[j])
				}
			}
		}
		n := int64(1)
		for _, s := range size {
			n = clampProduct(n, s)
		}
		return n
	}
	return 0
}

// clampProduct is a * b, at most the largest number.
func clampProduct(a, b int64) int64 {
	if b != 0 && a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}

func (d detail) params() int64 {
	var n int64
	for _, t := range d.inputs {
		if t.constant {
			n += int64(operator.Elements(t.shape))
		}
	}
	return n
}

// partlyRead are operators that read no more of their first input than what
// they write.
var partlyRead = map[Op]bool{"gather": true, "gatherelements": true, "gathernd": true, "slice": true, "split": true}

// bytes is the size of the inputs or outputs, at least 1.
func (d detail) bytes(op Op, outputs bool) int64 {
	list := d.inputs
	if outputs {
		list = d.outputs
	}
	var n int64
	for i, t := range list {
		if t.missing || t.values != nil {
			continue
		}
		elements := int64(operator.Elements(t.shape))
		if i == 0 && !outputs && partlyRead[op] {
			elements = min(elements, int64(operator.Elements(d.outputs[0].shape)))
		}
		n += elements * t.dtype.Size()
	}
	return max(n, 1)
}
