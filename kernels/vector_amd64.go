package kernels

func vectorImplementation(string) vectorKernels { return portableVector }

func depthwiseImplementation(string) depthwiseKernels { return portableDepthwise }
