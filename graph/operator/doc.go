// Package operator defines the operators of ONNX: for each, which inputs it
// takes, the types and shapes of its outputs, and what it computes, as plain
// Go on tensors of any element type.
//
// The definitions are those of the newest version of each operator; a reader
// of older models turns their nodes into these first. Computing is meant for
// constants, for operators and types that have no fast kernel, and as the
// reference that fast kernels are tested against: it is exact rather than
// fast.
package operator
