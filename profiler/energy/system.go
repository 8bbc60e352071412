package energy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// programTimeout is the longest that a program may take to tell one value.
const programTimeout = 5 * time.Second

// system is the machine that this process runs on.
func system() host {
	return host{
		os:   runtime.GOOS,
		root: os.Geteuid() == 0,
		which: func(program string) error {
			_, err := exec.LookPath(program)
			return err
		},
		output: func(program string, args ...string) ([]byte, error) {
			ctx, cancel := context.WithTimeout(context.Background(), programTimeout)
			defer cancel()
			out, err := exec.CommandContext(ctx, program, args...).Output()
			if e, ok := errors.AsType[*exec.ExitError](err); ok && len(e.Stderr) > 0 {
				return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(e.Stderr))
			}
			return out, err
		},
		perfOpen: perfOpen,
	}
}
