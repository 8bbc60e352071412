package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/lut"
)

func newLUTCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lut",
		Short: "Look at latency tables (LUT files), and convert them",
		Args:  verbRequired,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLUTShowCommand(), newLUTVerifyCommand(), newLUTExportCommand(), newLUTImportCommand())
	return cmd
}

func newLUTShowCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show FILE",
		Short:   "Print a table: device, protocol, and a line a workload",
		Example: "  hwprofd lut show pi4.lut.parquet\n  hwprofd lut show pi4.lut.parquet --json | jq '.rows[].key'",
		Args:    exactArgs(1, "one table"),
		RunE: func(cmd *cobra.Command, args []string) error {
			table, err := lut.Read(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), struct {
					Meta     lut.Meta      `json:"meta"`
					Rows     []lut.Row     `json:"rows"`
					Networks []lut.Network `json:"networks"`
				}{table.Meta, table.Rows, table.Networks})
			}
			return printTable(cmd.OutOrStdout(), table)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printTable(w io.Writer, table *lut.Table) error {
	fmt.Fprintln(w, deviceLine(table.Meta.Device))
	fmt.Fprintf(w, "%s %s, %d thread, measured %s; %d workloads, %d whole networks\n\n",
		table.Meta.Runtime, table.Meta.RuntimeVersion, table.Meta.Threads, table.Meta.Created.Format("2006-01-02 15:04 MST"), len(table.Rows), len(table.Networks))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "WORKLOAD\tMEDIAN\t95% CI\tSAMPLES\tGMAC/S\tENERGY")
	for _, r := range table.Rows {
		ci := fmt.Sprintf("±%.1f%%", 100*r.LatencyCI95NS/r.LatencyMedianNS)
		if !r.Stable {
			ci += " (wider than asked)"
		}
		energy := "-"
		if r.EnergyMJ != nil {
			energy = fmt.Sprintf("%.4g mJ (%s)", *r.EnergyMJ, r.EnergySource)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%.2f\t%s\n", r.Key, nanoseconds(r.LatencyMedianNS), ci, r.Samples, float64(r.MACs)/r.LatencyMedianNS, energy)
	}
	if len(table.Networks) > 0 {
		fmt.Fprintln(tw, "\t\t\t\t\t\nNETWORK\tMEDIAN\t95% CI\tSAMPLES\tUSED TO\t")
		for _, n := range table.Networks {
			fmt.Fprintf(tw, "%s\t%s\t±%.1f%%\t%d\t%s\t\n", n.Name, nanoseconds(n.LatencyMedianNS), 100*n.LatencyCI95NS/n.LatencyMedianNS, n.Samples, n.Use)
		}
	}
	return tw.Flush()
}

func newLUTVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "verify FILE",
		Short:   "Check that a table is whole and makes sense",
		Example: "  hwprofd lut verify pi4.lut.parquet",
		Args:    exactArgs(1, "one table"),
		RunE: func(cmd *cobra.Command, args []string) error {
			table, err := lut.Read(args[0])
			if err != nil {
				return err
			}
			unstable := 0
			for _, r := range table.Rows {
				if !r.Stable {
					unstable++
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: sound: %d workloads (%d of them with a wider interval than asked), %d networks, device %s\n",
				args[0], len(table.Rows), unstable, len(table.Networks), table.Meta.Fingerprint)
			return nil
		},
	}
}

// nanoseconds prints a time with a unit that suits its size.
func nanoseconds(ns float64) string {
	switch {
	case ns >= 1e9:
		return fmt.Sprintf("%.3g s", ns/1e9)
	case ns >= 1e6:
		return fmt.Sprintf("%.3g ms", ns/1e6)
	case ns >= 1e3:
		return fmt.Sprintf("%.3g us", ns/1e3)
	}
	return fmt.Sprintf("%.3g ns", ns)
}
