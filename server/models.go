package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/renameio/v2/maybe"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hwprofd/hwprofd/server/api"
)

// models keeps uploaded models: DIGEST.onnx is the file as it came, DIGEST.json
// what it is. The second is written last, so that a model is there or not.
type models struct {
	dir string
	// describe looks into the model at path, in another process: a file from
	// outside must not take the daemon's memory, or the daemon with it.
	describe func(ctx context.Context, path string) (api.Model, error)
	recent   *lru.Cache[string, api.Model]
}

func newModels(dir string, describe func(context.Context, string) (api.Model, error)) *models {
	recent, _ := lru.New[string, api.Model](recentModels) // fails only where its size is not positive
	return &models{dir: dir, describe: describe, recent: recent}
}

const recentModels = 16 // in memory

var digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// validName tells whether a name is good for a file: 1 to 100 letters, digits,
// dots, dashes and underscores, the first of them a letter or digit. Every
// prediction asks for it.
func validName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '.' || c == '-' || c == '_'):
		default:
			return false
		}
	}
	return 0 < len(name) && len(name) <= 100
}

func (m *models) path(digest string) string { return filepath.Join(m.dir, digest+".onnx") }
func (m *models) info(digest string) string { return filepath.Join(m.dir, digest+".json") }

// add streams a model to disk and keeps it, unless it is there already.
func (m *models) add(ctx context.Context, name string, body io.Reader) (model api.Model, added bool, err error) {
	file, err := os.CreateTemp(m.dir, "upload-*")
	if err != nil {
		return api.Model{}, false, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(file, hash), body)
	if err != nil {
		return api.Model{}, false, err
	}
	if size == 0 {
		return api.Model{}, false, problemf(http.StatusBadRequest, "the body is empty: send the ONNX file as it is")
	}
	digest := hex.EncodeToString(hash.Sum(nil))
	if there, err := m.get(digest); err == nil {
		return there, false, nil
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return api.Model{}, false, err
	}
	if model, err = m.describe(ctx, file.Name()); err != nil {
		return api.Model{}, false, err
	}
	model.Digest, model.Name, model.Bytes, model.Uploaded = digest, name, size, now()
	if model.Name == "" {
		model.Name = digest[:12] + ".onnx"
	}
	info, err := json.Marshal(&model)
	if err != nil {
		return api.Model{}, false, err
	}
	if err := os.Rename(file.Name(), m.path(digest)); err != nil {
		return api.Model{}, false, err
	}
	if err := maybe.WriteFile(m.info(digest), info, 0o600); err != nil {
		return api.Model{}, false, err
	}
	return model, true, nil
}

func (m *models) get(digest string) (api.Model, error) {
	if !digestPattern.MatchString(digest) {
		return api.Model{}, problemf(http.StatusBadRequest, "%q is no digest of a model: 64 hexadecimal digits are", digest)
	}
	if model, ok := m.recent.Get(digest); ok {
		return model, nil
	}
	content, err := os.ReadFile(m.info(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return api.Model{}, problemf(http.StatusNotFound, "there is no model %s; upload it first", digest)
	}
	if err != nil {
		return api.Model{}, err
	}
	var model api.Model
	if err := json.Unmarshal(content, &model); err != nil {
		return api.Model{}, fmt.Errorf("%s: %w", m.info(digest), err)
	}
	m.recent.Add(digest, model)
	return model, nil
}

// list returns the models without their layers, by name.
func (m *models) list() ([]api.Model, error) {
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		return nil, err
	}
	list := []api.Model{}
	for _, entry := range entries {
		digest, ok := strings.CutSuffix(entry.Name(), ".json")
		if !ok || !digestPattern.MatchString(digest) {
			continue
		}
		model, err := m.get(digest)
		if err != nil {
			return nil, err
		}
		model.Layers = nil
		list = append(list, model)
	}
	slices.SortFunc(list, func(a, b api.Model) int {
		return strings.Compare(a.Name+"\x00"+a.Digest, b.Name+"\x00"+b.Digest)
	})
	return list, nil
}

func (m *models) remove(digest string) error {
	if _, err := m.get(digest); err != nil {
		return err
	}
	err := errors.Join(os.Remove(m.info(digest)), os.Remove(m.path(digest)))
	m.recent.Remove(digest)
	return err
}

// sweep removes what uploads left that a crash cut short.
func (m *models) sweep() error {
	left, err := filepath.Glob(filepath.Join(m.dir, "upload-*"))
	if err != nil {
		return err
	}
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}
