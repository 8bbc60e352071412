package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/profiler/target"
)

// onFlags name another machine to do it on.
type onFlags struct{ on, tokenFile string }

func (f *onFlags) add(flags *pflag.FlagSet) {
	flags.Var((*given)(&f.on), "on", "do it on another machine: "+onForms)
	flags.StringVar(&f.tokenFile, "token-file", "", "file with the token of the daemon that --on names")
}

func (f *onFlags) set() bool { return f.on != "" }

// onForms are those of what --on names.
const onForms = target.Forms + ", or https://HOST:7380 of 'hwprofd serve'"

// given is a flag's text that is not empty where the flag is: in a script where
// a variable is not set, --on "$TARGET" must not come to mean this machine.
type given string

func (g *given) String() string { return string(*g) }
func (g *given) Type() string   { return "string" }

func (g *given) Set(text string) error {
	if text == "" {
		return errors.New("it is empty: give a name, or leave the flag out")
	}
	*g = given(text)
	return nil
}

// targetOptions are the options of targets; tests change them.
var targetOptions = target.Options{}

// newTargetAgentCommand is what runs on a target; no user types it.
func newTargetAgentCommand() *cobra.Command {
	return &cobra.Command{
		Use: target.Verb, Hidden: true, DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			err := target.Agent(args, cmd.InOrStdin(), cmd.OutOrStdout())
			if code, ok := target.ExitCode(err); ok { // what it ran has said why
				os.Exit(code)
			}
			return err
		},
	}
}

// openTarget opens a target, whose runs are shown by p.
func openTarget(name string, p *progress) (*target.Target, error) {
	if kind, _, _ := strings.Cut(name, ":"); kind != "ssh" && kind != "adb" {
		return nil, usagef("--on %q is no other machine: want %s", name, onForms)
	}
	options := targetOptions
	options.Say = func(line string) { p.say("%s", line) }
	options.Log = p.showRemote
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if options.Programs.Self == "" {
		options.Programs.Self = self
	}
	folders := []string{filepath.Dir(self)}
	if wd, err := os.Getwd(); err == nil {
		folders = append(folders, wd)
	}
	for _, folder := range folders {
		options.Programs.Dirs = append(options.Programs.Dirs, filepath.Join(folder, "dist"))
		if source := sourceAbove(folder); source != "" {
			options.Programs.Dirs = append(options.Programs.Dirs, filepath.Join(source, "dist"))
			options.Programs.Source = source
		}
	}
	options.Programs.Dirs = append(options.Programs.Dirs, filepath.Dir(self))
	t, err := target.Open(name, options)
	if err != nil {
		return nil, usageError{err}
	}
	return t, nil
}

// sourceAbove is the folder of hwprofd's source code that dir lies in, or "".
func sourceAbove(dir string) string {
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(data), "module github.com/hwprofd/hwprofd\n") {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// deviceOn says what machine a target is.
func deviceOn(cmd *cobra.Command, f *onFlags, asJSON bool, args []string) error {
	if isDaemon(f.on) {
		if cmd.Flags().Changed("kernels") || len(args) > 0 {
			return usagef("a daemon does not tell its kernels: leave out --kernels and the workloads; ssh:// takes them")
		}
		return deviceOnDaemon(cmd, f, asJSON)
	}
	t, err := openTarget(f.on, newProgress(cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	flags, _ := forwarded(cmd.Flags(), nil)
	return runOn(cmd.Context(), t, cmd.OutOrStdout(), slices.Concat([]string{"device"}, flags, []string{"--"}, args))
}

func runOn(ctx context.Context, t *target.Target, w io.Writer, args []string) error {
	err := t.Run(ctx, w, args...)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("interrupted")
	}
	return err
}

// profileOn measures on a target what the flags of cmd say.
func profileOn(cmd *cobra.Command, f *onFlags, output string, batches []int, args []string) error {
	if _, err := os.Stat(output); err == nil {
		return fmt.Errorf("%s exists already; choose another name, or remove it", output)
	}
	if isDaemon(f.on) {
		return profileOnDaemon(cmd, f, output)
	}
	p := newProgress(cmd.ErrOrStderr())
	t, err := openTarget(f.on, p)
	if err != nil {
		return err
	}
	job := target.Job{Output: output, Networks: map[string]string{}}
	job.Args, err = forwarded(cmd.Flags(), func(flag, path string) (string, error) {
		if flag == "runtime" {
			if slices.Contains(ownAdapters, path) {
				job.Adapter = adapterPrefix + path
				return path, nil
			}
			_, err := os.Stat(path)
			if !strings.Contains(path, "/") || errors.Is(err, fs.ErrNotExist) {
				return path, nil // of a program on the target
			}
		}
		name, files, err := filesOf(flag, path)
		if err != nil {
			return "", err
		}
		job.Files = append(job.Files, files...)
		if flag == "model" {
			for _, batch := range batches {
				job.Networks[batchName(name, batch)] = batchName(path, batch)
			}
		}
		return name, nil
	})
	if err != nil {
		return err
	}
	if len(args) > 0 { // of an adapter
		job.Args = slices.Concat(job.Args, []string{"--"}, args)
	}
	table, err := t.Profile(cmd.Context(), job)
	if err != nil {
		return err
	}
	p.say("%s: %d workloads and %d networks of %s; energy of %s", output, len(table.Rows), len(table.Networks), t, energySources(table))
	if n := len(table.Failures); n > 0 {
		p.say("%d could not be measured; 'hwprofd lut show %s' names them with the reasons", n, output)
	}
	return nil
}

// filesOf are the files that a flag names by a path, and the name that the path
// has on the target: one of our own, as theirs may be any.
func filesOf(flag, path string) (name string, files []target.File, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", nil, err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\x00%s\x00", flag, path)
	sum.Write(data)
	folder := "files/" + hex.EncodeToString(sum.Sum(nil)[:8])
	if flag != "model" {
		name = folder + filepath.Ext(path)
		return name, []target.File{{Path: path, Name: name}}, nil
	}
	name = folder + "/model.onnx"
	files = []target.File{{Path: path, Name: name}}
	external, err := onnx.ExternalFiles(path)
	if err != nil {
		return "", nil, err
	}
	for _, location := range external {
		files = append(files, target.File{
			Path: filepath.Join(filepath.Dir(path), filepath.FromSlash(location)), Name: folder + "/" + location,
		})
	}
	return name, files, nil
}

// fileFlags are those whose values are files of this machine, which the target
// is sent; stays are those that do not concern it.
var (
	fileFlags = []string{"model", "grid", "baseline", "runtime"}
	stays     = []string{"on", "token-file", "output", "resume", "progress", "known", "rows"}
)

// forwarded are the flags that were given, for the command on the target. What
// names a file is replaced by what file returns.
func forwarded(flags *pflag.FlagSet, file func(flag, path string) (string, error)) (args []string, err error) {
	flags.Visit(func(f *pflag.Flag) {
		if slices.Contains(stays, f.Name) {
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			if err == nil && file != nil && slices.Contains(fileFlags, f.Name) {
				value, err = file(f.Name, value)
			}
			args = append(args, "--"+f.Name+"="+value)
		}
	})
	return args, err
}

var remoteProgress = regexp.MustCompile(`^ +(\d+)%  (\w+) left  (.*)$`)

// showRemote shows a line that a run on a target printed, as if it was here.
func (p *progress) showRemote(line string) {
	if m := remoteProgress.FindStringSubmatch(line); m != nil {
		percent, _ := strconv.Atoi(m[1]) // digits
		if left, err := time.ParseDuration(m[2]); err == nil {
			p.report(float64(percent)/100, left, m[3])
			return
		}
	}
	switch {
	case strings.HasPrefix(line, "profile: "):
		p.begin("%s", line)
	case strings.HasPrefix(line, "hwprofd: "), strings.HasPrefix(line, target.Table+": "), strings.Contains(line, "lut show "+target.Table):
		// The error, and the end, are said here.
	default:
		p.say("%s", line)
	}
}
