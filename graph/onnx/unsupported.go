package onnx

import (
	"errors"
	"fmt"
	"strings"
)

// UnsupportedNode is a node of a model that a graph cannot hold.
type UnsupportedNode struct {
	Name   string // the node's, or its first output's where it has none
	Type   string // operator, with the domain before it where it is not ONNX's
	Opset  int    // version of the domain that the model imports, 0 for none
	Reason string // empty where the operator as such is unknown
}

// String is one line about the node.
func (n UnsupportedNode) String() string {
	s := fmt.Sprintf("%q (%s, opset %d)", n.Name, n.Type, n.Opset)
	if n.Reason != "" {
		s += ": " + n.Reason
	}
	return s
}

// UnsupportedError lists every node of a model that is not supported.
type UnsupportedError struct {
	Nodes []UnsupportedNode
}

func (e *UnsupportedError) Error() string {
	lines := make([]string, len(e.Nodes))
	for i, n := range e.Nodes {
		lines[i] = n.String()
	}
	what := "nodes are"
	if len(e.Nodes) == 1 {
		what = "node is"
	}
	return fmt.Sprintf("%d %s not supported: %s", len(e.Nodes), what, strings.Join(lines, "; "))
}

// Is lets errors.Is find errors.ErrUnsupported.
func (e *UnsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// unsupported is why one node cannot be read, found on the way.
type unsupported string

func (u unsupported) Error() string { return string(u) }

// Is lets errors.Is find errors.ErrUnsupported.
func (u unsupported) Is(target error) bool { return target == errors.ErrUnsupported }

func unsupportedf(format string, args ...any) error {
	return unsupported(fmt.Sprintf(format, args...))
}
