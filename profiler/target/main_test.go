package target

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// TestMain lets the test binary be the program on the target: the real agent,
// and a command profile that measures nothing, but writes a journal and a table
// like the real one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		var err error
		switch os.Args[1] {
		case Verb:
			err = Agent(os.Args[2:], os.Stdin, os.Stdout)
			if code, ok := ExitCode(err); ok {
				os.Exit(code)
			}
		case "profile":
			err = pretend(os.Args[2:])
		case "device":
			fmt.Printf("%q\n", os.Args[2:])
		default:
			os.Exit(m.Run())
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "hwprofd: "+err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func pretend(args []string) error {
	flags := flag.NewFlagSet("profile", flag.ContinueOnError)
	output := flags.String("output", "", "")
	flags.Bool("resume", false, "")
	rows := flags.Int("rows", 5, "")
	until := flags.String("until", "", "go on until there is this file, instead of a number of rows")
	padding := flags.Int("padding", 0, "")
	child := flags.Bool("child", false, "start a process that never ends in a group of its own, as adapters are")
	model := flags.String("model", "", "")
	flags.String("space", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *child {
		endless := exec.Command("sleep", "1000")
		shield(endless)
		if err := endless.Start(); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	meta := lut.Meta{Schema: lut.Schema, Fingerprint: "0123456789ab", Runtime: "hwprofd", RuntimeVersion: "test", Threads: 1, Created: time.Now()}
	journal, err := lut.OpenJournal(*output, meta)
	if err != nil {
		return err
	}
	defer journal.Close()
	fmt.Fprintf(os.Stderr, "profile: %d workloads, 0 networks\n", *rows)
	for i := len(journal.Rows()); ; i++ {
		if *until == "" && i >= *rows {
			break
		}
		if *until != "" {
			if _, err := os.Stat(*until); err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("interrupted; go on with --resume")
			case <-time.After(20 * time.Millisecond):
			}
		}
		fmt.Fprintf(os.Stderr, "  %d%%  1s left  row %d%s\n", 100*i / *rows, i, strings.Repeat(".", *padding))
		w, err := graph.ParseWorkload(fmt.Sprintf("conv2d/f32/n1c%dh8w8/k8r1s1/stride1.pad0.dil1.group1/none", i+1))
		if err != nil {
			return err
		}
		row := lut.NewRow(w)
		row.LatencyMedianNS, row.LatencyMeanNS, row.LatencyP10NS, row.LatencyP90NS = 100, 100, 90, 110
		row.LatencyCI95NS, row.RawMedianNS, row.Samples, row.MeasuredAt = 1, 100, 50, time.Now().UTC()
		if err := journal.AppendRow(row); err != nil {
			return err
		}
	}
	if *model != "" {
		if _, err := os.Stat(*model); err != nil {
			return err
		}
		w := journal.Rows()[0].Key
		if len(journal.Networks()) == 0 {
			if err := journal.AppendNetwork(lut.Network{Name: *model, Workloads: []string{w}, LatencyMedianNS: 100, LatencyP10NS: 90, LatencyP90NS: 110, LatencyCI95NS: 1, Samples: 5, Use: "fit"}); err != nil {
				return err
			}
		}
	}
	table := lut.Table{Meta: meta, Rows: journal.Rows(), Networks: journal.Networks()}
	if err := table.Write(*output); err != nil {
		return err
	}
	if err := journal.Remove(); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s: done\n", *output)
	return nil
}
