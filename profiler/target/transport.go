package target

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// A transport runs commands on the target through a program of the user's.
type transport interface {
	// command is to run script by a POSIX shell of the target, with its
	// standard streams.
	command(ctx context.Context, script string) *exec.Cmd
	// push is to copy a local file to a path on the target, without a shell; nil
	// if files are written by a command.
	push(ctx context.Context, local, path string) *exec.Cmd
	// base is the folder that runs live in, an expression of the shell.
	base() string
	// program is the user's, which has to be on this machine.
	program() string
	// advise is what to do about what the program said, or "".
	advise(stderr string) string
	// otherFolder is how to have runs live elsewhere.
	otherFolder() string
}

func (a address) transport() transport {
	if a.kind == "adb" {
		return adb{a.serial}
	}
	return ssh{a}
}

// quote makes one word of s for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}

// ssh is a target that is reached by the user's ssh, with their keys and their
// configuration.
type ssh struct{ address }

func (s ssh) program() string { return "ssh" }

func (s ssh) base() string { return `${XDG_CACHE_HOME:-$HOME/.cache}` }

func (s ssh) otherFolder() string {
	return "have XDG_CACHE_HOME name a folder there that can be written and whose programs may be started, such as by SetEnv in your ~/.ssh/config where its sshd accepts that, or at the top of its ~/.bashrc"
}

func (s ssh) command(ctx context.Context, script string) *exec.Cmd {
	args := []string{
		"-T",                  // no terminal
		"-o", "BatchMode=yes", // no questions: nobody may be there to answer
		"-o", "ConnectTimeout=15", // seconds
		"-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=4",
		"-o", "LogLevel=ERROR", // no banners
		// Of the user's configuration, what is meant for their own sessions: some
		// of it would keep a command from being run, or two at once.
		"-o", "RemoteCommand=none", "-o", "ClearAllForwardings=yes", "-o", "PermitLocalCommand=no",
		"-a", "-x", // no agent and no display of this machine there
	}
	if s.user != "" {
		args = append(args, "-l", s.user)
	}
	if s.port != "" {
		args = append(args, "-p", s.port)
	}
	// The user's own shell there may be any, so that it only starts sh. Scripts
	// have no character that the shells' quotes differ in.
	args = append(args, "--", s.host, "sh -c "+quote(script))
	return exec.CommandContext(ctx, "ssh", args...)
}

func (s ssh) push(context.Context, string, string) *exec.Cmd { return nil }

func (s ssh) advise(stderr string) string {
	to := s.host
	if s.user != "" {
		to = s.user + "@" + to
	}
	if s.port != "" {
		to = "-p " + s.port + " " + to
	}
	switch {
	case strings.Contains(stderr, "Permission denied"):
		return "hwprofd types no passwords: make 'ssh " + to + "' sign in by key, such as with ssh-copy-id or ssh-agent"
	case strings.Contains(stderr, "Host key verification failed"):
		return "run 'ssh " + to + "' once, and look at the key that it shows"
	case strings.Contains(stderr, "Could not resolve"):
		return "is the name right, and known to 'ssh " + to + "'?"
	}
	return ""
}

// adb is an Android device that is reached by the user's adb.
type adb struct{ serial string }

func (a adb) program() string { return "adb" }

// base is the one folder that the shell's user may write to and start programs from.
func (a adb) base() string { return "/data/local/tmp" }

func (a adb) otherFolder() string { return "runs live in " + a.base() }

func (a adb) client(ctx context.Context, args ...string) *exec.Cmd {
	if a.serial != "" {
		args = append([]string{"-s", a.serial}, args...)
	}
	return exec.CommandContext(ctx, "adb", args...)
}

func (a adb) command(ctx context.Context, script string) *exec.Cmd {
	return a.client(ctx, "shell", "-T", script)
}

// push is used since older devices change what a shell is given on stdin.
func (a adb) push(ctx context.Context, local, path string) *exec.Cmd {
	return a.client(ctx, "push", local, path)
}

func (a adb) advise(stderr string) string {
	switch {
	case strings.Contains(stderr, "no devices"):
		return "connect the device, and switch on USB debugging in its developer options; 'adb devices' lists what is found"
	case strings.Contains(stderr, "unauthorized"):
		return "answer the question on the device's screen"
	case strings.Contains(stderr, "more than one"):
		return "say which with adb:SERIAL, as 'adb devices' lists them"
	case strings.Contains(stderr, "not found"):
		return "'adb devices' lists what is found"
	case strings.Contains(stderr, "offline"):
		return "plug it in again, or 'adb reconnect'"
	}
	return ""
}

// lostError is a connection that could not be made or did not last. What was
// asked for may or may not have been done.
type lostError struct{ reason string }

func (e lostError) Error() string { return e.reason }

// failedError is a command that the target did, without success.
type failedError struct {
	code   int
	stderr string
}

func (e failedError) Error() string {
	if e.stderr == "" {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return strings.TrimPrefix(e.stderr, "hwprofd: ")
}

func isLost(err error) bool {
	var lost lostError
	return errors.As(err, &lost)
}

// lastWords keeps the end of what a program writes to stderr.
type lastWords struct{ text []byte }

func (w *lastWords) Write(p []byte) (int, error) {
	w.text = append(w.text, p...)
	if n := len(w.text) - 4096; n > 0 {
		w.text = append(w.text[:0], w.text[n:]...)
	}
	return len(p), nil
}

// String is on one line, without what adb says of starting its server.
func (w *lastWords) String() string {
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(string(w.text), "\r", "")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "* daemon ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}
