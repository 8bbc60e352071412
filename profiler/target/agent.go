package target

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Verb is the first argument by which the program becomes the target's end of
// a connection; [Agent] gets the others.
const Verb = "target-agent"

// Table is the name of the table that a run writes on the target.
const Table = "table.lut.parquet"

// What the folder of a run holds on the target.
const (
	programName = "hwprofd"
	partName    = "part/hwprofd" // what is being copied; it keeps the program's name
	tableName   = Table
	journalName = tableName + ".journal"
	logName     = "log"
	lockName    = "lock" // held by the run as long as it lives
	startName   = "start.json"
	madeName    = "made" // is there where the folder around it was made, too
)

// started is what is kept of the start of a run.
type started struct {
	Args []string `json:"args"`
	PID  int      `json:"pid"`
	Boot string   `json:"boot"` // changes when the machine is started anew
}

// state is what the agent tells of a run.
type state struct {
	Running  bool     `json:"running"`
	Args     []string `json:"args"`     // it was started with; nil: never
	Rebooted bool     `json:"rebooted"` // since it was started
	Table    bool     `json:"table"`    // it is there: the run is complete
	Journal  int64    `json:"journal"`  // bytes of whole lines
	Compared int64    `json:"compared"` // how many of the bytes that were asked about there are,
	SHA256   string   `json:"sha256"`   // and their checksum
	Log      int64    `json:"log"`
	LastLine string   `json:"last_line"` // of the log
	Free     int64    `json:"free"`      // bytes on the disk; -1: not known
}

// frame is a line that follow writes.
type frame struct {
	Journal []byte `json:"journal,omitempty"` // the next whole lines
	Log     string `json:"log,omitempty"`
	Over    bool   `json:"over,omitempty"` // the run has ended, nothing follows
}

// copied is a file that was copied into the folder.
type copied struct {
	Name   string `json:"-"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// errExit is a child's exit code that the agent passes on as its own.
type errExit int

func (e errExit) Error() string { return "exit status " + strconv.Itoa(int(e)) }

// ExitCode is the exit code of a program that the agent ran, if err is that.
func ExitCode(err error) (code int, ok bool) {
	var e errExit
	ok = errors.As(err, &e)
	return int(e), ok
}

// Agent is the target's end: it works in the current folder, which is that of
// one run, as its arguments say, and answers in JSON lines. What comes from the
// user, such as a command's flags, it reads from stdin, so that no shell sees it.
func Agent(args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) == 0 {
		return errors.New("target: the agent was asked for nothing")
	}
	word := func(i int) string {
		if len(args) <= i {
			return ""
		}
		return args[i]
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(word(i), 10, 64) // absent: 0
		return max(n, 0)
	}
	switch args[0] {
	case "sum":
		return answerSum(stdout)
	case "accept":
		return accept(word(1), word(2), word(3))
	case "state":
		return answerState(stdout, number(1))
	case "start":
		return start(stdin)
	case "follow":
		return follow(stdout, number(1), number(2), time.Duration(number(3))*time.Millisecond)
	case "stop":
		return stop(time.Duration(number(1)) * time.Millisecond)
	case "table":
		return answerTable(stdout)
	case "run":
		return runHere(stdin, stdout)
	}
	return fmt.Errorf("target: the agent does not know %q: the program there is of another version", args[0])
}

func answer(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

func answerSum(stdout io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	sum, size, err := sumFile(self)
	if err != nil {
		return err
	}
	return answer(stdout, copied{Bytes: size, SHA256: sum})
}

func sumFile(path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

// accept gives what was copied its name once it is known to be whole. The name
// comes in hexadecimal, since a shell sees it. A running program may be replaced,
// as it keeps the file that it was started from.
func accept(hexName, size, sum string) error {
	name, err := hex.DecodeString(hexName)
	if err != nil {
		return fmt.Errorf("target: the name of a file: %w", err)
	}
	path := string(name)
	if !filepath.IsLocal(path) {
		return fmt.Errorf("target: %q is outside the run's folder", path)
	}
	got, n, err := sumFile(partName)
	if err != nil {
		return err
	}
	if got != sum {
		return fmt.Errorf("target: of %s bytes, %d came, or others", size, n)
	}
	if f, err := os.Open(partName); err == nil {
		_ = f.Sync()
		f.Close()
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.Rename(partName, path)
}

func answerState(stdout io.Writer, compare int64) error {
	s, err := readState(compare)
	if err != nil {
		return err
	}
	return answer(stdout, s)
}

func readState(compare int64) (state, error) {
	s := state{Free: freeBytes(".")}
	var err error
	if s.Running, err = locked("."); err != nil {
		return s, err
	}
	begun, err := readStarted(".")
	if err != nil {
		return s, err
	}
	s.Args = begun.Args
	s.Rebooted = begun.Boot != "" && begun.Boot != boot()
	if _, err := os.Stat(tableName); err == nil {
		s.Table = true
	}
	journal, err := os.ReadFile(journalName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	journal = wholeLines(journal)
	s.Journal, s.Compared = int64(len(journal)), min(compare, int64(len(journal)))
	s.SHA256 = sumBytes(journal[:s.Compared])
	if log, err := os.ReadFile(logName); err == nil {
		s.Log = int64(len(log))
		s.LastLine = lastLine(log)
	}
	return s, nil
}

func sumBytes(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func wholeLines(b []byte) []byte { return b[:bytes.LastIndexByte(b, '\n')+1] }

func lastLine(log []byte) string {
	log = bytes.TrimRight(log, "\n")
	return string(log[bytes.LastIndexByte(log, '\n')+1:])
}

func readStarted(folder string) (started, error) {
	var s started
	data, err := os.ReadFile(filepath.Join(folder, startName))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		if json.Unmarshal(data, &s) != nil {
			return started{}, nil // written while the disk was full: as if never started
		}
	}
	return s, err
}

// start starts the command that it reads from stdin, detached, unless there is
// one already.
func start(stdin io.Reader) error {
	var args []string
	if err := json.NewDecoder(stdin).Decode(&args); err != nil {
		return err
	}
	if len(args) == 0 {
		return errors.New("target: there is no command to start")
	}
	lock, err := takeLock(".", 2*time.Second)
	if errors.Is(err, errLocked) {
		return nil // somebody was faster; the state tells whose run it is
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	// Of two that start at the same moment, each sees the other's lock.
	if err := alone(); err != nil {
		return err
	}
	log, err := os.Create(logName)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.Env, err = ownFolders(); err != nil {
		return err
	}
	cmd.ExtraFiles = []*os.File{lock} // the lock lasts until the last process that has it ends
	detach(cmd)
	// The room for this file is taken before there is anything to lose.
	if err := writeStarted(started{Args: args, Boot: boot()}); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	return writeStarted(started{Args: args, PID: cmd.Process.Pid, Boot: boot()})
}

// alone refuses to measure beside a run of another folder: each would make the
// other's times longer.
func alone() error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	locks, err := filepath.Glob("../hwprofd-*/" + lockName)
	if err != nil {
		return err
	}
	for _, lock := range locks {
		folder := filepath.Dir(lock)
		if filepath.Base(folder) == filepath.Base(here) {
			continue
		}
		// One that cannot be asked, such as one that was removed just now, is none.
		if running, err := locked(folder); err != nil || !running {
			continue
		}
		what := "a command that starts just now"
		if begun, err := readStarted(folder); err == nil && len(begun.Args) > 0 {
			what = strings.Join(begun.Args, " ")
		}
		return fmt.Errorf("another run is measuring there (%s in %s), and two at once would disturb each other: give the same command again when it is done",
			what, filepath.Base(folder))
	}
	return nil
}

// ownFolders is the environment of a run: what it, and what runtimes and their
// libraries leave in the folders for caches and temporary files, is removed with
// the run's own folder, even where the run is killed.
func ownFolders() ([]string, error) {
	environment := os.Environ()
	for variable, name := range map[string]string{"XDG_CACHE_HOME": "cache", "TMPDIR": "tmp"} {
		folder, err := filepath.Abs(name)
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
		environment = append(environment, variable+"="+folder)
	}
	return environment, nil
}

func writeStarted(s started) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(startName, data, 0o600)
}

func boot() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // elsewhere a reboot is not told from a killed process
	return strings.TrimSpace(string(id))
}

// beat is how often follow writes something although nothing happens, so that
// a dead connection is noticed at both ends.
const beat = 5 * time.Second

// follow writes what is added to the journal and to the log from the given
// bytes on, until the run is over.
func follow(stdout io.Writer, journalAt, logAt int64, poll time.Duration) error {
	w := bufio.NewWriter(stdout)
	journal, log := tail{name: journalName, at: journalAt}, tail{name: logName, at: logAt}
	defer journal.close()
	defer log.close()
	begun, err := readStarted(".")
	if err != nil {
		return err
	}
	var last time.Time
	for {
		// Whether it is over is asked first: what it wrote before it ended is then there.
		running, err := locked(".")
		if err != nil {
			return err
		}
		if running && begun.PID != 0 && !alive(begun.PID) {
			kill(begun.PID) // an adapter that hangs has the lock, and nobody who would end it
		}
		var f frame
		if f.Journal, err = journal.next(); err != nil {
			return err
		}
		lines, err := log.next()
		if err != nil {
			return err
		}
		f.Log = string(lines)
		f.Over = !running
		if len(f.Journal) > 0 || f.Log != "" || f.Over || time.Since(last) > beat {
			if err := answer(w, f); err != nil {
				return err
			}
			if err := w.Flush(); err != nil {
				return err
			}
			last = time.Now()
		}
		if f.Over {
			return nil
		}
		time.Sleep(poll)
	}
}

// tail reads the whole lines that are added to a file. It keeps the file open,
// as the journal is removed when the table is written.
type tail struct {
	name string
	at   int64
	file *os.File
}

func (t *tail) close() {
	if t.file != nil {
		t.file.Close()
	}
}

// maxFrame bounds what is sent at once.
const maxFrame = 16 << 20

func (t *tail) next() ([]byte, error) {
	if t.file == nil {
		f, err := os.Open(t.name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		t.file = f
	}
	info, err := t.file.Stat()
	if err != nil || info.Size() <= t.at {
		return nil, err
	}
	data := make([]byte, min(info.Size()-t.at, maxFrame))
	n, err := t.file.ReadAt(data, t.at)
	if err != nil && err != io.EOF {
		return nil, err
	}
	data = wholeLines(data[:n])
	t.at += int64(len(data))
	return data, nil
}

// stop asks the run to end, and ends it if it does not within the grace.
func stop(grace time.Duration) error {
	begun, err := readStarted(".")
	if err != nil {
		return err
	}
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		running, err := locked(".")
		if err != nil || !running || begun.PID == 0 {
			return err
		}
		if time.Since(begin) > 2*grace {
			return fmt.Errorf("target: process %d does not end", begun.PID)
		}
		// A second signal ends the program at once, so that only one is polite.
		switch {
		case time.Since(begin) > grace, !alive(begun.PID):
			kill(begun.PID)
		case time.Since(begin) < 20*time.Millisecond:
			interrupt(begun.PID)
		}
	}
}

func answerTable(stdout io.Writer) error {
	data, err := os.ReadFile(tableName)
	if err != nil {
		return err
	}
	return answer(stdout, tableFile{Data: data, SHA256: sumBytes(data)})
}

type tableFile struct {
	Data   []byte `json:"data"`
	SHA256 string `json:"sha256"`
}

// runHere runs the command that it reads from stdin, and passes its output on.
func runHere(stdin io.Reader, stdout io.Writer) error {
	var args []string
	if err := json.NewDecoder(stdin).Decode(&args); err != nil {
		return err
	}
	if len(args) == 0 {
		return errors.New("target: there is no command to run")
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return errExit(exit.ExitCode())
	}
	return err
}

// countRows counts the measurements in whole lines of a journal, whose first
// line is its head.
func countRows(journal []byte) int { return max(bytes.Count(journal, []byte("\n"))-1, 0) }
