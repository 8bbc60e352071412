// Command peers runs the work of other libraries' benchmark rows with package
// kernels, for a comparison on the same machine:
//
//	go run ./internal/peers -rows FILE.csv [-threads N] [-json]
//
// It reads rows
//
//	peer,kind,shape,dtype,threads,median_ns,min_ns,gflops
//
// of which the last two may be empty, and prints
//
//	peer,kind,shape,dtype,threads,peer_ns,ours_ns,ratio
//
// where ratio is ours_ns / peer_ns, so that below 1 is faster than the peer.
// With -json a row is a JSON object on a line of its own. Rows of the kind
// "peak" say what the machine can do, and are skipped. A row that cannot be
// run keeps an empty ratio, and standard error says why.
//
// Operands are given as the peer had them: OpenBLAS and BLIS get matrices as
// they lie at each call, the others, whose weights are constants of a model,
// have packed them before. Times are medians, after a warm-up.
//
// The second form,
//
//	go run ./internal/peers -table FOLDER [-into FILE.md]
//
// prints the Markdown table of the rounds that table.sh, beside this file,
// left in a folder, or puts it into a file, where it takes the place of an
// older one of the same processor.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/hwprofd/hwprofd/kernels"
)

// Exit codes besides 0.
const (
	exitFailed = 1
	exitUsage  = 2
)

// errUsage marks wrong usage that has been reported.
var errUsage = errors.New("wrong usage")

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		os.Exit(exitUsage)
	default:
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(exitFailed)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	flags.SetOutput(stderr)
	rows := flags.String("rows", "", "`FILE` of the peers' rows; - is standard input")
	threads := flags.Int("threads", 0, "threads to run with, in place of those of each row")
	asJSON := flags.Bool("json", false, "print JSON lines in place of CSV")
	implementation := flags.String("use", "", "`NAME` of the implementation to use in place of the best, such as avx2")
	table := flags.String("table", "", "print the Markdown table of the rounds in `FOLDER`")
	into := flags.String("into", "", "put the table into `FILE` instead of printing it")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "Usage:\n  peers -rows FILE.csv [-threads N] [-use NAME] [-json]\n  peers -table FOLDER [-into FILE.md]")
		flags.PrintDefaults()
	}
	wrong := func(format string, args ...any) error {
		fmt.Fprintf(stderr, "peers: "+format+"; see -help\n", args...)
		return errUsage
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return errUsage
	}
	switch {
	case flags.NArg() > 0:
		return wrong("unexpected argument %q", flags.Arg(0))
	case (*rows == "") == (*table == ""):
		return wrong("name either -rows FILE or -table FOLDER [-into FILE.md]")
	case *into != "" && *table == "":
		return wrong("-into goes with -table")
	case *threads < 0:
		return wrong("-threads %d: want at least 1", *threads)
	}
	if *table != "" {
		name, section, err := makeSection(*table)
		if err != nil {
			return err
		}
		if *into != "" {
			return putSection(*into, name, section)
		}
		_, err = io.WriteString(stdout, section)
		return err
	}
	if *implementation != "" {
		if err := kernels.Use(*implementation); err != nil {
			return wrong("-use: %v", err)
		}
	}
	list, err := readRowsFile(*rows)
	if err != nil {
		return err
	}
	return compare(list, *threads, newWriter(stdout, *asJSON), stderr)
}

// compare runs the work of every row and writes the comparisons.
func compare(rows []row, threads int, w writer, stderr io.Writer) error {
	for _, r := range rows {
		if threads > 0 {
			r.threads = threads
		}
		c := comparison{row: r}
		work, err := prepare(r)
		if err != nil {
			fmt.Fprintf(stderr, "peers: %s:%d: %s %s %s: %v\n", r.file, r.line, r.peer, r.shape, r.dtype, err)
		} else {
			c.oursNS = measure(work, r.threads)
		}
		if err := w(c); err != nil {
			return err
		}
	}
	return nil
}
