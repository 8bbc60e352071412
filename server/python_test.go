package server

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPythonExample runs the example of the documentation.
func TestPythonExample(t *testing.T) {
	python := ""
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import requests").Run() == nil {
			python = name
			break
		}
	}
	if python == "" {
		t.Skip("no python3 with requests here")
	}
	text, err := os.ReadFile("../docs/daemon.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(text)
	if found == nil {
		t.Fatal("docs/daemon.md has no example in Python")
	}
	d := startDaemon(t, t.TempDir())
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "resnet.onnx"), []byte("model"), 0o600); err != nil {
		t.Fatal(err)
	}
	program := strings.Replace(string(found[1]), "http://127.0.0.1:7380", d.url, 1)
	cmd := exec.Command(python, "-c", program)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	contains(t, string(out), "event: end")
	contains(t, string(out), " ms, ")
	if _, _, err := readLUT(filepath.Join(dir, "here.lut.parquet")); err != nil {
		t.Error(err)
	}
}
