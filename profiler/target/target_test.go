package target

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/internal/sshlab"
	"github.com/hwprofd/hwprofd/lut"
)

var cuts = flag.Int("cuts", 5, "how often TestCutConnection cuts the connection")

func rowsOf(t *testing.T, path string) map[string]time.Time {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]time.Time{}
	for line := range bytes.Lines(data) {
		var item struct{ Row *lut.Row }
		if err := json.Unmarshal(line, &item); err != nil {
			t.Fatalf("%s: %v in %q", path, err, line)
		}
		if item.Row != nil {
			rows[item.Row.Key] = item.Row.MeasuredAt
		}
	}
	return rows
}

// checkTable fails unless the table is whole, has so many rows (-1: any), those that were
// measured before as they were, and stands alone.
func checkTable(t *testing.T, path string, rows int, before map[string]time.Time) *lut.Table {
	t.Helper()
	table, err := lut.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if rows >= 0 && len(table.Rows) != rows {
		t.Errorf("the table has %d rows, want %d", len(table.Rows), rows)
	}
	for _, r := range table.Rows {
		if at, ok := before[r.Key]; ok && !at.Truncate(time.Microsecond).Equal(r.MeasuredAt) {
			t.Errorf("%s was measured again", r.Key)
		}
		delete(before, r.Key)
	}
	for key := range before {
		t.Errorf("%s was measured and is lost", key)
	}
	if _, err := os.Stat(path + ".journal"); err == nil {
		t.Error("the journal is left beside the table")
	}
	return table
}

func TestProfileOverSSH(t *testing.T) {
	l := newLab(t, "")
	// What the user names may have any characters; all of them stay names.
	dir := filepath.Join(t.TempDir(), "-a 'b' \"c\"\n$(d)")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	model := filepath.Join(dir, "-m o'd\"e\nl.onnx")
	if err := os.WriteFile(model, bytes.Repeat([]byte("model"), 100_000), 0o644); err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(dir, "-o ' \"\n.lut.parquet")
	var log []string
	target := l.open(t, func(o *Options) { o.Log = func(line string) { log = append(log, line) } })
	table, err := target.Profile(withTimeout(t), Job{
		Output: output, Args: []string{"--rows=7", "--space=`touch oops` ' \" \n$(touch oops)", "--model=files/0/model.onnx"},
		Files: []File{{Path: model, Name: "files/0/model.onnx"}}, Networks: map[string]string{"files/0/model.onnx": model},
	})
	if err != nil {
		t.Fatal(err)
	}
	checkTable(t, output, 7, nil)
	if table.Meta.Target != "ssh://kitchen" {
		t.Errorf("target in the metadata: %q", table.Meta.Target)
	}
	if len(table.Networks) != 1 || table.Networks[0].Name != model {
		t.Errorf("networks %v, want one called %q", table.Networks, model)
	}
	if len(log) != 9 || log[0] != "profile: 7 workloads, 0 networks" {
		t.Errorf("what the run printed: %q", log)
	}
	l.Left(t)
}

func TestRunOverSSH(t *testing.T) {
	l := newLab(t, "")
	var out bytes.Buffer
	args := []string{"--", "a b", "'", "\"$(touch oops)`\n\\", "-x", ""}
	if err := l.open(t, nil).Run(withTimeout(t), &out, append([]string{"device"}, args...)...); err != nil {
		t.Fatal(err)
	}
	if want := `["--" "a b" "'" "\"$(touch oops)` + "`" + `\n\\" "-x" ""]` + "\n"; out.String() != want {
		t.Errorf("got %s, want %s", out.String(), want)
	}
	l.Left(t)
	err := l.open(t, nil).Run(withTimeout(t), &out, "profile", "--rows=none")
	if err == nil || !strings.Contains(err.Error(), "ssh://kitchen") || !strings.Contains(err.Error(), "none") {
		t.Errorf("error of the target's command: %v", err)
	}
	l.Left(t)
}

// endless is a job whose run goes on until release is called.
func endless(t *testing.T) (job Job, release func()) {
	dir := t.TempDir()
	until := filepath.Join(dir, "until")
	release = func() {
		if err := os.WriteFile(until, nil, 0o644); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(release)
	return Job{Output: filepath.Join(dir, "t.lut.parquet"), Args: []string{"--until=" + until}}, release
}

// whenGrown calls f once the journal of a job has grown by some rows.
func whenGrown(t *testing.T, job Job, f func()) {
	size := func() int64 {
		info, err := os.Stat(job.Output + ".journal")
		if err != nil {
			return 0
		}
		return info.Size()
	}
	before := size()
	for begin := time.Now(); size() < before+3000; time.Sleep(10 * time.Millisecond) {
		if t.Context().Err() != nil {
			return // the test failed otherwise
		}
		if time.Since(begin) > 2*time.Minute {
			t.Error("the journal does not grow")
			return
		}
	}
	f()
}

// TestCutConnection cuts the connection at random moments, at either end.
func TestCutConnection(t *testing.T) {
	l := newLab(t, "")
	job, release := endless(t)
	done := make(chan error, 1)
	target := l.open(t, nil)
	go func() {
		_, err := target.Profile(t.Context(), job)
		done <- err
	}()
	rng := rand.New(rand.NewPCG(1, uint64(*cuts)))
	before := map[string]time.Time{}
	for i := 0; i < *cuts; {
		if i%2 == 1 { // else a slow machine never gets further than to connect
			whenGrown(t, job, func() {})
		}
		select {
		case err := <-done:
			t.Fatalf("over after %d cuts: %v", i, err)
		case <-time.After(time.Duration(rng.Float64() * float64(time.Second))):
		}
		how := []func() bool{l.CutClient, l.CutServer}[rng.IntN(2)]
		if target.reached.Load() && how() {
			i++
		}
		if _, err := os.Stat(job.Output + ".journal"); err == nil {
			rows := wholeRowsOf(t, job.Output+".journal")
			for key, at := range before {
				if !rows[key].Equal(at) {
					t.Errorf("%s was in the journal and is not now", key)
				}
			}
			before = rows
		}
	}
	whenGrown(t, job, release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	atLast := len(before)
	table := checkTable(t, job.Output, -1, before)
	t.Logf("%d cuts, %d rows at the last one, %d at the end", *cuts, atLast, len(table.Rows))
	if !strings.Contains(l.said(), "connection to ssh://kitchen lost") {
		t.Error("no lost connection was said")
	}
	l.Left(t)
}

// TestAttach ends this side without a word to the other, and asks again.
func TestAttach(t *testing.T) {
	l := newLab(t, "")
	job, release := endless(t)
	journal, err := openJournal(job.Output)
	if err != nil {
		t.Fatal(err)
	}
	r := &remoteRun{t: l.open(t, nil), id: jobID(job.Output), job: job, journal: journal}
	ctx, cancel := context.WithCancel(withTimeout(t))
	go whenGrown(t, job, cancel)
	if _, err := r.measure(ctx); ctx.Err() == nil {
		t.Fatalf("it was over before it was cut off: %v", err)
	}
	if _, err := journal.file.WriteAt([]byte("torn"), journal.size); err != nil { // as by a power cut
		t.Fatal(err)
	}
	journal.close()
	before := wholeRowsOf(t, job.Output+".journal")

	other := job
	other.Args = []string{"--rows=41"}
	if _, err := l.open(t, nil).Profile(withTimeout(t), other); err == nil || !strings.Contains(err.Error(), "another command") {
		t.Errorf("other arguments for a run that is going on: %v", err)
	}
	go whenGrown(t, job, release)
	if _, err := l.open(t, nil).Profile(withTimeout(t), job); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(l.said(), "attached") {
		t.Error("it did not attach")
	}
	if strings.Count(l.said(), "copying hwprofd") != 1 {
		t.Error("the program was copied again")
	}
	checkTable(t, job.Output, -1, before)
	l.Left(t)
}

// TestTwoJobs asks for a second job while one is measured.
func TestTwoJobs(t *testing.T) {
	l := newLab(t, "")
	first, release := endless(t)
	done := make(chan error, 1)
	go func() {
		_, err := l.open(t, nil).Profile(t.Context(), first)
		done <- err
	}()
	second := Job{Output: filepath.Join(t.TempDir(), "second.lut.parquet"), Args: []string{"--rows=7"}}
	whenGrown(t, first, func() {
		_, err := l.open(t, nil).Profile(withTimeout(t), second)
		if err == nil || !strings.Contains(err.Error(), "another run is measuring there") || !strings.Contains(err.Error(), first.Args[0]) {
			t.Errorf("a second job beside the first: %v", err)
		}
	})
	whenGrown(t, first, release) // it goes on
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	checkTable(t, first.Output, -1, nil)
	l.Left(t)
	if _, err := l.open(t, nil).Profile(withTimeout(t), second); err != nil {
		t.Fatal(err)
	}
	checkTable(t, second.Output, 7, nil)
	l.Left(t)
}

// wholeRowsOf is rowsOf without a torn end.
func wholeRowsOf(t *testing.T, path string) map[string]time.Time {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(whole, wholeLines(data), 0o644); err != nil {
		t.Fatal(err)
	}
	return rowsOf(t, whole)
}

// TestStopped kills the process on the target, as a reboot does, or interrupts
// this side, and has the same command go on.
func TestStopped(t *testing.T) {
	for name, want := range map[string]string{
		"killed":                          "its process was killed; nothing measured is lost",
		"killed beside one that hangs":    "its process was killed; nothing measured is lost",
		"interrupted":                     "interrupted; nothing measured is lost",
		"interrupted with one that hangs": "interrupted; nothing measured is lost",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, "")
			job, release := endless(t)
			if strings.HasSuffix(name, "hangs") {
				if testing.Short() {
					t.Skip("waits for as long as a run may take to end")
				}
				job.Args = append(job.Args, "--child")
			}
			ctx, cancel := context.WithCancel(withTimeout(t))
			defer cancel()
			if strings.HasPrefix(name, "killed") {
				go whenGrown(t, job, func() { l.KillRun() })
			} else {
				go whenGrown(t, job, cancel)
			}
			_, err := l.open(t, nil).Profile(ctx, job)
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("error of a run that was %s: %v", name, err)
			}
			l.Left(t)
			before := rowsOf(t, job.Output+".journal")
			if len(before) == 0 {
				t.Fatal("nothing was measured before")
			}
			release()
			job.Args = slices.DeleteFunc(job.Args, func(arg string) bool { return arg == "--child" })
			if _, err := l.open(t, nil).Profile(withTimeout(t), job); err != nil {
				t.Fatal(err)
			}
			checkTable(t, job.Output, len(before), before)
			l.Left(t)
		})
	}
}

// TestForeignJournal: a journal that is of something else is not written over.
func TestForeignJournal(t *testing.T) {
	l := newLab(t, "")
	output := filepath.Join(t.TempDir(), "t.lut.parquet")
	if err := os.WriteFile(output+".journal", []byte("{\"meta\":{}}\n{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := l.open(t, nil).Profile(withTimeout(t), Job{Output: output, Args: []string{"--rows=3"}})
	if err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("error: %v", err)
	}
	if data, err := os.ReadFile(output + ".journal"); err != nil || string(data) != "{\"meta\":{}}\n{}\n" {
		t.Errorf("the journal is now %q, %v", data, err)
	}
	l.Left(t)
}

func TestUnreachable(t *testing.T) {
	l := newLab(t, "")
	l.CutServer()
	if err := os.Remove(filepath.Join(l.Dir, "user.pub")); err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(t.TempDir(), "t.lut.parquet")
	_, err := l.open(t, nil).Profile(withTimeout(t), Job{Output: output})
	if err == nil || !strings.Contains(err.Error(), "Permission denied") || !strings.Contains(err.Error(), "by key") {
		t.Errorf("error of a refused key: %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(output)); len(entries) != 0 {
		t.Errorf("left here: %v", entries)
	}
}

// TestConfigurations has what users write into their configuration of ssh for
// sessions of their own.
func TestConfigurations(t *testing.T) {
	sockets, err := os.MkdirTemp("/tmp", "ssh") // the path of a socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	for name, lines := range map[string]string{
		"sessions": "RemoteCommand tmux new -A\nRequestTTY force\nForwardAgent yes\nForwardX11 yes\nPermitLocalCommand yes\nLocalCommand echo local\n" +
			"ExitOnForwardFailure yes\nLocalForward " + sshlab.FreePort(t) + " localhost:22\n",
		"shared connection": "ControlMaster auto\nControlPersist 60\nControlPath " + sockets + "/%C\n",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, "")
			config, err := os.OpenFile(filepath.Join(l.Dir, "ssh_config"), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := config.WriteString(lines); err != nil {
				t.Fatal(err)
			}
			config.Close()
			t.Cleanup(func() { exec.Command("ssh", "-O", "exit", "kitchen").Run() })
			output := filepath.Join(t.TempDir(), "t.lut.parquet")
			if _, err := l.open(t, nil).Profile(withTimeout(t), Job{Output: output, Args: []string{"--rows=3"}}); err != nil {
				t.Fatal(err)
			}
			checkTable(t, output, 3, nil)
			l.Left(t)
		})
	}
}

// TestLoginShells has users whose shell is not a Bourne shell: sshd starts
// each command by it.
func TestLoginShells(t *testing.T) {
	for _, shell := range []string{"csh", "fish", "zsh"} {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil {
				t.Skip("it is not installed")
			}
			l := newLab(t, "")
			key := filepath.Join(l.Dir, "user.pub")
			public, err := os.ReadFile(key)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(key, append([]byte(`command="`+shell+` -c \"$SSH_ORIGINAL_COMMAND\"" `), public...), 0o600); err != nil {
				t.Fatal(err)
			}
			output := filepath.Join(t.TempDir(), "t.lut.parquet")
			if _, err := l.open(t, nil).Profile(withTimeout(t), Job{Output: output, Args: []string{"--rows=3"}}); err != nil {
				t.Fatal(err)
			}
			checkTable(t, output, 3, nil)
			l.Left(t)
		})
	}
}

// TestNoShell has a user who may not start commands.
func TestNoShell(t *testing.T) {
	l := newLab(t, "")
	key := filepath.Join(l.Dir, "user.pub")
	public, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, append([]byte(`command="echo This account is not available; exit 1" `), public...), 0o600); err != nil {
		t.Fatal(err)
	}
	err = l.open(t, nil).Run(withTimeout(t), os.Stdout, "device")
	if err == nil || !strings.Contains(err.Error(), "not reached") || !strings.Contains(err.Error(), "This account is not available") {
		t.Errorf("error: %v", err)
	}
}

// TestFolderIsMade has a target whose folder for caches is not there: it is not
// there afterwards.
func TestFolderIsMade(t *testing.T) {
	l := newLab(t, "")
	if err := os.Remove(l.Cache); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := l.open(t, nil).Run(withTimeout(t), &out, "device"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(l.Cache); err == nil {
		t.Error("the folder for caches was not there, and now is")
	}
	_, err := l.open(t, nil).Profile(withTimeout(t), Job{Output: filepath.Join(t.TempDir(), "t.lut.parquet"), Args: []string{"--rows=none"}})
	if err == nil {
		t.Error("no error of a run that fails")
	}
	if _, err := os.Stat(l.Cache); err == nil {
		t.Error("the folder for caches was not there, and now is")
	}
}

func TestStaticScripts(t *testing.T) {
	// The user's shell on the target may be csh or fish: what it is given has
	// no character that their quotes differ in from sh's.
	target := &Target{via: ssh{}}
	for _, script := range []string{
		target.agent("0123456789abcdef", "./"+programName, "follow", "1", "2", "3"),
		marked(target.agent("0123456789abcdef", "./"+partName, "accept", "00", "1", "00")),
	} {
		if strings.ContainsAny(script, "'\\!\n") {
			t.Errorf("script %q", script)
		}
	}
	want := []string{"ssh", "-T"}
	if got := target.via.command(t.Context(), "true").Args; !slices.Equal(got[:2], want) || got[len(got)-1] != "sh -c 'true'" {
		t.Errorf("arguments of ssh: %q", got)
	}
}

// TestErrorOfAnyName has a name with a percent sign, as IPv6 zones have.
func TestErrorOfAnyName(t *testing.T) {
	target := &Target{name: "ssh://fe80::1%eth0"}
	if got, want := target.errorf("not %s", "reached").Error(), "target: ssh://fe80::1%eth0: not reached"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
