package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/nas/space"
	"github.com/hwprofd/hwprofd/profiler"
)

// profilePlan is what profile is to measure, and in which states of the
// machine.
type profilePlan struct {
	spaces         []string
	models         []string
	grid           string
	caches         []string
	threads, batch []int
	baseline       string
	kernels        string
	cover          time.Duration
	outside        bool           // the runtime is not this program's own
	accounts       bool           // but networks tell the times of their workloads all the same
	fusing         []graph.Option // with which another runtime cuts graphs into workloads
}

func (p *profilePlan) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&p.spaces, "space", nil, "search space whose workloads to measure; may be repeated, and given with --model and --grid")
	flags.StringArrayVar(&p.models, "model", nil, "ONNX file whose workloads to measure; may be repeated")
	flags.StringVar(&p.grid, "grid", "", "JSON or CSV file of workloads, or of ranges of their parameters")
	flags.DurationVar(&p.cover, "cover", 0, "in this time, such as 5m, measure those workloads of the spaces of which predictions gain most; replaces --budget")
	flags.StringSliceVar(&p.caches, "cache", []string{lut.CacheWarm}, "state of the caches: warm, cold or both")
	flags.StringVar(&p.kernels, "kernels", ruleKernels, "kernels of convolutions to measure: those that the rule picks (rule), or each that may be the fastest (all)")
	flags.IntSliceVar(&p.threads, "threads", []int{1}, "threads to run on; several, such as 1,2, make a table each")
	flags.IntSliceVar(&p.batch, "batch", []int{1}, "batch sizes of models; several, such as 1,8, are all measured")
	flags.StringVar(&p.baseline, "baseline", "", "earlier table of this device: times are corrected to the speed that the machine had then")
}

// Values of --kernels.
const (
	ruleKernels = "rule"
	allKernels  = "all"
)

// check reports flags that are wrong or do not go together, among themselves or
// with an outside runtime.
func (p *profilePlan) check(outside bool) error {
	p.outside = outside
	switch {
	case len(p.spaces)+len(p.models) == 0 && p.grid == "":
		return usagef("name what to measure: --space, --model, --grid or --known")
	case p.cover > 0 && len(p.spaces) == 0:
		return usagef("--cover goes with --space")
	case p.cover > 0 && !slices.Equal(p.caches, []string{lut.CacheWarm}):
		return usagef("--cover is for warm caches, as predictions are")
	case p.kernels != ruleKernels && p.kernels != allKernels:
		return usagef("--kernels %q: want %s or %s", p.kernels, ruleKernels, allKernels)
	case p.kernels == allKernels && outside:
		return usagef("--kernels %s goes with this program's own runtime: others have kernels of their own", allKernels)
	case p.kernels == allKernels && p.cover > 0:
		return usagef("--kernels %s goes with --budget: --cover measures what predictions gain from, which other kernels do not add to", allKernels)
	case len(p.caches) == 0 || len(p.threads) == 0 || len(p.batch) == 0:
		return usagef("--cache, --threads and --batch need a value")
	}
	for _, cache := range p.caches {
		if cache != lut.CacheWarm && cache != lut.CacheCold {
			return usagef("--cache %q: want %s, %s or %s,%s", cache, lut.CacheWarm, lut.CacheCold, lut.CacheWarm, lut.CacheCold)
		}
	}
	for _, n := range p.threads {
		if n < 1 || n > maxThreads {
			return usagef("--threads %d is outside 1..%d", n, maxThreads)
		}
	}
	for _, n := range p.batch {
		if n < 1 || n > maxBatch {
			return usagef("--batch %d is outside 1..%d", n, maxBatch)
		}
	}
	if outside {
		p.fusing = append(p.fusing, graph.ForOtherRuntime())
		switch {
		case slices.Contains(p.caches, lut.CacheCold):
			// An adapter runs a model once before it takes times, which would
			// fill the caches again.
			return usagef("--cache %s goes with this program's own runtime: an adapter's runs are warm; leave out --cache or --runtime", lut.CacheCold)
		case !slices.Equal(p.threads, []int{1}):
			return usagef("--threads goes with this program's own runtime; the adapter's arguments say how many another one uses")
		}
	}
	if len(p.models) == 0 && !slices.Equal(p.batch, []int{1}) {
		return usagef("--batch goes with --model")
	}
	slices.Sort(p.threads)
	p.threads = slices.Compact(p.threads)
	slices.Sort(p.batch)
	p.batch = slices.Compact(p.batch)
	return nil
}

const (
	maxBatch = 4096
	// manyModels are enough to calibrate intervals on every third of them.
	manyModels = 9
)

// output is the table of a number of threads: where there are several of them,
// its name says which it is.
func (p *profilePlan) output(path string, threads int) string {
	if len(p.threads) == 1 {
		return path
	}
	folder, name := filepath.Split(path)
	stem, ext, _ := strings.Cut(name, ".")
	if ext != "" {
		ext = "." + ext
	}
	return folder + stem + ".threads" + strconv.Itoa(threads) + ext
}

// items are the workloads and networks to measure within a budget, each once,
// and with --cover the design that tells what else.
func (p *profilePlan) items(seed uint64, budget time.Duration) (*cover, []graph.Workload, []profiler.NamedGraph, error) {
	spaces, err := p.published()
	if err != nil {
		return nil, nil, nil, err
	}
	workloads, others, networks, err := p.named()
	if err != nil || len(spaces) == 0 {
		return nil, distinct(workloads), networks, err
	}
	var design *cover
	var more []graph.Workload
	if p.cover > 0 {
		design, more, err = coverItems(spaces, others, seed, p.fusing...)
	} else {
		more, err = spaceWorkloads(spaces, seed, budget, workloads, p.fusing...)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	fit, calibrate := networksEach(len(spaces), p.cover > 0, budget)
	for _, s := range spaces {
		of, err := spaceNetworks(s, seed, fit, calibrate)
		if err != nil {
			return nil, nil, nil, err
		}
		networks = append(networks, of...)
	}
	return design, distinct(append(workloads, more...)), networks, nil
}

// distinct leaves out workloads that were there before.
func distinct(workloads []graph.Workload) []graph.Workload {
	seen := map[graph.Workload]bool{}
	return slices.DeleteFunc(workloads, func(w graph.Workload) bool {
		twice := seen[w]
		seen[w] = true
		return twice
	})
}

// published are the spaces, each once.
func (p *profilePlan) published() ([]nas.Space, error) {
	var spaces []nas.Space
	for i, name := range p.spaces {
		if slices.Contains(p.spaces[:i], name) {
			continue
		}
		s, err := space.Published(name)
		if err != nil {
			return nil, usageError{err}
		}
		spaces = append(spaces, s)
	}
	return spaces, nil
}

// named are the workloads of the grid and the models, with --cover others of the
// models, of which these tell themselves, and the models.
func (p *profilePlan) named() (workloads, others []graph.Workload, networks []profiler.NamedGraph, err error) {
	if p.grid != "" {
		if workloads, err = profiler.ReadGrid(p.grid); err != nil {
			return nil, nil, nil, err
		}
	}
	seen := map[string]bool{}
	for _, path := range p.models {
		if seen[path] {
			continue
		}
		seen[path] = true
		for _, batch := range p.batch {
			g, err := readBatch(path, batch)
			if err != nil {
				return nil, nil, nil, err
			}
			of, err := graphWorkloads(g, p.fusing...)
			if err != nil {
				return nil, nil, nil, fmt.Errorf("%s: %w", path, err)
			}
			if p.cover == 0 || p.outside && !p.accounts {
				workloads = append(workloads, of...)
			} else { // the networks tell, in less time
				others = append(others, of...)
			}
			networks = append(networks, profiler.NamedGraph{Name: batchName(path, batch), Use: "fit", Graph: g, File: path})
		}
	}
	if len(networks) >= manyModels {
		for i := 2; i < len(networks); i += 3 {
			networks[i].Use = "calibrate"
		}
	}
	return workloads, others, networks, nil
}

// batchName is the name of a model's network in a table.
func batchName(path string, batch int) string {
	if batch == 1 {
		return path
	}
	return path + " batch " + strconv.Itoa(batch)
}

// readBatch reads a model with a batch: the first dimension of its inputs, which
// the model has to leave open unless the batch is as it says.
func readBatch(path string, batch int) (*graph.Graph, error) {
	g, err := onnx.Read(path)
	if err != nil || batch == 1 {
		return g, err
	}
	shapes := map[string][]int{}
	for _, v := range g.Inputs {
		if len(v.Shape) > 0 && v.Shape[0] == 1 {
			shapes[v.Name] = append([]int{batch}, v.Shape[1:]...)
		}
	}
	if len(shapes) == 0 {
		return nil, fmt.Errorf("%s: --batch %d: no input begins with a batch of 1", path, batch)
	}
	if g, err = onnx.ReadWith(path, onnx.Options{Shapes: shapes}); err != nil {
		return nil, fmt.Errorf("--batch %d (the batch of %s has to be symbolic): %w", batch, strings.Join(slices.Sorted(maps.Keys(shapes)), ", "), err)
	}
	return g, nil
}

// reference is the speed of the machine in an earlier table of this device.
func (p *profilePlan) reference(fingerprint string) (lut.Baseline, error) {
	if p.baseline == "" {
		return lut.Baseline{}, nil
	}
	t, err := lut.Read(p.baseline)
	if err != nil {
		return lut.Baseline{}, err
	}
	if t.Meta.Fingerprint != fingerprint {
		return lut.Baseline{}, fmt.Errorf("--baseline %s is of device %s, this one is %s", p.baseline, t.Meta.Fingerprint, fingerprint)
	}
	b := profiler.Baseline(t)
	if b == (lut.Baseline{}) {
		return b, fmt.Errorf("--baseline %s does not tell the speed of the machine", p.baseline)
	}
	return b, nil
}
