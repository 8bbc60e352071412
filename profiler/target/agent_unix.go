//go:build unix

package target

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
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
func kill(pid int)      { _ = syscall.Kill(-pid, syscall.SIGKILL) } // with what it started

func freeBytes(dir string) int64 {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return -1
	}
	return int64(s.Bavail) * int64(s.Bsize)
}
