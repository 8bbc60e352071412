package profiler

import (
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// newWatch watches the CPU that the calling thread is pinned to, or all where
// it is not pinned. What works for this process, and how long it did so far, is
// told by worked.
func newWatch(worked func() time.Duration) watch {
	return watchOf(os.DirFS("/"), pinnedCPU(), func() time.Duration { return ownTime() + worked() })
}

// pinnedCPU is the only CPU that the calling thread may run on, or -1.
func pinnedCPU() int {
	var allowed unix.CPUSet
	if unix.SchedGetaffinity(0, &allowed) != nil || allowed.Count() != 1 {
		return -1
	}
	for cpu := range len(allowed) * 64 {
		if allowed.IsSet(cpu) {
			return cpu
		}
	}
	return -1
}

// ownTime is the CPU time that this process took so far.
func ownTime() time.Duration { return usage(unix.RUSAGE_SELF) }

// endedTime is that of the processes that it started and that have ended.
func endedTime() time.Duration { return usage(unix.RUSAGE_CHILDREN) }

func usage(who int) time.Duration {
	var u unix.Rusage
	if unix.Getrusage(who, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// processTime is the CPU time that another process and the children that it has
// waited for took so far; 0 of one that is not there.
func processTime(pid int) time.Duration {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	return parseProcessStat(string(text))
}

// parseProcessStat adds up the times of a process in /proc/PID/stat. The name of
// its program may have spaces and brackets. See proc_pid_stat(5).
func parseProcessStat(text string) (sum time.Duration) {
	const first, last = 11, 14 // utime, stime, cutime, cstime, counted from the state
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) <= last {
		return 0
	}
	for _, f := range fields[first : last+1] {
		ticks, _ := strconv.ParseInt(f, 10, 64)
		sum += time.Duration(ticks) * userTick
	}
	return sum
}

func watchOf(root fs.FS, cpu int, own func() time.Duration) watch {
	counted := neighbourhood(root, cpu)
	w := watch{
		switches: func() int64 {
			var u unix.Rusage
			if unix.Getrusage(unix.RUSAGE_THREAD, &u) != nil {
				return 0
			}
			return int64(u.Nivcsw)
		},
		times: func() (cpuTimes, bool) {
			text, err := fs.ReadFile(root, "proc/stat")
			if err != nil {
				return cpuTimes{}, false
			}
			t, cpus := parseStat(string(text), cpu, counted)
			t.other -= own()
			return t, cpus > 0
		},
	}
	if text, err := fs.ReadFile(root, "proc/stat"); err == nil {
		_, cpus := parseStat(string(text), cpu, counted)
		w.neighbours = max(0, cpus-1)
	}
	return w
}

// neighbourhood are the CPUs that share the outermost shared cache with cpu, or
// nil for all. What a virtual machine shows of that is what its host says.
func neighbourhood(root fs.FS, cpu int) map[int]bool {
	lists, _ := fs.Glob(root, path.Join("sys/devices/system/cpu/cpu"+strconv.Itoa(cpu), "cache/index*/shared_cpu_list"))
	var widest map[int]bool
	for _, name := range lists {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			continue
		}
		if cpus := parseCPUList(strings.TrimSpace(string(text))); len(cpus) > len(widest) {
			widest = cpus
		}
	}
	if len(widest) < 2 {
		return nil
	}
	return widest
}

// parseCPUList reads a list such as "0-3,8".
func parseCPUList(list string) map[int]bool {
	cpus := map[int]bool{}
	for part := range strings.SplitSeq(list, ",") {
		first, last, ok := strings.Cut(part, "-")
		if !ok {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil || to-from > 1<<16 {
			return nil
		}
		for cpu := from; cpu <= to; cpu++ {
			cpus[cpu] = true
		}
	}
	return cpus
}

// userTick is the unit of /proc/stat: USER_HZ is 100 on every architecture that
// Go supports.
const userTick = 10 * time.Millisecond

// parseStat adds up what /proc/stat says of the counted CPUs (nil: all), and
// what was stolen from cpu (-1: from all). It returns the number of CPUs that it
// found. See proc_stat(5).
func parseStat(text string, cpu int, counted map[int]bool) (t cpuTimes, cpus int) {
	const user, nice, system, irq, softirq, steal = 1, 2, 3, 6, 7, 8
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) <= steal || !strings.HasPrefix(f[0], "cpu") {
			continue
		}
		number, err := strconv.Atoi(f[0][3:])
		if err != nil || counted != nil && !counted[number] {
			continue
		}
		cpus++
		for _, column := range []int{user, nice, system, irq, softirq} {
			ticks, _ := strconv.ParseInt(f[column], 10, 64)
			t.other += time.Duration(ticks) * userTick
		}
		if cpu < 0 || number == cpu {
			ticks, _ := strconv.ParseInt(f[steal], 10, 64)
			t.stolen += time.Duration(ticks) * userTick
		}
	}
	return t, cpus
}
