package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hwprofd/hwprofd/device"
)

const factTemperature = "temperature"

// driftFacts are what an alarm compares: what can change the speed of a machine
// that is still the same. What the system does not show is missing.
func driftFacts() map[string]string {
	facts := map[string]string{}
	add := func(name, value string) {
		if value != "" {
			facts[name] = value
		}
	}
	if info, err := device.Detect(); err == nil {
		add("device", info.Fingerprint())
		add("kernel", info.Kernel)
		add("governor", info.Governor)
		add("clock source", info.ClockSource)
		add("hypervisor", info.Hypervisor)
		add("threads", strconv.Itoa(info.Threads))
		if f := info.Frequency; f != nil {
			add("highest frequency", fmt.Sprintf("%d MHz", f.MaxHz/1e6))
		}
	}
	if content, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(content)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "microcode" {
				add("microcode", strings.TrimSpace(value))
				break
			}
		}
	}
	hottest := 0
	zones, _ := filepath.Glob("/sys/class/thermal/thermal_zone*/temp") // fails only for a bad pattern
	for _, zone := range zones {
		content, err := os.ReadFile(zone)
		if err != nil {
			continue // a sensor that is asleep
		}
		if milli, err := strconv.Atoi(strings.TrimSpace(string(content))); err == nil {
			hottest = max(hottest, milli/1000)
		}
	}
	if hottest > 0 {
		add(factTemperature, fmt.Sprintf("%d °C", hottest))
	}
	return facts
}

func closeTemperatures(a, b string) bool {
	var x, y int
	if _, err := fmt.Sscanf(a, "%d", &x); err != nil {
		return false
	}
	if _, err := fmt.Sscanf(b, "%d", &y); err != nil {
		return false
	}
	return max(x-y, y-x) < 5
}
