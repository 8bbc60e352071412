package energy

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"time"
)

// findIIO finds the power channels of industrial I/O devices, such as an
// INA226 or a PAC1934 (the kernel's Documentation/ABI/testing/sysfs-bus-iio:
// raw plus offset, times scale, in mW), and those of the INA3221 in older
// Jetsons' kernels, with their rails' names.
func findIIO(root fs.FS) []Found {
	var found []Found
	seen := map[string]bool{}
	for _, suffix := range []string{"input", "raw"} {
		for _, file := range glob(root, "sys/bus/iio/devices/iio:device[0-9]*/in_power*_"+suffix) {
			dir, channel := path.Dir(file), strings.TrimSuffix(path.Base(file), "_"+suffix)
			if seen[dir+channel] {
				continue
			}
			seen[dir+channel] = true
			found = append(found, iioMeter(root, dir, channel, file, suffix == "raw"))
		}
	}
	if len(found) == 0 {
		return absent("iio", "no power channel in /sys/bus/iio/devices: none on the board, or its module (ina2xx-adc, pac1934) is not loaded")
	}
	return found
}

func iioMeter(root fs.FS, dir, channel, file string, raw bool) Found {
	chip := path.Base(dir)
	if text, err := readText(root, dir+"/name"); err == nil && text != "" {
		chip = text
	}
	rail := strings.TrimPrefix(channel, "in_")
	for _, name := range []string{
		dir + "/rail_name_" + strings.TrimPrefix(channel, "in_power"),
		dir + "/" + channel + "_label",
	} {
		if text, err := readText(root, name); err == nil && text != "" {
			rail = text
		}
	}
	about := Description{Name: "iio/" + chip + "/" + rail, Covers: "rail " + rail + " of " + chip, Period: busPeriod}
	if hz, err := readNumber(root, dir+"/sampling_frequency"); err == nil && hz > 1e-3 {
		about.Period = max(busPeriod, time.Duration(float64(time.Second)/hz))
	}
	scale, offset := 1.0, 0.0
	var err error
	if raw {
		if scale, err = iioAttribute(root, dir, channel, "scale", 1); err == nil {
			offset, err = iioAttribute(root, dir, channel, "offset", 0)
		}
	}
	watts := func() (float64, error) {
		x, err := readNumber(root, file)
		return (x + offset) * scale * 1e-3, err
	}
	if err == nil {
		_, err = watts()
	}
	return Found{
		Description: about, Processor: processorRail(rail),
		Problem: problem(err, "it needs root"),
		open:    func() (Meter, error) { return &sampled{about, watts}, nil },
	}
}

// iioAttribute reads an attribute of a channel, else that of all channels of
// its kind, else it is the default.
func iioAttribute(root fs.FS, dir, channel, attribute string, fallback float64) (float64, error) {
	kind := strings.TrimRight(channel, "0123456789")
	for _, name := range []string{channel, kind} {
		x, err := readNumber(root, dir+"/"+name+"_"+attribute)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return x, err
		}
	}
	return fallback, nil
}
