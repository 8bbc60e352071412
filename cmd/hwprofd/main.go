// Command hwprofd measures what neural networks cost on a device, predicts the
// cost of any network from those measurements, and searches a weight-shared
// supernet for the networks that are best within a budget.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes of every verb.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError marks an error that the caller of the program can mend by
// changing the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the program at once.
	go func() { <-ctx.Done(); stop() }()

	root := newRootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "hwprofd: "+oneLine(err))
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// oneLine keeps an error on one line, so that logs and scripts can rely on it.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "hwprofd",
		Short: "Know what a neural network costs on this device, and find the best one within a budget",
		Long: `hwprofd measures this device once, keeps the result as a latency table (a LUT
file), predicts the cost of any network from it with an interval, and searches a
weight-shared supernet for the networks that are best within a budget.

Start with:  hwprofd quickstart`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          verbRequired,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; see '%s --help'", err, cmd.CommandPath())
	})
	addProgressFlag(root)
	root.AddCommand(
		newQuickstartCommand(),
		newDeviceCommand(),
		newProfileCommand(),
		newLUTCommand(),
		newPredictCommand(),
		newEvaluateCommand(),
		newTransferCommand(),
		newMeasureCommand(),
		newVerifyCommand(),
		newGraphCommand(),
		newTrainCommand(),
		newSearchCommand(),
		newExportCommand(),
		newBenchCommand(),
		newTargetAgentCommand(),
		newServeCommand(),
		newRuntimeCommand(),
	)
	return root
}

// verbRequired turns an unknown verb into a usage error.
func verbRequired(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("unknown command %q for %q; see '%s --help'", args[0], cmd.CommandPath(), cmd.CommandPath())
}

// exactArgs is cobra.ExactArgs with a usage error.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("%s takes %s, got %d arguments; see '%s --help'", cmd.CommandPath(), what, len(args), cmd.CommandPath())
		}
		return nil
	}
}

func noArgs(cmd *cobra.Command, args []string) error {
	return exactArgs(0, "no arguments")(cmd, args)
}
