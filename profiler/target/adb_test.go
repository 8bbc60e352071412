package target

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/internal/sshlab"
)

// TestNoDevice asks the real adb, which finds nothing.
func TestNoDevice(t *testing.T) {
	if _, err := exec.LookPath("adb"); err != nil {
		t.Skip("there is no adb: install adb")
	}
	t.Setenv("ANDROID_ADB_SERVER_PORT", sshlab.FreePort(t)) // a server of our own, which is ended again
	t.Cleanup(func() { exec.Command("adb", "kill-server").Run() })
	if out, err := exec.Command("adb", "devices").Output(); err != nil || len(bytes.Split(bytes.TrimSpace(out), []byte("\n"))) > 1 {
		t.Skipf("adb finds a device, or does not run: %s", out)
	}
	exec.Command("adb", "kill-server").Run() // so that adb starts it, and says so
	for name, want := range map[string]string{
		"adb":         "USB debugging",
		"adb:no such": "adb devices",
	} {
		target, err := Open(name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = target.Run(withTimeout(t), os.Stdout, "device")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "daemon") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestRecordedADB has a conversation with a device that answers as Android
// does: testdata/adb plays it, and runs what it is given in a folder.
func TestRecordedADB(t *testing.T) {
	player, err := filepath.Abs("testdata/adb")
	if err != nil {
		t.Fatal(err)
	}
	bin, device := t.TempDir(), t.TempDir()
	if err := os.Symlink(player, filepath.Join(bin, "adb")); err != nil {
		t.Skip(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("ADB_DEVICE", device)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	open := func() *Target {
		target, err := Open("adb:R58M (2)", Options{Programs: Programs{Self: self}, Say: func(line string) { said = append(said, line) }})
		if err != nil {
			t.Fatal(err)
		}
		return target
	}
	// The device's processor is not ours, so that the program is looked for by its name.
	dist := t.TempDir()
	target := open()
	target.options.Programs = Programs{Dirs: []string{dist}}
	err = target.Run(withTimeout(t), os.Stdout, "device")
	if err == nil || !strings.Contains(err.Error(), "android-arm64") || !strings.Contains(err.Error(), "scripts/dist") {
		t.Errorf("error without a program: %v", err)
	}
	t.Setenv("ADB_MACHINE", "x86_64") // a program for Linux runs on Android, too
	output := filepath.Join(t.TempDir(), "phone.lut.parquet")
	table, err := open().Profile(withTimeout(t), Job{Output: output, Args: []string{"--rows=4"}})
	if err != nil {
		t.Fatal(err)
	}
	checkTable(t, output, 4, nil)
	if table.Meta.Target != "adb:R58M (2)" {
		t.Errorf("target %q", table.Meta.Target)
	}
	if !strings.Contains(strings.Join(said, "\n"), "Pixel 6") {
		t.Errorf("said %q", said)
	}
	if left, _ := os.ReadDir(device); len(left) > 0 {
		t.Errorf("left on the device: %v", left)
	}
}
