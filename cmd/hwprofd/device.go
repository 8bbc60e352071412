package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/kernels"
	"github.com/hwprofd/hwprofd/profiler/energy"
)

func newDeviceCommand() *cobra.Command {
	var asJSON, listKernels bool
	var on onFlags
	cmd := &cobra.Command{
		Use:   "device [--kernels [WORKLOAD...]]",
		Short: "Say what machine this is, and which energy meters it has",
		Long: `Says what machine this is: processor, cores, instruction sets, caches, memory,
clock, energy meters, and the fingerprint that a LUT measured here carries. The
fingerprint stays the same over reboots. For a meter that is missing or cannot
be read it says why; profile --meter takes those that can.

With --kernels it says which kernel runs on this machine and why: for the
workloads that are named, else for a typical one of every family.`,
		Example: "  hwprofd device\n  hwprofd device --json | jq .fingerprint\n  hwprofd device --on ssh://pi@kitchen\n  hwprofd device --kernels\n  hwprofd device --kernels conv2d/f32/n1c64h56w56/k128r3s3/stride2.pad1.dil1.group1/relu",
		RunE: func(cmd *cobra.Command, args []string) error {
			if on.set() {
				return deviceOn(cmd, &on, asJSON, args)
			}
			if listKernels {
				list, err := kernelChoices(args)
				switch {
				case err != nil:
					return err
				case asJSON:
					return writeJSON(cmd.OutOrStdout(), list)
				}
				return printKernelChoices(cmd.OutOrStdout(), list)
			}
			if err := noArgs(cmd, args); err != nil {
				return err
			}
			info, err := device.Detect()
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), struct {
					Fingerprint string   `json:"fingerprint"`
					Kernels     []string `json:"kernels"`
					device.Info
					Meters []energy.Found `json:"meters"`
				}{info.Fingerprint(), kernels.Implementations(), info, energy.Find()})
			}
			return printDevice(cmd.OutOrStdout(), info, true)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	on.add(cmd.Flags())
	cmd.Flags().BoolVar(&listKernels, "kernels", false, "say which kernel runs for each family of work, or for the workloads named")
	return cmd
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printDevice prints what is known of a machine, and of this one its kernels and
// meters.
func printDevice(w io.Writer, info device.Info, here bool) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(tw, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("fingerprint", "%s", info.Fingerprint())
	row("system", "%s/%s, kernel %s", info.OS, info.Arch, orUnknown(info.Kernel))
	if info.Board != "" {
		row("board", "%s", info.Board)
	}
	for _, cpu := range info.CPUs {
		row("processor", "%s (%s), %d threads", orUnknown(cpu.Model), orUnknown(cpu.Vendor), cpu.Threads)
	}
	row("cores", "%d, %d threads", info.Cores, info.Threads)
	row("instruction sets", "%s", orUnknown(strings.Join(info.ISA, " ")))
	if here {
		row("kernels", "%s (best first)", strings.Join(kernels.Implementations(), " "))
	}
	for _, c := range info.Caches {
		row(fmt.Sprintf("L%d %s cache", c.Level, c.Type), "%s x %d", byteSize(c.Bytes), max(c.Count, 1))
	}
	row("memory", "%s", byteSize(int64(info.MemoryBytes)))
	row("clock source", "%s", orUnknown(info.ClockSource))
	row("governor", "%s%s", orUnknown(info.Governor), governorHint(info.Governor))
	if info.IsolatedCores != "" {
		row("isolated cores", "%s: 'taskset -c %s hwprofd profile ...' measures there", info.IsolatedCores, info.IsolatedCores)
	} else if info.OS == "linux" {
		row("isolated cores", "none: isolcpus= on the kernel's command line keeps other work off a core")
	}
	if f := info.Frequency; f != nil {
		span := "range not shown"
		if f.MinHz != 0 || f.MaxHz != 0 {
			span = "range " + hertz(f.MinHz) + " to " + hertz(f.MaxHz)
		}
		row("frequency", "%s, %s", hertz(f.CurrentHz), span)
	}
	if info.Virtual {
		row("virtual", "yes (%s)", orUnknown(info.Hypervisor))
	} else {
		row("virtual", "no sign of it")
	}
	if info.Emulator != "" {
		row("emulated", "by %s: times are the emulator's", info.Emulator)
	}
	if here {
		printMeters(row, energy.Find())
	}
	for _, what := range info.Unseen {
		row("not seen", "%s", what)
	}
	return tw.Flush()
}

// governorHint says what makes times steadier where the clock follows the load.
func governorHint(governor string) string {
	for name := range strings.SplitSeq(governor, ",") {
		if name != "" && name != "performance" {
			return ": 'performance' for all cores makes times steadier"
		}
	}
	return ""
}

func orUnknown(s string) string {
	if s == "" {
		return "not shown"
	}
	return s
}

func hertz(hz int64) string {
	if hz == 0 {
		return "not shown"
	}
	return fmt.Sprintf("%.2f GHz", float64(hz)/1e9)
}

func byteSize(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.4g KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
