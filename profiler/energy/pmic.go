package energy

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// pmicPeriod is how often vcgencmd is run: it takes some milliseconds.
const pmicPeriod = 100 * time.Millisecond

// findPMIC finds the Raspberry Pi 5's power management chip, whose converters
// the firmware measures: vcgencmd pmic_read_adc.
func findPMIC(h host) []Found {
	const program = "vcgencmd"
	about := Description{Name: "pmic", Covers: "rails behind the Raspberry Pi 5's PMIC: processor, memory, but not USB and what the 5 V feed directly", Period: pmicPeriod}
	if err := h.which(program); err != nil {
		return absent("pmic", "no vcgencmd: no Raspberry Pi, or the package raspi-utils is not installed")
	}
	watts := func() (float64, error) {
		out, err := h.output(program, "pmic_read_adc")
		if err != nil {
			return 0, fmt.Errorf("energy: vcgencmd pmic_read_adc: %w", err)
		}
		watts, err := parsePMIC(string(out))
		if err != nil {
			return 0, fmt.Errorf("energy: vcgencmd pmic_read_adc: %w", err)
		}
		return watts, nil
	}
	f := Found{Description: about, Processor: true, open: func() (Meter, error) { return &sampled{about, watts}, nil }}
	if _, err := watts(); err != nil {
		f.Problem = strings.TrimPrefix(err.Error(), "energy: ") + " (only the Raspberry Pi 5 has it, and it needs root or the group video)"
	}
	return []Found{f}
}

// parsePMIC returns the power of all rails of which both voltage and current
// are told, in lines such as
//
//	VDD_CORE_A current(7)=0.92144000A
//	VDD_CORE_V volt(15)=0.72031240V
func parsePMIC(text string) (float64, error) {
	current, voltage := map[string]float64{}, map[string]float64{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 {
			return 0, fmt.Errorf("line %q, want RAIL_A current(N)=XA or RAIL_V volt(N)=XV", strings.TrimSpace(line))
		}
		_, value, ok := strings.Cut(fields[1], "=")
		var of map[string]float64
		var rail, unit string
		if name, is := strings.CutSuffix(fields[0], "_A"); is {
			of, rail, unit = current, name, "A"
		} else if name, is := strings.CutSuffix(fields[0], "_V"); is {
			of, rail, unit = voltage, name, "V"
		} else {
			ok = false
		}
		number, hasUnit := strings.CutSuffix(value, unit)
		x, err := strconv.ParseFloat(number, 64)
		if !ok || !hasUnit || err != nil || !(x >= 0 && x < 1e3) {
			return 0, fmt.Errorf("line %q, want RAIL_A current(N)=XA or RAIL_V volt(N)=XV", strings.TrimSpace(line))
		}
		of[rail] = x
	}
	watts, rails := 0.0, 0
	for rail, amperes := range current {
		volts, ok := voltage[rail]
		if !ok {
			return 0, fmt.Errorf("rail %s has a current and no voltage", rail)
		}
		watts += volts * amperes
		rails++
	}
	if rails == 0 {
		return 0, fmt.Errorf("no rail with voltage and current in %q", text)
	}
	return watts, nil
}
