package lut

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func published() *Published {
	return &Published{
		Format: "tfnas", Source: "cpu.csv", Columns: []string{"block", "mid_channels", "latency_ms"}, Key: 2, Latency: "latency_ms",
		Records: [][]string{{"base", "", "9.35647"}, {"b", "1", "-0.50443"}, {"b", "2", "6.499499999999999"}},
	}
}

func TestPublishedRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.lut.parquet")
	want := testTable(3)
	want.Published = published()
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, sameTable); diff != "" {
		t.Errorf("-written +read:\n%s", diff)
	}
	if got.Published.LatencyMS(1) != -0.50443 {
		t.Errorf("latency %v", got.Published.LatencyMS(1))
	}
}

// A file with entries that are wrong is refused, though its checksum is right.
func TestPublishedRefused(t *testing.T) {
	for want, change := range map[string]func(*Published){
		"the format is missing":      func(p *Published) { p.Format = "" },
		`no column "ms"`:             func(p *Published) { p.Latency = "ms" },
		"0 columns cannot name":      func(p *Published) { p.Key = 0 },
		"3 columns cannot name":      func(p *Published) { p.Key = 3 },
		"it has no entries":          func(p *Published) { p.Records = nil },
		"entry 1 has 2 values":       func(p *Published) { p.Records[1] = p.Records[1][:2] },
		`entry 2: latency_ms is "x"`: func(p *Published) { p.Records[2][2] = "x" },
		"entry 1: latency_ms is":     func(p *Published) { p.Records[1][2] = "+Inf" },
		"is already entry 1":         func(p *Published) { p.Records[2][1] = "1" },
	} {
		table := testTable(1)
		table.Published = published()
		change(table.Published)
		if err := table.Write(filepath.Join(t.TempDir(), "x.lut.parquet")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("written with %q: %v", want, err)
		}
		path := forge(t, table, table.Rows)
		_, err := Read(path)
		wantError(t, err, path, "published table: ", want)
	}
}
