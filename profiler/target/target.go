// Package target measures on another machine: on one that the user's ssh signs
// in to, or on an Android device that the user's adb reaches.
//
// It copies the program that fits the target's system and processor, starts
// the run there, detached, and copies its journal back row by row. The run does
// not need the connection: where that is lost, the run goes on, and the journal
// is continued at the byte where it stopped, by this process or by the next one
// that is asked for the same. When a run ends, in whatever way, nothing of it
// stays on the target.
//
// On the target everything stands in one folder a run, hwprofd-ID below
// ~/.cache (ssh) or /data/local/tmp (adb). The first commands there are those of
// a POSIX shell, fixed texts; all others are [Agent]'s, that is, of the program
// that was copied, and what the user named travels to them on stdin. So no name
// of the user's reaches a shell.
package target

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Options are how targets are dealt with.
type Options struct {
	// Programs says where the program for the target comes from.
	Programs Programs
	// Say is called with a line that the user should see.
	Say func(line string)
	// Log, if set, is called with each line that the run on the target prints.
	Log func(line string)
	// Patience is for how long a lost target is looked for; 15 minutes if 0.
	Patience time.Duration

	// Runner is what starts the program on the target where the system does not
	// do it by itself, such as an emulator; usually nothing.
	Runner []string

	poll  time.Duration // how often the agent looks for what is new
	pause time.Duration // before the first attempt to reach a lost target again
}

// A Target is another machine.
type Target struct {
	name    string
	via     transport
	options Options
	reached atomic.Bool  // at least once: it exists, and lets us in
	heard   atomic.Int64 // when something last came from it, in ns since 1970
}

// Open reads a target's name, of one of the [Forms]. It does not connect yet.
func Open(name string, options Options) (*Target, error) {
	a, err := parse(name)
	if err != nil {
		return nil, err
	}
	if options.Patience == 0 {
		options.Patience = 15 * time.Minute
	}
	if options.poll == 0 {
		options.poll = time.Second
	}
	if options.pause == 0 {
		options.pause = time.Second
	}
	if options.Say == nil {
		options.Say = func(string) {}
	}
	if options.Log == nil {
		options.Log = func(string) {}
	}
	t := &Target{name: name, via: a.transport(), options: options}
	if _, err := exec.LookPath(t.via.program()); err != nil {
		return nil, fmt.Errorf("target: %s: there is no program %s on this machine's PATH: install it", name, t.via.program())
	}
	return t, nil
}

// String is the name that the target was opened by.
func (t *Target) String() string { return t.name }

func (t *Target) say(format string, args ...any) { t.options.Say(fmt.Sprintf(format, args...)) }

// errorf names the target before an error.
func (t *Target) errorf(format string, args ...any) error {
	return fmt.Errorf("target: %s: "+format, append([]any{t.name}, args...)...)
}

// folder is where a run lives on the target, for use between double quotes.
func (t *Target) folder(id string) string { return t.via.base() + "/hwprofd-" + id }

// agent is the script that calls [Agent] in the folder of a run.
func (t *Target) agent(id, program string, args ...string) string {
	words := append([]string{program, Verb}, args...)
	script := strings.Join(words, " ")
	if len(t.options.Runner) > 0 {
		script = quoteAll(t.options.Runner) + " " + script
	}
	return `cd "` + t.folder(id) + `" && ` + script
}

// ask calls the agent with a question on its stdin, and reads its answer.
func (t *Target) ask(ctx context.Context, id string, question, reply any, args ...string) error {
	return t.retry(ctx, func() error {
		var stdin io.Reader
		if question != nil {
			data, err := json.Marshal(question)
			if err != nil {
				return err
			}
			stdin = bytes.NewReader(append(data, '\n'))
		}
		out, err := t.output(ctx, t.agent(id, "./"+programName, args...), stdin)
		if err != nil || reply == nil {
			return err
		}
		if err := json.Unmarshal(out, reply); err != nil {
			return t.errorf("an answer that is not understood: %.80q", out)
		}
		return nil
	})
}

// output runs a script and returns what it prints.
func (t *Target) output(ctx context.Context, script string, stdin io.Reader) ([]byte, error) {
	var out bytes.Buffer
	err := t.run(ctx, script, stdin, func(line []byte) error {
		out.Write(line)
		return nil
	})
	return out.Bytes(), err
}

// Around the output of a script stand two lines: what comes before the first is
// of the shell's own start, and without the second the connection was lost.
// The exit status is in it, since ssh has one number for its own failures that
// a command may have too, and older devices pass none on.
const (
	beginMark = "#hwprofd-begin"
	endMark   = "#hwprofd-end "
)

func marked(script string) string {
	return `echo "` + beginMark + `"; ( ` + script + ` ); echo "` + endMark + `$?"`
}

// silence is how long nothing may come from a command that writes a line every
// beat, and how long one may take that writes nothing.
const (
	silence = 6 * beat
	longest = 10 * time.Minute
)

// run runs a script and hands on each line of its output, with its end. The
// error is a lostError or a failedError, or that of each.
func (t *Target) run(ctx context.Context, script string, stdin io.Reader, each func(line []byte) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cmd := t.via.command(ctx, marked(script))
	shield(cmd)
	cmd.Stdin = stdin
	cmd.WaitDelay = time.Second
	var words lastWords
	cmd.Stderr = &words
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	quiet := longest
	if stdin == nil {
		quiet = silence
	}
	watch := time.AfterFunc(quiet, func() { cancel(lostError{"nothing was heard of it for " + quiet.String()}) })
	defer watch.Stop()
	r := bufio.NewReaderSize(heard{pipe, func() { watch.Reset(quiet) }}, 64<<10)
	begun, code := false, -1
	var failed error
	var instead string // the last line of what starts in place of the script, such as nologin
	for failed == nil && code < 0 {
		line, err := r.ReadBytes('\n')
		switch text := strings.TrimRight(string(line[:min(len(line), 40)]), "\r\n"); {
		case !begun:
			if begun = text == beginMark; begun {
				t.heard.Store(time.Now().UnixNano())
			} else if said := strings.TrimSpace(string(line)); said != "" {
				instead = fmt.Sprintf("it says %.200q", said)
			}
		case err == nil && strings.HasPrefix(text, endMark):
			code, failed = readCode(text)
		case err == nil:
			// A last line without an end has the mark behind it.
			if i := bytes.LastIndex(line, []byte(endMark)); i > 0 && len(line)-i < 20 && line[0] != '{' {
				if code, failed = readCode(strings.TrimRight(string(line[i:]), "\r\n")); failed == nil {
					failed = each(line[:i])
				}
			} else {
				failed = each(line)
			}
		}
		if err != nil {
			break
		}
	}
	if failed != nil {
		cancel(nil)
	}
	wait := cmd.Wait()
	switch {
	case failed != nil:
		return failed
	case code > 0:
		t.reached.Store(true)
		return failedError{code, words.String()}
	case code == 0:
		t.reached.Store(true)
		return nil
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	reason := words.String()
	if !begun && instead != "" {
		reason = instead
	}
	if reason == "" && wait != nil {
		reason = fmt.Sprintf("%s ended (%v)", t.via.program(), wait)
	} else if reason == "" {
		reason = "the connection was closed"
	}
	if advice := t.via.advise(reason); advice != "" {
		reason += ": " + advice
	}
	return lostError{reason}
}

// heard calls a function whenever something was read.
type heard struct {
	io.Reader
	something func()
}

func (h heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if n > 0 {
		h.something()
	}
	return n, err
}

func readCode(text string) (int, error) {
	code, err := strconv.Atoi(strings.TrimPrefix(text, endMark))
	if err != nil || code < 0 {
		return -1, lostError{fmt.Sprintf("the last line is %.40q", text)}
	}
	return code, nil
}

// retry does something that may be done twice until the connection lasts for
// it. A target that was never reached is not waited for.
func (t *Target) retry(ctx context.Context, do func() error) error {
	pause, begin := t.options.pause, time.Now()
	for said := false; ; {
		attempt := time.Now()
		err := do()
		if !isLost(err) {
			if said && err == nil {
				t.say("%s is there again", t.name)
			}
			return t.named(err)
		}
		if t.heard.Load() > attempt.UnixNano() { // a new loss, not the old one
			pause, begin, said = t.options.pause, time.Now(), false
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !t.reached.Load():
			return t.errorf("not reached: %w", err)
		case time.Since(begin) > t.options.Patience:
			return t.errorf("lost, and not found again for %v: %w", t.options.Patience, err)
		}
		if !said {
			t.say("connection to %s lost (%v); what runs there goes on; trying to reach it again", t.name, err)
			said = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, 30*time.Second)
	}
}

// named puts the target's name before what its commands said.
func (t *Target) named(err error) error {
	var failed failedError
	if errors.As(err, &failed) {
		return t.errorf("%w", err)
	}
	return err
}

// Run runs the program's own command with args on the target, such as "device",
// and writes what it prints to w. The folder that it needs is removed again.
func (t *Target) Run(ctx context.Context, w io.Writer, args ...string) error {
	id := randomID()
	defer t.remove(context.WithoutCancel(ctx), id)
	f, err := t.look(ctx, id)
	if err != nil {
		return err
	}
	if err := t.bring(ctx, id, f); err != nil {
		return err
	}
	var out []byte
	err = t.retry(ctx, func() error {
		question, err := json.Marshal(t.argv(args))
		if err != nil {
			return err
		}
		out, err = t.output(ctx, t.agent(id, "./"+programName, "run"), bytes.NewReader(question))
		return err
	})
	if err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}

// argv is a command of the program on the target.
func (t *Target) argv(args []string) []string {
	return append(append(append([]string{}, t.options.Runner...), "./"+programName), args...)
}

// remove removes the folder of a run.
func (t *Target) remove(ctx context.Context, id string) error {
	if !t.reached.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return t.retry(ctx, func() error {
		_, err := t.output(ctx, t.removal(id), nil)
		return err
	})
}

// removal is the script that removes the folder of a run, and the one that it
// is in where that was made for it.
func (t *Target) removal(id string) string {
	folder := `"` + t.folder(id) + `"`
	return `made=; [ -f ` + folder + `/` + madeName + ` ] && made=yes; rm -rf ` + folder +
		` && { [ -z "$made" ] || rmdir "` + t.via.base() + `" 2>/dev/null; true; }`
}
