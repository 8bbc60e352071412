package profiler

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// TestMain lets the test's own program be an adapter: it is one that does as
// it should, except with the model of bad.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "fake-adapter" {
		fakeAdapter(os.Args[2])
		os.Exit(0)
	}
	if len(os.Args) == 3 && os.Args[1] == "checked-adapter" {
		checkedAdapter(os.Args[2])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var bad = graph.Workload{Op: graph.OpRelu, DType: graph.F32, N: 1, C: 7, H: 2, W: 2}

func fakeCommand(t *testing.T, misbehaviour string) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self, "fake-adapter", misbehaviour}
}

// fakeAdapter speaks the protocol, and spends 2 us on a run.
func fakeAdapter(misbehaviour string) {
	begin := time.Now()
	isBad := false
	hang := func() { time.Sleep(time.Hour) } // without a timer it may be called a deadlock
	reply := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var q request
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			reply(`{"ok":false,"error":"not JSON"}`)
			continue
		}
		switch q.Op {
		case "hello":
			threads, name := 1, "fake"
			switch misbehaviour {
			case "other threads", "own name", "old protocol":
				threads = map[string]int{"other threads": os.Getpid()}[misbehaviour] + 1
				if misbehaviour == "own name" {
					name = lut.OwnRuntime
				}
				if misbehaviour == "old protocol" {
					q.Protocol = 99
				}
			case "two lines of name":
				name = "fake\nok"
			case "coarse clock":
				reply(`{"ok":true,"protocol":1,"name":"fake","version":"1","threads":1,"clock_step_ns":1e7}`)
				continue
			case "exits":
				if _, err := os.CreateTemp("", "left-by-the-adapter"); err != nil {
					panic(err)
				}
			case "dead":
				fmt.Fprintln(os.Stderr, "no such library")
				os.Exit(3)
			}
			reply(`{"ok":true,"protocol":%d,"name":%q,"version":"1","options":{"level":"all"},"threads":%d,"clock_step_ns":1,"can":["nodes"]}`, q.Protocol, name, threads)
		case "load":
			model, err := os.ReadFile(q.Model)
			if err != nil {
				reply(`{"ok":false,"error":%q}`, err)
				continue
			}
			isBad = bytes.Contains(model, []byte(bad.String()))
			switch {
			case isBad && misbehaviour == "refuses":
				reply(`{"ok":false,"error":"no kernel for Relu"}`)
			case isBad && misbehaviour == "ends at load":
				os.Exit(0)
			default:
				reply(`{"ok":true}`)
			}
		case "run":
			start := time.Since(begin).Nanoseconds()
			for end := time.Since(begin) + time.Duration(q.N)*2*time.Microsecond; time.Since(begin) < end; {
			}
			end := time.Since(begin).Nanoseconds()
			if isBad {
				switch misbehaviour {
				case "exits":
					fmt.Fprintln(os.Stderr, "Segmentation fault, says it")
					os.Exit(7)
				case "hangs":
					hang()
				case "hangs with a child":
					child := exec.Command("sleep", "1000")
					child.Stdout = os.Stdout
					if err := child.Start(); err != nil {
						panic(err)
					}
					if err := os.WriteFile(filepath.Join(filepath.Dir(os.Args[0]), "child"), []byte(strconv.Itoa(child.Process.Pid)), 0o600); err != nil {
						panic(err)
					}
					hang()
				case "garbage":
					reply("W tensorflow/core: using AVX2\x00\xff")
					continue
				case "NaN":
					reply(`{"ok":true,"start_ns":0,"end_ns":NaN}`)
					continue
				case "no times":
					reply(`{"ok":true}`)
					continue
				case "null times":
					reply(`{"ok":true,"start_ns":null,"end_ns":null}`)
					continue
				case "escapes":
					reply("\x1b[2J\x1b]0;owned\x07")
					continue
				case "negative":
					start, end = end, start
				case "out of order":
					start, end = 0, end-start
				case "too long":
					end += 3600e9
				case "stands still":
					time.Sleep(standsStill + 100*time.Millisecond)
					end = start
				case "cut short":
					fmt.Print(`{"ok":true,"start_n`)
					os.Exit(0)
				case "long line":
					chunk := bytes.Repeat([]byte("x"), 1<<20)
					for range 100 {
						if _, err := os.Stdout.Write(chunk); err != nil {
							os.Exit(1)
						}
					}
					fmt.Println()
					continue
				case "two lines":
					reply(`{"ok":true,"start_ns":%d,"end_ns":%d}`+"\n"+`{"ok":true}`, start, end)
					continue
				case "no answer":
					reply(`{"ok":false,"error":"out of memory"}`)
					continue
				}
			}
			reply(`{"ok":true,"start_ns":%d,"end_ns":%d}`, start, end)
		case "nodes":
			reply(`{"ok":true,"nodes":[{"name":"relu","op":"Relu","ns":2000.5}]}`)
		case "shutdown":
			reply(`{"ok":true}`)
			if misbehaviour == "does not end" {
				hang()
			}
			return
		default:
			reply(`{"ok":true}`)
		}
	}
}

// TestMisbehavingAdapter shows that what an adapter fails at is named with the
// reason, that all else is measured, and that nothing is left of the adapter.
func TestMisbehavingAdapter(t *testing.T) {
	for misbehaviour, reason := range map[string]string{
		"refuses":            "no kernel for Relu",
		"no answer":          "out of memory",
		"ends at load":       `ended at "load": exit status 0`,
		"exits":              `ended at "run": exit status 7; its last words: Segmentation fault, says it`,
		"hangs":              `no reply to "run" within 1s`,
		"hangs with a child": `no reply to "run" within 1s`,
		"garbage":            "not a JSON object",
		"NaN":                "has no NaN",
		"no times":           `no "start_ns"`,
		"null times":         `no "start_ns"`,
		"escapes":            "?[2J?]0;owned?",
		"negative":           "a negative time",
		"out of order":       "out of order",
		"too long":           "is its clock in ns?",
		"stands still":       "its clock stands still",
		"cut short":          "ended within a reply",
		"two lines":          "more than one line in reply",
		"long line":          "longer than 8388608 bytes",
	} {
		t.Run(misbehaviour, func(t *testing.T) {
			command := fakeCommand(t, misbehaviour)
			temporary := t.TempDir()
			t.Setenv("TMPDIR", temporary)
			timeout := 20 * time.Second
			if strings.HasPrefix(misbehaviour, "hangs") {
				timeout = time.Second
			}
			program, err := OpenProgram(context.Background(), command, ProgramOptions{Timeout: timeout})
			if err != nil {
				t.Fatal(err)
			}
			workloads, networks := fakeWork(t)
			workloads, networks = workloads[5:8], networks[:1]
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			p := fakeProfiler(Options{Runtime: program, MaxPerItem: 10 * time.Millisecond}, 0.01)
			meta := fakeMeta
			meta.Runtime, meta.RuntimeOptions = program.Info().Name, program.Info().Options
			path := filepath.Join(t.TempDir(), "fake.lut.parquet")
			if _, err := p.Run(context.Background(), path, meta, workloads, networks); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 90<<20 {
				t.Errorf("%d MB were allocated", grown>>20)
			}
			if err := program.Close(); err != nil {
				t.Error(err)
			}
			if left, _ := os.ReadDir(temporary); len(left) > 0 {
				t.Errorf("temporary files are left: %v", left)
			}
			table, err := lut.Read(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(table.Rows) != len(workloads)-1 || len(table.Networks) != len(networks) {
				t.Errorf("%d rows and %d networks, want %d and %d", len(table.Rows), len(table.Networks), len(workloads)-1, len(networks))
			}
			if len(table.Failures) != 1 || table.Failures[0].Name != bad.String() || !strings.Contains(table.Failures[0].Reason, reason) {
				t.Errorf("failures %+v, want one of %s: %s", table.Failures, bad, reason)
			}
			if table.Meta.RuntimeOverheadNS < 1000 || table.Meta.RuntimeOptions["level"] != "all" || Baseline(table).ComputeNS != 150e3 {
				t.Errorf("metadata %+v", table.Meta)
			}
			noChildren(t)
			if misbehaviour == "hangs with a child" {
				file := filepath.Join(filepath.Dir(command[0]), "child")
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if stat, err := os.ReadFile("/proc/" + string(text) + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
					t.Errorf("what the adapter started lives on: %s", stat)
				}
			}
		})
	}
}

// noChildren fails if a child of this process is left, alive or not.
func noChildren(t *testing.T) {
	t.Helper()
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		if children, _ := os.ReadFile(list); len(children) > 0 {
			t.Errorf("children are left: %s", children)
		}
	}
}

// TestAdapterThatCannotStart shows that an adapter whose hello is wrong is
// refused, with the reason.
func TestAdapterThatCannotStart(t *testing.T) {
	for misbehaviour, reason := range map[string]string{
		"dead":              "exit status 3; its last words: no such library",
		"own name":          "this program's own runtime",
		"old protocol":      "version 99 of the protocol",
		"coarse clock":      "at most 1000000",
		"two lines of name": "control characters",
	} {
		_, err := OpenProgram(context.Background(), fakeCommand(t, misbehaviour), ProgramOptions{})
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: error %v, want one with %q", misbehaviour, err, reason)
		}
	}
	if _, err := OpenProgram(context.Background(), []string{"/no/such/adapter"}, ProgramOptions{}); err == nil {
		t.Error("a program that is not there was started")
	}
	noChildren(t)
}

// TestFileThatIsNoProgram shows that the error says what to do.
func TestFileThatIsNoProgram(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows tells programs by their names, not by what is in them")
	}
	folder := t.TempDir()
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"not-executable": {"#!/bin/sh\n", 0o644, "chmod +x"},
		"no-interpreter": {"#!/no/such/python\n", 0o755, "the interpreter in its first line"},
		"no-first-line":  {"import sys\n", 0o755, "#!/usr/bin/env"},
		"fails":          {"#!/bin/sh\necho no module named torch >&2; exit 4\n", 0o755, "its last words: no module named torch"},
		"folder":         {"", 0o755 | os.ModeDir, "it is a folder"},
	} {
		path := filepath.Join(folder, name)
		var err error
		if c.mode.IsDir() {
			err = os.Mkdir(path, c.mode)
		} else {
			err = os.WriteFile(path, []byte(c.content), c.mode)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenProgram(context.Background(), []string{path}, ProgramOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	noChildren(t)
}

func TestAdapterThatDoesNotEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for as long as an adapter may take to end")
	}
	program, err := OpenProgram(context.Background(), fakeCommand(t, "does not end"), ProgramOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Close(); err != nil {
		t.Error(err)
	}
	noChildren(t)
}

// TestAdapterStopsWithItsContext shows that a run ends with its context, and
// so does the adapter.
func TestAdapterStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	program, err := OpenProgram(ctx, fakeCommand(t, "hangs"), ProgramOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	session, _, err := program.LoadWorkload(ctx, bad, 1)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := session.Run(ctx, 1); err != context.Canceled {
		t.Errorf("error %v, want that of the context", err)
	}
	noChildren(t)
}
