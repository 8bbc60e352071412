package report

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

func TestWritePprof(t *testing.T) {
	p := synthetic().Picks[1].Prediction
	path := filepath.Join(t.TempDir(), "out.pb.gz")
	if out := os.Getenv("HWPROFD_TEST_PPROF"); out != "" { // to open it with go tool pprof
		path = out
	}
	if err := WritePprof(path, "knee", p, "device e22a5bcaf952"); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := profile.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.SampleType) != 2 || got.SampleType[0].Unit != "nanoseconds" || got.SampleType[1].Unit != "nanojoules" {
		t.Fatalf("sample types %v", got.SampleType)
	}
	var latency, energy float64
	for i, s := range got.Sample {
		latency += float64(s.Value[0])
		energy += float64(s.Value[1])
		stack := make([]string, len(s.Location))
		for j, l := range s.Location {
			stack[j] = l.Line[0].Function.Name
		}
		want := "overhead knee"
		if i < len(p.Parts) {
			w := p.Parts[i].Workload
			want = w.String() + " " + w.Family() + " knee"
		}
		if strings.Join(stack, " ") != want {
			t.Errorf("sample %d has stack %q, want %q", i, stack, want)
		}
	}
	if math.Abs(latency-p.LatencyNS) > float64(len(got.Sample)) {
		t.Errorf("latencies add up to %v ns, predicted %v ns", latency, p.LatencyNS)
	}
	if math.Abs(energy-p.EnergyMJ*1e6) > float64(len(got.Sample)) {
		t.Errorf("energies add up to %v nJ, predicted %v mJ", energy, p.EnergyMJ)
	}
	if len(got.Comments) != 2 || got.Comments[0] != "device e22a5bcaf952" || !strings.Contains(got.Comments[1], "modelled") {
		t.Errorf("comments %q", got.Comments)
	}
}

func TestWritePprofWithoutEnergy(t *testing.T) {
	p := synthetic().Picks[0].Prediction
	p.EnergySource, p.EnergyMJ = "", math.NaN()
	data, err := encodePprof("n", p, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := profile.ParseData(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.SampleType) != 1 {
		t.Errorf("sample types %v", got.SampleType)
	}
	p.Parts[0].LatencyNS = math.NaN()
	path := filepath.Join(t.TempDir(), "out.pb.gz")
	if err := WritePprof(path, "n", p); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a prediction without a latency is written: %v", err)
	}
}
