//go:build amd64 || arm64

package onnx

// anyAlignment says that the processor loads numbers from any address. Go
// allows this for types without pointers.
const anyAlignment = true
