package target

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Programs says where the programs for a target come from: hwprofd, and the
// adapter of a job. The places are tried in the order of the fields.
type Programs struct {
	// Self is this program, for a target of this machine's kind. The adapter for
	// such a target is that beside it, or else on PATH.
	Self string
	// Dirs are folders with programs called NAME-SYSTEM-PROCESSOR, such as
	// hwprofd-linux-arm64, as scripts/dist makes them.
	Dirs []string
	// Source is the folder of the source code, from whose folders cmd/NAME
	// programs are built where the Go toolchain is installed; "" if there is none.
	Source string
}

// builds are the platforms that can be built for: GOOS, GOARCH and GOARM. For
// android on others than arm64 Go would need a C compiler; programs for Linux
// run there too, since they are static.
var builds = map[platform][3]string{
	{"linux", "amd64"}:   {"linux", "amd64"},
	{"linux", "arm64"}:   {"linux", "arm64"},
	{"linux", "armv7"}:   {"linux", "arm", "7"},
	{"linux", "riscv64"}: {"linux", "riscv64"},
	{"android", "arm64"}: {"android", "arm64"},
	{"darwin", "arm64"}:  {"darwin", "arm64"},
	{"darwin", "amd64"}:  {"darwin", "amd64"},
}

// find returns the program of a name for a platform; done is to be called after
// use. Adapters load libraries of the system, for which a program for Linux is
// no program for Android.
func (p Programs) find(ctx context.Context, name string, of platform, say func(string)) (path string, done func(), err error) {
	done = func() {}
	build, ok := builds[of]
	switch {
	case of.os != "android":
	case name != programName:
		ok = false
	case !ok:
		of.os = "linux"
		build, ok = builds[of]
	}
	if !ok {
		return "", done, fmt.Errorf("%s is not made for %s", name, of)
	}
	var places []string
	if p.Self != "" && build[0] == runtime.GOOS && build[1] == runtime.GOARCH && runtime.GOARCH != "arm" {
		if name == programName {
			return p.Self, done, nil
		}
		places = append(places, filepath.Join(filepath.Dir(p.Self), name))
		if path, err := exec.LookPath(name); err == nil {
			places = append(places, path)
		}
	}
	for _, dir := range p.Dirs {
		places = append(places, filepath.Join(dir, name+"-"+of.String()))
	}
	var unfit []string
	for _, path := range places {
		err := fits(path, build)
		if err == nil {
			return path, done, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			unfit = append(unfit, err.Error())
		}
	}
	why := "run scripts/dist in the source code and put its folder dist beside hwprofd, or run hwprofd in the source code where Go is installed"
	if len(unfit) > 0 {
		why = strings.Join(unfit, "; ") + ": " + why
	}
	if p.Source == "" {
		return "", done, fmt.Errorf("there is no %s for %s here: %s", name, of, why)
	}
	if _, err := exec.LookPath("go"); err != nil {
		return "", done, fmt.Errorf("there is no %s for %s here, and no Go to build it with: %s", name, of, why)
	}
	dir, err := os.MkdirTemp("", "hwprofd-build-")
	if err != nil {
		return "", done, err
	}
	done = func() { os.RemoveAll(dir) }
	say(fmt.Sprintf("building %s for %s; the first time takes minutes", name, of))
	path = filepath.Join(dir, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", path, ".")
	cmd.Dir = filepath.Join(p.Source, "cmd", name) // which may be a module of its own
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+build[0], "GOARCH="+build[1], "GOARM="+build[2])
	if out, err := cmd.CombinedOutput(); err != nil {
		done()
		return "", func() {}, fmt.Errorf("building %s for %s: %w: %s", name, of, err, strings.TrimSpace(string(out)))
	}
	return path, done, nil
}

// fits reports why a program of a folder is not the one for a platform, by what
// the toolchain has written into it.
func fits(path string, build [3]string) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return err
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if settings["GOOS"] != build[0] || settings["GOARCH"] != build[1] {
		return fmt.Errorf("%s is for %s/%s", path, settings["GOOS"], settings["GOARCH"])
	}
	own, err := buildinfo.ReadFile(selfPath())
	if err != nil {
		return nil
	}
	for _, s := range own.Settings {
		if s.Key == "vcs.revision" && settings[s.Key] != "" && settings[s.Key] != s.Value {
			return fmt.Errorf("%s is of revision %.12s, this program of %.12s", path, settings[s.Key], s.Value)
		}
	}
	return nil
}

func selfPath() string {
	path, _ := os.Executable() // "" is no file, and then there is nothing to compare with
	return path
}
