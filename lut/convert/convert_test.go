package convert

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/lut"
)

var day = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// stored writes p as part of a table, and reads it again.
func stored(t *testing.T, p *lut.Published) *lut.Table {
	t.Helper()
	rows, err := Rows(p, day)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "p.lut.parquet")
	table := &lut.Table{Meta: lut.Meta{Schema: lut.Schema, Device: device.Info{Board: "x"}, Fingerprint: "published-x", Runtime: "x", Threads: 1, Created: day}, Rows: rows, Published: p}
	if err := table.Write(path); err != nil {
		t.Fatal(err)
	}
	if table, err = lut.Read(path); err != nil {
		t.Fatal(err)
	}
	return table
}

func published(t *testing.T, parts ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{"..", "..", "..", "shared", "data"}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the published tables are not there: %v", err)
	}
	return path
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(z); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	return data
}

func TestPublishedCSV(t *testing.T) {
	for _, c := range []struct {
		format  string
		path    []string
		entries int
		rows    int
	}{
		{OFA, []string{"ofa-lut", "jetson.csv.gz"}, 1632, 17 + 3 + 3 + 2},
		{TFNAS, []string{"tf-nas-lut", "cpu.csv.gz"}, 36481, 0},
		{TFNAS, []string{"tf-nas-lut", "gpu.csv.gz"}, 36481, 0},
		{SinglePath, []string{"single-path-nas", "pixel1.csv"}, 88, 0},
	} {
		t.Run(strings.Join(c.path, "/"), func(t *testing.T) {
			path := published(t, c.path...)
			p, err := Read(path, c.format)
			if err != nil {
				t.Fatal(err)
			}
			table := stored(t, p)
			if len(table.Published.Records) != c.entries || len(table.Rows) != c.rows {
				t.Errorf("%d entries and %d rows, want %d and %d", len(table.Published.Records), len(table.Rows), c.entries, c.rows)
			}
			var b bytes.Buffer
			if err := WriteCSV(&b, table.Published); err != nil {
				t.Fatal(err)
			}
			parse := func(data []byte) [][]string {
				all, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
				if err != nil {
					t.Fatal(err)
				}
				return all
			}
			want, got := parse(content(t, path)), parse(b.Bytes())
			if len(want) != len(got) {
				t.Fatalf("%d lines, want %d", len(got), len(want))
			}
			for i := range want {
				if strings.Join(want[i], ",") != strings.Join(got[i], ",") {
					t.Fatalf("line %d: %q, want %q", i, got[i], want[i])
				}
				if i > 0 {
					v, err := strconv.ParseFloat(want[i][len(want[i])-1], 64)
					if c.format == OFA {
						v, err = strconv.ParseFloat(want[i][3], 64)
					}
					if err != nil || v != table.Published.LatencyMS(i-1) {
						t.Fatalf("line %d: latency %v, want %v (%v)", i, table.Published.LatencyMS(i-1), v, err)
					}
				}
			}
		})
	}
}

func TestPublishedOFAJSON(t *testing.T) {
	for _, resolution := range []string{"160", "192", "224"} {
		path := published(t, "ofa-lut", "original", "jetson", resolution+"_lookup_table.json")
		p, err := Read(path, OFA)
		if err != nil {
			t.Fatal(err)
		}
		table := stored(t, p)
		if len(table.Rows) != 5 || table.Published.Records[0][0] != resolution {
			t.Errorf("%d rows of resolution %s, want 5 of %s", len(table.Rows), table.Published.Records[0][0], resolution)
		}
		var b bytes.Buffer
		if err := WriteOFA(&b, table.Published, ""); err != nil {
			t.Fatal(err)
		}
		type entry struct{ Count, Mean, Std float64 }
		var want, got map[string]entry
		if err := errors.Join(json.Unmarshal(content(t, path), &want), json.Unmarshal(b.Bytes(), &got)); err != nil {
			t.Fatal(err)
		}
		if len(want) != 96 || len(got) != len(want) {
			t.Fatalf("%d entries, want %d", len(got), len(want))
		}
		for key, e := range want {
			if got[key] != e {
				t.Errorf("%s: %v, want %v", key, got[key], e)
			}
		}
		for _, r := range table.Rows { // each is one of the published means
			found := false
			for _, e := range want {
				found = found || math.Abs(r.LatencyMedianNS/1e6/e.Mean-1) < 1e-12
			}
			if !found || r.Stable {
				t.Errorf("%s: %v ms, stable %v", r.Key, r.LatencyMedianNS/1e6, r.Stable)
			}
		}
	}
}

func TestNNMeter(t *testing.T) {
	text := "kernel,HW,CIN,COUT,KERNEL_SIZE,STRIDES,latency_ms\n" +
		"conv-bn-relu,56,64,128,3,2,1.25\ndwconv-bn-relu6,28,32,32,5,1,0.5\nfc,1,1280,1000,1,1,0.75\nhswish,14,96,96,1,1,0.0625\n" +
		"maxpool,56,64,64,3,2,0.1\nglobal-avgpool,7,960,960,1,1,0.02\nchannelshuffle,14,64,64,1,1,0.3\n"
	p, err := Parse([]byte(text), "k.csv", NNMeter)
	if err != nil {
		t.Fatal(err)
	}
	table := stored(t, p)
	want := []string{
		"conv2d/f32/n1c64h56w56/k128r3s3/stride2.pad0x0x1x1.dil1.group1/relu",
		"conv2d/f32/n1c32h28w28/k32r5s5/stride1.pad2.dil1.group32/relu6",
		"linear/f32/n1c1280/k1000/none", "hswish/f32/n1c96h14w14",
		"maxpool/f32/n1c64h56w56/r3s3/stride2.pad0x0x1x1", "globalavgpool/f32/n1c960h7w7",
	}
	if len(table.Rows) != len(want) {
		t.Fatalf("%d rows, want %d", len(table.Rows), len(want))
	}
	for i, key := range want {
		if table.Rows[i].Key != key || table.Rows[i].LatencyMedianNS != p.LatencyMS(i)*1e6 {
			t.Errorf("row %d is %s of %v ns, want %s", i, table.Rows[i].Key, table.Rows[i].LatencyMedianNS, key)
		}
	}
	var b bytes.Buffer
	if err := WriteCSV(&b, table.Published); err != nil || b.String() != text {
		t.Errorf("exported %q, %v", b.String(), err)
	}
}

func TestRowsAsOFA(t *testing.T) {
	p, err := Parse([]byte("kernel,CIN,COUT,latency,count,std\nfc,10,20,0.5,4,0.1\n"), "k.csv", NNMeter)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := Rows(p, day)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := rows[0].LatencyCI95NS, 1.96*0.1e6/2; math.Abs(got/want-1) > 1e-9 || rows[0].Samples != 4 {
		t.Errorf("interval %v of %d samples, want %v of 4", got, rows[0].Samples, want)
	}
	var b bytes.Buffer
	if err := WriteRowsOFA(&b, rows); err != nil {
		t.Fatal(err)
	}
	back, err := Parse(b.Bytes(), "x.json", OFA)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Rows(back, day)
	if err != nil || len(again) != 1 || again[0].Key != rows[0].Key || again[0].LatencyMeanNS != rows[0].LatencyMeanNS {
		t.Errorf("back: %+v, %v", again, err)
	}
}

func TestRefuses(t *testing.T) {
	for _, c := range []struct{ format, text, want string }{
		{TFNAS, "", "empty"},
		{TFNAS, "block,choice,latency_ms\n0,0,1\n", "header"},
		{TFNAS, "block,mid_channels,latency_ms\n", "no entries"},
		{TFNAS, "block,mid_channels,latency_ms\nb,1,x\n", `entry 0: latency_ms is "x"`},
		{TFNAS, "block,mid_channels,latency_ms\nb,1,NaN\n", `entry 0: latency_ms is "NaN"`},
		{TFNAS, "block,mid_channels,latency_ms\nb,1,1\nb,1,2\n", "entry 1: "},
		{TFNAS, "block,mid_channels,latency_ms\nb,1\n", "wrong number of fields"},
		{OFA, `{"a": {"count": 1}}`, `"a" has no mean`},
		{OFA, `{"a": {"mean": "x"}}`, "JSON"},
		{OFA, `{"a": {"mean": 1}`, "JSON"},
		{OFA, `{"a": {"mean": 1}} {}`, "follows"},
		{OFA, "\x1f\x8bxx", "gzip"},
		{NNMeter, "kernel,x\nconv,1\n", "latency"},
		{NNMeter, "HW,latency\n1,1\n", "kernel"},
		{"pickle", "x", `format "pickle" is not known`},
	} {
		if _, err := Parse([]byte(c.text), "x", c.format); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: error %v, want %q", c.format, c.text, err, c.want)
		}
	}
	p, err := Parse([]byte("kernel,HW,CIN,COUT,KERNEL_SIZE,STRIDES,latency\nconv-bn,56,64,0,3,2,1\n"), "k.csv", NNMeter)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Rows(p, day); err == nil || !strings.Contains(err.Error(), `k.csv: entry 0: COUT: "0"`) {
		t.Errorf("a convolution to no channels: %v", err)
	}
}

var samples = map[string]string{
	OFA:        `{"Conv-input:8x8x3-output:4x4x8": {"count": 2, "mean": 1.5, "std": 0.25}, "b": {"count": 1, "mean": 2, "std": 0}}`,
	TFNAS:      "block,mid_channels,latency_ms\nbase,,9.5\nb,1,-0.5\n",
	SinglePath: "block,choice,latency_ms\n0,0,3.5\n0,1,2\n",
	NNMeter:    "kernel,HW,CIN,COUT,KERNEL_SIZE,STRIDES,latency\nconv-bn,8,3,4,3,2,1\n",
}

// TestTruncated cuts each form after every byte: an error or a table that is
// sound, never a panic.
func TestTruncated(t *testing.T) {
	for format, text := range samples {
		for n := range len(text) {
			p, err := Parse([]byte(text[:n]), "x", format)
			if err == nil {
				_, err = Rows(p, day)
			}
			if format == OFA && err == nil {
				t.Errorf("%d bytes of %s are read", n, format)
			}
		}
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		fmt.Fprint(z, text)
		z.Close()
		if _, err := Parse(b.Bytes(), "x", format); err != nil {
			t.Errorf("%s in gzip: %v", format, err)
		}
		for n := 2; n < b.Len(); n++ {
			if _, err := Parse(b.Bytes()[:n], "x", format); err == nil {
				t.Errorf("%d bytes of gzip of %s are read", n, format)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for format, text := range samples {
		f.Add(format, []byte(text))
	}
	f.Fuzz(func(t *testing.T, format string, data []byte) {
		p, err := Parse(data, "x", format)
		if err != nil {
			return
		}
		if _, err := Rows(p, day); err != nil {
			return
		}
		var b bytes.Buffer
		if err := WriteCSV(&b, p); err != nil {
			t.Fatal(err)
		}
		if format != OFA { // its JSON form is another
			again, err := Parse(b.Bytes(), "x", format)
			if err != nil || len(again.Records) != len(p.Records) {
				t.Fatalf("exported, it does not import: %v\n%q", err, b.Bytes())
			}
		}
	})
}
