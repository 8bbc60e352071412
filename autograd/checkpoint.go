package autograd

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/google/renameio/v2/maybe"
)

// Checkpoint is a set of named tensors with text about them. On disk it is a
// safetensors file (https://github.com/huggingface/safetensors): the length of
// the header as 8 bytes, the header in JSON, the values; so PyTorch and NumPy
// users can read it. Its metadata also carry "sha256", the digest of the whole
// file with the digest's own 64 characters taken as zeros.
type Checkpoint struct {
	Metadata map[string]string
	Tensors  []*Tensor
}

type checkpointEntry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"` // in bytes, behind the header
}

const (
	metadataKey = "__metadata__"
	digestKey   = "sha256"
	maxHeader   = 64 << 20 // bytes
)

var blankDigest = strings.Repeat("0", 2*sha256.Size)

// Write writes the checkpoint to path, whole or not at all (on Windows, which
// cannot replace a file in one step, an interruption can leave part of it).
func (c *Checkpoint) Write(path string) error {
	data, err := c.encode()
	if err == nil {
		err = maybe.WriteFile(path, data, 0o644)
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %s: %w", path, err)
	}
	return nil
}

func (c *Checkpoint) encode() ([]byte, error) {
	metadata := map[string]string{digestKey: blankDigest}
	for k, v := range c.Metadata {
		if k == digestKey {
			return nil, fmt.Errorf("metadata key %q is reserved", k)
		}
		if strings.Contains(v, blankDigest) || strings.Contains(k, blankDigest) {
			return nil, fmt.Errorf("metadata of key %q contains 64 zeros", k)
		}
		metadata[k] = v
	}
	header := map[string]any{metadataKey: metadata}
	var size int64
	for _, x := range c.Tensors {
		if x.Name == "" || x.Name == metadataKey || strings.Contains(x.Name, blankDigest) {
			return nil, fmt.Errorf("tensor has the name %q", x.Name)
		}
		if _, twice := header[x.Name]; twice {
			return nil, fmt.Errorf("two tensors have the name %q", x.Name)
		}
		end := size + 4*int64(len(x.Data))
		header[x.Name] = checkpointEntry{"F32", append([]int{}, x.Shape...), [2]int64{size, end}}
		size = end
	}
	text, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	out := make([]byte, 0, 8+int64(len(text))+size)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(text)))
	out = append(out, text...)
	for _, x := range c.Tensors {
		for _, v := range x.Data {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
	}
	digest := sha256.Sum256(out)
	hex.Encode(out[8+bytes.Index(text, []byte(blankDigest)):], digest[:])
	return out, nil
}

// ReadCheckpoint reads a file that Write has written. Its errors name the file
// and say what is damaged.
func ReadCheckpoint(path string) (*Checkpoint, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	c, err := decodeCheckpoint(data)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %s: %w", path, err)
	}
	return c, nil
}

// decodeCheckpoint overwrites the digest in data.
func decodeCheckpoint(data []byte) (*Checkpoint, error) {
	if len(data) < 8 {
		return nil, fmt.Errorf("file of %d bytes is cut off in the header", len(data))
	}
	length := binary.LittleEndian.Uint64(data)
	if length > maxHeader {
		return nil, errors.New("not a checkpoint: it does not start with a header's length")
	}
	if length > uint64(len(data)-8) {
		return nil, fmt.Errorf("file of %d bytes is cut off in the header of %d bytes", len(data), length)
	}
	text, values := data[8:8+length], data[8+length:]
	var header map[string]json.RawMessage
	if err := json.Unmarshal(text, &header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	metadata := map[string]string{}
	if raw, ok := header[metadataKey]; ok {
		if err := json.Unmarshal(raw, &metadata); err != nil {
			return nil, fmt.Errorf("header: %s: %w", metadataKey, err)
		}
	}
	delete(header, metadataKey)
	digest := metadata[digestKey]
	delete(metadata, digestKey)
	if len(digest) != len(blankDigest) {
		return nil, fmt.Errorf("header has no %s to check the file with", digestKey)
	}
	names := make([]string, 0, len(header))
	entries := make(map[string]checkpointEntry, len(header))
	for name, raw := range header {
		var e checkpointEntry
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, fmt.Errorf("header: tensor %q: %w", name, err)
		}
		names = append(names, name)
		entries[name] = e
	}
	slices.SortFunc(names, func(a, b string) int {
		x, y := entries[a].Offsets, entries[b].Offsets
		if c := slices.Compare(x[:], y[:]); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	var end int64
	for _, name := range names {
		if err := entries[name].check(end, int64(len(values))); err != nil {
			return nil, fmt.Errorf("header: tensor %q: %w", name, err)
		}
		end = entries[name].Offsets[1]
	}
	if end != int64(len(values)) {
		return nil, fmt.Errorf("%d bytes behind the last tensor", int64(len(values))-end)
	}
	at := bytes.Index(text, []byte(digest))
	if at < 0 {
		return nil, fmt.Errorf("header has no plain %s", digestKey)
	}
	copy(text[at:], blankDigest)
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != digest {
		return nil, errors.New("damaged: its content does not match its sha256")
	}
	c := &Checkpoint{Metadata: metadata}
	for _, name := range names {
		e := entries[name]
		x := NewTensor(e.Shape...)
		x.Name = name
		raw := values[e.Offsets[0]:e.Offsets[1]]
		for i := range x.Data {
			x.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		c.Tensors = append(c.Tensors, x)
	}
	return c, nil
}

// check reports whether the entry is sound, starts where the one before it
// ended and lies within the file's values (all in bytes).
func (e checkpointEntry) check(start, available int64) error {
	if e.DType != "F32" {
		return fmt.Errorf("dtype %q, only F32 is supported", e.DType)
	}
	size := int64(4)
	for _, d := range e.Shape {
		if d < 0 || (d > 0 && size > math.MaxInt64/int64(d)) {
			return fmt.Errorf("bad shape %v", e.Shape)
		}
		size *= int64(d)
	}
	if e.Offsets[0] != start || e.Offsets[1]-start != size {
		return fmt.Errorf("shape %v does not fit data_offsets %v", e.Shape, e.Offsets)
	}
	if size > available-start {
		return fmt.Errorf("its values end at byte %d, the file has %d", e.Offsets[1], available)
	}
	return nil
}

// Restore copies the checkpoint's values to the tensors of the same names.
// Every one of them must be there, with its shape.
func (c *Checkpoint) Restore(tensors []*Tensor) error {
	have := make(map[string]*Tensor, len(c.Tensors))
	for _, x := range c.Tensors {
		have[x.Name] = x
	}
	for _, x := range tensors {
		from, ok := have[x.Name]
		if !ok {
			return fmt.Errorf("checkpoint: no tensor %q", x.Name)
		}
		if !slices.Equal(from.Shape, x.Shape) {
			return fmt.Errorf("checkpoint: tensor %q has shape %v, needed is %v", x.Name, from.Shape, x.Shape)
		}
	}
	for _, x := range tensors {
		copy(x.Data, have[x.Name].Data)
	}
	return nil
}
