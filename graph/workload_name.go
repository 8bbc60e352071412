package graph

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// String is the canonical name of w:
//
//	conv2d/f32/n1c64h56w56/k128r3s3/stride2.pad1.dil1.group1/relu
//	conv2d/f32/n1c64h56w56/k128r3s1/stride2x1.pad1x0x1x0.dil1.group1/none
//	linear/f32/n1c1280/k1000/none
//	add/f32/n1c64h56w56/k64r56s56/none
//	maxpool/f32/n1c64h56w56/r3s3/stride2.pad1
//	globalavgpool/f32/n1c64h7w7
//	softmax/f32/n1c10
//	matmul/f32/n12c64h128/k128
//	attention/f32/n1c12h128w128/k12r64s64/causal
//	gather/f32/c30522x768+i64:1x128/1x128x768/-
//
// The last is the form of operators that do not fit the fields; see [detail].
// Strides and dilations are written height x width, padding top x left x
// bottom x right, as one number where all are equal.
func (w Workload) String() string {
	f, _ := w.fields()
	b := make([]byte, 0, 96)
	b = append(b, w.Op...)
	b = append(b, '/')
	b = append(b, w.DType...)
	b = append(b, '/')
	if f&hasDetail != 0 {
		return string(append(b, w.Detail...))
	}
	b = number(b, "n", w.N)
	b = number(b, "c", w.C)
	if f&hasHeight != 0 {
		b = number(b, "h", w.H)
	}
	if f&hasWidth != 0 {
		b = number(b, "w", w.W)
	}
	if f&(hasOutput|hasWindow) != 0 {
		b = append(b, '/')
	}
	if f&hasOutput != 0 {
		b = number(b, "k", w.K)
	}
	if f&hasWindow != 0 {
		b = number(b, "r", w.R)
		b = number(b, "s", w.S)
	}
	if f&hasStride != 0 {
		b = append(b, '/')
		b = numbers(b, "stride", w.StrideH, w.StrideW)
		b = numbers(b, ".pad", w.PadTop, w.PadLeft, w.PadBottom, w.PadRight)
	}
	if f&hasDilation != 0 {
		b = numbers(b, ".dil", w.DilationH, w.DilationW)
		b = append(b, '.')
	}
	if f&hasGroup != 0 {
		if f&hasStride == 0 {
			b = append(b, '/')
		}
		b = number(b, "group", w.Group)
	}
	if f&hasEpilogue != 0 {
		b = append(b, '/')
		b = append(b, w.Epilogue...)
	}
	return string(b)
}

func number(b []byte, name string, v int) []byte {
	return strconv.AppendInt(append(b, name...), int64(v), 10)
}

// numbers writes one number where all are equal, else all with x between.
func numbers(b []byte, name string, v ...int) []byte {
	b = number(b, name, v[0])
	for _, x := range v[1:] {
		if x != v[0] {
			for _, y := range v[1:] {
				b = number(b, "x", y)
			}
			break
		}
	}
	return b
}

// ParseWorkload reads a canonical name. It accepts exactly what String writes
// for a valid workload: ParseWorkload(s) returns w only if w.String() == s.
func ParseWorkload(s string) (Workload, error) {
	w, err := parseWorkload(s)
	if err == nil {
		err = w.validate()
	}
	if err == nil && w.String() != s {
		err = fmt.Errorf("not canonical: want %s", w)
	}
	if err != nil {
		return Workload{}, fmt.Errorf("workload %q: %w", s, err)
	}
	return w, nil
}

func parseWorkload(s string) (Workload, error) {
	var w Workload
	parts := strings.Split(s, "/")
	w.Op = Op(parts[0])
	f, ok := w.Op.fields()
	if onnx := operatorNames()[w.Op]; onnx != "" && len(parts) == 5 && (!ok || !strings.HasPrefix(parts[2], "n")) {
		w.DType, w.Detail = DType(parts[1]), strings.Join(parts[2:], "/")
		return w, nil
	}
	if !ok {
		return w, fmt.Errorf("unknown operator %q", w.Op)
	}
	want := 3
	for _, group := range []fields{hasOutput | hasWindow, hasStride | hasGroup, hasEpilogue} {
		if f&group != 0 {
			want++
		}
	}
	if len(parts) != want {
		return w, fmt.Errorf("%d parts between slashes, want %d", len(parts), want)
	}
	w.DType = DType(parts[1])

	p := parser{rest: parts[2]}
	p.number("n", &w.N)
	p.number("c", &w.C)
	if f&hasHeight != 0 {
		p.number("h", &w.H)
	}
	if f&hasWidth != 0 {
		p.number("w", &w.W)
	}
	p.end()
	parts = parts[3:]
	if f&(hasOutput|hasWindow) != 0 {
		p.rest = parts[0]
		if f&hasOutput != 0 {
			p.number("k", &w.K)
		}
		if f&hasWindow != 0 {
			p.number("r", &w.R)
			p.number("s", &w.S)
		}
		p.end()
		parts = parts[1:]
	}
	if f&(hasStride|hasGroup) != 0 {
		p.rest = parts[0]
		prefix := ""
		if f&hasStride != 0 {
			p.numbers("stride", &w.StrideH, &w.StrideW)
			p.numbers(".pad", &w.PadTop, &w.PadLeft, &w.PadBottom, &w.PadRight)
		}
		if f&hasDilation != 0 {
			p.numbers(".dil", &w.DilationH, &w.DilationW)
			prefix = "."
		}
		if f&hasGroup != 0 {
			p.number(prefix+"group", &w.Group)
		}
		p.end()
		parts = parts[1:]
	}
	if f&hasEpilogue != 0 {
		w.Epilogue = parts[0]
	}
	return w, p.err
}

// parser reads numbers with their names off the front of rest and keeps the
// first error.
type parser struct {
	rest string
	err  error
}

func (p *parser) number(name string, v *int) {
	if p.err != nil {
		return
	}
	rest, ok := strings.CutPrefix(p.rest, name)
	if !ok {
		p.err = fmt.Errorf("%q where %q and a number belong", p.rest, name)
		return
	}
	end := 0
	for end < len(rest) && '0' <= rest[end] && rest[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(rest[:end], 10, 32)
	if err != nil {
		p.err = fmt.Errorf("%q: %w", name+rest[:end], errors.Unwrap(err))
		return
	}
	*v, p.rest = int(n), rest[end:]
}

func (p *parser) numbers(name string, v ...*int) {
	p.number(name, v[0])
	if p.err != nil {
		return
	}
	if !strings.HasPrefix(p.rest, "x") {
		for _, x := range v[1:] {
			*x = *v[0]
		}
		return
	}
	for _, x := range v[1:] {
		p.number("x", x)
	}
}

func (p *parser) end() {
	if p.err == nil && p.rest != "" {
		p.err = fmt.Errorf("%q is left over", p.rest)
	}
}
