package energy

import (
	"fmt"
	"io/fs"
	"math"
	"path"
	"time"
)

// batteryPeriod is how often a battery is asked. Most gauges bring their
// values up to date once in 1 to 30 s.
const batteryPeriod = time.Second

// findPowerSupply finds batteries that tell the power drawn from them (uW), or
// voltage (uV) and current (uA) (the kernel's
// Documentation/ABI/testing/sysfs-class-power).
func findPowerSupply(root fs.FS) []Found {
	var found []Found
	for _, kind := range glob(root, "sys/class/power_supply/*/type") {
		dir := path.Dir(kind)
		if text, err := readText(root, kind); err != nil || text != "Battery" {
			continue
		}
		// A mouse's battery is one too.
		if scope, err := readText(root, dir+"/scope"); err == nil && scope == "Device" {
			continue
		}
		if f, ok := batteryMeter(root, dir); ok {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		return absent("power_supply", "no battery that tells its power in /sys/class/power_supply")
	}
	return found
}

func batteryMeter(root fs.FS, dir string) (Found, bool) {
	about := Description{Name: "power_supply/" + path.Base(dir), Covers: "whole device, while it discharges its battery", Period: batteryPeriod}
	power, current, voltage := dir+"/power_now", dir+"/current_now", dir+"/voltage_now"
	read := func() (float64, error) {
		microwatts, err := readNumber(root, power)
		return microwatts * 1e-6, err
	}
	if !exists(root, power) {
		if !exists(root, current) || !exists(root, voltage) {
			return Found{}, false
		}
		read = func() (float64, error) { return product(root, voltage, current, 1e-12) }
	}
	watts := func() (float64, error) {
		status, err := readText(root, dir+"/status")
		if err != nil {
			return 0, err
		}
		if status != "Discharging" {
			return 0, fmt.Errorf("energy: battery %s is %q: its power is that of the device only while it is discharging; unplug the charger", path.Base(dir), status)
		}
		w, err := read()
		return math.Abs(w), err // some drivers count discharging as negative
	}
	_, err := watts()
	return Found{
		Description: about,
		Problem:     problem(err, "it needs root"),
		open:        func() (Meter, error) { return &sampled{about, watts}, nil },
	}, true
}
