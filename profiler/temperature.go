package profiler

import (
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// temperature is that of the processor in degrees Celsius, or nil where the
// system does not tell.
func (p *Profiler) temperature() *float64 { return temperatureOf(os.DirFS("/")) }

// processorSensors are parts of the names of thermal zones and hwmon chips that
// are of a processor: the kernel's Documentation/driver-api/thermal/sysfs-api and
// the names that Linux's drivers give.
var processorSensors = []string{"cpu", "x86_pkg_temp", "soc", "coretemp", "k10temp", "zenpower", "acpitz"}

// temperatureOf is the highest temperature of the sensors of the processor that
// come first in processorSensors.
func temperatureOf(root fs.FS) *float64 {
	best, found := len(processorSensors), 0.0
	look := func(name, file string) {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return
		}
		for rank, part := range processorSensors {
			if !strings.Contains(strings.ToLower(string(text)), part) || rank > best {
				continue
			}
			value, err := fs.ReadFile(root, file)
			if err != nil {
				return
			}
			milli, err := strconv.ParseInt(strings.TrimSpace(string(value)), 10, 64)
			if celsius := float64(milli) / 1000; err == nil && celsius > -100 && celsius < 250 && (rank < best || celsius > found) {
				best, found = rank, celsius
			}
			return
		}
	}
	zones, _ := fs.Glob(root, "sys/class/thermal/thermal_zone*/type")
	for _, name := range zones {
		look(name, path.Join(path.Dir(name), "temp"))
	}
	chips, _ := fs.Glob(root, "sys/class/hwmon/hwmon*/name")
	for _, name := range chips {
		inputs, _ := fs.Glob(root, path.Join(path.Dir(name), "temp*_input"))
		for _, file := range inputs {
			look(name, file)
		}
	}
	if best == len(processorSensors) {
		return nil
	}
	return &found
}
