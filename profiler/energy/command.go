package energy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// programPatience is how long to wait, beside some periods, for a sample from
// a running program.
const programPatience = 10 * time.Second

// program is a meter whose samples another program prints as long as it runs.
type program struct {
	about    Description
	patience time.Duration
	stop     func() error

	mu      sync.Mutex
	samples []sample
	err     error // why there are no more
}

// OpenCommand returns the external meter that a shell command tells: it runs
// until the meter is closed and prints a line a sample, WATTS or TIME WATTS,
// as in [OpenFile]; a line without a time is of the moment it arrives.
func OpenCommand(command string) (Meter, error) {
	shell := []string{"sh", "-c", command}
	if runtime.GOOS == "windows" {
		shell = []string{"cmd", "/C", command}
	}
	about := Description{Name: "command", Covers: "what the meter that the command reads is connected to", Period: time.Second}
	p, err := startProgram(about, parseCommandLine, shell[0], shell[1:]...)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// parseCommandLine reads a line that arrives at now.
func parseCommandLine(line string, now time.Time) (s sample, ok bool, err error) {
	if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
		return s, false, nil
	}
	s, err = parseWatts(line)
	if s.at.IsZero() {
		s.at = now
	}
	return s, err == nil, err
}

// startProgram runs a program and waits for its first two samples, which tell
// how often they come.
func startProgram(about Description, parse func(line string, now time.Time) (sample, bool, error), name string, args ...string) (*program, error) {
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second // its children may keep the pipe open
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("energy: %s: %w", strings.Join(cmd.Args, " "), err)
	}
	ended := make(chan struct{})
	p := &program{about: about, patience: programPatience, stop: func() error {
		cancel()
		out.Close() // ends children that go on writing
		<-ended
		return nil
	}}
	go func() {
		defer close(ended)
		p.follow(out, parse)
		cancel()
		if err := cmd.Wait(); complaint.Len() > 0 {
			p.fail(fmt.Errorf("%w: %s", err, bytes.TrimSpace(complaint.Bytes())))
		}
	}()
	for deadline := time.Now().Add(p.patience); ; time.Sleep(10 * time.Millisecond) {
		samples, err := p.state()
		if period := usualPeriod(samples); period > 0 {
			p.about.Period = max(period, time.Millisecond)
			return p, nil
		}
		if err == nil && time.Now().After(deadline) {
			err = fmt.Errorf("it printed %d samples within %v, want a line of watts at least every %v", len(samples), p.patience, p.patience/2)
		}
		if err != nil {
			_ = p.stop()
			return nil, fmt.Errorf("energy: %s: %w", strings.Join(cmd.Args, " "), err)
		}
	}
}

// follow collects the samples that r has, until its end or a line that is none.
func (p *program) follow(r io.Reader, parse func(line string, now time.Time) (sample, bool, error)) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		s, ok, err := parse(lines.Text(), time.Now())
		if err == nil && ok {
			p.mu.Lock()
			if n := len(p.samples); n > 0 && s.at.Before(p.samples[n-1].at) {
				err = fmt.Errorf("time stamps go back to %v", s.at)
			} else {
				p.samples = append(p.samples, s)
			}
			p.mu.Unlock()
		}
		if err != nil {
			p.fail(err)
			return
		}
	}
	p.fail(lines.Err())
	p.fail(fmt.Errorf("the program has ended, it has to print watts as long as is measured"))
}

// fail keeps the first error.
func (p *program) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

func (p *program) state() ([]sample, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.samples, p.err
}

func (p *program) Description() Description { return p.about }

func (p *program) Close() error { return p.stop() }

func (p *program) Measure(run func()) (Energy, error) {
	p.mu.Lock()
	p.samples = forget(p.samples)
	p.mu.Unlock()
	start := time.Now()
	run()
	end := time.Now()
	for deadline := end.Add(p.patience + 4*p.about.Period); ; time.Sleep(min(p.about.Period/4, 50*time.Millisecond)) {
		samples, err := p.state()
		complete := len(samples) > 0 && !samples[len(samples)-1].at.Before(end)
		if !complete && err == nil && time.Now().Before(deadline) {
			continue
		}
		if complete || err == nil {
			var e Energy
			if e, err = integrate(samples, start, end, longestGap(samples)); err == nil {
				return e, nil
			}
		}
		return Energy{}, fmt.Errorf("energy: %s: %w", p.about.Name, err)
	}
}
