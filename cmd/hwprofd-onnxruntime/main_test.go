//go:build linux || darwin

package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

var lib = flag.String("lib", "", "ONNX Runtime's shared library, to try the adapter with")

// conversation gives an adapter the lines and returns its replies.
func conversation(t *testing.T, a *adapter, lines ...string) []string {
	t.Helper()
	var out bytes.Buffer
	if err := a.serve(strings.NewReader(strings.Join(lines, "\n")+"\n"), &out); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

func TestRefusals(t *testing.T) {
	a := &adapter{api: &api{version: "1.0"}, options: options{threads: 1, optimization: "all", provider: "cpu"}, begin: time.Now()}
	got := conversation(t, a,
		`{"op":"hello","protocol":2}`, `{"op":`, `{"op":"fly"}`, `{"op":"run","n":1}`, `{"op":"nodes","n":1}`,
		`{"op":"outputs","folder":"/"}`, `{"op":"load","inputs":[{"name":"x","file":"/no/such.npy"}]}`, `{"op":"unload"}`,
		`{"op":"hello","protocol":1,"further":{}}`, `{"op":"shutdown"}`, `{"op":"run","n":1}`)
	for i, want := range []string{
		"protocol 2 is not spoken", "not JSON", `operation \"fly\" is not known`, "no model is loaded", "no model is loaded",
		"no model is loaded", "no such file", `{"ok":true}`, `"name":"onnxruntime","version":"1.0"`, `{"ok":true}`,
	} {
		if !strings.Contains(got[i], want) {
			t.Errorf("reply %d is %s, want one with %s", i, got[i], want)
		}
		if ok := strings.HasPrefix(got[i], `{"ok":true`); ok != (i >= 7) {
			t.Errorf("reply %d is %s", i, got[i])
		}
	}
	if len(got) != 10 {
		t.Errorf("%d replies, want none after the end", len(got))
	}
}

func TestNPY(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.npy")
	for _, want := range []tensor{
		{kind: 1, shape: []int64{2, 1}, data: []byte{1, 2, 3, 4, 5, 6, 7, 8}},
		{kind: 7, data: []byte{1, 2, 3, 4, 5, 6, 7, 8}},
		{kind: 10, shape: []int64{0}, data: []byte{}},
	} {
		if err := writeNPY(path, want); err != nil {
			t.Fatal(err)
		}
		got, err := readNPY(path)
		if err != nil {
			t.Fatal(err)
		}
		if got.kind != want.kind || !reflect.DeepEqual(got.shape, want.shape) || !bytes.Equal(got.data, want.data) {
			t.Errorf("wrote %+v, read %+v", want, got)
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if begin := len(file) - len(want.data); begin%64 != 0 {
			t.Errorf("the elements begin at %d", begin)
		}
		for _, length := range []int{0, 5, 9, 40, len(file) - 1} {
			if err := os.WriteFile(path, file[:length], 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := readNPY(path); err == nil {
				t.Errorf("a file cut to %d of %d bytes is read", length, len(file))
			}
		}
	}
}

// TestReadProfile has what ONNX Runtime 1.30 wrote, but for further arguments.
func TestReadProfile(t *testing.T) {
	const profile = `[
{"cat":"Session","dur":6307,"ts":3,"ph":"X","name":"model_loading_uri","args":{}},
{"cat":"Node","dur":378,"ts":1,"ph":"X","name":"ReorderInput_kernel_time","args":{"op_name":"ReorderInput","node_index":"2"}},
{"cat":"Node","dur":835,"ts":2,"ph":"X","name":"y_nchwc_kernel_time","args":{"op_name":"Conv","node_index":"1"}},
{"cat":"Session","dur":13463,"ts":4,"ph":"X","name":"SequentialExecutor::Execute","args":{}},
{"cat":"Node","dur":100,"ts":5,"ph":"X","name":"ReorderInput_kernel_time","args":{"op_name":"ReorderInput","node_index":"2"}},
{"cat":"Node","dur":500,"ts":6,"ph":"X","name":"y_nchwc_kernel_time","args":{"op_name":"Conv","node_index":"1"}},
{"cat":"Node","dur":102,"ts":7,"ph":"X","name":"ReorderInput_kernel_time","args":{"op_name":"ReorderInput","node_index":"2"}},
{"cat":"Node","dur":502,"ts":8,"ph":"X","name":"y_nchwc_kernel_time","args":{"op_name":"Conv","node_index":"1"}}
]`
	got, err := readProfile([]byte(profile), 2)
	if err != nil {
		t.Fatal(err)
	}
	want := []nodeTime{{Name: "ReorderInput", Op: "ReorderInput", NS: 101.5e3, Layout: true}, {Name: "y_nchwc", Op: "Conv", NS: 501.5e3}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := readProfile([]byte(profile), 3); err == nil {
		t.Error("a profile of fewer runs is read")
	}
}

func TestMiddleMean(t *testing.T) {
	if got := middleMean([]float64{9000, 4, 2, 3, 1, 5, 4, 0}); got != 3.25 { // of 2, 3, 4, 4
		t.Errorf("the mean of the middle half is %g", got)
	}
	if got := middleMean([]float64{7}); got != 7 {
		t.Errorf("of one value it is %g", got)
	}
}

func TestMakes(t *testing.T) {
	nodes := []nodeTime{{Name: "y_nchwc"}, {Name: "Gelu"}, {Name: "new"}}
	makes(nodes, []graphNode{{Name: "y_nchwc", outputs: []string{"reorder"}}, {Name: "Gelu", outputs: []string{"z", "mask"}}, {outputs: []string{"w"}}})
	if want := [][]string{{"reorder", "y"}, {"z", "mask"}, nil}; !reflect.DeepEqual([][]string{nodes[0].Makes, nodes[1].Makes, nodes[2].Makes}, want) {
		t.Errorf("nodes make %v", nodes)
	}
}

// TestReadGraph has a model of two nodes, with fields that are passed over.
func TestReadGraph(t *testing.T) {
	field := func(number byte, value string) string { return string([]byte{number<<3 | 2, byte(len(value))}) + value }
	conv := field(1, "x") + field(2, "y") + field(3, "conv") + field(4, "Conv") + field(7, "com.microsoft.nchwc")
	reorder := field(4, "ReorderOutput") + "\x78\x96\x01" + "\x7d1234"
	model := "\x08\x08" + field(7, field(1, conv)+field(2, "graph")+field(1, reorder))
	got, err := readGraph([]byte(model))
	want := []graphNode{{Name: "conv", Op: "Conv", outputs: []string{"y"}}, {Op: "ReorderOutput", Layout: true}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for cut := 3; cut < len(model); cut++ {
		if nodes, err := readGraph([]byte(model[:cut])); err == nil {
			t.Errorf("cut to %d bytes: %v", cut, nodes)
		}
	}
}

// TestLibrary needs -lib. The rest of what an adapter has to do is tried by
// hwprofd runtime check.
func TestLibrary(t *testing.T) {
	if _, err := loadAPI("/no/such/library.so"); err == nil || !strings.Contains(err.Error(), "--lib") {
		t.Errorf("error %v, want one that says what to do", err)
	}
	if os.Getenv("LD_LIBRARY_PATH") == "" {
		t.Setenv("HOME", t.TempDir())
		capi := filepath.Join(os.Getenv("HOME"), ".local/lib/python3.11/site-packages/onnxruntime/capi")
		if err := os.MkdirAll(capi, 0o755); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(capi, "libonnxruntime.so.1.30.0")
		if err := os.WriteFile(file, []byte("no library"), 0o644); err != nil {
			t.Fatal(err)
		}
		// The loader's complaint shows that the file was found and tried.
		if _, err := loadAPI(""); runtime.GOOS == "linux" && err != nil && !strings.Contains(err.Error(), file) {
			t.Errorf("error %v, want one about %s", err, file)
		}
	}
	if *lib == "" {
		t.Skip("no -lib given")
	}
	api, err := loadAPI(*lib)
	if err != nil {
		t.Fatal(err)
	}
	a := &adapter{api: api, options: options{threads: 1, optimization: "all", provider: "cpu"}, begin: time.Now(), folder: t.TempDir()}
	got := conversation(t, a, `{"op":"hello","protocol":1}`, `{"op":"load","model":"/no/such.onnx"}`)
	if !strings.Contains(got[0], `"version":"1.`) || !strings.Contains(got[1], "/no/such.onnx") {
		t.Errorf("replies %s", got)
	}
}
