package device

import (
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/cpuid/v2"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fixture returns the tree of one machine and its architecture.
func fixture(t testing.TB, file string) (fstest.MapFS, string) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tree := fstest.MapFS{}
	for _, f := range archive.Files {
		tree[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o444}
	}
	arch := "arm64"
	if strings.Contains(file, "x86") {
		arch = "amd64"
	}
	return tree, arch
}

func TestCollectGolden(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txtar")
	if len(files) < 6 {
		t.Fatalf("only %d fixtures in testdata", len(files))
	}
	fingerprints := map[string]string{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			tree, arch := fixture(t, file)
			info, err := collect(tree, arch, cpuid.CPUInfo{})
			if err != nil {
				t.Fatal(err)
			}
			if other, taken := fingerprints[info.Fingerprint()]; taken {
				t.Errorf("same fingerprint as %s", other)
			}
			fingerprints[info.Fingerprint()] = file
			got, err := json.MarshalIndent(struct {
				Fingerprint string
				Info        Info
			}{info.Fingerprint(), info}, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			golden := strings.TrimSuffix(file, ".txtar") + ".json"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			var back struct{ Info Info }
			if err := json.Unmarshal(got, &back); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(info, back.Info); diff != "" {
				t.Errorf("JSON round trip, -before +after:\n%s", diff)
			}
		})
	}
}

// TestFingerprintStable changes what varies between reboots and kernel updates.
func TestFingerprintStable(t *testing.T) {
	tree, arch := fixture(t, "testdata/laptop-x86.txtar")
	before, err := collect(tree, arch, cpuid.CPUInfo{})
	if err != nil {
		t.Fatal(err)
	}
	cpuinfo := string(tree["proc/cpuinfo"].Data)
	cpuinfo = strings.ReplaceAll(cpuinfo, "2400.000", "3907.221")
	cpuinfo = strings.ReplaceAll(cpuinfo, "constant_tsc", "constant_tsc aperfmperf user_shstk")
	tree["proc/cpuinfo"].Data = []byte(cpuinfo)
	tree["proc/meminfo"].Data = []byte("MemTotal:        7801000 kB\n")
	tree["proc/sys/kernel/osrelease"].Data = []byte("6.12.1\n")
	tree["sys/devices/system/cpu/cpufreq/policy0/scaling_governor"].Data = []byte("performance\n")
	tree["sys/devices/system/clocksource/clocksource0/current_clocksource"].Data = []byte("hpet\n")
	after, err := collect(tree, arch, cpuid.CPUInfo{})
	if err != nil {
		t.Fatal(err)
	}
	if before.Fingerprint() != after.Fingerprint() {
		t.Error("the fingerprint changed with clock, kernel, governor and free memory")
	}
	if cmp.Equal(before, after) {
		t.Error("the changes did not show in Info either: the test does not test")
	}
}

func TestFingerprintDiffers(t *testing.T) {
	base := func() Info {
		return Info{
			Arch: "arm64", CPUs: []CPU{{Vendor: "ARM", Model: "Cortex-A76", Family: 8, ModelID: 0xd0b, Threads: 4}},
			Cores: 4, Threads: 4, ISA: []string{"neon"}, MemoryBytes: 8 << 30,
			Caches: []Cache{{Level: 1, Type: "data", Bytes: 64 << 10}},
		}
	}
	want := base().Fingerprint()
	if !regexp.MustCompile(`^[0-9a-f]{12}$`).MatchString(want) {
		t.Errorf("fingerprint %q is not 12 hexadecimal digits", want)
	}
	for name, change := range map[string]func(*Info){
		"arch":     func(i *Info) { i.Arch = "arm" },
		"vendor":   func(i *Info) { i.CPUs[0].Vendor = "QEMU" },
		"model":    func(i *Info) { i.CPUs[0].Model = "Cortex-A72" },
		"stepping": func(i *Info) { i.CPUs[0].Stepping = 1 },
		"variant":  func(i *Info) { i.CPUs[0].Variant = 1 },
		"cores":    func(i *Info) { i.Cores = 2 },
		"threads":  func(i *Info) { i.Threads = 8 },
		"isa":      func(i *Info) { i.ISA = append(i.ISA, "dotprod") },
		"cache":    func(i *Info) { i.Caches[0].Bytes = 32 << 10 },
		"memory":   func(i *Info) { i.MemoryBytes = 4 << 30 },
	} {
		info := base()
		change(&info)
		if info.Fingerprint() == want {
			t.Errorf("another %s leaves the fingerprint the same", name)
		}
	}
}

func TestCollectUnreadable(t *testing.T) {
	if _, err := collect(fstest.MapFS{}, "amd64", cpuid.CPUInfo{}); err == nil || !strings.Contains(err.Error(), "/proc/cpuinfo") {
		t.Errorf("an empty tree gives error %v, want one that names /proc/cpuinfo", err)
	}
	info, err := collect(fstest.MapFS{}, "amd64", cpuid.CPUInfo{BrandName: "Some CPU", VendorString: "Vendor", LogicalCores: 8, PhysicalCores: 4})
	if err != nil {
		t.Fatal(err)
	}
	if info.CPUs[0].Model != "Some CPU" || info.Threads != 8 || info.Cores != 4 {
		t.Errorf("CPUID's answer is not used: %+v", info)
	}
	for _, what := range []string{"processor", "caches", "memory", "kernel", "clock source", "governor", "board", "energy"} {
		found := false
		for _, line := range info.Unseen {
			found = found || strings.HasPrefix(line, what)
		}
		if !found {
			t.Errorf("Unseen %q does not name %s", info.Unseen, what)
		}
	}
}

// TestCollectGarbage puts nonsense in every file in turn.
func TestCollectGarbage(t *testing.T) {
	for _, garbage := range []string{"", "\x00", "-1", "99999999999999999999", "0-", "3-1", ":\n:\n\n:", "K"} {
		for _, file := range []string{"testdata/laptop-x86.txtar", "testdata/raspberry-pi-5.txtar"} {
			tree, arch := fixture(t, file)
			for name, f := range tree {
				data := f.Data
				f.Data = []byte(garbage)
				if info, err := collect(tree, arch, cpuid.CPUInfo{}); err == nil {
					if info.Threads < 1 || info.Cores < 1 {
						t.Errorf("%s = %q: %d cores, %d threads", name, garbage, info.Cores, info.Threads)
					}
				}
				f.Data = data
			}
		}
	}
}

// denied is a tree in which one file exists but must not be read.
type denied struct {
	fs.FS
	name string
}

func (d denied) Open(name string) (fs.File, error) {
	if name == d.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return d.FS.Open(name)
}

func TestMeterUnreadable(t *testing.T) {
	const counter = "sys/class/powercap/intel-rapl:0/energy_uj"
	tree, arch := fixture(t, "testdata/laptop-x86.txtar")
	info, err := collect(denied{tree, counter}, arch, cpuid.CPUInfo{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range info.EnergyMeters {
		if m.Readable != (m.Path != "/"+counter) {
			t.Errorf("%s: readable %v", m.Path, m.Readable)
		}
	}
}

func TestHypervisor(t *testing.T) {
	for _, c := range []struct {
		name     string
		files    map[string]string
		virtual  bool
		expected string
	}{
		{"bare metal", nil, false, ""},
		{"metal instance", map[string]string{"sys/class/dmi/id/sys_vendor": "Amazon EC2", "sys/class/dmi/id/product_name": "c7g.metal"}, false, ""},
		{"instance", map[string]string{"sys/class/dmi/id/sys_vendor": "Amazon EC2", "sys/class/dmi/id/product_name": "c7g.large"}, true, "kvm"},
		{"device tree", map[string]string{"proc/device-tree/hypervisor/compatible": "linux,kvm\x00"}, true, "kvm"},
		{"xen", map[string]string{"sys/hypervisor/type": "xen\n"}, true, "xen"},
		{"flag alone", map[string]string{"proc/cpuinfo": "flags\t: sse hypervisor\n"}, true, ""},
	} {
		files := fstest.MapFS{}
		for name, text := range c.files {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
		var info Info
		collectHypervisor(tree{files}, cpuid.CPUInfo{}, &info)
		if info.Virtual != c.virtual || info.Hypervisor != c.expected {
			t.Errorf("%s: virtual %v %q, want %v %q", c.name, info.Virtual, info.Hypervisor, c.virtual, c.expected)
		}
	}
}

func TestListSize(t *testing.T) {
	for list, want := range map[string]int{"0": 1, "0-3": 4, "0-3,8,10-11": 7, "": 0, "x": 0, "3-1": 0} {
		if got := listSize(list); got != want {
			t.Errorf("listSize(%q) = %d, want %d", list, got, want)
		}
	}
}

func TestDetect(t *testing.T) {
	first, err := Detect()
	if err != nil {
		t.Fatal(err)
	}
	second, err := Detect()
	if err != nil {
		t.Fatal(err)
	}
	if first.Fingerprint() != second.Fingerprint() {
		t.Error("two looks at this machine give two fingerprints")
	}
	if first.Threads < 1 || first.Cores < 1 || first.Cores > first.Threads || len(first.CPUs) == 0 {
		t.Errorf("implausible: %+v", first)
	}
}
