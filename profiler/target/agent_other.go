//go:build !unix

package target

import (
	"errors"
	"os"
	"os/exec"
	"time"
)

var (
	errLocked    = errors.New("the lock is held")
	errNoRunHere = errors.New("target: this system cannot be a target, only Unix can")
)

func locked(string) (bool, error)                      { return false, errNoRunHere }
func takeLock(string, time.Duration) (*os.File, error) { return nil, errNoRunHere }
func lockFile(*os.File) error                          { return nil } // two commands at once are not told apart here
func detach(*exec.Cmd)                                 {}
func shield(*exec.Cmd)                                 {}
func interrupt(int)                                    {}
func kill(int)                                         {}
func alive(int) bool                                   { return true }
func freeBytes(string) int64                           { return -1 }
