package profiler

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadGrid(t *testing.T) {
	want := []string{
		"relu/f32/n1c16h2w2",
		"conv2d/f32/n1c16h14w14/k16r3s3/stride1.pad1.dil1.group16/relu",
		"conv2d/f32/n1c16h28w28/k16r3s3/stride1.pad1.dil1.group16/relu",
		"linear/f32/n1c8/k16/none", "linear/f32/n1c8/k32/none", "linear/f32/n1c24/k16/none", "linear/f32/n1c24/k32/none",
	}
	for name, text := range map[string]string{
		"grid.json": `["relu/f32/n1c16h2w2",
			{"op": "conv2d", "c": 16, "h": [14, 28], "k": 16, "r": 3, "pad": 1, "group": "c", "epilogue": "relu"},
			{"op": "linear", "dtype": "f32", "c": [8, 24], "k": {"from": 16, "to": 32, "step": 16}},
			"relu/f32/n1c16h2w2", {"op": "linear", "c": 8, "k": 16}]`,
		"grid.csv": "workload, op, c, h, k, r, pad, group, epilogue\n" +
			"relu/f32/n1c16h2w2,,,,,,,,\n" +
			",conv2d,16,14|28,16,3,1,c,relu\n" +
			",linear,8|24,,16:32:16,,,,\n",
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		list, err := ReadGrid(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, w := range list {
			got = append(got, w.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestReadGridErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a.json", `{"op": "relu"}`, "want an array"},
		{"a.json", `[] []`, "more after"},
		{"a.json", `[]`, "names no workloads"},
		{"a.json", `["conv3d/f32/n1"]`, "entry 0: "},
		{"a.json", `[12]`, "entry 0: want a name or an object"},
		{"a.json", `[{"c": 16}]`, "entry 0: op is missing"},
		{"a.json", `[{"op": "relu", "colour": 1}]`, "entry 0: colour: there is no such field"},
		{"a.json", `[{"op": "relu", "c": "many"}]`, `entry 0: c: "many" is not a number`},
		{"a.json", `[{"op": "relu", "c": {"from": 3}}]`, "entry 0: c: "},
		{"a.json", `[{"op": "relu", "c": {"from": 3, "to": 1}}]`, "is no range"},
		{"a.json", `[{"op": "linear", "c": {"from": 1, "to": 400}, "k": {"from": 1, "to": 400}}]`, "more than 100000 workloads"},
		{"a.csv", "", "want a line of column names"},
		{"a.csv", "op,c\nrelu\n", "wrong number of fields"},
		{"a.csv", "op,c\nrelu,1:x\n", "line 2: c: "},
		{"a.csv", "op,c,h\nrelu,1,2\nrelu,-4,2\n", "line 3: "},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := ReadGrid(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want one that names the file and says %q", c.text, err, c.want)
		}
	}
	if _, err := ReadGrid(filepath.Join(t.TempDir(), "absent.json")); err == nil || !strings.Contains(err.Error(), "absent.json") {
		t.Errorf("a missing file: %v", err)
	}
}

// TestGridsOfTheDocs reads the examples of docs/measurement.md.
func TestGridsOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/measurement.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## A grid of workloads\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := strings.Split(section, "```")
	if len(blocks) != 5 {
		t.Fatalf("%d parts of the section, want 2 examples and what is around them", len(blocks))
	}
	for i, want := range map[int]int{1: 19, 3: 10} {
		kind, text, _ := strings.Cut(blocks[i], "\n")
		path := filepath.Join(t.TempDir(), "grid.csv")
		if kind != "" {
			path = filepath.Join(t.TempDir(), "grid."+kind)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if list, err := ReadGrid(path); err != nil || len(list) != want {
			t.Errorf("example %d: %d workloads, want %d; %v", i, len(list), want, err)
		}
	}
}
