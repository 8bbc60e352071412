// Package sshlab gives tests a target: a real sshd on loopback.
package sshlab

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Lab is a real sshd on loopback, with keys and a configuration of its own, and
// an ssh on PATH that knows it by the name kitchen.
type Lab struct {
	Dir   string // holds everything
	Cache string // below which runs live on the "target"
	sshd  int
}

// New starts sshd with more lines of configuration, where %CACHE% is the
// folder for runs.
func New(t testing.TB, cache string, environment ...string) *Lab {
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
	l := &Lab{Dir: t.TempDir(), Cache: cache}
	if cache == "" {
		// As unfriendly a name as a home may have.
		l.Cache = filepath.Join(t.TempDir(), `it's $(touch oops) a "cache" `)
	}
	if err := os.MkdirAll(l.Cache, 0o755); err != nil {
		t.Fatal(err)
	}
	file := func(name, content string) string {
		path := filepath.Join(l.Dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, key := range []string{"host", "user"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(l.Dir, key)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	if os.Getuid() == 0 { // where it separates its privileges
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Skip(err)
		}
	}
	port := FreePort(t)
	quoted := `"` + strings.ReplaceAll(l.Cache, `"`, `\"`) + `"`
	server := file("sshd_config", strings.Join([]string{
		"ListenAddress 127.0.0.1", "Port " + port,
		"HostKey " + filepath.Join(l.Dir, "host"), "AuthorizedKeysFile " + filepath.Join(l.Dir, "user.pub"),
		"PidFile none", "StrictModes no", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
		"MaxStartups 100", "SetEnv XDG_CACHE_HOME=" + quoted + " " + strings.Join(environment, " "),
	}, "\n")+"\n")
	cmd := exec.Command(sshd, "-D", "-e", "-f", server)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.sshd = cmd.Process.Pid
	t.Cleanup(func() {
		l.CutServer()
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("sshd: %s", log.String())
		}
	})
	file("ssh_config", fmt.Sprintf("Host kitchen\n HostName 127.0.0.1\n Port %s\n IdentityFile %s\n IdentitiesOnly yes\n UserKnownHostsFile %s\n StrictHostKeyChecking accept-new\n KexAlgorithms curve25519-sha256\n Ciphers aes128-gcm@openssh.com\n",
		port, filepath.Join(l.Dir, "user"), filepath.Join(l.Dir, "known_hosts")))
	bin := filepath.Join(l.Dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	wrapper := "#!/bin/sh\nexec " + client + " -F " + filepath.Join(l.Dir, "ssh_config") + ` "$@"` + "\n"
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
			return l
		}
		if time.Since(begin) > 10*time.Second {
			t.Skipf("sshd does not start: %s", log.String())
		}
	}
}

// FreePort is one that nothing listens on now.
func FreePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip(err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
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

// CutClient kills the ssh that is connected now.
func (l *Lab) CutClient() (cut bool) {
	processes(func(pid, _ int, line string) {
		if strings.Contains(line, filepath.Join(l.Dir, "ssh_config")) {
			cut = kill9(pid) || cut
		}
	})
	return cut
}

// CutServer kills sshd's end of each connection, that is, its children.
func (l *Lab) CutServer() (cut bool) {
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

// KillRun kills the process that measures, as a reboot does.
func (l *Lab) KillRun() (killed bool) {
	processes(func(pid, _ int, line string) {
		if strings.Contains(line, "hwprofd profile ") && inside(pid, l.Cache) {
			killed = kill9(pid) || killed
		}
	})
	return killed
}

func inside(pid int, dir string) bool {
	wd, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return strings.HasPrefix(wd, dir)
}

// Left fails where anything is left on the target.
func (l *Lab) Left(t testing.TB) {
	t.Helper()
	entries, err := os.ReadDir(l.Cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s is left on the target", e.Name())
	}
	processes(func(pid, _ int, line string) {
		if inside(pid, l.Cache) {
			t.Errorf("process %d is left on the target: %s", pid, line)
		}
	})
}
