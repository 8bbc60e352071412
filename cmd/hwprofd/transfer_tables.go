package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/lut"
)

func newTransferCompleteCommand() *cobra.Command {
	var (
		known            knownFlags
		measured, output string
		seed             uint64
	)
	cmd := &cobra.Command{
		Use:   "complete -o FILE --known TABLE ... --measured TABLE",
		Short: "Complete a new device's latency table from a few measured rows and other devices' tables",
		Long: `Predicts the rows that a new device's table lacks and all known tables have, and
writes both, those that were measured as they are. A predicted row has 0 samples,
is shown as predicted, and has the interval of the prediction, which predictions
from the table take into account.

Which rows are best measured says 'hwprofd transfer choose'; 'hwprofd profile
--known' chooses, measures and completes in one.`,
		Example: `  hwprofd transfer choose --known xeon.lut.parquet --known pi4.lut.parquet --rows 10 --json > rows.json
  hwprofd profile -o few.lut.parquet --grid rows.json        # on the new device
  hwprofd transfer complete -o new.lut.parquet --known xeon.lut.parquet --known pi4.lut.parquet --measured few.lut.parquet`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case output == "":
				return usagef("-o FILE is missing: name the table to write")
			case measured == "":
				return usagef("--measured is missing: name the table with the rows that were measured on the new device")
			}
			tables, err := known.read()
			if err != nil {
				return err
			}
			if err := refuseExisting(output); err != nil {
				return err
			}
			few, err := lut.Read(measured)
			if err != nil {
				return err
			}
			summary, err := completeTable(output, tables, few, seed)
			if err != nil {
				return fmt.Errorf("%s: %w", measured, err)
			}
			newProgress(cmd.ErrOrStderr()).say("%s", summary)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&output, "output", "o", "", "table to write")
	known.add(flags, "complete table of another device; may be repeated, the more the better")
	flags.StringVar(&measured, "measured", "", "table with the rows that were measured on the new device")
	flags.Uint64Var(&seed, "seed", 7, "seed of all random choices")
	return cmd
}

func newTransferChooseCommand() *cobra.Command {
	var (
		known  knownFlags
		seed   uint64
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "choose --known TABLE ... --rows N",
		Short: "Say which workloads are best measured on a new device",
		Long: `Names those workloads of the known devices' tables whose latency on a new device
tells most of the others there. With --json they are a grid for 'hwprofd profile
--grid'.`,
		Example: `  hwprofd transfer choose --known xeon.lut.parquet --known pi4.lut.parquet --rows 10`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tables, err := known.read()
			if err != nil {
				return err
			}
			chosen, err := known.choose(tables, seed)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), workloadNames(chosen))
			}
			for _, name := range workloadNames(chosen) {
				if _, err := io.WriteString(cmd.OutOrStdout(), name+"\n"); err != nil {
					return err
				}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	known.add(flags, "complete table of another device; may be repeated, the more the better")
	known.addRows(flags)
	flags.Uint64Var(&seed, "seed", 7, "seed of all random choices")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
