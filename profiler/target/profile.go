package target

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hwprofd/hwprofd/lut"
)

// File is a file that a run needs.
type File struct {
	Path string // here
	Name string // in the folder of the run
}

// Job is what to measure on a target.
type Job struct {
	// Output is the table to write, on this machine. While the job lasts, a
	// journal stands beside it. It also tells jobs apart: the same output is the
	// same job, which is gone on with.
	Output string
	// Args are the flags of the command profile, without the one for its output.
	Args []string
	// Files are those that Args name, by their Name.
	Files []File
	// Adapter is the name of an adapter of ours that Args need, which is put
	// beside the program, such as hwprofd-onnxruntime; "" if they need none.
	Adapter string
	// Networks are the names that measured networks get in the table, by the
	// names that they have on the target.
	Networks map[string]string
}

// grace is how long a run may take to end when it is asked to.
const grace = 10 * time.Second

// Profile has a job done on the target, writes the table and returns it. Where
// the job is already going on there, because an earlier call was cut off, it is
// attached to; where there is a journal of it, it is gone on with.
//
// When ctx ends, the run on the target is stopped, and its journal kept here.
// Whenever the target was reached last, nothing of the job is left on it.
func (t *Target) Profile(ctx context.Context, job Job) (*lut.Table, error) {
	output, err := filepath.Abs(job.Output)
	if err != nil {
		return nil, err
	}
	journal, err := openJournal(job.Output)
	if err != nil {
		return nil, err
	}
	defer journal.close()
	r := &remoteRun{t: t, id: jobID(output), job: job, files: slices.Clone(job.Files), journal: journal}
	table, err := r.measure(ctx)
	if err == nil {
		return table, journal.remove()
	}
	if errors.Is(err, errNotOurs) || !t.reached.Load() {
		return nil, err
	}
	return nil, r.leave(ctx, err)
}

// jobID tells the jobs of different machines and outputs apart.
func jobID(output string) string {
	host, _ := os.Hostname() // unknown: the path has to do
	sum := sha256.Sum256([]byte(host + "\x00" + output))
	return hex.EncodeToString(sum[:8])
}

func randomID() string { return fmt.Sprintf("%016x", rand.Uint64()) }

// errNotOurs is a run on the target that this call must leave alone.
var errNotOurs = errors.New("a run of another command")

type remoteRun struct {
	t       *Target
	id      string
	job     Job
	files   []File // of the job, with its adapter
	journal *localJournal
	logAt   int64
	brought bool // the program is there
}

// argv is the command that measures.
func (r *remoteRun) argv() []string {
	return r.t.argv(append([]string{"profile", "--output=" + tableName, "--resume"}, r.job.Args...))
}

func (r *remoteRun) measure(ctx context.Context) (*lut.Table, error) {
	f, err := r.t.look(ctx, r.id)
	if err != nil {
		return nil, err
	}
	if name := r.job.Adapter; name != "" { // looked for before anything is copied
		path, done, err := r.t.find(ctx, name, f.platform)
		if err != nil {
			return nil, fmt.Errorf("%w; one that is on the target is named by its path there", err)
		}
		defer done()
		r.files = append(r.files, File{Path: path, Name: name})
	}
	if err := r.t.bring(ctx, r.id, f); err != nil {
		return nil, err
	}
	r.brought = true
	s, err := r.state(ctx)
	if err != nil {
		return nil, err
	}
	if (s.Running || s.Table) && !slices.Equal(s.Args, r.argv()) {
		return nil, r.t.errorf("it holds %w for %s: %s; finish that first, or choose another name for the table",
			errNotOurs, r.job.Output, strings.Join(s.Args, " "))
	}
	switch {
	case s.Running:
		r.logAt = s.Log
		r.t.say("%s is measuring already; attached", r.t.name)
	case !s.Table:
		if err := r.begin(ctx, s); err != nil {
			return nil, err
		}
	}
	if !s.Table {
		if err := r.follow(ctx); err != nil {
			return nil, err
		}
		if s, err = r.state(ctx); err != nil {
			return nil, err
		}
	}
	if !s.Table {
		return nil, r.ended(s)
	}
	return r.fetch(ctx)
}

// state asks for the state of the run, and refuses a journal that is not the
// continuation of ours, or the other way round.
func (r *remoteRun) state(ctx context.Context) (state, error) {
	var s state
	if err := r.t.ask(ctx, r.id, nil, &s, "state", fmt.Sprint(r.journal.size)); err != nil {
		return s, err
	}
	if s.Table { // its journal is gone
		return s, nil
	}
	sum, err := r.journal.sum(min(s.Compared, r.journal.size))
	if err != nil {
		return s, err
	}
	if sum != s.SHA256 {
		return s, r.t.errorf("its journal is not that of %s.journal: it holds %w for that name; remove one of the two", r.job.Output, errNotOurs)
	}
	return s, nil
}

// begin starts the run, with what was measured so far.
func (r *remoteRun) begin(ctx context.Context, s state) error {
	if r.journal.size > s.Journal { // the folder was removed, or its disk lost something
		path := r.journal.file.Name()
		sum, size, err := sumFile(path)
		if err != nil {
			return err
		}
		if err := r.t.send(ctx, r.id, path, copied{Name: journalName, Bytes: size, SHA256: sum}, "./"+programName); err != nil {
			return err
		}
	}
	if err := r.t.sendAll(ctx, r.id, r.files, s.Free); err != nil {
		return err
	}
	if rows := r.journal.rows; rows > 0 {
		r.t.say("going on after %d measurements that are in %s", rows, filepath.Base(r.journal.file.Name()))
	}
	return r.t.ask(ctx, r.id, r.argv(), nil, "start")
}

// follow copies what the run writes until it is over.
func (r *remoteRun) follow(ctx context.Context) error {
	return r.t.retry(ctx, func() error {
		script := r.t.agent(r.id, "./"+programName, "follow",
			fmt.Sprint(r.journal.size), fmt.Sprint(r.logAt), fmt.Sprint(r.t.options.poll.Milliseconds()))
		over := false
		err := r.t.run(ctx, script, nil, func(line []byte) error {
			var f frame
			if err := json.Unmarshal(line, &f); err != nil {
				return lostError{fmt.Sprintf("a line that is not understood: %.80q", line)}
			}
			r.t.reached.Store(true)
			over = over || f.Over
			if len(f.Journal) > 0 {
				if err := r.journal.add(f.Journal); err != nil {
					return err
				}
			}
			r.logAt += int64(len(f.Log))
			for line := range strings.Lines(f.Log) {
				r.t.options.Log(strings.TrimRight(line, "\n"))
			}
			return nil
		})
		if err == nil && !over {
			return lostError{"the agent ended early"}
		}
		return err
	})
}

// fullBelow is how little free space, in bytes, explains a run that ended
// without a word: the journal takes a line back that it could not write.
const fullBelow = 256 << 10

// ended is the error of a run that ended without a table.
func (r *remoteRun) ended(s state) error {
	why := "its process was killed"
	if s.Rebooted {
		why = "it was started anew"
	} else if message, ok := strings.CutPrefix(s.LastLine, "hwprofd: "); ok {
		why = message
	} else if s.Free >= 0 && s.Free < fullBelow { // no room for the message either
		why = "its disk is full"
	}
	return r.t.errorf("the run ended there: %s; %s", why, r.kept())
}

// kept says what a run that is over has left here.
func (r *remoteRun) kept() string {
	if r.journal.rows <= 0 {
		return "nothing was measured yet"
	}
	return fmt.Sprintf("nothing measured is lost, %d measurements are in %s: the same command goes on", r.journal.rows, r.journal.file.Name())
}

// fetch copies the table and removes the rest.
func (r *remoteRun) fetch(ctx context.Context) (*lut.Table, error) {
	var file tableFile
	if err := r.t.ask(ctx, r.id, nil, &file, "table"); err != nil {
		return nil, err
	}
	if sumBytes(file.Data) != file.SHA256 {
		return nil, r.t.errorf("the table was damaged on its way: run the same command again")
	}
	table, err := readTable(file.Data)
	if err != nil {
		return nil, r.t.errorf("%w", err)
	}
	table.Meta.Target = r.t.name
	for i, n := range table.Networks {
		if name, ok := r.job.Networks[n.Name]; ok {
			table.Networks[i].Name = name
		}
	}
	if err := table.Write(r.job.Output); err != nil {
		return nil, err
	}
	if err := r.t.remove(context.WithoutCancel(ctx), r.id); err != nil {
		r.t.say("the table is complete, but the run's folder hwprofd-%s stays on %s: %v", r.id, r.t.name, err)
	}
	return table, nil
}

// readTable reads a table from memory.
func readTable(data []byte) (*lut.Table, error) {
	dir, err := os.MkdirTemp("", "hwprofd-table-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, tableName)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return nil, err
	}
	return lut.Read(path)
}

// leave ends a job that failed: it stops the run, copies what it still has, and
// removes its folder. A run that cannot be reached goes on.
func (r *remoteRun) leave(ctx context.Context, why error) error {
	interrupted := ctx.Err() != nil
	ctx = context.WithoutCancel(ctx)
	if isLost(why) && !interrupted {
		return fmt.Errorf("%w; what runs there goes on: the same command picks it up", why)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	err := r.end(ctx)
	switch {
	case err != nil && interrupted:
		return r.t.errorf("interrupted, but it could not be told to stop (%v): what runs there goes on, the same command picks it up", err)
	case err != nil:
		return fmt.Errorf("%w (and its folder hwprofd-%s stays there: %v)", why, r.id, err)
	case interrupted:
		return r.t.errorf("interrupted; %s", r.kept())
	}
	return why
}

// end stops the run, copies what it still has, and removes its folder.
func (r *remoteRun) end(ctx context.Context) error {
	if !r.brought { // a run that was started has a program
		folder := `"` + r.t.folder(r.id) + `"`
		return r.t.retry(ctx, func() error {
			_, err := r.t.output(ctx, `[ -f `+folder+`/`+startName+` ] || { `+r.t.removal(r.id)+`; }`, nil)
			return err
		})
	}
	if err := r.t.ask(ctx, r.id, nil, nil, "stop", fmt.Sprint(grace.Milliseconds())); err != nil {
		return err
	}
	if err := r.follow(ctx); err != nil {
		return err
	}
	return r.t.remove(ctx, r.id)
}
