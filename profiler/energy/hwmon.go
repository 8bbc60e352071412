package energy

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// busPeriod is how often a sensor on a bus is asked: reading an INA226 over
// I2C takes about a millisecond.
const busPeriod = 10 * time.Millisecond

// processorRails are labels of rails that feed the processor: of NVIDIA's
// Jetsons (VDD_IN is the whole module) and of some servers' firmware.
var processorRails = []string{
	"VDD_IN", "POM_5V_IN", "VDD_CPU", "VDD_CPU_CV", "VDD_CPU_GPU_CV", "VDD_SYS_CPU", "POM_5V_CPU", "CPU power", "SoC power",
}

// processorRail reports whether a rail feeds the processor.
func processorRail(label string) bool {
	return slices.ContainsFunc(processorRails, func(rail string) bool { return strings.EqualFold(rail, label) })
}

// findHwmon finds hwmon's sensors of energy (uJ), of power (uW), and of
// voltage (mV) and current (mA) of one channel: INA219, INA226, INA3221, PMBus
// supplies and others (the kernel's Documentation/hwmon/sysfs-interface).
func findHwmon(root fs.FS) []Found {
	var found []Found
	for _, name := range glob(root, "sys/class/hwmon/hwmon[0-9]*/name") {
		chip, err := readText(root, name)
		if err != nil {
			continue
		}
		found = append(found, hwmonChip(root, chip, path.Dir(name))...)
	}
	if len(found) == 0 {
		return absent("hwmon", "no sensor of power or energy in /sys/class/hwmon: none on the board, or its module (ina2xx, ina3221, pmbus) is not loaded, or the device tree does not name it")
	}
	// Those of the processor first, the whole module before a part of it.
	rank := func(f Found) int {
		switch {
		case strings.HasSuffix(f.Name, "_IN"):
			return 0
		case f.Processor:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(found, func(a, b Found) int { return rank(a) - rank(b) })
	return found
}

func hwmonChip(root fs.FS, chip, dir string) []Found {
	period := busPeriod
	if ms, err := readNumber(root, dir+"/update_interval"); err == nil && ms > 0 && ms < 1e6 {
		period = max(period, time.Duration(ms*float64(time.Millisecond)))
	}
	var found []Found
	done := map[string]bool{} // "1" once channel 1 has a meter
	label := func(channel string) string {
		if text, err := readText(root, dir+"/"+channel+"_label"); err == nil && text != "" {
			return text
		}
		return channel
	}
	for _, file := range glob(root, dir+"/energy[0-9]*_input") {
		channel, _, _ := strings.Cut(path.Base(file), "_")
		rail := label(channel)
		about := Description{Name: "hwmon/" + chip + "/" + rail, Covers: "rail or part " + rail + " of " + chip, Resolution: 1e-6, Period: period}
		d := domain{name: "/" + file, unit: 1e-6, read: func() (uint64, error) { return readCounter(root, file) }}
		_, err := d.read()
		found = append(found, Found{
			Description: about, Processor: processorRail(rail),
			Problem: problem(err, "it needs root"),
			open:    func() (Meter, error) { return &counter{about: about, domains: []domain{d}}, nil },
		})
	}
	add := func(channel, file string, watts func() (float64, error)) {
		number := strings.TrimLeft(channel, "abcdefghijklmnopqrstuvwxyz")
		if done[number] || disabled(root, dir, number) {
			return
		}
		done[number] = true
		rail := label(channel)
		if rail == channel { // some drivers label the voltage alone
			if of := label("in" + number); of != "in"+number {
				rail = of
			}
		}
		about := Description{Name: "hwmon/" + chip + "/" + rail, Covers: "rail or part " + rail + " of " + chip, Period: period}
		if ms, err := readNumber(root, dir+"/"+channel+"_average_interval"); err == nil && ms > 0 && ms < 1e6 && strings.HasSuffix(file, "_average") {
			about.Period = max(period, time.Duration(ms*float64(time.Millisecond)))
		}
		_, err := watts()
		found = append(found, Found{
			Description: about, Processor: processorRail(rail),
			Problem: problem(err, "it needs root"),
			open:    func() (Meter, error) { return &sampled{about, watts}, nil },
		})
	}
	for _, suffix := range []string{"input", "average"} {
		for _, file := range glob(root, dir+"/power[0-9]*_"+suffix) {
			channel, _, _ := strings.Cut(path.Base(file), "_")
			add(channel, file, func() (float64, error) {
				microwatts, err := readNumber(root, file)
				return microwatts * 1e-6, err
			})
		}
	}
	for _, file := range glob(root, dir+"/curr[0-9]*_input") {
		channel, _, _ := strings.Cut(path.Base(file), "_")
		number := strings.TrimPrefix(channel, "curr")
		voltage := dir + "/in" + number + "_input"
		// An INA3221 has three channels; its in4 to in6 are shunt voltages.
		if n, err := strconv.Atoi(number); err != nil || chip == "ina3221" && n > 3 || !exists(root, voltage) {
			continue
		}
		add(channel, file, func() (float64, error) { return product(root, voltage, file, 1e-6) })
	}
	return found
}

// disabled reports whether a channel is switched off.
func disabled(root fs.FS, dir, number string) bool {
	text, err := readText(root, dir+"/in"+number+"_enable")
	return err == nil && text == "0"
}

// product returns the power from a voltage and a current. A current may be
// negative, by how the shunt is wired.
func product(root fs.FS, voltage, current string, unit float64) (float64, error) {
	u, err := readNumber(root, voltage)
	if err != nil {
		return 0, err
	}
	i, err := readNumber(root, current)
	if err != nil {
		return 0, err
	}
	return u * i * unit, nil
}
