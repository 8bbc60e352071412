//go:build !unix

package profiler

import "os/exec"

func groupOfItsOwn(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func isBrokenPipe(error) bool { return false }

func isNoProgram(error) bool { return false }

// unblock ends the reads of pipes that closing them does not end.
func unblock(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
