package energy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// PowercapRoot is where Linux shows its power capping domains, RAPL among
// them (Documentation/power/powercap/powercap.rst in the kernel's sources).
const PowercapRoot = "/sys/class/powercap"

// RAPL reads the energy counters of the processor packages through Linux's
// powercap interface. It counts all that runs on the packages, not one
// process. It is not safe for concurrent use.
type RAPL struct {
	domains []domain
	total   float64 // joules since OpenRAPL
}

// domain is one package's counter; it counts microjoules and wraps to zero
// after span.
type domain struct {
	path string
	last uint64
	span uint64
}

// OpenRAPL finds the package domains under root, which is [PowercapRoot] on a
// real machine. It fails where there are none, as in most virtual machines, or
// where they may not be read: since Linux 5.10 only root reads them.
func OpenRAPL(root string) (*RAPL, error) {
	names, err := filepath.Glob(filepath.Join(root, "intel-rapl:*", "name"))
	if err != nil {
		return nil, fmt.Errorf("energy: %s: %w", root, err)
	}
	r := &RAPL{}
	for _, name := range names {
		label, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("energy: %w", err)
		}
		if !strings.HasPrefix(string(label), "package") {
			continue // core and DRAM domains are parts of, or beside, a package
		}
		d := domain{path: filepath.Join(filepath.Dir(name), "energy_uj")}
		if d.span, err = readCounter(filepath.Join(filepath.Dir(name), "max_energy_range_uj")); err != nil {
			return nil, err
		}
		if d.last, err = readCounter(d.path); err != nil {
			return nil, err
		}
		r.domains = append(r.domains, d)
	}
	if len(r.domains) == 0 {
		return nil, fmt.Errorf("energy: %s: no RAPL package domain: %w", root, errors.ErrUnsupported)
	}
	return r, nil
}

// Name is what a row's energy source says.
func (r *RAPL) Name() string { return "rapl" }

// Joules returns the energy used by all packages since OpenRAPL. It must be
// called more often than a counter wraps, which takes minutes at full load.
func (r *RAPL) Joules() (float64, error) {
	for i := range r.domains {
		d := &r.domains[i]
		now, err := readCounter(d.path)
		if err != nil {
			return 0, err
		}
		used := now - d.last
		if now < d.last {
			used = d.span - d.last + now
		}
		r.total += float64(used) * 1e-6
		d.last = now
	}
	return r.total, nil
}

func readCounter(path string) (uint64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("energy: %w", err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("energy: %s: %q is not a count of microjoules", path, strings.TrimSpace(string(text)))
	}
	return n, nil
}
