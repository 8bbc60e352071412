package target

import (
	"context"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// platform is what a program has to be built for.
type platform struct{ os, arch string } // arch as in the names of dist, such as armv7

func (p platform) String() string { return p.os + "-" + p.arch }

// machines are what 'uname -m' calls the processors that are known.
var machines = map[string]string{
	"x86_64": "amd64", "amd64": "amd64",
	"aarch64": "arm64", "arm64": "arm64",
	"armv7l": "armv7", "armv8l": "armv7", "armv7": "armv7", // armv8l: a 64-bit core with a 32-bit system
	"riscv64": "riscv64",
}

// found is what the first look at a target tells.
type found struct {
	platform
	model   string // of an Android device
	program bool   // one is there already
	free    int64  // bytes; -1: not known
}

// look makes the folder of a run and tells what the target is.
func (t *Target) look(ctx context.Context, id string) (found, error) {
	folder := `"` + t.folder(id) + `"`
	script := `echo "os $(uname -s)"; echo "machine $(uname -m)"; ` +
		`echo "android $(getprop ro.build.version.release 2>/dev/null)"; echo "model $(getprop ro.product.model 2>/dev/null)"; ` +
		`umask 077; made=; [ -d "` + t.via.base() + `" ] || made=yes; mkdir -p ` + folder + `/part && cd ` + folder + ` && ` +
		`{ [ -z "$made" ] || : > ` + madeName + `; [ -f ` + programName + ` ] && echo "program yes"; df -Pk . 2>/dev/null; true; }`
	var out []byte
	err := t.retry(ctx, func() (err error) {
		out, err = t.output(ctx, script, nil)
		return err
	})
	var failed failedError
	if errors.As(err, &failed) {
		return found{}, fmt.Errorf("%w: %s", err, t.via.otherFolder())
	}
	if err != nil {
		return found{}, err
	}
	f, err := readLook(string(out))
	if err != nil {
		return f, t.errorf("%w", err)
	}
	return f, nil
}

func readLook(out string) (found, error) {
	f := found{free: -1}
	fields := map[string]string{}
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n")
		key, value, _ := strings.Cut(line, " ")
		if _, ok := fields[key]; !ok {
			fields[key] = strings.TrimSpace(value)
		}
		if free, ok := freeOfDF(line); ok {
			f.free = free
		}
	}
	f.program, f.model = fields["program"] == "yes", fields["model"]
	switch system := fields["os"]; {
	case system == "Linux" && fields["android"] != "":
		f.os = "android"
	case system == "Linux", system == "Darwin":
		f.os = strings.ToLower(system)
	default:
		return f, fmt.Errorf("its system is %q: Linux, Android and macOS are known", system)
	}
	arch, ok := machines[fields["machine"]]
	if !ok {
		return f, fmt.Errorf("its processor is %q: x86_64, aarch64, armv7l and riscv64 are known", fields["machine"])
	}
	f.arch = arch
	return f, nil
}

// freeOfDF reads the line of a file system in the output of 'df -Pk': name,
// size, used, available, capacity, mount point.
func freeOfDF(line string) (int64, bool) {
	fields := strings.Fields(line)
	for i := 4; i < len(fields); i++ {
		if !strings.HasSuffix(fields[i], "%") {
			continue
		}
		if _, err := strconv.ParseInt(fields[i-2], 10, 64); err != nil {
			return 0, false
		}
		kib, err := strconv.ParseInt(fields[i-1], 10, 64)
		return max(kib, 0) << 10, err == nil
	}
	return 0, false
}

// spare is how much more has to be free than what is copied: for the journal,
// the log and the table.
const spare = 1 << 20

// find is that of [Programs].
func (t *Target) find(ctx context.Context, name string, of platform) (path string, done func(), err error) {
	path, done, err = t.options.Programs.find(ctx, name, of, t.options.Say)
	if err != nil {
		err = t.errorf("%w", err)
	}
	return path, done, err
}

// bring sees to it that the program is in the folder of a run, which was looked
// at.
func (t *Target) bring(ctx context.Context, id string, f found) error {
	path, done, err := t.find(ctx, programName, f.platform)
	if err != nil {
		return err
	}
	defer done()
	sum, size, err := sumFile(path)
	if err != nil {
		return err
	}
	if f.program {
		var there copied
		if err := t.ask(ctx, id, nil, &there, "sum"); err == nil && there.SHA256 == sum {
			return nil
		} else if isLost(err) || ctx.Err() != nil {
			return err
		}
	}
	if f.free >= 0 && f.free < size+spare {
		return t.errorf("its disk has %s free, the program needs %s: make room there", mebibytes(f.free), mebibytes(size+spare))
	}
	what := f.platform.String()
	if f.model != "" {
		what += ", " + f.model
	}
	t.say("copying hwprofd (%s) to %s (%s)", mebibytes(size), t.name, what)
	if err := t.send(ctx, id, path, copied{Name: programName, Bytes: size, SHA256: sum}, "./"+partName); err != nil {
		return err
	}
	return nil
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// send copies a local file into the folder of a run, where it gets its name when
// it is known to be whole.
func (t *Target) send(ctx context.Context, id, local string, as copied, by string) error {
	local, err := filepath.Abs(local)
	if err != nil {
		return err
	}
	return t.retry(ctx, func() error {
		folder := `"` + t.folder(id) + `"`
		prepare := `umask 077; mkdir -p ` + folder + `/part && rm -f ` + folder + `/` + partName
		accept := `chmod 700 ` + folder + `/` + partName + ` && ` +
			t.agent(id, by, "accept", hex.EncodeToString([]byte(as.Name)), strconv.FormatInt(as.Bytes, 10), as.SHA256)
		cmd := t.via.push(ctx, local, t.folder(id)+"/"+partName)
		if cmd == nil {
			f, err := os.Open(local)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = t.output(ctx, prepare+` && cat > `+folder+`/`+partName+` && `+accept, f)
			return t.notStarted(err, as, local)
		}
		if _, err := t.output(ctx, prepare, nil); err != nil {
			return err
		}
		var words lastWords
		cmd.Stdout, cmd.Stderr = &words, &words // older ones complain on stdout
		shield(cmd)
		if err := cmd.Run(); err != nil {
			return pushError(words.String())
		}
		_, err := t.output(ctx, accept, strings.NewReader("")) // an empty one, as a large file may take long to sum
		return t.notStarted(err, as, local)
	})
}

// pushError tells a device that cannot take a file from one that is gone.
func pushError(words string) error {
	if strings.Contains(words, "No space left") || strings.Contains(words, "remote ") {
		return failedError{1, words}
	}
	return lostError{words}
}

// notStarted says which program it was that failed, as shells do not.
func (t *Target) notStarted(err error, as copied, local string) error {
	var failed failedError
	switch {
	case !errors.As(err, &failed):
		return err
	case strings.Contains(failed.stderr, "No space left"):
		return fmt.Errorf("its disk is full: %w", err)
	case as.Name == programName && strings.Contains(failed.stderr, "Permission denied"):
		return fmt.Errorf("no program may be started from the run's folder there: %w: %s", err, t.via.otherFolder())
	case as.Name == programName && isDynamic(local):
		return fmt.Errorf("the program does not start there: %w: %s was built with cgo and needs the C library of this machine; build it with CGO_ENABLED=0", err, onOneLine(local))
	case as.Name == programName:
		return fmt.Errorf("the program does not start there: %w", err)
	}
	return err
}

// isDynamic reports whether a program of Linux needs a loader and libraries.
func isDynamic(path string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
}

// sendAll copies files that are not there yet.
func (t *Target) sendAll(ctx context.Context, id string, files []File, free int64) error {
	var need int64
	for _, f := range files {
		info, err := os.Stat(f.Path)
		if err != nil {
			return err
		}
		need += info.Size()
	}
	if need == 0 {
		return nil
	}
	if free >= 0 && free < need+spare {
		return t.errorf("its disk has %s free, what is copied needs %s: make room there", mebibytes(free), mebibytes(need+spare))
	}
	for _, f := range files {
		sum, size, err := sumFile(f.Path)
		if err != nil {
			return err
		}
		t.say("copying %s (%s) to %s", onOneLine(f.Path), mebibytes(size), t.name)
		if err := t.send(ctx, id, f.Path, copied{Name: f.Name, Bytes: size, SHA256: sum}, "./"+programName); err != nil {
			return err
		}
	}
	return nil
}

// onOneLine is a path for messages, which are lines.
func onOneLine(path string) string {
	if strings.ContainsFunc(path, unicode.IsControl) {
		return strconv.Quote(path)
	}
	return path
}
