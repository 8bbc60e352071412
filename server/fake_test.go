package server

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/predictor"
)

// The daemon of the tests starts this test program for its verbs: with fakeVar
// set it is a hwprofd that knows in no time what things cost.
const fakeVar = "HWPROFD_FAKE_VERBS"

func TestMain(m *testing.M) {
	if os.Getenv(fakeVar) != "" {
		os.Exit(fakeVerb(os.Args[1:]))
	}
	os.Setenv(fakeVar, "1")
	os.Exit(m.Run())
}

// fakeVerb does what a model's content says: "slow" takes until it is
// interrupted, "broken" fails, "talkative" says too much, all else works.
func fakeVerb(args []string) int {
	if len(args) < 3 || args[0] != "--progress" || args[1] != "json" {
		fmt.Fprintln(os.Stderr, "hwprofd: --progress json is missing")
		return 2
	}
	args = args[2:]
	option := func(name string) string {
		if i := slices.Index(args, name); i >= 0 && i+1 < len(args) {
			return args[i+1]
		}
		return ""
	}
	model := option("--model")
	if args[0] == "graph" {
		model = args[len(args)-1]
	}
	content, _ := os.ReadFile(model)
	workloads := fakeWorkloads()
	switch {
	case strings.HasPrefix(string(content), "broken"):
		fmt.Fprintf(os.Stderr, "hwprofd: %s: not an ONNX file\n", model)
		return 1
	case strings.HasPrefix(string(content), "talkative"):
		_, _ = os.Stdout.Write(make([]byte, maxOutput+1))
		return 0
	case strings.HasPrefix(string(content), "slow") && args[0] != "graph":
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		fmt.Fprintln(os.Stderr, `{"step":"slowly","share":0.25,"left_seconds":3,"now":"something"}`)
		<-stop
		fmt.Fprintln(os.Stderr, "hwprofd: interrupted")
		return 1
	}
	switch args[0] {
	case "graph":
		nodes := []map[string]any{}
		for i, w := range workloads {
			nodes = append(nodes, map[string]any{"name": "node" + strconv.Itoa(i), "operator": string(w.Op), "workload": w.String(), "macs": w.MACs(), "bytes": w.Bytes()})
		}
		_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"macs": 10, "parameters": 20, "nodes": nodes})
	case "measure":
		steps := []map[string]any{{"node": "reshape", "workload": "Reshape", "median_ns": 10.0}}
		for i, w := range workloads {
			steps = append(steps, map[string]any{"node": "node" + strconv.Itoa(i), "workload": w.String(), "median_ns": fakeNS(w) * 1.02})
		}
		_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"network": model, "median_ns": 12345.0, "ci95_ns": 12.0, "workloads": steps})
	case "profile":
		fmt.Fprintln(os.Stderr, `{"message":"energy is modelled"}`)
		if _, err := os.Stat(option("-o") + ".journal"); err == nil {
			fmt.Fprintln(os.Stderr, `{"message":"resumed"}`)
		}
		table := fakeTable(100)
		if known := option("--known"); known != "" { // the rows beyond those measured are predicted
			rows, err := strconv.Atoi(option("--rows"))
			if _, unread := lut.Read(known); err != nil || unread != nil {
				fmt.Fprintln(os.Stderr, "hwprofd:", err, unread)
				return 1
			}
			for i := range table.Rows[rows:] {
				table.Rows[rows+i].Samples, table.Rows[rows+i].Stable = 0, false
			}
		}
		if err := table.Write(option("-o")); err != nil {
			fmt.Fprintln(os.Stderr, "hwprofd:", err)
			return 1
		}
	case "predict":
		table, err := lut.Read(option("--lut"))
		if err == nil {
			var p *predictor.Predictor
			if p, err = predictor.Fit(table); err == nil {
				err = p.Save(option("--save"))
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "hwprofd:", err)
			return 1
		}
	case "evaluate": // the clock is slower by a quarter
		if _, err := lut.Read(option("--lut")); err != nil || !slices.Contains(args, "--clock") {
			fmt.Fprintln(os.Stderr, "hwprofd: no clock:", err)
			return 1
		}
		fmt.Println(`{"lut_ns":100,"now_ns":125,"factor":1.25,"rescaled":true}`)
	case "bench":
		for _, name := range panel {
			for i := range 3 {
				fmt.Printf("BenchmarkKernels/%s 1 %d ns/op\n", name, 1000+i)
			}
		}
	default:
		return 2
	}
	return 0
}

func fakeWorkloads() []graph.Workload { return graph.Typical()[:6] }

// fakeNS is what a workload costs on the fake machine.
func fakeNS(w graph.Workload) float64 {
	return 1000 + float64(w.MACs())/20 + float64(w.Bytes())/10
}

// fakeTable is a sound table with n rows at least.
func fakeTable(n int) *lut.Table {
	info := device.Info{OS: "linux", Arch: "amd64", CPUs: []device.CPU{{Vendor: "GenuineIntel", Model: "Fake CPU", Family: 6, ModelID: 85, Threads: 2}}, Cores: 1, Threads: 2, MemoryBytes: 1 << 30}
	t := &lut.Table{Meta: lut.Meta{
		Schema: lut.Schema, Device: info, Fingerprint: info.Fingerprint(), Runtime: "hwprofd", RuntimeVersion: "test", Threads: 1,
		Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Protocol: lut.Protocol{RelativeCI: 0.02, BudgetSeconds: 60, MaxItemSeconds: 1},
	}}
	seen := map[string]bool{}
	add := func(w graph.Workload) {
		if seen[w.String()] || w.Validate() != nil {
			return
		}
		seen[w.String()] = true
		row := lut.NewRow(w)
		ns := fakeNS(w)
		row.LatencyMedianNS, row.LatencyMeanNS, row.LatencyP10NS, row.LatencyP90NS, row.LatencyCI95NS, row.RawMedianNS = ns, ns, 0.99*ns, 1.02*ns, 0.005*ns, ns
		row.Samples, row.Stable, row.MeasuredAt = 50, len(t.Rows)%10 != 0, t.Meta.Created.Add(time.Duration(len(t.Rows))*time.Second)
		t.Rows = append(t.Rows, row)
	}
	for _, w := range fakeWorkloads() {
		add(w)
	}
	base, err := graph.ParseWorkload("conv2d/f32/n1c64h56w56/k128r3s3/stride2.pad1.dil1.group1/relu")
	if err != nil {
		panic(err)
	}
	for i := 1; len(t.Rows) < n; i++ {
		w := base
		w.C, w.K, w.H, w.W = 1+i%97, 8+i%89, 7+i%53, 7+i%53
		add(w)
		if i > 100*n {
			panic("too few different workloads")
		}
	}
	for i, use := range []string{"fit", "fit", "fit", "test"} {
		var names []string
		sum := 0.0
		for _, row := range t.Rows[i : i+5] {
			names = append(names, row.Key)
			sum += row.LatencyMedianNS
		}
		ns := math.Round(sum * 1.01)
		t.Networks = append(t.Networks, lut.Network{Name: "net" + strconv.Itoa(i), Workloads: names, LatencyMedianNS: ns, LatencyP10NS: ns, LatencyP90NS: ns, LatencyCI95NS: 1, Samples: 20, Use: use})
	}
	return t
}
