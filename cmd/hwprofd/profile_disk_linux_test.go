package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hwprofd/hwprofd/lut"
)

// TestProfileOnFullDisk measures onto a disk that becomes full: the command says
// so, and goes on once there is room, with what was measured.
func TestProfileOnFullDisk(t *testing.T) {
	bin := program(t)
	disk := t.TempDir()
	if err := unix.Mount("none", disk, "tmpfs", 0, "size=8k"); err != nil {
		t.Skipf("a small disk can only be made as root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	model := filepath.Join(t.TempDir(), "model.onnx")
	if err := writeModel(model); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(disk, "table.lut.parquet")
	args := []string{"profile", "-o", path, "--model", model, "--budget", "500ms", "--resume"}
	output, err := exec.Command(bin, args...).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "no space left") || !strings.Contains(string(output), "table.lut.parquet") {
		t.Fatalf("%v: %s", err, output)
	}
	t.Logf("%s", output)
	before := journalVisits(t, wholeLines(t, path+".journal"))
	if len(before) == 0 {
		t.Error("nothing was measured before the disk was full")
	}
	if err := unix.Mount("none", disk, "tmpfs", unix.MS_REMOUNT, "size=1m"); err != nil {
		t.Fatal(err)
	}
	runProgram(t, bin, args...)
	table, err := lut.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if missing := lacking(table, before); len(missing) > 0 {
		t.Errorf("the table lacks what was measured before the disk was full: %q", missing)
	}
}
