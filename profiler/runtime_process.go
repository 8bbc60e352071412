package profiler

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
	"unicode"
)

const (
	// A reply is no longer than this: the times of the nodes of a network of
	// 10,000 take about 1 MB.
	maxReply = 8 << 20
	// So long an adapter has to end by itself when it is asked to.
	endsWithin = 10 * time.Second
	// So much of what it wrote to its standard error is kept.
	lastWords = 2 << 10
)

// itemError is the failure of one workload or network, which leaves the
// others to be measured.
type itemError struct{ err error }

func (e itemError) Error() string { return e.err.Error() }
func (e itemError) Unwrap() error { return e.err }

func itemErrorf(format string, args ...any) error { return itemError{fmt.Errorf(format, args...)} }

// adapterError is what an adapter replied that it cannot do. It goes on.
type adapterError struct{ message string }

func (e adapterError) Error() string { return "the adapter says: " + e.message }

// process is a running adapter, with which lines are exchanged: one request,
// one reply.
type process struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *os.File
	replies *bufio.Reader
	words   *tail
	lastEnd int64 // by its clock, of the last run
	ran     bool  // lastEnd is set
}

// startProcess starts an adapter in a process group of its own. What it leaves
// in the folder for temporary files, where it is killed, goes with that folder.
func startProcess(command []string, temporary string) (*process, error) {
	p := &process{cmd: exec.Command(command[0], command[1:]...), words: &tail{}}
	groupOfItsOwn(p.cmd)
	p.cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	p.cmd.Stderr = p.words
	p.cmd.WaitDelay = time.Second // for a grandchild that keeps standard error open
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout = childOut
	err = p.cmd.Start()
	childOut.Close()
	if err != nil {
		out.Close()
		return nil, whyNotStarted(command[0], err)
	}
	p.out, p.replies = out, bufio.NewReaderSize(out, 64<<10)
	return p, nil
}

// whyNotStarted says what to do where the system's words are about another file
// than the one that it names, or leave that open.
func whyNotStarted(program string, err error) error {
	info, missing := os.Stat(program)
	switch {
	case missing == nil && info.IsDir():
		return errors.New("it is a folder: name the program in it")
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: make it a program, as by chmod +x", err)
	case missing == nil && errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: the file is there, but not what it is started by: the interpreter in its first line, or for a binary the system's loader", err)
	case isNoProgram(err):
		return fmt.Errorf("%w: a script has to begin with a line such as #!/usr/bin/env python3, and a binary has to be of this machine's kind", err)
	}
	return err
}

// kill ends the adapter and all that it started, and waits for it. An adapter
// that has ended by itself is waited for here, too, and not before: as long as
// it is not, its number is no other process's.
func (p *process) kill() {
	if p.cmd.ProcessState != nil {
		return
	}
	killGroup(p.cmd)
	p.in.Close()
	p.out.Close()
	_ = p.cmd.Wait() // its state is kept in cmd
}

// interrupt ends a read or write that is under way.
func (p *process) interrupt() {
	p.in.Close()
	p.out.Close()
	unblock(p.cmd)
}

// close asks the adapter to end, and kills it where it does not.
func (p *process) close() {
	if p.ask(context.Background(), endsWithin, request{Op: "shutdown"}, &struct{}{}) != nil {
		p.kill()
		return
	}
	p.end()
}

// end waits for the adapter to end by itself, as it should when it was asked
// to or when its input has ended, and kills it where that takes too long.
func (p *process) end() (inTime bool) {
	p.in.Close()
	ended := make(chan struct{})
	go func() {
		_ = p.cmd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		inTime = true
	case <-time.After(endsWithin):
		killGroup(p.cmd)
		<-ended
	}
	p.out.Close()
	return inTime
}

// request is a line that an adapter is sent.
type request struct {
	Op       string         `json:"op"`
	Protocol int            `json:"protocol,omitempty"`
	Model    string         `json:"model,omitempty"`
	Inputs   []requestInput `json:"inputs,omitempty"`
	N        int            `json:"n,omitempty"`
	Warm     int            `json:"warm,omitempty"`
	Folder   string         `json:"folder,omitempty"`
	raw      string         // the line itself, to see what an adapter makes of it
}

type requestInput struct {
	Name string `json:"name"`
	File string `json:"file"`
}

// ask sends a request and reads the reply into reply. Where the adapter says
// that it cannot, the error is an adapterError. Any other error has broken the
// conversation, and the adapter is dead when ask returns.
func (p *process) ask(ctx context.Context, timeout time.Duration, q request, reply any) error {
	late := time.AfterFunc(timeout, p.interrupt)
	stop := context.AfterFunc(ctx, p.interrupt)
	err := p.exchange(q, reply)
	inTime, goesOn := late.Stop(), stop()
	var said adapterError
	if err == nil && inTime && goesOn || errors.As(err, &said) && inTime && goesOn {
		return err
	}
	p.kill()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !inTime:
		err = fmt.Errorf("no reply to %q within %v", q.Op, timeout)
	case errors.Is(err, io.EOF), errors.Is(err, os.ErrClosed), isBrokenPipe(err):
		err = fmt.Errorf("the adapter ended at %q: %s", q.Op, p.cmd.ProcessState)
	}
	if words := p.words.last(); words != "" {
		err = fmt.Errorf("%w; its last words: %s", err, words)
	}
	return err
}

// exchange writes a request and reads its reply.
func (p *process) exchange(q request, reply any) error {
	line := []byte(q.raw)
	var err error
	if q.raw == "" {
		if line, err = json.Marshal(q); err != nil {
			return err
		}
	}
	if n := p.replies.Buffered(); n > 0 { // it would be taken for the reply to this request
		unasked, _ := p.replies.Peek(n)
		return fmt.Errorf("the adapter wrote more than one line in reply to a request: %s", excerpt(unasked))
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return err
	}
	if line, err = p.line(); err != nil {
		return err
	}
	var head struct {
		OK    *bool  `json:"ok"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return fmt.Errorf("the reply to %q is not a JSON object (which has no NaN and no Infinity): %s", q.Op, excerpt(line))
	}
	switch {
	case head.OK == nil:
		return fmt.Errorf(`the reply to %q has no "ok": %s`, q.Op, excerpt(line))
	case !*head.OK && head.Error == "":
		return fmt.Errorf(`the reply to %q is not ok but has no "error": %s`, q.Op, excerpt(line))
	case !*head.OK:
		return adapterError{excerpt([]byte(head.Error))}
	}
	if err := json.Unmarshal(line, reply); err != nil {
		return fmt.Errorf("the reply to %q: %w: %s", q.Op, err, excerpt(line))
	}
	return nil
}

// line reads a line of at most maxReply bytes, and no more of a longer one.
func (p *process) line() ([]byte, error) {
	var line []byte
	for {
		part, err := p.replies.ReadSlice('\n')
		if len(line)+len(part) > maxReply {
			return nil, fmt.Errorf("a reply is longer than %d bytes: %s", maxReply, excerpt(line))
		}
		line = append(line, part...)
		if err == bufio.ErrBufferFull {
			continue
		}
		if err == io.EOF && len(line) > 0 {
			return nil, fmt.Errorf("the adapter ended within a reply: %s", excerpt(line))
		}
		return line, err
	}
}

// excerpt is the begin of what may be long or not text. It has no characters
// that a terminal would obey.
func excerpt(b []byte) string {
	const most = 200
	cut := len(b) > most
	text := strings.ToValidUTF8(string(b[:min(len(b), most)]), "?")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return '?'
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if cut {
		text += " ..."
	}
	return text
}

// tail keeps the end of what is written to it.
type tail struct {
	lock sync.Mutex
	data []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.data = append(t.data, b[max(0, len(b)-lastWords):]...)
	if extra := len(t.data) - lastWords; extra > 0 {
		t.data = append(t.data[:0], t.data[extra:]...)
	}
	return len(b), nil
}

// last is the last line.
func (t *tail) last() string {
	t.lock.Lock()
	defer t.lock.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.data)), "\n")
	return excerpt([]byte(lines[len(lines)-1]))
}
