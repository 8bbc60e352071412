package device

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// fingerprintVersion changes when the text that is hashed changes its form.
const fingerprintVersion = 1

// Fingerprint returns 12 hexadecimal digits (48 bits of a SHA-256) that stand
// for what decides the speed of this machine: architecture, the kinds of cores
// (vendor, model, family, stepping, number), physical cores and threads,
// instruction sets, caches, and memory rounded up to whole GiB, as kernels keep
// back a part of it that varies.
//
// It stays the same over reboots. Host name, kernel, board, governor and the
// clock of the moment do not enter: they may change on one machine, and a
// profile records them beside the fingerprint.
func (i Info) Fingerprint() string {
	const gib = 1 << 30
	var b strings.Builder
	fmt.Fprintf(&b, "v%d\narch %s\n", fingerprintVersion, i.Arch)
	for _, c := range i.CPUs {
		fmt.Fprintf(&b, "cpu %q %q %d %d %d %d %d\n", c.Vendor, c.Model, c.Family, c.ModelID, c.Variant, c.Stepping, c.Threads)
	}
	fmt.Fprintf(&b, "cores %d %d\nisa %s\n", i.Cores, i.Threads, strings.Join(i.ISA, " "))
	for _, c := range i.Caches {
		fmt.Fprintf(&b, "cache %d %s %d %d %d %d %d\n", c.Level, c.Type, c.Bytes, c.LineBytes, c.Ways, c.SharedBy, c.Count)
	}
	fmt.Fprintf(&b, "memory %d\n", (i.MemoryBytes+gib-1)/gib)
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:6])
}
