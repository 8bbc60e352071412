package target

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for name, want := range map[string]address{
		"ssh://kitchen":                {kind: "ssh", host: "kitchen"},
		"ssh://pi@kitchen.local:2222":  {kind: "ssh", user: "pi", host: "kitchen.local", port: "2222"},
		"ssh://10.0.0.7/":              {kind: "ssh", host: "10.0.0.7"},
		"ssh://a.b@c.d@host":           {kind: "ssh", user: "a.b@c.d", host: "host"},
		"ssh://[fe80::1%eth0]:22":      {kind: "ssh", host: "fe80::1%eth0", port: "22"},
		"ssh://pi@[::1]":               {kind: "ssh", user: "pi", host: "::1"},
		"adb":                          {kind: "adb"},
		"adb:emulator-5554":            {kind: "adb", serial: "emulator-5554"},
		"adb:192.168.1.5:5555":         {kind: "adb", serial: "192.168.1.5:5555"},
		"adb:adb-R5 (2)._adb-tls._tcp": {kind: "adb", serial: "adb-R5 (2)._adb-tls._tcp"},
	} {
		if got, err := parse(name); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
	for _, name := range []string{
		"", "kitchen", "ssh:", "ssh://", "ssh:///", "ssh://@", "ssh://@host", "ssh://user@", "http://host", "ssh://host/path", "ssh://host?x",
		"ssh://-oProxyCommand=touch", "ssh://-l@host", "ssh://user@-oProxyCommand=x", "ssh://host name", "ssh://host\n", "ssh://ho'st", `ssh://ho"st`,
		"ssh://$(touch x)", "ssh://`x`@host", "ssh://a;b@host", "ssh://a$b@host", "ssh://host;x", "ssh://host|x", "ssh://host&x", "ssh://h\\x", "ssh://h\x00", "ssh://hóst",
		"ssh://host:0", "ssh://host:65536", "ssh://host:22x", "ssh://host:", "ssh://host:-1", "ssh://host:+22", "ssh://[::1", "ssh://[host]", "ssh://[::1]x", "ssh://::1",
		"ssh://user:secret@host", "adb:", "adb:-s", "adb:a;b", "adb:a'b", "adb:a\nb", "adb:$(x)", "adb: x", "adb://x\x00",
	} {
		if got, err := parse(name); err == nil {
			t.Errorf("%q is taken for %+v", name, got)
		} else if strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("%q: the error is not one line: %q", name, err)
		}
	}
}

// TestQuote has a real shell read quoted words.
func TestQuote(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	words := func(words []string) {
		t.Helper()
		out, err := exec.Command(sh, "-c", `printf '%s\0' `+quoteAll(words)).Output()
		if err != nil {
			t.Fatalf("%q: %v", words, err)
		}
		got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		if !slices.Equal(got, words) {
			t.Fatalf("a shell reads %q as %q", words, got)
		}
		// And what ssh is told is quoted twice.
		out, err = exec.Command(sh, "-c", "sh -c "+quote(`printf '%s\0' `+quoteAll(words))).Output()
		if err != nil || string(out) != strings.Join(words, "\x00")+"\x00" {
			t.Fatalf("a shell's shell reads %q as %q, %v", words, out, err)
		}
	}
	words([]string{"", " ", "'", "''", `"`, `\`, `\'`, "\n", "-n", "$HOME", "`x`", "$(x)", "*", "~", "!", "#", "a b", "\xff", ";", "&", "|", ">", "é"})
	rapid.Check(t, func(r *rapid.T) {
		words(rapid.SliceOfN(rapid.Custom(func(r *rapid.T) string {
			return strings.ReplaceAll(string(rapid.SliceOf(rapid.Byte()).Draw(r, "word")), "\x00", "")
		}), 1, 5).Draw(r, "words"))
	})
}

func TestReadLook(t *testing.T) {
	for out, want := range map[string]found{
		"os Linux\nmachine aarch64\nandroid \nmodel \nFilesystem 1024-blocks Used Available Capacity Mounted on\n/dev/root 100 50 40 56% /\n":                                             {platform: platform{"linux", "arm64"}, free: 40 << 10},
		"os Linux\r\nmachine armv8l\r\nandroid 13\r\nmodel Pixel 6\r\nprogram yes\r\nFilesystem 1024-blocks Used Available Capacity Mounted on\r\n/dev/a b 100 50 40 56% /data local\r\n": {platform: platform{"android", "armv7"}, model: "Pixel 6", program: true, free: 40 << 10},
		"os Darwin\nmachine arm64\nandroid \n": {platform: platform{"darwin", "arm64"}, free: -1},
	} {
		if got, err := readLook(out); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", out, got, err, want)
		}
	}
	for _, out := range []string{"", "os Linux\nmachine vax\n", "os SunOS\nmachine x86_64\n", "os MINGW64_NT-10.0\nmachine x86_64\n"} {
		if got, err := readLook(out); err == nil {
			t.Errorf("%q: %+v", out, got)
		}
	}
}
