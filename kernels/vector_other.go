//go:build !amd64 && !arm64

package kernels

func vectorImplementation(string) vectorKernels { return portableVector }

func depthwiseBlockImplementation(string) *depthwiseBlockKernels { return portableDepthwiseBlocks }

func depthwiseImplementation(string) depthwiseKernels { return portableDepthwise }
