//go:build linux

package profiler

import (
	"testing"
	"testing/fstest"
	"time"
)

// accounts is /proc/stat of four CPUs, after some seconds.
const accounts = `cpu  1000 10 200 5000 50 3 6 7 0 0
cpu0 400 0 100 1000 10 1 2 1 0 0
cpu1 300 10 50 1200 20 2 2 4 0 0
cpu2 200 0 30 1300 10 0 1 2 0 0
cpu3 100 0 20 1500 10 0 1 0 0 0
intr 123 0
ctxt 456
`

func machineTree(files map[string]string) fstest.MapFS {
	root := fstest.MapFS{}
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}

func TestWatchReadsTheKernelsAccounts(t *testing.T) {
	root := machineTree(map[string]string{
		"proc/stat": accounts,
		"sys/devices/system/cpu/cpu1/cache/index0/shared_cpu_list": "1\n",
		"sys/devices/system/cpu/cpu1/cache/index3/shared_cpu_list": "0-1\n",
	})
	own := time.Second
	w := watchOf(root, 1, func() time.Duration { return own })
	times, ok := w.times()
	// cpu0 has 503 ticks and cpu1 364; a second of them is the process's own.
	if want := (cpuTimes{other: 8670*time.Millisecond - time.Second, stolen: 40 * time.Millisecond}); !ok || times != want {
		t.Errorf("times %+v, %t, want %+v", times, ok, want)
	}
	if w.neighbours != 1 {
		t.Errorf("%d neighbours, want 1", w.neighbours)
	}
	// Where no cache is shared all CPUs count.
	delete(root, "sys/devices/system/cpu/cpu1/cache/index3/shared_cpu_list")
	if w = watchOf(root, 1, func() time.Duration { return 0 }); w.neighbours != 3 {
		t.Errorf("%d neighbours, want 3", w.neighbours)
	}
	// It may vanish, as may what is in it.
	for _, text := range []string{"", "cpu1 a b\n", "cpuX 1 2 3 4 5 6 7 8\n"} {
		root["proc/stat"] = &fstest.MapFile{Data: []byte(text)}
		if _, ok := w.times(); ok {
			t.Errorf("%q is read as accounts", text)
		}
	}
	delete(root, "proc/stat")
	if _, ok := w.times(); ok {
		t.Error("a missing /proc/stat is read as accounts")
	}
}

func TestProcessTime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "12 (cut": 0, "12 (cut) S 1 2 3": 0,
		"4242 (a (name) of 3) R 1 4242 4242 0 -1 4194304 90 80 0 0 100 20 3 4 20 0 1 0 700 1 1\n": 1270 * time.Millisecond,
	} {
		if got := parseProcessStat(text); got != want {
			t.Errorf("%q tells %v, want %v", text, got, want)
		}
	}
}

func TestTemperature(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  float64 // 0: none
	}{
		{"none", nil, 0},
		{"battery only", map[string]string{"sys/class/thermal/thermal_zone0/type": "battery\n", "sys/class/thermal/thermal_zone0/temp": "31000\n"}, 0},
		{"the hottest of a kind", map[string]string{
			"sys/class/thermal/thermal_zone0/type": "acpitz\n", "sys/class/thermal/thermal_zone0/temp": "90000\n",
			"sys/class/thermal/thermal_zone1/type": "cpu-0-thermal\n", "sys/class/thermal/thermal_zone1/temp": "51500\n",
			"sys/class/thermal/thermal_zone2/type": "cpu-1-thermal\n", "sys/class/thermal/thermal_zone2/temp": "52250\n",
		}, 52.25},
		{"hwmon", map[string]string{
			"sys/class/hwmon/hwmon3/name": "coretemp\n", "sys/class/hwmon/hwmon3/temp1_input": "61000\n", "sys/class/hwmon/hwmon3/temp2_input": "58000\n",
			"sys/class/hwmon/hwmon4/name": "nvme\n", "sys/class/hwmon/hwmon4/temp1_input": "71000\n",
		}, 61},
		{"vanished", map[string]string{"sys/class/thermal/thermal_zone0/type": "x86_pkg_temp\n"}, 0},
		{"nonsense", map[string]string{"sys/class/thermal/thermal_zone0/type": "x86_pkg_temp\n", "sys/class/thermal/thermal_zone0/temp": "999999999\n"}, 0},
	} {
		got := temperatureOf(machineTree(c.files))
		if (got == nil) != (c.want == 0) || got != nil && *got != c.want {
			t.Errorf("%s: %v, want %g", c.name, got, c.want)
		}
	}
}
