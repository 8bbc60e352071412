package device

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// collectCaches reads the caches of every CPU and counts each instance once.
func collectCaches(t tree, cpu cpuid.CPUInfo, info *Info) {
	type instance struct {
		level      int
		kind, cpus string
	}
	seen := map[instance]bool{}
	for _, size := range t.glob("sys/devices/system/cpu/cpu[0-9]*/cache/index[0-9]*/size") {
		dir := path.Dir(size)
		text, _ := t.text(size)
		bytes, ok := cacheBytes(text)
		level, levelOK := t.number(dir + "/level")
		if !ok || !levelOK {
			continue
		}
		kind, _ := t.text(dir + "/type")
		cpus, _ := t.text(dir + "/shared_cpu_list")
		if cpus == "" {
			cpus = path.Dir(path.Dir(dir)) // not shared, as far as one can see
		}
		at := instance{int(level), kind, cpus}
		if seen[at] {
			continue
		}
		seen[at] = true
		line, _ := t.number(dir + "/coherency_line_size")
		ways, _ := t.number(dir + "/ways_of_associativity")
		c := Cache{
			Level: int(level), Type: strings.ToLower(kind), Bytes: bytes,
			LineBytes: int(line), Ways: int(ways), SharedBy: max(1, listSize(cpus)),
		}
		if i := slices.IndexFunc(info.Caches, func(o Cache) bool { o.Count = 0; return o == c }); i >= 0 {
			info.Caches[i].Count++
		} else {
			c.Count = 1
			info.Caches = append(info.Caches, c)
		}
	}
	if len(info.Caches) == 0 {
		info.Caches = cachesFromCPUID(cpu)
		if len(info.Caches) == 0 {
			info.unseen("caches: /sys/devices/system/cpu/cpu*/cache is absent (older device trees do not list them)")
		} else {
			info.unseen("cache sharing: /sys/devices/system/cpu/cpu*/cache is absent, sizes are CPUID's")
		}
	}
	slices.SortStableFunc(info.Caches, func(a, b Cache) int {
		return cmp.Or(a.Level-b.Level, strings.Compare(a.Type, b.Type))
	})
}

// cacheBytes reads a size such as "512K" or "32M".
func cacheBytes(s string) (int64, bool) {
	unit := int64(1)
	switch {
	case strings.HasSuffix(s, "K"):
		unit = 1 << 10
	case strings.HasSuffix(s, "M"):
		unit = 1 << 20
	}
	n, err := strconv.ParseInt(strings.TrimRight(s, "KM"), 10, 32)
	return n * unit, err == nil && n > 0
}

// cachesFromCPUID returns the sizes that CPUID (or on macOS sysctl) tells,
// without lines, ways and sharing.
func cachesFromCPUID(cpu cpuid.CPUInfo) []Cache {
	caches := []Cache{}
	for _, c := range []struct {
		level int
		kind  string
		bytes int
	}{
		{1, "data", cpu.Cache.L1D}, {1, "instruction", cpu.Cache.L1I},
		{2, "unified", cpu.Cache.L2}, {3, "unified", cpu.Cache.L3},
	} {
		if c.bytes > 0 {
			caches = append(caches, Cache{Level: c.level, Type: c.kind, Bytes: int64(c.bytes), LineBytes: cpu.CacheLine})
		}
	}
	return caches
}
