package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPageIsCurrent(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "operators.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != page() {
		t.Error("docs/operators.md is not what the code says; make it anew with go run ./internal/operators > docs/operators.md")
	}
}
