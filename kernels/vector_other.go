package kernels

// vectorImplementation returns the vector kernels of the named implementation.
func vectorImplementation(string) vectorKernels { return portableVector }
