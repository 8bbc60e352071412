//go:build linux

package target

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk is a file system of so many bytes, which only root can make.
func smallDisk(t *testing.T, bytes int64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("a small disk cannot be made: %v: run as root", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// TestFolderOfNoUse has targets where a folder cannot be made, or no program be
// started from it.
func TestFolderOfNoUse(t *testing.T) {
	for name, c := range map[string]struct {
		flags uintptr
		want  string
	}{
		"read-only": {unix.MS_RDONLY, "Read-only file system"},
		"noexec":    {unix.MS_NOEXEC, "no program may be started"},
	} {
		t.Run(name, func(t *testing.T) {
			disk := smallDisk(t, 64<<20)
			l := newLab(t, filepath.Join(disk, "home"))
			if err := unix.Mount("", disk, "", unix.MS_REMOUNT|c.flags, ""); err != nil {
				t.Skip(err)
			}
			_, err := l.open(t, nil).Profile(withTimeout(t), Job{Output: filepath.Join(t.TempDir(), "t.lut.parquet")})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "XDG_CACHE_HOME") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error: %v", err)
			}
			l.Left(t)
		})
	}
}

func TestFullDisk(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(self)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("no room for the program", func(t *testing.T) {
		l := newLab(t, smallDisk(t, info.Size()/2))
		_, err := l.open(t, nil).Profile(withTimeout(t), Job{Output: filepath.Join(t.TempDir(), "t.lut.parquet")})
		if err == nil || !strings.Contains(err.Error(), "MiB free") {
			t.Errorf("error: %v", err)
		}
		l.Left(t)
	})
	t.Run("full while it measures", func(t *testing.T) {
		l := newLab(t, smallDisk(t, info.Size()+spare+100_000))
		job, release := endless(t)
		args := job.Args
		job.Args = append(args, "--padding=20000") // the log fills it
		_, err := l.open(t, nil).Profile(withTimeout(t), job)
		if err == nil || !strings.Contains(err.Error(), "its disk is full") || !strings.Contains(err.Error(), "nothing measured is lost") || strings.Contains(err.Error(), "\n") {
			t.Fatalf("error: %v", err)
		}
		l.Left(t)
		before := rowsOf(t, job.Output+".journal")
		if len(before) == 0 {
			t.Fatal("nothing was measured before")
		}
		release()
		job.Args = args
		if _, err := l.open(t, nil).Profile(withTimeout(t), job); err != nil {
			t.Fatal(err)
		}
		checkTable(t, job.Output, len(before), before)
	})
}
