package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hwprofd/hwprofd/nas/supernet"
)

// progress shows how far a long step is and how much time is left: one line
// that is redrawn on a terminal, a line now and then elsewhere.
type progress struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	columns  int
	step     string
	last     time.Time
	drawn    bool
	lines    *json.Encoder // where programs read it
}

// progressFormat is how progress is written: "auto" or "json".
var progressFormat = formatFlag("auto")

type formatFlag string

func (f *formatFlag) String() string { return string(*f) }
func (f *formatFlag) Type() string   { return "format" }

func (f *formatFlag) Set(text string) error {
	if text != "auto" && text != "json" {
		return errors.New("it is auto or json")
	}
	*f = formatFlag(text)
	return nil
}

// addProgressFlag adds the flag that the daemon starts verbs with.
func addProgressFlag(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.Var(&progressFormat, "progress", "how progress is written: auto, or json for programs")
	_ = flags.MarkHidden("progress") // fails only for a flag that there is not
}

// progressLine is a line of JSON: a message, or how far a step is.
type progressLine struct {
	Message string  `json:"message,omitempty"`
	Step    string  `json:"step,omitempty"`
	Share   float64 `json:"share"`
	Left    float64 `json:"left_seconds"`
	Now     string  `json:"now,omitempty"`
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, columns: 80}
	if progressFormat == "json" {
		p.lines = json.NewEncoder(w)
		return p
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.terminal = true
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 20 {
			p.columns = columns
		}
	}
	return p
}

// begin names the step that the following reports are about.
func (p *progress) begin(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.step, p.last = fmt.Sprintf(format, args...), time.Time{}
	if p.lines != nil {
		_ = p.lines.Encode(progressLine{Step: p.step})
	} else if !p.terminal {
		fmt.Fprintln(p.w, p.step)
	}
}

// items is report of so many items that are done of a total.
func (p *progress) items(done, total int, current string, left time.Duration) {
	p.report(float64(done)/float64(total), left, current)
}

// report says that the fraction done (0 to 1) of the step is over, that the
// rest is expected to take left, and what is being done now.
func (p *progress) report(done float64, left time.Duration, now string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	every := 10 * time.Second
	switch {
	case p.terminal:
		every = 100 * time.Millisecond
	case p.lines != nil:
		every = 500 * time.Millisecond
	}
	if time.Since(p.last) < every {
		return
	}
	p.last = time.Now()
	if p.lines != nil {
		_ = p.lines.Encode(progressLine{Step: p.step, Share: min(max(done, 0), 1), Left: max(left, 0).Seconds(), Now: now})
		return
	}
	line := fmt.Sprintf("%3.0f%%  %s left  %s", 100*min(max(done, 0), 1), shortDuration(left), now)
	if !p.terminal {
		fmt.Fprintln(p.w, "  "+line)
		return
	}
	text := []rune(p.step + "  " + line)
	if len(text) > p.columns-1 {
		text = append(text[:p.columns-2], '…')
	}
	fmt.Fprintf(p.w, "\r%s%s", string(text), strings.Repeat(" ", max(0, p.columns-1-len(text))))
	p.drawn = true
}

// say prints a line that stays.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lines != nil {
		_ = p.lines.Encode(progressLine{Message: fmt.Sprintf(format, args...)})
		return
	}
	p.clear()
	fmt.Fprintf(p.w, format+"\n", args...)
}

func (p *progress) clear() {
	if p.drawn {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.columns-1))
		p.drawn = false
	}
}

func shortDuration(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%ds", int(d.Seconds()))
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}

// training reports on the training of a supernet.
func (p *progress) training(at supernet.Progress) {
	p.report(at.Share, at.Left, fmt.Sprintf("step %d, loss %.2f", at.Step, at.Loss))
}
