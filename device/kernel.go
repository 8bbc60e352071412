package device

// collectKernel reads the kernel's release and the clock behind its time stamps.
func collectKernel(t tree, info *Info) {
	var ok bool
	if info.Kernel, ok = t.text("proc/sys/kernel/osrelease"); !ok {
		info.unseen("kernel: /proc/sys/kernel/osrelease is not readable")
	}
	if info.ClockSource, ok = t.text("sys/devices/system/clocksource/clocksource0/current_clocksource"); !ok {
		info.unseen("clock source: /sys/devices/system/clocksource is not readable")
	}
}
