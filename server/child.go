package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hwprofd/hwprofd/server/api"
)

const (
	maxOutput  = 64 << 20         // bytes that a child may print
	stopWithin = 10 * time.Second // for a child to end when asked to
)

// child runs a verb of hwprofd in a process of its own, so that a measurement
// can be ended, a crash stays there, and its memory is given back. It returns
// what the verb printed.
type child struct {
	executable string
	dir        string
	args       []string
	progress   func(api.Progress) // may be nil
	message    func(string)       // may be nil
}

// childError is what a child that failed said.
type childError struct {
	said  string
	usage bool // it did not like its arguments
}

func (e *childError) Error() string { return e.said }

// line is one of the lines that --progress json prints.
type line struct {
	Message string `json:"message"`
	api.Progress
}

func (c *child) run(ctx context.Context) ([]byte, error) {
	// Where a child is to die with the daemon, the kernel takes the thread
	// that started it for its parent: it must not end before.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.CommandContext(ctx, c.executable, append([]string{"--progress", "json"}, c.args...)...)
	cmd.Dir = c.dir
	cmd.Cancel = func() error {
		if runtime.GOOS == "windows" {
			return cmd.Process.Kill()
		}
		return cmd.Process.Signal(syscall.SIGTERM)
	}
	cmd.WaitDelay = stopWithin
	dieWithParent(cmd)
	out := &limitedBuffer{limit: maxOutput}
	cmd.Stdout = out
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var reading sync.WaitGroup
	last := ""
	reading.Go(func() { last = c.read(stderr) })
	reading.Wait()
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, ctx.Err()
	case out.over:
		return nil, fmt.Errorf("%s printed more than %d bytes", c.args[0], maxOutput)
	case errors.As(err, &exit):
		if last == "" {
			last = fmt.Sprintf("%s ended without a word: %v", c.args[0], err)
		}
		return nil, &childError{last, exit.ExitCode() == 2}
	}
	return out.kept.Bytes(), err
}

// read reads what a child says, and returns its last plain line: its error.
func (c *child) read(r io.Reader) string {
	last := ""
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var said line
		text := scanner.Bytes()
		switch {
		case !bytes.HasPrefix(text, []byte("{")) || json.Unmarshal(text, &said) != nil:
			last = strings.TrimPrefix(string(text[:min(len(text), 2000)]), "hwprofd: ")
		case said.Message != "":
			if c.message != nil {
				c.message(said.Message)
			}
		case c.progress != nil:
			c.progress(said.Progress)
		}
	}
	// A line too long to read must not block who writes it.
	_, _ = io.Copy(io.Discard, r)
	return last
}

// limitedBuffer keeps up to limit bytes and drops the rest. The buffer is not
// embedded, as its ReadFrom knows no limit.
type limitedBuffer struct {
	kept  bytes.Buffer
	limit int
	over  bool
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.kept.Len()+len(p) > b.limit {
		b.over = true
		return len(p), nil
	}
	return b.kept.Write(p)
}
