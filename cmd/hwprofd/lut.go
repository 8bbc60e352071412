package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/lut"
)

func newLUTCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lut",
		Short: "Look at latency tables (LUT files), compare, combine and convert them",
		Example: `  hwprofd lut show pi4.lut.parquet --op conv2d --sort -latency_median_ns
  hwprofd lut verify pi4.lut.parquet
  hwprofd lut diff monday.lut.parquet today.lut.parquet`,
		Args: verbRequired,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLUTShowCommand(), newLUTVerifyCommand(), newLUTDiffCommand(), newLUTMergeCommand(), newLUTExportCommand(), newLUTImportCommand())
	return cmd
}

func newLUTShowCommand() *cobra.Command {
	var asJSON, asCSV bool
	var filter rowFilter
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Print a table: device, protocol, and a line a workload",
		Example: `  hwprofd lut show pi4.lut.parquet
  hwprofd lut show pi4.lut.parquet --op conv2d --where 'r=3' --where 'latency_median_ns>1e6' --sort -latency_median_ns
  hwprofd lut show pi4.lut.parquet --json | jq '.rows[].key'`,
		Args: exactArgs(1, "one table"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON && asCSV {
				return usagef("--json and --csv exclude each other")
			}
			table, err := lut.Read(args[0])
			if err != nil {
				return err
			}
			rows, err := filter.apply(slices.Concat(table.Rows, table.Alternatives))
			if err != nil {
				return err
			}
			switch out := cmd.OutOrStdout(); {
			case asJSON:
				return writeTableJSON(out, table, rows)
			case asCSV:
				return lut.WriteCSV(out, rows)
			default:
				return printTable(out, table, rows)
			}
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print CSV, a column for each of the file")
	filter.addFlags(cmd)
	return cmd
}

func writeTableJSON(w io.Writer, table *lut.Table, rows []lut.Row) error {
	return writeJSON(w, struct {
		Meta      lut.Meta       `json:"meta"`
		Rows      []lut.Row      `json:"rows"`
		Networks  []lut.Network  `json:"networks"`
		Failures  []lut.Failure  `json:"failures,omitempty"`
		Published *lut.Published `json:"published,omitempty"`
	}{table.Meta, rows, table.Networks, table.Failures, table.Published})
}

func printTable(w io.Writer, table *lut.Table, rows []lut.Row) error {
	if name, ok := strings.CutPrefix(table.Meta.Fingerprint, publishedPrefix); ok {
		fmt.Fprintf(w, "Device: %s, as published\n", name)
	} else {
		fmt.Fprintln(w, deviceLine(table.Meta.Device))
	}
	count := fmt.Sprintf("%d workloads", len(table.Rows))
	if n := len(table.Alternatives); n > 0 {
		count += fmt.Sprintf(" and %d times of other kernels", n)
	}
	chosen := len(rows) != len(table.Rows)+len(table.Alternatives)
	if chosen {
		count = fmt.Sprintf("%d of %s", len(rows), count)
	}
	fmt.Fprintf(w, "%s %s, threads %d, measured %s; %s, %d whole networks\n",
		table.Meta.Runtime, table.Meta.RuntimeVersion, table.Meta.Threads, table.Meta.Created.Format("2006-01-02 15:04 MST"), count, len(table.Networks))
	if t := table.Meta.Target; t != "" {
		fmt.Fprintf(w, "Measured from another machine, on %s\n", t)
	}
	if e := table.Meta.Device.Emulator; e != "" {
		fmt.Fprintf(w, "The device was played by %s: times are the emulator's\n", e)
	}
	if o := table.Meta.RuntimeOptions; len(o) > 0 {
		fmt.Fprintf(w, "Runtime options: %s\n", optionText(o))
	}
	if ns := table.Meta.RuntimeOverheadNS; ns > 0 {
		fmt.Fprintf(w, "A run of nothing takes %s, which is part of every workload and network\n", nanoseconds(ns))
	}
	if m := table.Meta.Protocol.EnergyModel; m != nil {
		fmt.Fprintf(w, "Modelled energies are by what %s told of %d workloads, which the model misses by %.1f%% in the median\n", m.FittedTo, m.Rows, 100*m.MedianError)
	}
	if p := table.Published; p != nil {
		fmt.Fprintf(w, "%d published entries of %s (%s), which \"lut export --format published\" writes\n", len(p.Records), p.Source, p.Format)
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "WORKLOAD\tMEDIAN\t95% CI\tSAMPLES\tGMAC/S\tENERGY")
	for _, r := range rows {
		ci := fmt.Sprintf("±%.1f%%", 100*r.LatencyCI95NS/r.LatencyMedianNS)
		for _, mark := range table.Marks(&r) {
			ci += " (" + mark + ")"
		}
		energy := "-"
		if r.EnergyMJ != nil {
			energy = fmt.Sprintf("%.4g mJ (%s)", *r.EnergyMJ, r.EnergySource)
		}
		name := r.Key
		if r.Cache != lut.CacheWarm {
			name += " (" + r.Cache + ")"
		}
		if r.Algorithm != "" {
			name += " by " + r.Algorithm
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%.2f\t%s\n", name, nanoseconds(r.LatencyMedianNS), ci, r.Samples, float64(r.MACs)/r.LatencyMedianNS, energy)
	}
	if chosen { // whoever asks for some workloads does not want all else
		return tw.Flush()
	}
	if len(table.Networks) > 0 {
		fmt.Fprintln(tw, "\t\t\t\t\t\nNETWORK\tMEDIAN\t95% CI\tSAMPLES\tUSED TO\tSUM OF ITS WORKLOADS")
		for _, n := range table.Networks {
			ci := fmt.Sprintf("±%.1f%%", 100*n.LatencyCI95NS/n.LatencyMedianNS)
			if n.Samples == 0 {
				ci += " (predicted)"
			}
			if n.Contended {
				ci += " (contended)"
			}
			if n.Bimodal {
				ci += " (bimodal)"
			}
			fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%s\t%s\n", n.Name, nanoseconds(n.LatencyMedianNS), ci, n.Samples, n.Use, sumOfParts(table, &n))
		}
	}
	for i, f := range table.Failures {
		if i == 0 {
			fmt.Fprintln(tw, "\t\t\t\t\t\nNOT MEASURED\tBECAUSE\t\t\t\t")
		}
		name := f.Name
		if f.Cache == lut.CacheCold {
			name += " (" + f.Cache + ")"
		}
		if f.Algorithm != "" {
			name += " by " + f.Algorithm
		}
		fmt.Fprintf(tw, "%s\t%s\n", name, f.Reason)
	}
	return tw.Flush()
}

// sumOfParts is the sum of the times of a network's workloads, and what part of
// the whole network's that is.
func sumOfParts(t *lut.Table, n *lut.Network) string {
	ns, missing := t.SumOfParts(n)
	if missing > 0 {
		return fmt.Sprintf("%d of %d have no row", missing, len(n.Workloads))
	}
	return fmt.Sprintf("%s, %.3f of it", nanoseconds(ns), ns/n.LatencyMedianNS)
}

func newLUTVerifyCommand() *cobra.Command {
	var strict, asJSON bool
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check that a table is whole and makes sense",
		Long: `Checks that a table is whole and that its rows are possible, and warns of rows
that are not plausible: far off what the rows with the nearest shapes say, or
faster than the processor can be.`,
		Example: "  hwprofd lut verify pi4.lut.parquet\n  hwprofd lut verify --strict pi4.lut.parquet",
		Args:    exactArgs(1, "one table"),
		RunE: func(cmd *cobra.Command, args []string) error {
			table, err := lut.Read(args[0])
			if err != nil {
				return err
			}
			if err := table.Verify(); err != nil { // every key, where reading compares some of a large table
				return fmt.Errorf("%s: %w", args[0], err)
			}
			warnings := table.Implausible()
			unstable, contended, bimodal := 0, contendedRows(table), 0
			for _, r := range table.Rows {
				if !r.Stable {
					unstable++
				}
				if r.Bimodal {
					bimodal++
				}
			}
			out := cmd.OutOrStdout()
			if asJSON {
				err = writeJSON(out, struct {
					Rows      int           `json:"rows"`
					Unstable  int           `json:"unstable"`
					Contended int           `json:"contended"`
					Bimodal   int           `json:"bimodal"`
					Warnings  []lut.Warning `json:"warnings"`
				}{len(table.Rows), unstable, contended, bimodal, append([]lut.Warning{}, warnings...)})
			} else {
				for _, w := range warnings {
					fmt.Fprintf(out, "%s: row %d: warning: %s: %s\n", args[0], w.Row, w.Key, w.What)
				}
				_, err = fmt.Fprintf(out, "%s: sound: %d workloads (%d of them with a wider interval than asked, %d contended, %d bimodal, %d not plausible), %d networks, %d not measured, device %s\n",
					args[0], len(table.Rows), unstable, contended, bimodal, len(warnings), len(table.Networks), len(table.Failures), table.Meta.Fingerprint)
			}
			if err == nil && strict && len(warnings) > 0 {
				err = fmt.Errorf("lut: %s: row %d: %s (%d warnings, and --strict)", args[0], warnings[0].Row, warnings[0].What, len(warnings))
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "fail if a row is not plausible")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
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
