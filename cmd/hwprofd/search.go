package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/nas/space"
	"github.com/hwprofd/hwprofd/nas/supernet"
	"github.com/hwprofd/hwprofd/predictor"
)

func newSearchCommand() *cobra.Command {
	var (
		spaceName, checkpoint, tablePath, data, dir string
		limits, objectives                          []string
		evaluations                                 int
		seed                                        uint64
	)
	cmd := &cobra.Command{
		Use:   "search --supernet SUPERNET.ckpt --lut FILE -o DIR",
		Short: "Search a supernet for the networks that are best on a device",
		Long: `Searches with NSGA-II for the architectures that no other one beats in all
objectives, judged by the supernet's accuracy on validation images and by the
cost that a predictor fitted to the table gives. Random search runs beside it
with as many evaluations, as a control. The front is written to front.json, its
smallest, knee and most accurate network as ONNX files.

An interrupted search goes on with the same command.`,
		Example: "  hwprofd search --supernet supernet.ckpt --lut pi4.lut.parquet --limit latency=0.5ms -o found",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for flag, value := range map[string]string{"--supernet": checkpoint, "--lut": tablePath, "-o": dir} {
				if value == "" {
					return usagef("%s is missing; see 'hwprofd search --help'", flag)
				}
			}
			if evaluations < generation {
				return usagef("--evaluations %d is less than a generation of %d", evaluations, generation)
			}
			wanted, err := parseObjectives(objectives)
			if err != nil {
				return err
			}
			constraints, err := parseLimits(limits, wanted)
			if err != nil {
				return err
			}
			images, err := loadImages(data)
			if err != nil {
				return err
			}
			s, err := space.ByName(spaceName, images.train.C, len(images.train.Classes))
			if err != nil {
				return usageError{err}
			}
			net, err := supernet.Load(checkpoint, s)
			if err != nil {
				return err
			}
			table, err := lut.Read(tablePath)
			if err != nil {
				return err
			}
			costs, err := predictor.Fit(table)
			if err != nil {
				return fmt.Errorf("%s: %w", tablePath, err)
			}
			calibration, _, err := images.train.Split(min(calibrateImages, images.train.N), splitSeed)
			if err != nil {
				return err
			}
			threads := runtime.GOMAXPROCS(0)
			accuracy, err := net.NewEvaluator(calibration, images.validation, threads)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			problem := &searchProblem{space: s, objectives: wanted, constraints: constraints, accuracy: accuracy, predictor: costs}
			journal, err := openEvaluationJournal(filepath.Join(dir, "search.jsonl"), len(wanted))
			if err != nil {
				return err
			}
			defer journal.Close()
			p := newProgress(cmd.ErrOrStderr())
			p.begin("search %s", s.Name())
			began := time.Now()
			outcome, err := problem.searchWithControl(cmd.Context(), seed, threads, journal, func(done int) bool {
				if done > 0 {
					p.report(float64(done)/float64(evaluations), time.Duration(float64(time.Since(began))*float64(evaluations-done)/float64(done)), fmt.Sprintf("%d evaluations each", done))
				}
				return done >= evaluations
			})
			if err != nil {
				if cmd.Context().Err() != nil {
					return fmt.Errorf("interrupted; go on with the same command")
				}
				return err
			}
			if err := writeJSONFile(filepath.Join(dir, "front.json"), frontJSON(outcome)); err != nil {
				return err
			}
			p.say("%d evaluations each: hypervolume %.4f by NSGA-II, %.4f by random search", len(outcome.Evaluated), outcome.Hypervolume, outcome.RandomHypervolume)
			tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(tw, "FILE\t"+strings.ToUpper(strings.Join(objectiveNames(wanted), "\t"))+"\tARCHITECTURE")
			for i, e := range outcome.pickThree() {
				path := filepath.Join(dir, pickNames[i]+".onnx")
				scores, err := accuracy.Evaluate(cmd.Context(), e.Architecture)
				if err != nil {
					return err
				}
				g, err := net.Export(e.Architecture, scores[0])
				if err != nil {
					return err
				}
				prediction, err := costs.PredictGraph(g)
				if err != nil {
					return err
				}
				addCostMetadata(g, outcome.picked(prediction), table.Meta.Fingerprint)
				if err := onnx.Write(path, g); err != nil {
					return err
				}
				fmt.Fprint(tw, path)
				for j, o := range wanted {
					fmt.Fprintf(tw, "\t%s", objectiveValue(o, e.Values[j]))
				}
				fmt.Fprintf(tw, "\t%s\n", e.Architecture)
			}
			return tw.Flush()
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&spaceName, "space", quickstartSpace, "search space")
	flags.StringVar(&checkpoint, "supernet", "", "checkpoint of the supernet")
	flags.StringVar(&tablePath, "lut", "", "latency table of the device")
	flags.StringVar(&data, "data", "", "folder of the data set's standard files; default: the embedded sample")
	flags.StringVarP(&dir, "output", "o", "", "folder for the results")
	flags.StringSliceVar(&limits, "limit", nil, "limit of an objective, such as latency=5ms, energy=2mJ or accuracy=90%")
	flags.StringSliceVar(&objectives, "objective", objectiveNames(allObjectives), "objectives to search by")
	flags.IntVar(&evaluations, "evaluations", 320, "architectures to evaluate, by each of search and control")
	flags.Uint64Var(&seed, "seed", 1, "seed of the search")
	return cmd
}

func objectiveNames(objectives []nas.Objective) []string {
	names := make([]string, len(objectives))
	for i, o := range objectives {
		names[i] = o.Name
	}
	return names
}

func objectiveNamed(name string) (nas.Objective, error) {
	for _, o := range allObjectives {
		if o.Name == name {
			return o, nil
		}
	}
	return nas.Objective{}, usagef("objective %q is not known; there are %s", name, strings.Join(objectiveNames(allObjectives), ", "))
}

func parseObjectives(names []string) ([]nas.Objective, error) {
	var objectives []nas.Objective
	for _, name := range names {
		o, err := objectiveNamed(name)
		if err != nil {
			return nil, err
		}
		if slices.Contains(objectives, o) {
			return nil, usagef("objective %q is named twice", name)
		}
		objectives = append(objectives, o)
	}
	if !slices.Contains(objectives, allObjectives[0]) || len(objectives) < 2 {
		return nil, usagef("--objective wants accuracy and at least one cost, got %q", strings.Join(names, ","))
	}
	return objectives, nil
}

// parseLimits reads limits such as latency=5ms, energy=2mJ, accuracy=90%.
func parseLimits(texts []string, objectives []nas.Objective) ([]nas.Constraint, error) {
	var constraints []nas.Constraint
	for _, text := range texts {
		name, value, _ := strings.Cut(text, "=")
		o, err := objectiveNamed(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(objectives, o) {
			return nil, usagef("--limit %s: %s is not among the objectives", text, name)
		}
		var limit float64
		if name == "latency" {
			var d time.Duration
			d, err = time.ParseDuration(value)
			limit = float64(d)
		} else {
			limit, err = strconv.ParseFloat(strings.TrimSuffix(value, o.Unit), 64)
		}
		if err != nil || !(limit > 0) {
			return nil, usagef("--limit %s: want a number with a unit, such as latency=5ms, energy=2mJ or accuracy=90%%", text)
		}
		constraints = append(constraints, nas.Constraint{Objective: name, Limit: limit})
	}
	return constraints, nil
}

func objectiveValue(o nas.Objective, v float64) string {
	if o.Unit == "ns" {
		return nanoseconds(v)
	}
	return fmt.Sprintf("%.4g %s", v, o.Unit)
}

// frontJSON is what front.json holds: every member with its values by name.
func frontJSON(o searchOutcome) any {
	type member struct {
		Architecture string             `json:"architecture"`
		Values       map[string]float64 `json:"values"`
	}
	front := make([]member, len(o.Front))
	for i, e := range o.Front {
		front[i] = member{e.Architecture.String(), map[string]float64{}}
		for j, objective := range o.objectives {
			front[i].Values[objective.Name+"_"+strings.ReplaceAll(objective.Unit, "%", "percent")] = e.Values[j]
		}
	}
	return struct {
		Hypervolume       float64  `json:"hypervolume"`
		RandomHypervolume float64  `json:"random_hypervolume"`
		Evaluations       int      `json:"evaluations"`
		Front             []member `json:"front"`
	}{o.Hypervolume, o.RandomHypervolume, len(o.Evaluated), front}
}
