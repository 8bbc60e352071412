//go:build !amd64 && !arm64

package onnx

const anyAlignment = false
