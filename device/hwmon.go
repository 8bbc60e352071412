package device

import (
	"path"
	"strings"
)

// collectHwmon lists the energy and power sensors of hwmon chips, and the
// current sensors that have a voltage beside them, such as the INA3221's
// (the kernel's Documentation/hwmon/sysfs-interface).
func collectHwmon(t tree, info *Info) {
	for _, chip := range t.glob("sys/class/hwmon/hwmon[0-9]*/name") {
		dir := path.Dir(chip)
		name, _ := t.text(chip)
		measured := map[string]bool{} // "energy1", "power1": a sensor counts once
		for _, kind := range []struct{ pattern, quantity string }{
			{"energy[0-9]*_input", "energy"},
			{"power[0-9]*_input", "power"},
			{"power[0-9]*_average", "power"},
		} {
			for _, file := range t.glob(dir + "/" + kind.pattern) {
				channel, _, _ := strings.Cut(path.Base(file), "_")
				if measured[channel] {
					continue
				}
				measured[channel] = true
				info.EnergyMeters = append(info.EnergyMeters, hwmonMeter(t, name, dir, channel, kind.quantity, file))
			}
		}
		if len(measured) > 0 {
			continue
		}
		for _, file := range t.glob(dir + "/curr[0-9]*_input") {
			channel, _, _ := strings.Cut(path.Base(file), "_")
			in := "in" + strings.TrimPrefix(channel, "curr")
			if t.exists(dir + "/" + in + "_input") {
				info.EnergyMeters = append(info.EnergyMeters, hwmonMeter(t, name, dir, in, "voltage and current", file))
			}
		}
	}
}

func hwmonMeter(t tree, chip, dir, channel, quantity, file string) Meter {
	name := channel
	if label, ok := t.text(dir + "/" + channel + "_label"); ok {
		name = label
	}
	return Meter{Source: "hwmon", Name: strings.TrimSpace(chip + " " + name), Quantity: quantity, Path: "/" + file, Readable: t.readable(file)}
}
