package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/kernels"
)

// write writes a file of the test and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("times kernels, which takes seconds: not with -short")
	}
	path := write(t, "rows.csv", `peer,kind,shape,dtype,threads,median_ns,min_ns,gflops
machine,peak,fma512,f32,1,10096870,10096870,152.1
openblas,gemm,m8n8k8,f32,1,100,90,10.2
onnxruntime,gemm,gemm_m8n8k8,f32,1,200,90,
onednn,conv,conv_n1c3h8k4r3s2g1,f32,1,1000,900,1
onnxruntime,conv,conv_n1c4h8k4r3s1g4,f32,2,1000,900,
onnxruntime,attention,attention_h2q3kv5d8_fused,f32,1,1000,900,
pytorch-1,backward,attention_n2h2q3kv3d8,f32,1,1000,900,
pytorch-1,backward,conv_n2c4h5k4r3s1g4,f32,1,1000,900,
pytorch-1,backward,linear_n2c4k3,f32,1,1000,900,
pytorch-1,backward,batchnorm_n2c4h3,f32,1,1000,900,
pytorch-1,backward,layernorm_n2c4,f32,1,1000,900,
machine,gemm,m8n8k8,u8s8,1,1000,900,
onnxruntime,net,net_of_tomorrow,f32,1,1000,900,
onednn,gemm,gemm_m8n8k8,f8,1,1000,900,
`)
	var stdout, stderr bytes.Buffer
	if err := run([]string{"-rows", path}, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(&stdout).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(records[0], ","), "peer,kind,shape,dtype,threads,peer_ns,ours_ns,ratio"; got != want {
		t.Errorf("header %q, want %q", got, want)
	}
	records = records[1:]
	if len(records) != 13 {
		t.Fatalf("%d rows, want 13:\n%v", len(records), records)
	}
	for i, r := range records {
		if runs := i < 11; !runs {
			if r[6] != "" || r[7] != "" {
				t.Errorf("row %v cannot be run, but has a ratio", r)
			}
			continue
		}
		peer, _ := strconv.ParseFloat(r[5], 64)
		ours, _ := strconv.ParseFloat(r[6], 64)
		ratio, _ := strconv.ParseFloat(r[7], 64)
		// ours_ns is printed in whole nanoseconds.
		if ours < 1 || math.Abs(ratio-ours/peer) > 0.51/peer {
			t.Errorf("row %v: ratio %v, want ours_ns/peer_ns = %v", r, ratio, ours/peer)
		}
	}
	if r := records[3]; r[0] != "onnxruntime" || r[4] != "2" {
		t.Errorf("row %v, want two threads", r)
	}
	said := stderr.String()
	for _, want := range []string{
		path + ":14: onnxruntime net_of_tomorrow f32: there is no net_of_tomorrow.onnx in ",
		path + ":15: onednn gemm_m8n8k8 f8: there are no kernels",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("standard error %q, want %q", said, want)
		}
	}
	if kernels.Threads(1) != 1 {
		t.Error("the number of threads was not set back")
	}
}

func TestRunJSON(t *testing.T) {
	if testing.Short() {
		t.Skip("times kernels, which takes seconds: not with -short")
	}
	path := write(t, "rows.csv", "onednn,gemm,gemm_m4n4k4,f32,1,1000,900,\nonednn,net,x,f32,1,1000,900,\n")
	var stdout, stderr bytes.Buffer
	if err := run([]string{"-json", "-threads", "2", "-rows", path}, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(&stdout)
	for i := range 2 {
		var line struct {
			Shape   string
			Threads int
			Ours    *float64 `json:"ours_ns"`
			Ratio   *float64
		}
		if err := decoder.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if line.Threads != 2 || (line.Ratio != nil) != (i == 0) || (line.Ours != nil) != (i == 0) {
			t.Errorf("line %d: %+v", i, line)
		}
	}
}

func TestBadRows(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "rows.csv: no rows to compare with"},
		{"machine,peak,fma512,f32,1,1,1,1\n", "rows.csv: no rows to compare with"},
		{"peer,kind,size\n", "rows.csv:1: header"},
		{"openblas,gemm,m8n8k8,f32,1,100\nopenblas,gemm\n", "rows.csv:2: 2 columns"},
		{"a,b,c,d,1,1,1,1,1\n", "rows.csv:1: 9 columns"},
		{"openblas,gemm,m8n8k8,f32,none,100,90,1\n", `rows.csv:1: threads is "none"`},
		{"openblas,gemm,m8n8k8,f32,0,100,90,1\n", `rows.csv:1: threads is "0"`},
		{"openblas,gemm,m8n8k8,f32,1,fast,90,1\n", `rows.csv:1: median_ns is "fast"`},
		{"openblas,gemm,m8n8k8,f32,1,0,90,1\n", `rows.csv:1: median_ns is "0"`},
		{"openblas,gemm,m8n8k8,f32,1,NaN,90,1\n", `rows.csv:1: median_ns is "NaN"`},
		{"openblas,gemm,m8n8k8,f32,1,1,90,x\n", `rows.csv:1: gflops is "x"`},
		{"openblas,,m8n8k8,f32,1,1,90,1\n", "rows.csv:1: kind is empty"},
		{"openblas,gemm,\"m8n8k8,f32,1,1,90,1\n", "rows.csv:1: extraneous or missing"},
	} {
		_, err := readRows("rows.csv", strings.NewReader(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("rows %q: error %v, want %q", test.text, err, test.want)
		}
	}
	if _, err := readRowsFile("no-such-file.csv"); err == nil || !strings.Contains(err.Error(), "no-such-file.csv") {
		t.Errorf("a missing file: error %v", err)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"-rows", "x.csv", "-table", "folder"},
		{"-rows", "x.csv", "more"},
		{"-rows", "x.csv", "-threads", "-1"},
		{"-rows", "x.csv", "-use", "mmx"},
		{"-no-such-flag"},
	} {
		var stdout, stderr bytes.Buffer
		if err := run(args, &stdout, &stderr); !errors.Is(err, errUsage) || stderr.Len() == 0 || stdout.Len() > 0 {
			t.Errorf("%v: error %v, standard error %q", args, err, stderr.String())
		}
	}
}

func TestShapes(t *testing.T) {
	for shape, kind := range map[string]string{
		"m8n8":                          "gemm",
		"m8n8k8x":                       "gemm",
		"m0n8k8":                        "gemm",
		"m-1n8k8":                       "gemm",
		"m08n8k8":                       "gemm",
		"m99999999n8k8":                 "gemm",
		"conv_n1c64h56":                 "conv",
		"conv_n1c3h8k4r3s1g2":           "conv", // groups that do not divide
		"conv_n1c3h2k4r9s1g1_and_a_bit": "conv",
	} {
		if _, err := prepare(row{kind: kind, shape: shape, dtype: "f32"}); err == nil {
			t.Errorf("%s %q was accepted", kind, shape)
		}
	}
	s, err := convShape("conv_n1c64h56k128r5s2g4")
	want := kernels.Conv2D{N: 1, C: 64, H: 56, W: 56, K: 128, R: 5, S: 5, StrideH: 2, StrideW: 2,
		PadTop: 2, PadLeft: 2, PadBottom: 2, PadRight: 2, DilationH: 1, DilationW: 1, Groups: 4}
	if err != nil || s != want {
		t.Errorf("convShape = %+v, %v, want %+v", s, err, want)
	}
}
