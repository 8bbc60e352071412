package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/report"
)

func newLUTDiffCommand() *cobra.Command {
	o := lut.DiffOptions{}
	var asJSON, all bool
	var page string
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Compare two tables: which workloads became slower or faster",
		Long: `Compares the medians of every workload that both tables have. A difference is
significant if the stored 95% intervals tell it, with the p-values adjusted for
the number of workloads: by Benjamini and Hochberg's method, so that --alpha is
the share of false findings among the findings, or with --holm by Holm's, so
that it is the probability of any. Workloads of which a side is a single sample
are undecided.

Tables of different devices, runtimes or threads are compared with --across
only, which then says for each workload which of the two to use; --html writes
that as a page with a plot.`,
		Example: "  hwprofd lut diff monday.lut.parquet today.lut.parquet\n  hwprofd lut diff --across pi4.lut.parquet pi5.lut.parquet --all\n  hwprofd lut diff --across hwprofd.lut.parquet onnxruntime.lut.parquet --html runtimes.html",
		Args:    exactArgs(2, "two tables"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !(o.Alpha > 0 && o.Alpha < 1) {
				return usagef("--alpha %v: want a number between 0 and 1", o.Alpha)
			}
			if !(o.Threshold >= 0) {
				return usagef("--threshold %v: want a share, such as 0.02", o.Threshold)
			}
			old, err := lut.Read(args[0])
			if err != nil {
				return err
			}
			new, err := lut.Read(args[1])
			if err != nil {
				return err
			}
			d, err := lut.Diff(old, new, o)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", args[0], args[1], err)
			}
			if page != "" {
				across := report.Across{OldName: args[0], NewName: args[1], Old: old.Meta, New: new.Meta, Differences: d, Options: o}
				if err := report.WriteAcross(page, across); err != nil {
					return err
				}
			}
			if asJSON {
				if !o.Across {
					return writeJSON(cmd.OutOrStdout(), d)
				}
				return writeJSON(cmd.OutOrStdout(), struct {
					Old string `json:"old"` // by what it was measured
					New string `json:"new"`
					*lut.Differences
				}{report.Origin(old.Meta), report.Origin(new.Meta), d})
			}
			if o.Across {
				fmt.Fprintf(cmd.OutOrStdout(), "old: %s%s\nnew: %s%s\n\n", report.Origin(old.Meta), withOverhead(old.Meta), report.Origin(new.Meta), withOverhead(new.Meta))
			}
			return printDifferences(cmd.OutOrStdout(), d, o, all)
		},
	}
	flags := cmd.Flags()
	flags.Float64Var(&o.Alpha, "alpha", .05, "level of significance")
	flags.Float64Var(&o.Threshold, "threshold", .02, "share by which a median has to differ")
	flags.BoolVar(&o.Holm, "holm", false, "adjust for the number of workloads by Holm's method")
	flags.BoolVar(&o.Across, "across", false, "compare tables of different devices, runtimes or threads")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	flags.BoolVar(&all, "all", false, "print workloads that did not change, too")
	flags.StringVar(&page, "html", "", "also write a page with a plot")
	return cmd
}

// withOverhead says what is part of all times of a runtime, where that is known.
func withOverhead(m lut.Meta) string {
	if m.RuntimeOverheadNS == 0 {
		return ""
	}
	return fmt.Sprintf("; a run of nothing takes %s, which is part of each of its times", nanoseconds(m.RuntimeOverheadNS))
}

func printDifferences(w io.Writer, d *lut.Differences, o lut.DiffOptions, all bool) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	slower, faster, undecided, header := 0, 0, 0, false
	for _, r := range d.Rows {
		verdict := ""
		switch {
		case r.Slower:
			slower++
			verdict = "slower"
			if o.Across {
				verdict = "use the old"
			}
		case r.Faster:
			faster++
			verdict = "faster"
			if o.Across {
				verdict = "use the new"
			}
		case r.Undecided:
			undecided++
			verdict = "undecided"
		}
		if !all && !r.Slower && !r.Faster {
			continue
		}
		if !header {
			fmt.Fprintln(tw, "WORKLOAD\tOLD\tNEW\tRATIO\tP (ADJUSTED)\t")
			header = true
		}
		name := r.Key
		if r.Cache != lut.CacheWarm {
			name += " (" + r.Cache + ")"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%.3f ±%.3f\t%.2g\t%s\n", name, nanoseconds(r.OldNS), nanoseconds(r.NewNS), r.Ratio, r.Half, r.P, verdict)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	method := "Benjamini-Hochberg"
	if o.Holm {
		method = "Holm"
	}
	_, err := fmt.Fprintf(w, "%d workloads: %d slower, %d faster by more than %.3g%%, %d undecided (%s, alpha %g); geometric mean of the ratios %.4f; %d only in the old table, %d only in the new\n",
		len(d.Rows), slower, faster, 100*o.Threshold, undecided, method, o.Alpha, d.Mean, len(d.OnlyOld), len(d.OnlyNew))
	return err
}

func newLUTMergeCommand() *cobra.Command {
	var output string
	var asJSON, across bool
	cmd := &cobra.Command{
		Use:   "merge -o TABLE FILE FILE...",
		Short: "Combine repeated measurements of one device",
		Long: `Combines tables of one device, runtime and number of threads: medians by their
inverse variance, samples added. Where measurements are further apart than their
intervals explain, the interval is widened by Birge's ratio; a workload where
that happens by chance in less than one of a thousand cases is reported, and
marked as not stable.

Tables of one device but of several runtimes are combined with --across only:
the fastest of a workload's measurements is kept, as of someone who uses the
fastest runtime for each.`,
		Example: "  hwprofd lut merge -o pi4.lut.parquet monday.lut.parquet tuesday.lut.parquet",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usagef("%s takes two or more tables, got %d; see '%s --help'", cmd.CommandPath(), len(args), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if output == "" {
				return usagef("-o TABLE is missing: name the table to write")
			}
			if err := refuseExisting(output); err != nil {
				return err
			}
			var tables []*lut.Table
			for _, path := range args {
				t, err := lut.Read(path)
				if err != nil {
					return err
				}
				tables = append(tables, t)
			}
			merge := lut.Merge
			if across {
				merge = lut.MergeAcross
			}
			merged, conflicts, err := merge(tables...)
			if err != nil {
				return fmt.Errorf("%s: %w", strings.Join(args, ", "), err)
			}
			if err := merged.Write(output); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				return writeJSON(out, struct {
					Rows      int            `json:"rows"`
					Conflicts []lut.Conflict `json:"conflicts"`
				}{len(merged.Rows), append([]lut.Conflict{}, conflicts...)})
			}
			for _, c := range conflicts {
				fmt.Fprintf(out, "conflict: %s:", c.Key)
				for _, ns := range c.MediansNS {
					fmt.Fprintf(out, " %s", nanoseconds(ns))
				}
				fmt.Fprintf(out, "; interval widened %.3gx\n", c.Birge)
			}
			_, err = fmt.Fprintf(out, "%s: %d workloads of %d tables, %d conflicts\n", output, len(merged.Rows), len(args), len(conflicts))
			return err
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "table to write")
	cmd.Flags().BoolVar(&across, "across", false, "combine tables of different runtimes: the fastest of each workload")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
