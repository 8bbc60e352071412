//go:build !linux

package kernels

import "unsafe"

func adviseHugePages(unsafe.Pointer, int) {}
