package target

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// lab is a real sshd on loopback, with keys and a configuration of its own, and
// an ssh on PATH that knows it by the name kitchen.
type lab struct {
	dir   string // holds everything
	cache string // below which runs live on the "target"
	sshd  int

	mu    sync.Mutex
	lines []string // that were said
}

// newLab starts sshd with more lines of configuration, where %CACHE% is the
// folder for runs.
func newLab(t *testing.T, cache string, config ...string) *lab {
	t.Helper()
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		if _, err := os.Stat("/usr/sbin/sshd"); err != nil {
			t.Skip("there is no sshd: install openssh-server")
		}
		sshd = "/usr/sbin/sshd"
	}
	client, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("there is no ssh: install openssh-client")
	}
	l := &lab{dir: t.TempDir(), cache: cache}
	if cache == "" {
		// As unfriendly a name as a home may have.
		l.cache = filepath.Join(t.TempDir(), `it's $(touch oops) a "cache" `)
	}
	if err := os.MkdirAll(l.cache, 0o755); err != nil {
		t.Fatal(err)
	}
	file := func(name, content string) string {
		path := filepath.Join(l.dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, key := range []string{"host", "user"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(l.dir, key)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	if os.Getuid() == 0 { // where it separates its privileges
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Skip(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	quoted := `"` + strings.ReplaceAll(l.cache, `"`, `\"`) + `"`
	server := file("sshd_config", strings.Join(append([]string{
		"ListenAddress 127.0.0.1", "Port " + strconv.Itoa(port),
		"HostKey " + filepath.Join(l.dir, "host"), "AuthorizedKeysFile " + filepath.Join(l.dir, "user.pub"),
		"PidFile none", "StrictModes no", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
		"MaxStartups 100", "SetEnv XDG_CACHE_HOME=" + quoted,
	}, config...), "\n")+"\n")
	cmd := exec.Command(sshd, "-D", "-e", "-f", server)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.sshd = cmd.Process.Pid
	t.Cleanup(func() {
		l.cutServer()
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("sshd: %s", log.String())
		}
	})
	file("ssh_config", fmt.Sprintf("Host kitchen\n HostName 127.0.0.1\n Port %d\n IdentityFile %s\n IdentitiesOnly yes\n UserKnownHostsFile %s\n StrictHostKeyChecking accept-new\n",
		port, filepath.Join(l.dir, "user"), filepath.Join(l.dir, "known_hosts")))
	bin := filepath.Join(l.dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	wrapper := "#!/bin/sh\nexec " + client + " -F " + filepath.Join(l.dir, "ssh_config") + ` "$@"` + "\n"
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			c.Close()
			return l
		}
		if time.Since(begin) > 10*time.Second {
			t.Skipf("sshd does not start: %s", log.String())
		}
	}
}

func (l *lab) open(t *testing.T, change func(*Options)) *Target {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Programs: Programs{Self: self}, poll: 20 * time.Millisecond, pause: 50 * time.Millisecond,
		Say: func(line string) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.lines = append(l.lines, line)
			t.Log(line)
		},
	}
	if change != nil {
		change(&o)
	}
	target, err := Open("ssh://kitchen", o)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func (l *lab) said() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// processes calls f with each process's number, its parent's, and its command line.
func processes(f func(pid, parent int, line string)) {
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		parent, _ := strconv.Atoi(fields[1])
		f(pid, parent, strings.ReplaceAll(string(line), "\x00", " "))
	}
}

// cutClient kills the ssh that is connected now.
func (l *lab) cutClient() (cut bool) {
	processes(func(pid, _ int, line string) {
		if strings.Contains(line, filepath.Join(l.dir, "ssh_config")) {
			cut = kill9(pid) || cut
		}
	})
	return cut
}

// cutServer kills sshd's end of each connection, that is, its children.
func (l *lab) cutServer() (cut bool) {
	mine := map[int]bool{l.sshd: true}
	for range 2 { // the one with privileges, and below it that of the user
		processes(func(pid, parent int, line string) {
			if mine[parent] && strings.HasPrefix(line, "sshd") {
				mine[pid] = true
			}
		})
	}
	delete(mine, l.sshd)
	for pid := range mine {
		cut = kill9(pid) || cut
	}
	return cut
}

func kill9(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && p.Kill() == nil
}

// killRun kills the process that measures, as a reboot does.
func (l *lab) killRun() (killed bool) {
	processes(func(pid, _ int, line string) {
		if strings.Contains(line, "hwprofd profile ") && inside(pid, l.cache) {
			killed = kill9(pid) || killed
		}
	})
	return killed
}

func inside(pid int, dir string) bool {
	wd, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return strings.HasPrefix(wd, dir)
}

// left fails where anything is left on the target.
func (l *lab) left(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(l.cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s is left on the target", e.Name())
	}
	processes(func(pid, _ int, line string) {
		if inside(pid, l.cache) {
			t.Errorf("process %d is left on the target: %s", pid, line)
		}
	})
}

func withTimeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}
