package device

import (
	"path"
	"strings"
)

// collectIIO lists the power channels of industrial I/O devices, such as an
// INA226 (the kernel's Documentation/ABI/testing/sysfs-bus-iio).
func collectIIO(t tree, info *Info) {
	for _, file := range t.glob("sys/bus/iio/devices/iio:device[0-9]*/in_power*_raw") {
		channel, _ := strings.CutSuffix(strings.TrimPrefix(path.Base(file), "in_"), "_raw")
		name, _ := t.text(path.Dir(file) + "/name")
		info.EnergyMeters = append(info.EnergyMeters, Meter{Source: "iio", Name: strings.TrimSpace(name + " " + channel), Quantity: "power", Path: "/" + file, Readable: t.readable(file)})
	}
}
