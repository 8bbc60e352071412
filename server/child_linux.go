package server

import (
	"os/exec"
	"syscall"
)

// dieWithParent lets the kernel end the child where the daemon is killed: it
// would go on measuring beside what the next daemon starts.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
