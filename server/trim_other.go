//go:build !linux

package server

import "runtime/debug"

// trim gives the free part of the heap back.
func trim() { debug.FreeOSMemory() }
