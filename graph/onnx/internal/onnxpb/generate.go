// Package onnxpb is the ONNX model format as Go types. onnx-ml.proto is the
// format's own definition, as published with ONNX 1.22.0 by the ONNX Project
// Contributors (github.com/onnx/onnx, onnx/onnx-ml.proto) under the Apache
// License 2.0; LICENSE and NOTICE beside it are theirs.
package onnxpb

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go_opt=Monnx-ml.proto=github.com/hwprofd/hwprofd/graph/onnx/internal/onnxpb onnx-ml.proto
