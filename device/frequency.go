package device

import (
	"slices"
	"strconv"
	"strings"
)

// collectFrequency reads the governors and the clock range over all cpufreq
// policies; without cpufreq, the clock that /proc/cpuinfo shows.
func collectFrequency(t tree, info *Info) {
	var f Frequency
	var governors []string
	for _, dir := range t.glob("sys/devices/system/cpu/cpufreq/policy[0-9]*") {
		if g, ok := t.text(dir + "/scaling_governor"); ok && !slices.Contains(governors, g) {
			governors = append(governors, g)
		}
		if khz, ok := t.number(dir + "/cpuinfo_min_freq"); ok && (f.MinHz == 0 || khz*1000 < f.MinHz) {
			f.MinHz = khz * 1000
		}
		if khz, ok := t.number(dir + "/cpuinfo_max_freq"); ok {
			f.MaxHz = max(f.MaxHz, khz*1000)
		}
		if khz, ok := t.number(dir + "/scaling_cur_freq"); ok {
			f.CurrentHz = max(f.CurrentHz, khz*1000)
		}
	}
	info.Governor = strings.Join(governors, ",")
	if info.Governor == "" {
		info.unseen("governor and clock range: /sys/devices/system/cpu/cpufreq has no policy (usual in virtual machines)")
	}
	if f.CurrentHz == 0 {
		text, _ := t.text("proc/cpuinfo")
		for line := range strings.SplitSeq(text, "\n") {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "cpu MHz" {
				if mhz, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil {
					f.CurrentHz = int64(mhz * 1e6)
				}
				break
			}
		}
	}
	if f != (Frequency{}) {
		info.Frequency = &f
	} else {
		info.unseen("clock: neither cpufreq nor /proc/cpuinfo shows it")
	}
}
