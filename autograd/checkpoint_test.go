package autograd

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func someCheckpoint() *Checkpoint {
	rng := rand.New(rand.NewPCG(1, 2))
	c := &Checkpoint{Metadata: map[string]string{"step": "12", "space": "mobile28"}}
	for _, x := range []struct {
		name  string
		shape []int
	}{{"stem.weight", []int{4, 1, 3, 3}}, {"stem.bias", []int{4}}, {"empty", []int{0, 3}}, {"value", nil}} {
		t := NewTensor(x.shape...)
		t.Name = x.name
		Normal(t, 1, rng)
		c.Tensors = append(c.Tensors, t)
	}
	return c
}

func (c *Checkpoint) contents() map[string]any {
	out := map[string]any{"metadata": c.Metadata}
	for _, x := range c.Tensors {
		bits := make([]uint32, len(x.Data))
		for i, v := range x.Data {
			bits[i] = math.Float32bits(v)
		}
		out[x.Name] = []any{append([]int{}, x.Shape...), bits}
	}
	return out
}

func TestCheckpointRoundTrip(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		c := &Checkpoint{Metadata: rapid.MapOf(rapid.StringMatching(`[a-z"é]{1,5}`), rapid.StringMatching(`[ -~é\n]{0,9}`)).Draw(t, "metadata")}
		for _, name := range rapid.SliceOfDistinct(rapid.StringMatching(`[a-z.0-9"]{1,8}`), rapid.ID).Draw(t, "names") {
			x := NewTensor(rapid.SliceOfN(rapid.IntRange(0, 4), 0, 3).Draw(t, "shape")...)
			x.Name = name
			for i := range x.Data {
				x.Data[i] = math.Float32frombits(rapid.Uint32().Draw(t, "bits"))
			}
			c.Tensors = append(c.Tensors, x)
		}
		path := filepath.Join(dir, "c.ckpt")
		if err := c.Write(path); err != nil {
			t.Fatal(err)
		}
		got, err := ReadCheckpoint(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.contents(), got.contents()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// The layout is that of safetensors: what its specification's reader finds.
func TestCheckpointIsSafetensors(t *testing.T) {
	data, err := someCheckpoint().encode()
	if err != nil {
		t.Fatal(err)
	}
	length := binary.LittleEndian.Uint64(data)
	text := string(data[8 : 8+length])
	if !strings.HasPrefix(text, `{"__metadata__":{"`) || !strings.Contains(text, `"stem.bias":{"dtype":"F32","shape":[4],"data_offsets":[144,160]}`) || (8+length)%8 != 0 {
		t.Errorf("header %s", text)
	}
	at := 8 + int(length) + 144
	if got, want := math.Float32frombits(binary.LittleEndian.Uint32(data[at:])), someCheckpoint().Tensors[1].Data[0]; got != want {
		t.Errorf("value %v at its offset, want %v", got, want)
	}
}

func TestRestore(t *testing.T) {
	c := someCheckpoint()
	weight, bias := NewParameter("stem.weight", 4, 1, 3, 3), NewParameter("stem.bias", 4)
	if err := c.Restore([]*Tensor{bias, weight}); err != nil {
		t.Fatal(err)
	}
	compare(t, "weight", weight.Data, c.Tensors[0].Data, 0)
	compare(t, "bias", bias.Data, c.Tensors[1].Data, 0)
	for want, x := range map[string]*Tensor{
		`no tensor "other"`:                        NewParameter("other", 4),
		`"stem.bias" has shape [4], needed is [5]`: NewParameter("stem.bias", 5),
	} {
		Fill(weight, 7)
		if err := c.Restore([]*Tensor{weight, x}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if weight.Data[0] != 7 {
			t.Error("a failed Restore has changed a tensor")
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	named := func(name string) *Tensor {
		x := NewTensor(1)
		x.Name = name
		return x
	}
	for name, c := range map[string]*Checkpoint{
		"no name":      {Tensors: []*Tensor{named("")}},
		"two names":    {Tensors: []*Tensor{named("a"), named("a")}},
		"metadata":     {Tensors: []*Tensor{named("__metadata__")}},
		"reserved key": {Metadata: map[string]string{"sha256": "x"}},
		"zeros":        {Metadata: map[string]string{"a": blankDigest}},
	} {
		path := filepath.Join(t.TempDir(), "c.ckpt")
		if err := c.Write(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", name, err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: a file is left", name)
		}
	}
	path := filepath.Join(t.TempDir(), "missing", "c.ckpt")
	if err := someCheckpoint().Write(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
	if _, err := ReadCheckpoint(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
}

// Every truncation and every flipped byte is noticed.
func TestDamagedCheckpoint(t *testing.T) {
	dir := t.TempDir()
	whole, err := someCheckpoint().encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "c.ckpt")
	check := func(what string, at int, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := ReadCheckpoint(path)
		if err == nil {
			t.Fatalf("%s at byte %d of %d is not noticed", what, at, len(whole))
		}
		if text := err.Error(); !strings.HasPrefix(text, "checkpoint: "+path+": ") || strings.Contains(text, "\n") {
			t.Fatalf("%s at byte %d: error %q", what, at, text)
		}
	}
	for i := range whole {
		check("a cut", i, whole[:i])
		flipped := bytes.Clone(whole)
		flipped[i] ^= 1 << (i % 8)
		check("a flipped bit", i, flipped)
	}
	check("an added byte", len(whole), append(bytes.Clone(whole), 0))
}

// signed returns a checkpoint of this header, with a digest that fits.
func signed(header string, values int) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	out = append(append(out, header...), make([]byte, values)...)
	if at := bytes.Index(out, []byte(blankDigest)); at >= 0 {
		digest := sha256.Sum256(out)
		hex.Encode(out[at:], digest[:])
	}
	return out
}

func TestUnsoundHeader(t *testing.T) {
	meta := `"__metadata__":{"sha256":"` + blankDigest + `"}`
	for header, want := range map[string]string{
		`{}`:                            "no sha256",
		`{"__metadata__":{"sha256":5}}`: "__metadata__",
		`[1]`:                           "header: ",
		`{` + meta + `,"x":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}`:                                                      `tensor "x": dtype "F64"`,
		`{` + meta + `,"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`:                                                      `tensor "x": shape [3] does not fit`,
		`{` + meta + `,"x":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`:                                                     `tensor "x": shape [2] does not fit`,
		`{` + meta + `,"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,-8]}}`:                                                    `tensor "x": bad shape`,
		`{` + meta + `,"x":{"dtype":"F32","shape":[1000000000,1000000000,1000000000],"data_offsets":[0,0]}}`:                       `tensor "x": bad shape`,
		`{` + meta + `,"x":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}`:                                    `tensor "x": its values end at byte 4000000000`,
		`{` + meta + `,"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`:                                                      "4 bytes behind the last tensor",
		`{` + meta + `,"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"shape":[2],"data_offsets":"0"}}`:                 `tensor "y"`,
		`{` + meta + `,"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`: `tensor "y": shape [1] does not fit`,
	} {
		if _, err := decodeCheckpoint(signed(header, 8)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", header, err, want)
		}
	}
	good := `{` + meta + `,"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`
	if _, err := decodeCheckpoint(signed(good, 8)); err != nil {
		t.Error(err)
	}
}

func FuzzCheckpoint(f *testing.F) {
	whole, err := someCheckpoint().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(nil))
	f.Add(whole[:len(whole)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decodeCheckpoint(bytes.Clone(data))
		if err != nil {
			return
		}
		if _, err := c.encode(); err != nil && !strings.Contains(err.Error(), "zeros") && !strings.Contains(err.Error(), "has the name") {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}
