//go:build unix

package target

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var errLocked = errors.New("the lock is held")

// locked reports whether the run in a folder is alive. The lock is one of the kernel's, so
// that neither a killed process nor a number that another one got later
// deceives.
func locked(folder string) (bool, error) {
	lock, err := takeLock(folder, 0)
	if errors.Is(err, errLocked) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, lock.Close()
}

// takeLock takes the lock within a while: others look at it for a moment.
func takeLock(folder string, within time.Duration) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(folder, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if err = lockFile(f); err == nil {
			return f, nil
		}
		if !errors.Is(err, errLocked) || time.Since(begin) >= within {
			f.Close()
			return nil, err
		}
	}
}

// lockFile locks an open file without waiting.
func lockFile(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return errLocked
		default:
			return err
		}
	}
}

// detach makes a command outlive this process, its terminal and its session.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// shield keeps a Ctrl-C on the terminal from the command.
func shield(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func interrupt(pid int) { _ = syscall.Kill(pid, syscall.SIGINT) }

// kill ends the command that was detached with this number, and all that it
// started: its process group, and where the system tells them the other groups
// of its session, such as adapters. As long as one of these is there, the
// number is no other process's.
func kill(pid int) {
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range processes {
		const session = 3 // after the state, which follows the name
		if fields := processFields(folder); len(fields) > session && fields[session] == strconv.Itoa(pid) {
			if member, err := strconv.Atoi(filepath.Base(folder)); err == nil {
				_ = syscall.Kill(member, syscall.SIGKILL)
			}
		}
	}
}

// alive reports whether a process is there and has not ended.
func alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	fields := processFields("/proc/" + strconv.Itoa(pid))
	return len(fields) == 0 || fields[0] != "Z" // one that nobody has waited for
}

// processFields are those of a process's stat from its state on, none where the
// system has no such file.
func processFields(folder string) []string {
	stat, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}

func freeBytes(dir string) int64 {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return -1
	}
	return int64(s.Bavail) * int64(s.Bsize)
}
