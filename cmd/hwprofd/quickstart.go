package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/nas/space"
	"github.com/hwprofd/hwprofd/nas/supernet"
	"github.com/hwprofd/hwprofd/predictor"
)

const (
	quickstartSpace = "mobile28"

	fitNetworks       = 20 // whole networks that the predictor's overhead is learned from
	calibrateNetworks = 29 // and those that its interval is calibrated on; the 90% score of 29 is their third largest
	checkNetworks     = 20 // never measured before, to compare predictions with
)

// Shares of the budget; what is left is for starting, writing and the report.
const (
	profileShare = 0.25
	trainShare   = 0.48
	searchShare  = 0.18
	checkShare   = 0.06
)

func newQuickstartCommand() *cobra.Command {
	var (
		dir    string
		budget time.Duration
		seed   uint64
	)
	cmd := &cobra.Command{
		Use:   "quickstart",
		Short: "From this machine to a Pareto front, in minutes",
		Long: `Measures this machine, fits a predictor, trains a weight-shared supernet on the
Fashion-MNIST sample that is part of the program, searches it for the
Pareto-optimal networks, exports three of them as ONNX files, measures those for
real and writes a report.

Ctrl-C stops it; the same command with the same folder goes on where it was.`,
		Example: "  hwprofd quickstart\n  hwprofd quickstart -o phone --budget 10m --seed 7",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if budget < 20*time.Second {
				return usagef("--budget %v is too short to measure and train anything; give at least 20s", budget)
			}
			flags := cmd.Flags()
			q, err := newQuickstart(dir, seed, flags.Changed("seed"), budget, flags.Changed("budget"), cmd.OutOrStdout())
			if err != nil {
				return err
			}
			return q.run(cmd.Context())
		},
	}
	cmd.Flags().StringVarP(&dir, "output", "o", "hwprofd-quickstart", "folder for the results; made if it is missing")
	cmd.Flags().DurationVar(&budget, "budget", 4*time.Minute, "time for all steps together")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of everything random")
	return cmd
}

// quickstart runs the steps in order. Each step leaves a file that the next
// ones read, so that a run that was interrupted goes on at the step it was in.
type quickstart struct {
	folder   *quickstartFolder
	progress *progress
	log      *zap.Logger
	device   device.Info
	space    nas.Space

	images    images
	table     *lut.Table
	predictor *predictor.Predictor
	supernet  *supernet.Supernet
	outcome   searchOutcome
	check     checkResult
}

func newQuickstart(dir string, seed uint64, seedGiven bool, budget time.Duration, budgetGiven bool, w io.Writer) (*quickstart, error) {
	info, err := device.Detect()
	if err != nil {
		return nil, err
	}
	folder, err := openQuickstartFolder(dir, info.Fingerprint(), seed, seedGiven, budget, budgetGiven)
	if err != nil {
		return nil, err
	}
	log, err := openLog(folder.path("hwprofd.log"))
	if err != nil {
		return nil, err
	}
	s, err := space.ByName(quickstartSpace, 1, 10)
	if err != nil {
		return nil, err
	}
	return &quickstart{folder: folder, progress: newProgress(w), log: log, device: info, space: s}, nil
}

// openLog writes the program's log, JSON lines, to a file.
func openLog(path string) (*zap.Logger, error) {
	config := zap.NewProductionConfig()
	config.OutputPaths, config.ErrorOutputPaths = []string{path}, []string{path}
	config.Sampling = nil
	return config.Build()
}

func (q *quickstart) run(ctx context.Context) error {
	defer q.log.Sync()
	steps := []struct {
		name  string
		share float64
		run   func(context.Context, time.Duration) error
	}{
		{"profile", profileShare, q.profile},
		{"predict", 0, q.fit},
		{"train", trainShare, q.train},
		{"search", searchShare, q.search},
		{"export", 0, q.export},
		{"check", checkShare, q.checkPredictions},
		{"report", 0, q.writeReport},
	}
	q.progress.say("%s", deviceLine(q.device))
	for i, step := range steps {
		state := &q.folder.state
		budget := time.Duration(step.share * float64(state.Budget))
		title := fmt.Sprintf("[%d/%d] %s", i+1, len(steps), step.name)
		if state.Finished[step.name] {
			title += " (done before)"
		}
		q.progress.begin("%s", title)
		began := time.Now()
		spent := state.Spent[step.name]
		err := step.run(ctx, max(0, budget-spent))
		state.Spent[step.name] = spent + time.Since(began)
		q.log.Info("step", zap.String("step", step.name), zap.Duration("took", time.Since(began)), zap.Error(err))
		if err == nil {
			state.Finished[step.name] = true
		}
		if saveErr := q.folder.save(); err == nil {
			err = saveErr
		}
		if err != nil {
			if errors.Is(err, context.Canceled) {
				return fmt.Errorf("interrupted in step %q; nothing measured is lost, go on with: hwprofd quickstart -o %s", step.name, q.folder.dir)
			}
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return q.conclude()
}

func deviceLine(info device.Info) string {
	model := "unknown processor"
	if len(info.CPUs) > 0 && info.CPUs[0].Model != "" {
		model = info.CPUs[0].Model
	}
	where := ""
	if info.Virtual {
		where = ", virtual"
	}
	return fmt.Sprintf("This machine: %s, %d cores, %s, %s%s; fingerprint %s",
		model, info.Cores, byteSize(int64(info.MemoryBytes)), info.OS+"/"+info.Arch, where, info.Fingerprint())
}
