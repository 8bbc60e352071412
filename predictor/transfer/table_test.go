package transfer

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	nb1 = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
	nb2 = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"
)

func TestReadTable(t *testing.T) {
	for _, c := range []struct{ name, space, content, want string }{
		{"empty", "nasbench201", "", "the file is empty"},
		{"no rows", "nasbench201", "arch,a\n", "no row below the header"},
		{"no architecture", "nasbench201", "network,a\n1,2\n", `row 1: column "arch"`},
		{"no device", "nasbench201", "arch,b\n" + nb1 + ",1\n", `row 1: there is no column of device "a"`},
		{"column twice", "nasbench201", "arch,a,a\n" + nb1 + ",1,1\n", `row 1: column "a" is there twice`},
		{"architecture twice", "nasbench201", "arch,a\n" + nb1 + ",1\n" + nb2 + ",1\n" + nb1 + ",1\n", "row 4: architecture \"" + nb1 + "\" is the same as that of row 2"},
		{"negative", "nasbench201", "arch,a\n" + nb1 + ",1\n" + nb2 + ",-1\n", "row 3: latency -1 of a is not a positive"},
		{"zero", "nasbench201", "arch,a\n" + nb1 + ",0\n", "row 2: latency 0 of a is not a positive"},
		{"zero beside precise times", "nasbench201", "arch,a\n" + nb1 + ",0\n" + nb2 + ",10.7544\n", "row 2: latency 0 of a is not a positive"},
		{"NaN", "nasbench201", "arch,a\n" + nb1 + ",NaN\n", "row 2: latency NaN of a is not a positive"},
		{"infinite", "nasbench201", "arch,a\n" + nb1 + ",Inf\n", "row 2: latency Inf of a is not a positive"},
		{"text", "nasbench201", "arch,a\n" + nb1 + ",fast\n", `row 2: latency "fast" of a is not a number`},
		{"missing", "nasbench201", "arch,a\n" + nb1 + ",\n", `row 2: latency "" of a is not a number`},
		{"operation", "nasbench201", "arch,a\n|none~0|+|none~0|conv~1|+|none~0|none~1|none~2|,1\n", `row 2: architecture "|none~0|+|none~0|conv~1|`},
		{"edge", "nasbench201", "arch,a\n|none~0|+|none~0|none~0|+|none~0|none~1|none~2|,1\n", "row 2: architecture"},
		{"short row", "nasbench201", "arch,a\n" + nb1 + "\n", "row 2: 1 columns, the header has 2"},
		{"quote", "nasbench201", "arch,a\n" + nb1 + ",1\n\"" + nb2 + ",1\n", "row 3: extraneous or missing"},
		{"quote in header", "nasbench201", "arch,a\"\n", "row 1: bare"},
		{"blocks", "fbnet", "arch,a\n1 2 3,1\n", "row 2: architecture \"1 2 3\" has 3 blocks, want 22"},
		{"block", "fbnet", "arch,a\n" + strings.Repeat("1 ", 21) + "9,1\n", `block 21 is "9"`},
		{"kernel", "ofa", "arch,a\nks=" + strings.Repeat("3 ", 19) + "4;e=" + strings.Repeat("6 ", 20) + ";d=2 2 2 2 2;r=224,1\n", `ks is "4"`},
		{"form", "ofa", "arch,a\nks=3;e=3,1\n", "is not of the form ks="},
		{"columns", "ofa", "ks,e,d,a\n1,1,1,1\n", `row 1: column "arch"`},
	} {
		_, err := readTable(strings.NewReader(c.content), mustSpace(t, c.space), []string{"a"})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestReadTableForms(t *testing.T) {
	// Devices are all columns but the architecture's, in any order; OFA's
	// architecture may be in one column or in four.
	ks, e := strings.TrimSpace(strings.Repeat("3 ", 20)), strings.TrimSpace(strings.Repeat("6 ", 20))
	content := "a,ks,e,d,r,b\n1.5," + ks + "," + e + ",2 2 2 2 2,224,2.5\n"
	one, err := readTable(strings.NewReader(content), mustSpace(t, "ofa"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(one.Devices) != 2 || one.Latency("a")[0] != 1.5 || one.Latency("b")[0] != 2.5 || one.Latency("c") != nil {
		t.Errorf("devices %v", one.Devices)
	}
	// Whole milliseconds can be rounded to none.
	rounded, err := readTable(strings.NewReader("phone,arch\n0,"+nb1+"\n9,"+nb2+"\n"), mustSpace(t, "nasbench201"), []string{"phone"})
	if err != nil {
		t.Fatal(err)
	}
	if got := rounded.Latency("phone"); got[0] != 0.25 || got[1] != 9 {
		t.Errorf("rounded times are %v", got)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "table.csv.gz")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write([]byte("arch,a\nks=" + ks + ";e=" + e + ";d=2 2 2 2 2;r=224,1\n"))
	w.Close()
	if err := os.WriteFile(path, packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	other, err := ReadTable(path, mustSpace(t, "ofa"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := other.Architectures[0].String(), one.Architectures[0].String(); got != want {
		t.Errorf("architecture %s, want %s", got, want)
	}
}

// Files that a copy cut off or damaged.
func TestReadTableGzip(t *testing.T) {
	var rows bytes.Buffer
	rows.WriteString("arch,a\n")
	ops := []string{"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 625 {
		fmt.Fprintf(&rows, "|%s~0|+|%s~0|%s~1|+|%s~0|none~1|none~2|,%v\n", ops[i%5], ops[i/5%5], ops[i/25%5], ops[i/125], rng.Float64())
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(rows.Bytes())
	w.Close()
	whole := packed.Bytes()
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-8]++
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"whole", whole, ""},
		{"empty", nil, "the file is empty"},
		{"not gzip", rows.Bytes(), "is not gzip"},
		{"short and not gzip", []byte("arch"), "is not gzip"},
		{"in its header", whole[:5], "row 1: the file is cut off"},
		{"in the middle", whole[:len(whole)/2], "the file is cut off"},
		{"at the checksum", whole[:len(whole)-4], "row 627: the file is cut off"},
		{"another checksum", damaged, "row 627: the compressed file is damaged"},
	} {
		path := filepath.Join(t.TempDir(), "table.csv.gz")
		if err := os.WriteFile(path, c.content, 0o644); err != nil {
			t.Fatal(err)
		}
		table, err := ReadTable(path, mustSpace(t, "nasbench201"), "a")
		if c.want == "" {
			if err != nil || len(table.Architectures) != 625 {
				t.Errorf("%s: error %v", c.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "transfer: "+path+": ") {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	path := filepath.Join(t.TempDir(), "table.csv")
	if err := os.WriteFile(path, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadTable(path, mustSpace(t, "nasbench201"), "a"); err == nil || !strings.Contains(err.Error(), "does not end in .gz") {
		t.Errorf("gzip by another name: error %v", err)
	}
}
