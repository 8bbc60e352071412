//go:build !unix

package lut

// syncDir has nothing to do: these systems flush a new file's entry with the file.
func syncDir(string) error { return nil }
