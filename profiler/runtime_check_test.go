package profiler

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// checkedAdapter keeps to the protocol but for one fault. It computes nothing
// and spends 2 us on a run.
func checkedAdapter(fault string) {
	begin := time.Now()
	now := func() int64 {
		ns := time.Since(begin).Nanoseconds()
		switch fault {
		case "a clock of milliseconds":
			return ns / 1e6 * 1e6
		case "times in us":
			return ns / 1e3
		}
		return ns
	}
	spend := func(runs int) {
		for end := time.Since(begin) + time.Duration(runs)*2*time.Microsecond; time.Since(begin) < end; {
		}
	}
	loaded := false
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var q request
		refusal, answer := "", ""
		strict := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		if fault == "refuses unknown fields" {
			strict.DisallowUnknownFields()
		}
		if err := strict.Decode(&q); err != nil {
			refusal = "not understood"
		} else if (q.Op == "run" || q.Op == "nodes" || q.Op == "graph") && !loaded && fault != q.Op+" without a model" {
			refusal = "no model is loaded"
		} else {
			switch q.Op {
			case "hello":
				answer = `,"protocol":1,"name":"checked","version":"1","threads":1,"clock_step_ns":1,"can":["nodes","graph"]`
			case "load":
				model, err := os.ReadFile(q.Model)
				loaded = err == nil && !bytes.HasPrefix(model, []byte("this is no model"))
				if loaded = loaded || fault == "loads anything"; !loaded {
					refusal = "no model"
				}
			case "run":
				if q.N < 1 {
					refusal = "n is below 1"
					break
				}
				start := now()
				spend(q.Warm)
				if fault != "times its warm runs" {
					start = now()
				}
				spend(q.N)
				answer = fmt.Sprintf(`,"start_ns":%d,"end_ns":%d`, start, now())
			case "nodes":
				ns := 2000
				if fault == "nodes in us" {
					ns = 2
				}
				if fault != "no nodes" {
					answer = fmt.Sprintf(`,"nodes":[{"name":"conv","op":"Conv","ns":%d,"layout":%t}]`, ns, fault == "layouts only")
				}
			case "graph":
				if fault != "no graph" {
					answer = `,"graph":[{"name":"conv","op":"Conv"}]`
				}
			case "unload":
				if !loaded && fault == "refuses to unload nothing" {
					refusal = "no model is loaded"
				}
				loaded = loaded && fault == "keeps its model"
			case "shutdown":
			default:
				if fault != "knows every operation" {
					refusal = "not known"
				}
			}
		}
		if refusal != "" {
			fmt.Printf(`{"ok":false,"error":%q}`+"\n", refusal)
		} else {
			fmt.Printf(`{"ok":true%s}`+"\n", answer)
		}
		if q.Op == "shutdown" {
			if fault == "fails at the end" {
				os.Exit(3)
			}
			return
		}
	}
}

// TestCheckRuntime shows that each fault fails the check that is for it, and no
// other.
func TestCheckRuntime(t *testing.T) {
	for fault, name := range map[string]string{
		"":                          "",
		"knows every operation":     "refuses an operation that does not exist",
		"run without a model":       "refuses a run without a model",
		"loads anything":            "refuses a model that is damaged",
		"refuses unknown fields":    "ignores fields that it does not know",
		"refuses to unload nothing": "unloads where no model is loaded",
		"keeps its model":           `refuses "run" after the model was unloaded`,
		"nodes without a model":     `refuses "nodes" after the model was unloaded`,
		"graph without a model":     `refuses "graph" after the model was unloaded`,
		"nodes in us":               `answers "nodes"`,
		"no nodes":                  `answers "nodes"`,
		"layouts only":              `answers "nodes"`,
		"no graph":                  `answers "graph"`,
		"a clock of milliseconds":   "clock",
		"times in us":               "unit of time",
		"times its warm runs":       "runs to warm up are not timed",
		"fails at the end":          "ends at shutdown",
	} {
		t.Run(fault, func(t *testing.T) {
			command := fakeCommand(t, fault)
			command[1] = "checked-adapter"
			report, err := CheckRuntime(context.Background(), command, ProgramOptions{})
			if err != nil {
				t.Fatal(err)
			}
			found := name == ""
			for _, c := range report.Checks {
				switch failed := c.Result == CheckFailed; {
				case failed && c.Name == name:
					found = true
				case failed && !alsoFails(fault, c.Name):
					t.Errorf("%s: %s", c.Name, c.Detail)
				}
			}
			if !found {
				t.Errorf("%q passes: %+v", name, report.Checks)
			}
			noChildren(t)
		})
	}
}

// alsoFails are checks that a fault may fail beside its own.
func alsoFails(fault, check string) bool {
	switch fault {
	case "run without a model", "loads anything", "keeps its model":
		return strings.HasPrefix(check, "refuses ") && (strings.Contains(check, "model") || strings.Contains(check, "unloaded"))
	case "a clock of milliseconds":
		return check == "times add up" || check == "runs to warm up are not timed" || check == `answers "nodes"`
	case "times in us":
		return check == `answers "nodes"`
	}
	return false
}
