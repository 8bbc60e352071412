package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/nas/space"
	"github.com/hwprofd/hwprofd/nas/supernet"
)

// A supernet is saved this often while it trains, so that a kill loses little.
const checkpointEvery = 2 * time.Second

func newTrainCommand() *cobra.Command {
	var (
		spaceName, data, output string
		budget                  time.Duration
		seed                    uint64
	)
	cmd := &cobra.Command{
		Use:   "train -o SUPERNET.ckpt",
		Short: "Train a weight-shared supernet",
		Long: `Trains a supernet with the sandwich rule and in-place distillation. --data names a
folder with the standard files of MNIST, Fashion-MNIST or CIFAR-10; without it
the Fashion-MNIST sample that is part of the program is used.

Where the file is there already, training goes on from it.`,
		Example: "  hwprofd train -o supernet.ckpt --budget 30m\n  hwprofd train -o cifar.ckpt --data ~/cifar-10-batches-bin --budget 2h",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case output == "":
				return usagef("-o FILE is missing: name the checkpoint to write, such as -o supernet.ckpt")
			case budget <= 0:
				return usagef("--budget %v is not a time to train for", budget)
			}
			images, err := loadImages(data)
			if err != nil {
				return err
			}
			s, err := space.ByName(spaceName, images.train.C, len(images.train.Classes))
			if err != nil {
				return usageError{err}
			}
			p := newProgress(cmd.ErrOrStderr())
			p.begin("train %s on %s", s.Name(), images.train.Name)
			net, err := supernet.Train(cmd.Context(), supernet.Config{
				Space: s, Train: images.train, Validation: images.validation,
				Budget: budget, Seed: seed, Threads: runtime.GOMAXPROCS(0),
				CheckpointPath: output, CheckpointEvery: checkpointEvery, Progress: p.training,
			})
			if err != nil {
				if cmd.Context().Err() != nil {
					return fmt.Errorf("interrupted; go on with the same command")
				}
				return err
			}
			p.say("%s: %s", output, trainingLine(net.Training()))
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&output, "output", "o", "", "checkpoint to write")
	flags.StringVar(&spaceName, "space", quickstartSpace, "search space")
	flags.StringVar(&data, "data", "", "folder of a data set's standard files")
	flags.DurationVar(&budget, "budget", 30*time.Minute, "time to train for")
	flags.Uint64Var(&seed, "seed", 1, "seed of weights, batches and sampled subnets")
	return cmd
}

func trainingLine(t supernet.Training) string {
	line := fmt.Sprintf("%d steps in %s", t.Step, shortDuration(t.Elapsed))
	if n := len(t.Curve); n > 0 {
		line += fmt.Sprintf("; validation accuracy of the largest subnet %.1f%%, of the smallest %.1f%%", 100*t.Curve[n-1].Largest, 100*t.Curve[n-1].Smallest)
	}
	return line
}
