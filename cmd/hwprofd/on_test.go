package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/internal/sshlab"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/server/api"
)

var dist = flag.String("dist", "", "folder that scripts/dist has made, for TestEmulatedTargets")

// program is this test binary under the name by which it is hwprofd.
func program(t *testing.T) string {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "hwprofd")
	if err := os.Symlink(self, bin); err != nil {
		t.Skip(err)
	}
	return bin
}

func runProgram(t *testing.T, bin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), bin, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	t.Logf("%s\n%s", strings.Join(args, " "), stderr.String())
	return stdout.String()
}

// form is what two tables of the same work have in common.
type form struct {
	Meta     lut.Meta
	Keys     map[string]bool
	Networks map[string][]string
}

func formOf(t *testing.T, path string) form {
	t.Helper()
	table, err := lut.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	f := form{table.Meta, map[string]bool{}, map[string][]string{}}
	f.Meta.Created, f.Meta.Protocol.Baseline = time.Time{}, nil // a measurement
	if f.Meta.Device.Frequency != nil {
		f.Meta.Device.Frequency.CurrentHz = 0
	}
	for _, r := range table.Rows {
		f.Keys[r.Key+" "+r.EnergySource] = true
	}
	for _, n := range table.Networks {
		f.Networks[n.Name] = n.Workloads
	}
	return f
}

// TestProfileOnSSH measures over a real sshd and here, with the same flags.
func TestProfileOnSSH(t *testing.T) {
	l := sshlab.New(t, "")
	bin, dir := program(t), t.TempDir()
	model := filepath.Join(dir, "it's a \"model\".onnx")
	if err := writeModel(model); err != nil {
		t.Fatal(err)
	}
	there, here := filepath.Join(dir, "there.lut.parquet"), filepath.Join(dir, "here.lut.parquet")
	flags := []string{"--model", model, "--budget", "1s", "--meter", "none"}
	runProgram(t, bin, append([]string{"profile", "-o", there, "--on", "ssh://kitchen"}, flags...)...)
	runProgram(t, bin, append([]string{"profile", "-o", here}, flags...)...)
	runProgram(t, bin, "lut", "verify", there)
	got, want := formOf(t, there), formOf(t, here)
	want.Meta.Target = "ssh://kitchen"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the table of the target has another form than a local one (-local +target):\n%s", d)
	}
	l.Left(t)

	cmd := exec.Command(bin, append([]string{"profile", "-o", there, "--on", "ssh://kitchen"}, flags...)...)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "exists already") {
		t.Errorf("a table that is there already: %v: %s", err, out)
	}

	var info struct {
		Fingerprint string
		device.Info
	}
	out := runProgram(t, bin, "device", "--on", "ssh://kitchen", "--json")
	if err := json.Unmarshal([]byte(out), &info); err != nil || info.Fingerprint != got.Meta.Fingerprint || info.Emulator != "" {
		t.Errorf("device: %v: %s", err, out)
	}
	l.Left(t)
}

// TestEmulatedTargets measures targets of other processors, which qemu-user
// plays: sshd's sessions have a uname that says so.
func TestEmulatedTargets(t *testing.T) {
	if *dist == "" {
		t.Skip("takes a minute; run with -dist FOLDER, which scripts/dist makes")
	}
	for _, c := range []struct{ machine, program, arch, emulator string }{
		{"aarch64", "hwprofd-linux-arm64", "arm64", "qemu-aarch64"},
		{"armv7l", "hwprofd-linux-armv7", "arm", "qemu-arm"},
		{"riscv64", "hwprofd-linux-riscv64", "riscv64", "qemu-riscv64"},
	} {
		t.Run(c.machine, func(t *testing.T) {
			if _, err := os.Stat(filepath.Join(*dist, c.program)); err != nil {
				t.Skipf("it is not built: %v", err)
			}
			emulator, err := exec.LookPath(c.emulator)
			if err != nil {
				t.Skipf("there is no %s: install qemu-user", c.emulator)
			}
			stubs := t.TempDir()
			stub := "#!/bin/sh\ncase $1 in -m) echo " + c.machine + " ;; *) echo Linux ;; esac\n"
			if err := os.WriteFile(filepath.Join(stubs, "uname"), []byte(stub), 0o755); err != nil {
				t.Fatal(err)
			}
			l := sshlab.New(t, "", "PATH="+stubs+":/usr/bin:/bin")
			dir := t.TempDir()
			model, output := filepath.Join(dir, "model.onnx"), filepath.Join(dir, "t.lut.parquet")
			if err := writeModel(model); err != nil {
				t.Fatal(err)
			}
			defer func(before []string, o string) { targetOptions.Runner, targetOptions.Programs.Self = before, o }(targetOptions.Runner, targetOptions.Programs.Self)
			targetOptions.Runner = []string{emulator}
			targetOptions.Programs.Dirs = []string{*dist}
			root := newRootCommand()
			var said bytes.Buffer
			root.SetErr(&said)
			root.SetOut(&said)
			root.SetArgs([]string{"profile", "-o", output, "--model", model, "--budget", "3s", "--on", "ssh://kitchen"})
			if err := root.ExecuteContext(t.Context()); err != nil {
				t.Fatalf("%v\n%s", err, said.String())
			}
			t.Log(said.String())
			l.Left(t)
			runProgram(t, program(t), "lut", "verify", output)
			f := formOf(t, output)
			if f.Meta.Device.Arch != c.arch || f.Meta.Device.Emulator != c.emulator || f.Meta.Target != "ssh://kitchen" {
				t.Errorf("device %+v, target %q; want %s under %s", f.Meta.Device, f.Meta.Target, c.arch, c.emulator)
			}
			if len(f.Keys) == 0 || len(f.Networks[model]) == 0 {
				t.Errorf("rows %v, networks %v", f.Keys, f.Networks)
			}
		})
	}
}

// TestShowRemote reads what report prints on a target.
func TestShowRemote(t *testing.T) {
	var there, here bytes.Buffer
	p := newProgress(&there)
	p.begin("profile: %d workloads, %d networks", 2, 1)
	p.report(0.25, 65*time.Second, "conv2d/f32/n1")
	p.say("energy is modelled: no meter")
	p.say("hwprofd: an error")
	q := newProgress(&here)
	for line := range strings.Lines(there.String()) {
		q.showRemote(strings.TrimRight(line, "\n"))
	}
	want := "profile: 2 workloads, 1 networks\n   25%  1m05s left  conv2d/f32/n1\nenergy is modelled: no meter\n"
	if here.String() != want {
		t.Errorf("got\n%s\nwant\n%s", here.String(), want)
	}
}

func TestUsageOfOn(t *testing.T) {
	for _, args := range [][]string{
		{"device", "--on", "kitchen"},
		{"device", "--on", ""},
		{"device", "--on="},
		{"profile", "-o", "x", "--space", "mobile28", "--budget", "1ms", "--on", ""},
		{"profile", "-o", "x", "--space", "mobile28", "--budget", "1ms", "--runtime", ""},
		{"device", "--on", "ssh://-oProxyCommand=touch x"},
		{"profile", "-o", "x", "--space", "mobile28", "--on", "ssh://a b"},
		{"profile", "-o", "x", "--on", "ssh://kitchen"},
	} {
		if code := run(args); code != exitUsage {
			t.Errorf("%q: exit code %d, want %d", args, code, exitUsage)
		}
	}
}

// TestOnDaemon measures by a daemon, and here, with the same flags.
func TestOnDaemon(t *testing.T) {
	dir := t.TempDir()
	d := serve(t, dir)
	bin := filepath.Join(dir, "hwprofd")
	model, output := filepath.Join(dir, "a model.onnx"), filepath.Join(dir, "t.lut.parquet")
	if err := writeModel(model); err != nil {
		t.Fatal(err)
	}
	runProgram(t, bin, "profile", "-o", output, "--model", model, "--budget", "1s", "--on", d.client.URL)
	f := formOf(t, output)
	if f.Meta.Target != d.client.URL || len(f.Keys) == 0 || len(f.Networks[model]) == 0 {
		t.Errorf("target %q, rows %v, networks %v", f.Meta.Target, f.Keys, f.Networks)
	}
	if tables, err := d.client.LUTs(t.Context()); err != nil || len(tables) > 0 {
		t.Errorf("left on the daemon: %v, %v", tables, err)
	}
	if jobs, err := d.client.Jobs(t.Context(), ""); err != nil || len(jobs) > 0 {
		t.Errorf("left on the daemon: %v, %v", jobs, err)
	}
	if out := runProgram(t, bin, "device", "--on", d.client.URL); !strings.Contains(out, "fingerprint") {
		t.Errorf("device: %s", out)
	}
	for _, args := range [][]string{
		{"device", "--on", "http://10.0.0.7:7380"},
		{"device", "--on", "https://user:secret@host"},
		{"device", "--kernels", "--on", d.client.URL},
		{"profile", "-o", "x", "--space", "mobile28", "--meter", "none", "--on", d.client.URL},
	} {
		if code := run(args); code != exitUsage {
			t.Errorf("%q: exit code %d, want %d", args, code, exitUsage)
		}
	}
}

// TestTwoJobsOnDaemon asks a daemon for a job while it does another.
func TestTwoJobsOnDaemon(t *testing.T) {
	dir := t.TempDir()
	d := serve(t, dir)
	model, output := filepath.Join(dir, "model.onnx"), filepath.Join(dir, "t.lut.parquet")
	if err := writeModel(model); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	uploaded, err := d.client.UploadModel(t.Context(), "model.onnx", bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	first, err := d.client.Submit(t.Context(), api.JobSpec{Kind: api.Profile, LUT: "first", Models: []string{uploaded.Digest}, BudgetSeconds: 5})
	if err != nil {
		t.Fatal(err)
	}
	for first.State == api.Queued {
		time.Sleep(5 * time.Millisecond)
		if first, err = d.client.Job(t.Context(), first.ID); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "hwprofd"), "profile", "-o", output, "--model", model, "--budget", "1s", "--on", d.client.URL)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("waits until job %d (profile)", first.ID)) {
		t.Errorf("a job behind another: %v\n%s", err, out)
	}
	if first, err = d.client.Job(t.Context(), first.ID); err != nil || first.State != api.Done {
		t.Fatalf("the first job: %+v, %v", first, err)
	}
	table, err := lut.Read(output)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range table.Rows {
		if r.MeasuredAt.Before(*first.Finished) {
			t.Errorf("%s was measured at %v, while the first job went on until %v", r.Key, r.MeasuredAt, *first.Finished)
		}
	}
}

// TestOnDaemonByTLS has a daemon with a certificate of its own and a token, as
// one on another machine has to.
func TestOnDaemonByTLS(t *testing.T) {
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, certificate, key)
	token, wrong := filepath.Join(dir, "token"), filepath.Join(dir, "wrong")
	for path, content := range map[string]string{token: "a secret that is long enough\n", wrong: "another that is long enough\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := serve(t, dir, "--tls-cert", certificate, "--tls-key", key, "--token-file", token)
	on := "https://" + strings.TrimPrefix(d.client.URL, "http://")
	bin := filepath.Join(dir, "hwprofd")
	model, output := filepath.Join(dir, "model.onnx"), filepath.Join(dir, "t.lut.parquet")
	if err := writeModel(model); err != nil {
		t.Fatal(err)
	}
	refused := func(want string, args ...string) {
		t.Helper()
		for _, verb := range [][]string{{"device"}, {"profile", "-o", output, "--model", model, "--budget", "1s"}} {
			out, err := exec.CommandContext(t.Context(), bin, append(append(verb, "--on", on), args...)...).CombinedOutput()
			if err == nil || !strings.Contains(string(out), want) || strings.Contains(string(out), "secret") {
				t.Errorf("%s %q: %v: %s; want an error with %q", verb[0], args, err, out, want)
			}
		}
		if _, err := os.Stat(output); err == nil {
			t.Error("there is a table")
		}
	}
	t.Setenv("SSL_CERT_FILE", filepath.Join(dir, "none"))
	t.Setenv("SSL_CERT_DIR", filepath.Join(dir, "none"))
	refused("certificate", "--token-file", token)
	t.Setenv("SSL_CERT_FILE", certificate)
	refused("--token-file")
	refused("--token-file", "--token-file", wrong)
	runProgram(t, bin, "profile", "-o", output, "--model", model, "--budget", "1s", "--on", on, "--token-file", token)
	if f := formOf(t, output); f.Meta.Target != on || len(f.Keys) == 0 {
		t.Errorf("target %q, rows %v", f.Meta.Target, f.Keys)
	}
	if out := runProgram(t, bin, "device", "--on", on, "--token-file", token); !strings.Contains(out, "fingerprint") {
		t.Errorf("device: %s", out)
	}
}

// writeCertificate writes a certificate for 127.0.0.1 that signs itself.
func writeCertificate(t *testing.T, certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: encoded}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
