package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTimersAreLate starts this program as one that lets its timers be late.
func TestTimersAreLate(t *testing.T) {
	const child = "HWPROFD_TEST_CHILD"
	if os.Getenv(child) != "" {
		letTimersBeLate()
		slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
		fmt.Printf("slack %d, %v, arguments %q\n", slack, err, os.Args[1:])
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestTimersAreLate$", "-test.v")
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.CombinedOutput()
	want := fmt.Sprintf(`slack %d, <nil>, arguments ["-test.run=^TestTimersAreLate$" "-test.v"]`, int(lateTimers))
	if err != nil || strings.Count(string(out), "slack") != 1 || !strings.Contains(string(out), want) {
		t.Errorf("%v: %s; want %s", err, out, want)
	}
}
