package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rounds writes a folder as table.sh leaves it.
func rounds(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

const (
	deviceText = `{"cpus": [{"model": "Test Processor", "threads": 2}], "kernels": ["avx2", "portable"], "virtual": true}`
	headerText = "peer,kind,shape,dtype,threads,peer_ns,ours_ns,ratio\n"
)

func TestTable(t *testing.T) {
	folder := rounds(t, map[string]string{
		"device.json": deviceText,
		"peaks-1.csv": "machine,peak,fma256,f32,1,1,1,90\n",
		"peaks-2.csv": "machine,peak,fma256,f32,1,1,1,100\nmachine,peak,memcpy16k,u8,1,1,1,200\n",
		// OpenBLAS is the better peer of 256, BLIS of 1024.
		"gemm-openblas-1.csv": headerText +
			"openblas,gemm,m256n256k256,f32,1,1000000,900000,0.9\n" +
			"openblas,gemm,m1024n1024k1024,f32,1,40000000,25000000,0.6250\n",
		"gemm-openblas-2.csv": headerText +
			"openblas,gemm,m256n256k256,f32,1,1000000,1100000,1.1\n" +
			"openblas,gemm,m256n256k256,f32,1,1000000,1000000,1\n",
		"gemm-blis-1.csv": headerText +
			"blis,gemm,m256n256k256,f32,1,2000000,900000,0.45\n" +
			"blis,gemm,m1024n1024k1024,f32,1,30000000,25000000,0.8333\n" +
			"blis,gemm,m2048n2048k2048,f32,1,30000000,,\n",
		"attention.csv": headerText +
			"onnxruntime,attention,attention_h12q512kv512d64,f32,2,1000,400,0.4\n" +
			"onnxruntime,attention,attention_h12q512kv512d64_fused,f32,2,500,400,0.8\n",
	})
	name, section, err := makeSection(folder)
	if err != nil {
		t.Fatal(err)
	}
	if name != "Test Processor" {
		t.Errorf("processor %q", name)
	}
	for _, want := range []string{
		"## Test Processor\n\n2 hardware threads, a virtual machine; kernels: avx2, portable. Measured peaks of one thread: FMA on 256 bits 100.0 GFLOP/s, copy of 16 KiB 200.0 GB/s.\n",
		"| SGEMM, square, B given at each call | 1 | 2 | 0.91 | 1.00 (m256n256k256) | mean ≤ 1.00 reached, each ≤ 1.05 reached, m1024n1024k1024 ≥ 85% of peak reached |\n",
		"| m256n256k256 | openblas | 1000 µs | 1000 µs | 1.00 | 0.90..1.10 | 34% |\n",
		"| m1024n1024k1024 | blis | 30000 µs | 25000 µs | 0.83 | 0.83..0.83 | 86% |\n",
		"| attention, 12 heads, 512 queries | 2 | 1 | 0.80 | 0.80 (h12q512kv512d64) | **each ≤ 0.50 missed by 60%** |\n",
		"| h12q512kv512d64 | onnxruntime (fused) | 0.5 µs | 0.4 µs | 0.80 | 0.80..0.80 |\n",
	} {
		if !strings.Contains(section, want) {
			t.Errorf("the section lacks\n%s\nit is\n%s", want, section)
		}
	}
}

func TestPutSection(t *testing.T) {
	path := write(t, "kernels.md", "# Title\n")
	for _, put := range [][2]string{{"A", "first\n"}, {"B", "second\n"}, {"A", "third\n"}} {
		if err := putSection(path, put[0], put[1]); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "# Title\n\n<!-- begin: A -->\nthird\n<!-- end: A -->\n\n<!-- begin: B -->\nsecond\n<!-- end: B -->\n"
	if string(text) != want {
		t.Errorf("file is %q, want %q", text, want)
	}
	if err := os.WriteFile(path, []byte("<!-- begin: A -->\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := putSection(path, "A", "x"); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a section without an end: error %v", err)
	}
}

func TestBadRounds(t *testing.T) {
	for _, test := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{}, "device.json"},
		{map[string]string{"device.json": "{"}, "device.json"},
		{map[string]string{"device.json": "{}"}, "no processor"},
		{map[string]string{"device.json": deviceText}, "no comparisons"},
		{map[string]string{"device.json": deviceText, "a.csv": headerText + "x,y\n"}, "a.csv"},
		{map[string]string{"device.json": deviceText, "a.csv": headerText + "p,gemm,s,f32,1,0,1,1\n"}, "a.csv:2: median_ns"},
		{map[string]string{"device.json": deviceText, "a.csv": headerText + "p,gemm,s,f32,1,1,-1,1\n"}, "a.csv:2: ours_ns"},
	} {
		if _, _, err := makeSection(rounds(t, test.files)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: error %v, want %q", test.files, err, test.want)
		}
	}
}
