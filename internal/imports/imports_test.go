// Package imports checks the walls of the house: which package may import
// which. The table is the one in docs/architecture.md, read from there, so that
// the document cannot drift from the code.
package imports

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/hwprofd/hwprofd"

// allowed reads the rows "| `package` | what for | `a`, `b` |" of the table.
func allowed(t *testing.T) map[string][]string {
	t.Helper()
	doc, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`([a-z0-9/]+)`")
	rows := make(map[string][]string)
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			continue
		}
		of := name.FindStringSubmatch(cells[1])
		if of == nil {
			continue
		}
		may := []string{}
		for _, m := range name.FindAllStringSubmatch(cells[3], -1) {
			may = append(may, m[1])
		}
		if strings.Contains(cells[3], "everything") {
			may = []string{"*"}
		}
		rows[of[1]] = may
	}
	if len(rows) < 10 {
		t.Fatalf("docs/architecture.md: found %d rows of the package table, want at least 10", len(rows))
	}
	return rows
}

// room is the row that a package belongs to: itself, else its nearest parent
// that has a row (graph/onnx belongs to graph).
func room(rows map[string][]string, pkg string) string {
	for p := pkg; p != ""; {
		if _, ok := rows[p]; ok {
			return p
		}
		i := strings.LastIndex(p, "/")
		if i < 0 {
			return ""
		}
		p = p[:i]
	}
	return ""
}

func TestImportsFollowTheTable(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	rows := allowed(t)
	dec := json.NewDecoder(bytes.NewReader(out))
	seen := 0
	for dec.More() {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		pkg := strings.TrimPrefix(p.ImportPath, module+"/")
		if strings.HasPrefix(pkg, "internal/") {
			continue // checks over the whole tree, imported by nothing
		}
		seen++
		own := room(rows, pkg)
		if own == "" {
			t.Errorf("%s has no row in docs/architecture.md", pkg)
			continue
		}
		for _, imp := range p.Imports {
			dep, ours := strings.CutPrefix(imp, module+"/")
			if !ours {
				continue
			}
			to := room(rows, dep)
			if to != own && !slices.Contains(rows[own], to) && !slices.Contains(rows[own], "*") {
				t.Errorf("%s imports %s; its row in docs/architecture.md allows only %v", pkg, dep, rows[own])
			}
		}
	}
	if seen < 10 {
		t.Errorf("go list named %d packages, want the whole tree", seen)
	}
}
