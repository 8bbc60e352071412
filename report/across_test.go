package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/lut"
)

func TestWriteAcross(t *testing.T) {
	rows := []lut.Difference{
		{Key: conv(16, 56, 16, 3, 1, 1, "relu").String(), Cache: "warm", OldNS: 2e5, NewNS: 1e5, Ratio: 0.5, Half: 0.01, P: 3e-20, Faster: true},
		{Key: conv(16, 28, 16, 3, 1, 1, "relu").String(), Cache: "warm", OldNS: 1e4, NewNS: 3e4, Ratio: 3, Half: 0.1, P: 0.0123, Slower: true},
		{Key: conv(16, 14, 16, 1, 1, 1, "relu").String(), Cache: "cold", OldNS: 1e3, NewNS: 1e3, Ratio: 1, Half: 0.1, P: 1, Undecided: true},
	}
	a := Across{
		OldName: "a<b>.lut.parquet", NewName: "b.lut.parquet",
		Old:         lut.Meta{Runtime: "hwprofd", RuntimeVersion: "v1", Threads: 1},
		New:         lut.Meta{Runtime: "onnxruntime", RuntimeVersion: "1.30.0", Threads: 1, RuntimeOptions: map[string]string{"provider": "cpu"}, RuntimeOverheadNS: 3100},
		Differences: &lut.Differences{Rows: rows, Mean: 1.14, OnlyNew: []string{"x"}},
		Options:     lut.DiffOptions{Alpha: 0.05, Threshold: 0.02, Across: true},
	}
	path := filepath.Join(t.TempDir(), "across.html")
	if err := WriteAcross(path, a); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for _, want := range []string{
		"a&lt;b&gt;.lut.parquet", "onnxruntime 1.30.0, threads 1 (provider=cpu)", "<svg role=\"img\"", rows[1].Key,
		"<td>conv2d</td><td>1</td><td>1</td><td>0</td><td>1.22</td>", "<td>pointwise</td><td>0</td><td>0</td><td>1</td>",
		"<td>3.00 ± 0.10</td><td>0.012</td><td>first</td>", "<td>0.50 ± 0.01</td><td>&lt; 1e-12</td><td>second</td>",
		"</code> (cold)</td>", "<td>1.00 ± 0.10</td><td></td><td>undecided</td>", "larger than 2.0% of the time", "A run of nothing takes 3.10 µs in the second, which is part", "0 workloads are in the first table only, 1 in the second only",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if strings.Contains(page, "src=\"http") || strings.Contains(page, "href=") {
		t.Error("the page needs the network")
	}
	a.Differences.Rows[0].Key = "no workload"
	if err := WriteAcross(path, a); err == nil {
		t.Error("a row that is no workload was taken")
	}
}
