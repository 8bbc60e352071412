package device

import "path"

// collectPowerSupply lists batteries and supplies that tell their power, or
// their voltage and current (the kernel's Documentation/ABI/testing/sysfs-class-power).
func collectPowerSupply(t tree, info *Info) {
	for _, kind := range t.glob("sys/class/power_supply/*/type") {
		dir := path.Dir(kind)
		quantity, file := "power", dir+"/power_now"
		if !t.exists(file) {
			if !t.exists(dir+"/current_now") || !t.exists(dir+"/voltage_now") {
				continue
			}
			quantity, file = "voltage and current", dir+"/current_now"
		}
		info.EnergyMeters = append(info.EnergyMeters, Meter{Source: "power_supply", Name: path.Base(dir), Quantity: quantity, Path: "/" + file, Readable: t.readable(file)})
	}
}
