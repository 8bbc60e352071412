package profiler

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOnlyRuntimeFilesKnowRuntimes shows that but for the files called runtime*
// nothing in this package tells one runtime from another: the names by which
// that can be done are not in them.
func TestOnlyRuntimeFilesKnowRuntimes(t *testing.T) {
	telling := map[string]bool{
		"inProcess": true, "OwnRuntime": true, "Program": true, "OpenProgram": true, "programSession": true,
		"adapterError": true, "accounts": true, "ErrNoNodeTimes": true, "ErrNoGraph": true,
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		isRuntime := strings.HasPrefix(name, "runtime")
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			name, at := "", token.NoPos
			switch n := n.(type) {
			case *ast.Ident:
				if name, at = n.Name, n.Pos(); !telling[name] {
					return true
				}
			case *ast.SelectorExpr: // p.own()
				if name, at = n.Sel.Name, n.Sel.Pos(); name != "own" {
					return true
				}
			default:
				return true
			}
			if seen++; !isRuntime {
				t.Errorf("%s tells runtimes apart by %s", set.Position(at), name)
			}
			return true
		})
	}
	if seen == 0 {
		t.Error("the names are nowhere")
	}
}
