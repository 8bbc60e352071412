package target

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestFindAdapter finds adapters by the places in their order.
func TestFindAdapter(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH == "arm" {
		t.Skip("the platforms below are this one and another")
	}
	ours, other := platform{"linux", runtime.GOARCH}, platform{"linux", "riscv64"}
	test, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin, dist := t.TempDir(), t.TempDir()
	p := Programs{Self: filepath.Join(bin, programName), Dirs: []string{dist}}
	find := func(of platform) (string, error) {
		path, done, err := p.find(t.Context(), "hwprofd-counting", of, func(string) {})
		done()
		return path, err
	}
	for _, of := range []platform{ours, other, {"android", "arm64"}, {"plan9", "amd64"}} {
		if path, err := find(of); err == nil || !strings.Contains(err.Error(), "hwprofd-counting") || !strings.Contains(err.Error(), of.String()) {
			t.Errorf("%s, without any: %s, %v", of, path, err)
		}
	}
	inDist, beside := filepath.Join(dist, "hwprofd-counting-"+ours.String()), filepath.Join(bin, "hwprofd-counting")
	for _, path := range []string{inDist, beside} { // the later is looked at first
		if err := os.Symlink(test, path); err != nil {
			t.Fatal(err)
		}
		if got, err := find(ours); err != nil || got != path {
			t.Errorf("found %s, %v; want %s", got, err, path)
		}
	}
	// A program under the name of another platform is not taken for it.
	if err := os.Symlink(test, filepath.Join(dist, "hwprofd-counting-"+other.String())); err != nil {
		t.Fatal(err)
	}
	if path, err := find(other); err == nil || !strings.Contains(err.Error(), "is for linux/"+runtime.GOARCH) {
		t.Errorf("found %s, %v", path, err)
	}
}

// TestNotStarted tells a program that needs libraries from one that does not.
func TestNotStarted(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("takes Linux's /bin/sh for a program that needs libraries")
	}
	target := &Target{name: "ssh://kitchen"}
	program := copied{Name: programName}
	gone := failedError{127, "sh: 1: ./part/hwprofd: not found"}
	if err := target.notStarted(gone, program, "/bin/sh"); !strings.Contains(err.Error(), "not found") || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("a program that needs libraries: %v", err)
	}
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := target.notStarted(gone, program, plain); !strings.Contains(err.Error(), "not found") || strings.Contains(err.Error(), "CGO_ENABLED") {
		t.Errorf("another program: %v", err)
	}
}
