package kernels

func vectorImplementation(string) vectorKernels { return portableVector }
