package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/nas/space"
	"github.com/hwprofd/hwprofd/predictor"
	"github.com/hwprofd/hwprofd/report"
)

func newPredictCommand() *cobra.Command {
	var (
		source                         predictorFlags
		model, spaceName, architecture string
		shapes                         []string
		pprofPath, savePath            string
		suggest                        int
		asJSON, explain                bool
	)
	cmd := &cobra.Command{
		Use:   "predict (--lut FILE | --predictor FILE) (--model MODEL.onnx | --space SPACE --arch ARCHITECTURE)",
		Short: "Predict what a network costs on the device of a table",
		Long: `Predicts what a network costs on the device of a table: its latency and energy,
each with an interval, and where every number comes from. A workload's latency
is its row in the table, else an interpolation between rows, else a regression
over its family, else a roofline; --explain says which, and how sure each is.
--suggest names the measurements that would narrow the answer most.

With --save what was learned from the table is kept in a file, which --predictor
reads: predictions from it need no table and no fitting. It needs no network. See
docs/prediction.md.`,
		Example: `  hwprofd predict --lut pi4.lut.parquet --model resnet.onnx --explain
  hwprofd predict --lut pi4.lut.parquet --space mobile28 --arch 2.2.0.2.2.0.0.2.0.2.2.0.0.2.0.2.2.0.0.2.0.1.2.0.0.2.2.1.2.1.0
  hwprofd predict --lut pi4.lut.parquet --model resnet.onnx --save pi4.predictor --suggest 10
  hwprofd predict --predictor pi4.predictor --model resnet.onnx --coverage 0.95 --json
  hwprofd predict --lut pi4.lut.parquet --model resnet.onnx --pprof cost.pb.gz && go tool pprof -top cost.pb.gz`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if suggest < 0 {
				return usagef("--suggest %d: want the number of measurements to name", suggest)
			}
			if err := source.check(); err != nil {
				return err
			}
			if savePath != "" && model == "" && spaceName == "" && architecture == "" {
				return learn(source, savePath)
			}
			g, name, err := shapedGraph(model, shapes, spaceName, architecture)
			if err != nil {
				return err
			}
			p, _, err := source.open()
			if err != nil {
				return err
			}
			workloads, err := p.Workloads(g)
			if err != nil {
				return err
			}
			prediction, err := p.Predict(workloads)
			if err != nil {
				return err
			}
			suggestions, err := p.Suggest(workloads, suggest)
			if err != nil {
				return err
			}
			if savePath != "" {
				if err := p.Save(savePath); err != nil {
					return err
				}
			}
			if pprofPath != "" {
				if err := report.WritePprof(pprofPath, name, prediction); err != nil {
					return err
				}
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), predictionJSON(name, prediction, suggestions))
			}
			if err := printPrediction(cmd.OutOrStdout(), name, p, prediction, explain); err != nil {
				return err
			}
			if suggest == 0 {
				return nil
			}
			return printSuggestions(cmd.OutOrStdout(), suggestions)
		},
	}
	flags := cmd.Flags()
	source.add(cmd)
	addGraphFlags(cmd, &model, &spaceName, &architecture)
	addShapeFlag(cmd, &shapes)
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	flags.BoolVar(&explain, "explain", false, "say how sure each workload's latency is, and what it comes from")
	flags.IntVar(&suggest, "suggest", 0, "name so many measurements that would narrow the interval most")
	flags.StringVar(&savePath, "save", "", "also write the predictor to a file, for --predictor")
	flags.StringVar(&pprofPath, "pprof", "", "also write a profile for go tool pprof")
	return cmd
}

// learn keeps what a table tells in a predictor's file.
func learn(source predictorFlags, path string) error {
	p, _, err := source.open()
	if err != nil {
		return err
	}
	return p.Save(path)
}

// predictorFlags say where predictions come from.
type predictorFlags struct {
	table, file string
	coverage    float64
}

func (f *predictorFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.table, "lut", "", "latency table of the device")
	flags.StringVar(&f.file, "predictor", "", "predictor that 'hwprofd predict --save' wrote, instead of a table")
	flags.Float64Var(&f.coverage, "coverage", 0.9, "how often the truth has to lie in the interval")
}

// openIfNamed is open for a command that can do without: nil where the user
// named neither a table nor a predictor.
func (f *predictorFlags) openIfNamed(cmd *cobra.Command) (*predictor.Predictor, error) {
	flags := cmd.Flags()
	if !flags.Changed("lut") && !flags.Changed("predictor") && !flags.Changed("coverage") {
		return nil, nil
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	p, _, err := f.open()
	return p, err
}

func (f *predictorFlags) check() error {
	switch {
	case f.table == "" && f.file == "":
		return usagef("--lut is missing: name a table; hwprofd profile makes one")
	case f.table != "" && f.file != "":
		return usagef("name either a table with --lut or a file with --predictor")
	case !(f.coverage > 0 && f.coverage < 1):
		return usagef("--coverage %g is not between 0 and 1", f.coverage)
	}
	return nil
}

// open returns the predictor, and the table where it was fitted to one.
func (f *predictorFlags) open() (*predictor.Predictor, *lut.Table, error) {
	p, table, err := f.read()
	if err != nil {
		return nil, nil, err
	}
	p, err = p.Within(f.coverage)
	return p, table, err
}

func (f *predictorFlags) read() (*predictor.Predictor, *lut.Table, error) {
	if f.file != "" {
		p, err := predictor.Load(f.file)
		return p, nil, err
	}
	table, err := lut.Read(f.table)
	if err != nil {
		return nil, nil, err
	}
	p, err := predictor.Fit(table)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", f.table, err)
	}
	return p, table, nil
}

func addGraphFlags(cmd *cobra.Command, model, spaceName, architecture *string) {
	flags := cmd.Flags()
	flags.StringVar(model, "model", "", "ONNX file")
	flags.StringVar(spaceName, "space", "", "search space")
	flags.StringVar(architecture, "arch", "", "architecture of the space, such as 2.0.1, or in space nasbench201 also such as '|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|'")
}

// namedGraph is the network that the flags name.
func namedGraph(model, spaceName, architecture string) (*graph.Graph, string, error) {
	switch {
	case model != "" && spaceName == "" && architecture == "":
		g, err := onnx.Read(model)
		return g, model, err
	case model == "" && spaceName != "" && architecture != "":
		s, a, err := namedArchitecture(spaceName, architecture)
		if err != nil {
			return nil, "", err
		}
		g, err := s.Lower(a)
		return g, networkName(s, a), err
	}
	return nil, "", usagef("name a network: either --model, or --space and --arch")
}

func namedArchitecture(spaceName, architecture string) (nas.Space, nas.Architecture, error) {
	s, err := space.Published(spaceName)
	if err != nil {
		return nil, nil, usageError{err}
	}
	parse := nas.ParseArchitecture
	if spaceName == "nasbench201" && strings.HasPrefix(architecture, "|") {
		parse = space.ParseNASBench201
	}
	a, err := parse(architecture)
	if err != nil {
		return nil, nil, usageError{err}
	}
	if err := nas.Validate(s, a); err != nil {
		return nil, nil, usageError{err}
	}
	return s, a, nil
}
