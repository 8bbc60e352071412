package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/renameio/v2/maybe"
	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/benchmark"
	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/lut"
)

// benchFormat is the format that tables are converted to and from: benchmark
// output.
const benchFormat = "bench"

func newLUTExportCommand() *cobra.Command {
	var format, output string
	cmd := &cobra.Command{
		Use:     "export FILE",
		Short:   "Write a table in another format: bench, lines as go test -bench prints them",
		Example: "  hwprofd lut export --format bench pi4.lut.parquet -o pi4.txt",
		Args:    exactArgs(1, "one table"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != benchFormat {
				return usagef("--format %q is not known: use %s", format, benchFormat)
			}
			table, err := lut.Read(args[0])
			if err != nil {
				return err
			}
			results, err := benchmark.FromTable(args[0], table)
			if err != nil {
				return err
			}
			if output == "" {
				return results.Write(cmd.OutOrStdout())
			}
			var text strings.Builder
			if err := results.Write(&text); err != nil {
				return err
			}
			return maybe.WriteFile(output, []byte(text.String()), 0o666)
		},
	}
	cmd.Flags().StringVar(&format, "format", benchFormat, "format to write")
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write instead of standard output")
	return cmd
}

func newLUTImportCommand() *cobra.Command {
	var format, output string
	cmd := &cobra.Command{
		Use:   "import FILE -o TABLE",
		Short: "Make a table of benchmark output, as go test -bench or hwprofd bench prints it",
		Long: `Makes a table of benchmark output: of single times their median, with its
interval. Output that does not say on what device it was measured, as that of
"lut export" does, has to be of this one.`,
		Example: "  hwprofd lut import --format bench times.txt -o here.lut.parquet",
		Args:    exactArgs(1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case format != benchFormat:
				return usagef("--format %q is not known: use %s", format, benchFormat)
			case output == "":
				return usagef("-o TABLE is missing: name the table to write")
			}
			if err := refuseExisting(output); err != nil {
				return err
			}
			results, err := benchmark.Read(args[0], "")
			if err != nil {
				return err
			}
			info, err := device.Detect()
			if err != nil {
				return err
			}
			table, err := results.Table(info, time.Now().Truncate(time.Second))
			if err != nil {
				return err
			}
			if err := table.Write(output); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d workloads\n", output, len(table.Rows))
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", benchFormat, "format to read")
	cmd.Flags().StringVarP(&output, "output", "o", "", "table to write")
	return cmd
}
