package main

import (
	"strings"

	"github.com/hwprofd/hwprofd/kernels"
)

// attention is scaled dot-product attention of heads that lie one after the
// other, or, in the rows of the fused operator, interleaved as projections
// leave them.
func attention(r row) (func(), error) {
	if r.dtype != "f32" {
		return nil, errType
	}
	shape, fused := strings.CutSuffix(r.shape, "_fused")
	s := kernels.Attention{Batch: 1, Interleaved: fused}
	if err := scan(shape, "attention_h%dq%dkv%dd%d", &s.Heads, &s.QueryLen, &s.KVLen, &s.KeyDim); err != nil {
		return nil, err
	}
	s.ValueDim = s.KeyDim
	q, kv := s.Heads*s.QueryLen*s.KeyDim, s.Heads*s.KVLen*s.KeyDim
	queries, keys, values, dst := operand(q), operand(kv), operand(kv), operand(q)
	ws := new(kernels.Workspace)
	return func() { kernels.AttentionForward(ws, s, dst, queries, keys, values, nil, nil) }, nil
}

func attentionBackward(shape string) (func(), error) {
	var s kernels.Attention
	if err := scan(shape, "attention_n%dh%dq%dkv%dd%d", &s.Batch, &s.Heads, &s.QueryLen, &s.KVLen, &s.KeyDim); err != nil {
		return nil, err
	}
	s.ValueDim = s.KeyDim
	q, kv, logs := s.Batch*s.Heads*s.QueryLen*s.KeyDim, s.Batch*s.Heads*s.KVLen*s.KeyDim, operand(s.Batch*s.Heads*s.QueryLen)
	queries, keys, values, dst := operand(q), operand(kv), operand(kv), operand(q)
	dqueries, dkeys, dvalues, ddst := operand(q), operand(kv), operand(kv), operand(q)
	ws := new(kernels.Workspace)
	return func() {
		kernels.AttentionForward(ws, s, dst, queries, keys, values, nil, logs)
		clear(dqueries)
		clear(dkeys)
		clear(dvalues)
		kernels.AttentionBackward(ws, s, dqueries, dkeys, dvalues, ddst, queries, keys, values, nil, dst, logs)
	}, nil
}
