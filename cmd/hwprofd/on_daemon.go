package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/server/api"
	"github.com/hwprofd/hwprofd/server/client"
)

// isDaemon tells whether a target is a daemon, see 'hwprofd serve'.
func isDaemon(on string) bool {
	return strings.HasPrefix(on, "https://") || strings.HasPrefix(on, "http://")
}

// openDaemon is the daemon at a URL, with the token that it wants.
func openDaemon(f *onFlags) (*client.Client, error) {
	u, err := url.Parse(f.on)
	switch {
	case err != nil || u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "":
		return nil, usagef("--on %q is not a daemon: want https://HOST:7380", f.on)
	case u.Scheme == "http" && u.Hostname() != "127.0.0.1" && u.Hostname() != "localhost" && u.Hostname() != "::1":
		return nil, usagef("--on %s would send the token and the models unencrypted: use https", f.on)
	}
	if u.Port() == "" {
		u.Host += ":7380"
	}
	c := &client.Client{URL: u.Scheme + "://" + u.Host}
	if f.tokenFile != "" {
		data, err := os.ReadFile(f.tokenFile)
		if err != nil {
			return nil, err
		}
		if c.Token = strings.TrimSpace(string(data)); c.Token == "" {
			return nil, usagef("--token-file %s is empty: it has to hold the daemon's token", f.tokenFile)
		}
	}
	return c, nil
}

// daemonError names the daemon and what helps.
func daemonError(on string, err error) error {
	var problem *api.Problem
	if errors.As(err, &problem) && problem.Status == 401 {
		return fmt.Errorf("%s: it wants a token: name its file by --token-file", on)
	}
	return fmt.Errorf("%s: %w", on, err)
}

func deviceOnDaemon(cmd *cobra.Command, f *onFlags, asJSON bool) error {
	c, err := openDaemon(f)
	if err != nil {
		return err
	}
	d, err := c.Device(cmd.Context())
	if err != nil {
		return daemonError(f.on, err)
	}
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), d)
	}
	return printDevice(cmd.OutOrStdout(), d.Info, false)
}

// profileOnDaemon has a daemon measure, which keeps the journal by itself. The
// daemon's table is called after the output, so that the same command finds the
// job that is going on, or the table that it has made.
func profileOnDaemon(cmd *cobra.Command, f *onFlags, output string) error {
	spec, models, err := daemonSpec(cmd.Flags())
	if err != nil {
		return err
	}
	ctx, p := cmd.Context(), newProgress(cmd.ErrOrStderr())
	c, err := openDaemon(f)
	if err != nil {
		return err
	}
	absolute, err := filepath.Abs(output)
	if err != nil {
		return err
	}
	host, _ := os.Hostname() // unknown: the path has to do
	sum := sha256.Sum256([]byte(host + "\x00" + absolute))
	spec.Kind, spec.LUT = api.Profile, "on-"+hex.EncodeToString(sum[:8])
	names := map[string]string{}
	for _, path := range models {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		name := hex.EncodeToString(sum[:8]) + ".onnx"
		p.say("copying %s to %s", path, f.on)
		m, err := c.UploadModel(ctx, name, bytes.NewReader(data))
		if err != nil {
			return daemonError(f.on, err)
		}
		spec.Models = append(spec.Models, m.Digest)
		names[m.Name] = path
	}
	job, err := daemonJob(ctx, c, spec)
	if err != nil {
		return daemonError(f.on, err)
	}
	p.begin("profile: job %d of %s", job.ID, f.on)
	if job.State == api.Queued { // only a word to the user: an error shows itself below
		if running, err := c.Jobs(ctx, api.Running); err == nil && len(running) > 0 && running[0].ID != job.ID {
			p.say("it waits until job %d (%s), and what else is before it, is done: a daemon measures one job at a time", running[0].ID, running[0].Spec.Kind)
		}
	}
	c.Lost = func(reason error) {
		p.say("connection to %s lost (%s); its job goes on; trying to reach it again", f.on, oneLine(reason))
	}
	ended, err := c.Wait(ctx, job.ID, func(j api.Job) {
		if j.Progress != nil {
			p.report(j.Progress.Share, time.Duration(j.Progress.LeftSeconds*float64(time.Second)), j.Progress.Now)
		} else if j.Waiting != "" {
			p.report(0, 0, "waiting: "+j.Waiting)
		}
	})
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted; job %d goes on on %s: the same command picks it up, its page cancels it", job.ID, f.on)
	case err != nil:
		return daemonError(f.on, err)
	case ended.State != api.Done:
		return fmt.Errorf("%s: job %d is %s: %s", f.on, job.ID, ended.State, ended.Error)
	}
	table, err := downloadTable(ctx, c, spec.LUT)
	if err != nil {
		return daemonError(f.on, err)
	}
	table.Meta.Target = f.on
	for i, n := range table.Networks {
		if path, ok := names[n.Name]; ok {
			table.Networks[i].Name = path
		} else if path, ok := names[filepath.Base(n.Name)]; ok {
			table.Networks[i].Name = path
		}
	}
	if err := table.Write(output); err != nil {
		return err
	}
	// The daemon's user may have uploaded the same models: they stay.
	for _, err := range []error{c.DeleteLUT(ctx, spec.LUT), c.DeleteJob(ctx, job.ID)} {
		if err != nil {
			p.say("%s: the table is complete, but something of it stays there: %v", f.on, err)
		}
	}
	p.say("%s: %d workloads and %d networks of %s; energy of %s", output, len(table.Rows), len(table.Networks), f.on, energySources(table))
	return nil
}

// daemonSpec is what the flags ask for, of which a daemon knows some.
func daemonSpec(flags *pflag.FlagSet) (spec api.JobSpec, models []string, err error) {
	for _, f := range []func() error{
		func() error {
			spaces, err := flags.GetStringArray("space")
			if len(spaces) > 1 {
				return usagef("--space: a daemon measures one space at a time; ssh:// takes several")
			}
			if len(spaces) == 1 {
				spec.Space = spaces[0]
			}
			return err
		},
		func() (err error) { models, err = flags.GetStringArray("model"); return err },
		func() (err error) { spec.Seed, err = flags.GetUint64("seed"); return err },
		func() error {
			budget, err := flags.GetDuration("budget")
			spec.BudgetSeconds = budget.Seconds()
			return err
		},
	} {
		if err := f(); err != nil {
			return spec, nil, err
		}
	}
	if spec.Space != "" && len(models) > 0 {
		return spec, nil, usagef("--space and --model: a daemon measures either; ssh:// takes both")
	}
	known := append([]string{"space", "model", "seed", "budget", "token-file"}, stays...)
	flags.Visit(func(f *pflag.Flag) {
		if !slices.Contains(known, f.Name) {
			err = usagef("--%s is not for a daemon, which measures as it was started; ssh:// takes it", f.Name)
		}
	})
	return spec, models, err
}

// daemonJob is the job of a profile: one that is there already, or a new one.
func daemonJob(ctx context.Context, c *client.Client, spec api.JobSpec) (*api.Job, error) {
	jobs, err := c.Jobs(ctx, "")
	if err != nil {
		return nil, err
	}
	for i := range jobs {
		j := &jobs[i]
		if j.Spec.LUT != spec.LUT || j.Spec.Kind != api.Profile || (j.Ended() && j.State != api.Done) {
			continue
		}
		if !sameSpec(j.Spec, spec) {
			return nil, fmt.Errorf("job %d measures something else for the same table: cancel it, or choose another name for the table", j.ID)
		}
		return j, nil
	}
	return c.Submit(ctx, spec)
}

func sameSpec(a, b api.JobSpec) bool {
	a.Threads, b.Threads = 0, 0 // the daemon fills it in
	if len(a.Models)+len(b.Models) == 0 {
		a.Models, b.Models = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

func downloadTable(ctx context.Context, c *client.Client, name string) (*lut.Table, error) {
	f, err := os.CreateTemp("", "hwprofd-*.lut.parquet")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := c.DownloadLUT(ctx, name, "", f); err != nil {
		return nil, err
	}
	return lut.Read(f.Name())
}
