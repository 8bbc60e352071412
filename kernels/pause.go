//go:build amd64 || arm64

package kernels

// pause passes the time of n pauses as the processor knows them, n above 0:
// for loops that wait for another thread, to which it leaves what of the core
// they share.
//
//go:noescape
func pause(n int)
