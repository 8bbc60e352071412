//go:build unix

package profiler

import (
	"errors"
	"os/exec"
	"syscall"
)

// groupOfItsOwn makes cmd the head of a process group, so that all that it
// starts can be killed.
func groupOfItsOwn(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills cmd and all that it started.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

// isNoProgram reports whether a file could not be started for what is in it.
func isNoProgram(err error) bool { return errors.Is(err, syscall.ENOEXEC) }

// unblock does nothing: closing a pipe ends the read of it.
func unblock(*exec.Cmd) {}
