package target

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/internal/sshlab"
)

// lab is a target on loopback, and what was said about it.
type lab struct {
	*sshlab.Lab
	mu    sync.Mutex
	lines []string
}

func newLab(t *testing.T, cache string) *lab { return &lab{Lab: sshlab.New(t, cache)} }

func (l *lab) open(t *testing.T, change func(*Options)) *Target {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Programs: Programs{Self: self}, poll: 20 * time.Millisecond, pause: 50 * time.Millisecond,
		Say: func(line string) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.lines = append(l.lines, line)
			t.Log(line)
		},
	}
	if change != nil {
		change(&o)
	}
	target, err := Open("ssh://kitchen", o)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func (l *lab) said() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

func withTimeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	return ctx
}
