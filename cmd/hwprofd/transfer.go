package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/predictor/transfer"
)

func newTransferCommand() *cobra.Command {
	var spaceName, knownPath, unknownPath, target, choose string
	var train []string
	var samples, repeats int
	var seed uint64
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "transfer",
		Short: "Predict networks on a new device from a few measurements and other devices' tables",
		Long: `Predict networks on a new device from a few measurements and complete tables of
other devices, and compare with what was measured. The commands below do so with
latency tables instead: which rows of a new device to measure, and all others
from them.

Tables are CSV files, gzip where the name ends in .gz: a row a network, its
architecture in column arch (or ks, e, d and r in space ofa), and a column of
latencies in milliseconds for each device. The training devices are columns of
--known. The target is a column of --unknown, which may be the same file; of it
only the networks that are drawn, or chosen, to be measured are used; the others
score the predictions. Everything is repeated with other networks measured.`,
		Example: `  hwprofd transfer --space nasbench201 --known table.csv.gz --train 1080ti_1,pixel3,silver_4114 \
    --unknown table.csv.gz --target gold_6240 --samples 10 --repeats 10 --seed 7`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, required := range []struct{ flag, value string }{
				{"--space", spaceName}, {"--known", knownPath}, {"--train", strings.Join(train, "")}, {"--unknown", unknownPath}, {"--target", target},
			} {
				if required.value == "" {
					return usagef("%s is missing; see 'hwprofd transfer --help'", required.flag)
				}
			}
			if choose != "random" && choose != "designed" {
				return usagef("--choose is %q, want random or designed", choose)
			}
			if samples < 3 {
				return usagef("--samples is %d, want at least 3", samples)
			}
			if repeats < 1 {
				return usagef("--repeats is %d, want at least 1", repeats)
			}
			for i, d := range train {
				if slices.Contains(train[:i], d) {
					return usagef("--train names %s twice", d)
				}
			}
			if slices.Contains(train, target) {
				return usagef("--target %s is one of --train: it is not new", target)
			}
			space, err := transfer.SpaceByName(spaceName)
			if err != nil {
				return usageError{err}
			}
			known, err := transfer.ReadTable(knownPath, space, train...)
			if err != nil {
				return err
			}
			unknown, err := transfer.ReadTable(unknownPath, space, target)
			if err != nil {
				return err
			}
			draws, err := transfer.Protocol{
				Space: space, Known: known, Train: train, Unknown: unknown, Target: target,
				Samples: samples, Repeats: repeats, Seed: seed, Designed: choose == "designed",
			}.Run()
			if err != nil {
				return err
			}
			result := transferResult(draws)
			result.Space, result.Target, result.Train, result.Choose = spaceName, target, train, choose
			result.Samples, result.Repeats, result.Seed, result.Networks = samples, repeats, seed, len(unknown.Architectures)
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), result)
			}
			return printTransfer(cmd.OutOrStdout(), result)
		},
	}
	cmd.AddCommand(newTransferChooseCommand(), newTransferCompleteCommand())
	flags := cmd.Flags()
	flags.StringVar(&spaceName, "space", "", "search space: nasbench201, fbnet or ofa")
	flags.StringVar(&knownPath, "known", "", "table of the training devices")
	flags.StringSliceVar(&train, "train", nil, "training devices, columns of --known")
	flags.StringVar(&unknownPath, "unknown", "", "table with the target's column")
	flags.StringVar(&target, "target", "", "the new device, a column of --unknown")
	flags.IntVar(&samples, "samples", 10, "networks that are measured on the new device")
	flags.IntVar(&repeats, "repeats", 10, "how often all is repeated with other networks measured")
	flags.Uint64Var(&seed, "seed", 7, "seed of all random choices")
	flags.StringVar(&choose, "choose", "random", "which networks are measured: random or designed")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// transferJSON is what scripts read.
type transferJSON struct {
	Space    string   `json:"space"`
	Target   string   `json:"target"`
	Train    []string `json:"train"`
	Choose   string   `json:"choose"`
	Samples  int      `json:"samples"`
	Repeats  int      `json:"repeats"`
	Seed     uint64   `json:"seed"`
	Networks int      `json:"networks"`

	SpearmanMean float64 `json:"spearman_mean"`
	SpearmanStd  float64 `json:"spearman_std"` // between repeats
	Within5      float64 `json:"within5_mean"`
	Within10     float64 `json:"within10_mean"`
	MAPE         float64 `json:"mape_mean"` // mean absolute error over the truth
	MedianError  float64 `json:"median_error_mean"`
	Coverage90   float64 `json:"coverage90_mean"`
	Width90      float64 `json:"half_width90_mean"` // of the median network, over the prediction
	Seconds      float64 `json:"seconds"`           // of one fit and the prediction of all networks

	Spearman []float64 `json:"spearman"` // by repeat
}

func transferResult(draws []transfer.Draw) transferJSON {
	var r transferJSON
	n := float64(len(draws))
	for _, d := range draws {
		r.Spearman = append(r.Spearman, d.Spearman)
		r.SpearmanMean += d.Spearman / n
		r.Within5 += d.Within5 / n
		r.Within10 += d.Within10 / n
		r.MAPE += d.MAPE / n
		r.MedianError += d.Median / n
		r.Coverage90 += d.Coverage90 / n
		r.Width90 += d.Width90 / n
		r.Seconds += d.Seconds / n
	}
	for _, d := range draws {
		r.SpearmanStd += (d.Spearman - r.SpearmanMean) * (d.Spearman - r.SpearmanMean)
	}
	if len(draws) > 1 {
		r.SpearmanStd = math.Sqrt(r.SpearmanStd / (n - 1))
	}
	return r
}

func printTransfer(w io.Writer, r transferJSON) error {
	_, err := fmt.Fprintf(w, `%s on %s: %d networks, %d of them measured (%s), %d repeats
rank correlation   %.4f, standard deviation %.4f between repeats
within 5%%, 10%%     %.1f%%, %.1f%% of the other networks; median error %.1f%%, mean %.1f%%
90%% intervals      hold %.1f%%; half-width of the median network %.1f%%
time               %.2f s for one fit and all predictions
`, r.Space, r.Target, r.Networks, r.Samples, r.Choose, r.Repeats, r.SpearmanMean, r.SpearmanStd,
		100*r.Within5, 100*r.Within10, 100*r.MedianError, 100*r.MAPE, 100*r.Coverage90, 100*r.Width90, r.Seconds)
	return err
}
