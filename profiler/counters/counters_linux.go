package counters

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const l1dReadMiss = unix.PERF_COUNT_HW_CACHE_L1D | unix.PERF_COUNT_HW_CACHE_OP_READ<<8 | unix.PERF_COUNT_HW_CACHE_RESULT_MISS<<16

var known = []event{
	{Cycles, unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_CPU_CYCLES},
	{Instructions, unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_INSTRUCTIONS},
	{CacheReferences, unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_CACHE_REFERENCES},
	{CacheMisses, unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_CACHE_MISSES},
	{L1DMisses, unix.PERF_TYPE_HW_CACHE, l1dReadMiss},
	{Branches, unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_BRANCH_INSTRUCTIONS},
	{BranchMisses, unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_BRANCH_MISSES},
	{TaskClock, unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_TASK_CLOCK},
	{ContextSwitches, unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_CONTEXT_SWITCHES},
	{Migrations, unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_CPU_MIGRATIONS},
	{PageFaults, unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_PAGE_FAULTS},
}

// perfEvent is the file descriptor of an event.
type perfEvent int

// openEvent opens an event of the calling thread, on whatever CPU it runs.
func openEvent(e event) (counting, error) {
	attr := unix.PerfEventAttr{
		Type: e.kind, Config: e.config,
		Read_format: unix.PERF_FORMAT_TOTAL_TIME_ENABLED | unix.PERF_FORMAT_TOTAL_TIME_RUNNING,
		Bits:        unix.PerfBitDisabled | unix.PerfBitExcludeHv,
	}
	if e.kind != unix.PERF_TYPE_SOFTWARE {
		attr.Bits |= unix.PerfBitExcludeKernel
	}
	attr.Size = uint32(unsafe.Sizeof(attr))
	fd, err := unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, explain(err)
	}
	return perfEvent(fd), nil
}

// explain says what the kernel's refusal means.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENODEV):
		return fmt.Errorf("no such counter, as in virtual machines without a virtual PMU: %w", err)
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("the kernel has no perf events: %w", err)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		why := "it needs root or CAP_PERFMON, and no seccomp filter against perf_event_open, as containers have"
		if level, err := os.ReadFile("/proc/sys/kernel/perf_event_paranoid"); err == nil {
			why += "; kernel.perf_event_paranoid of at most 2 lets all count in user space, of at most 1 in the kernel too: it is " + strings.TrimSpace(string(level))
		}
		return fmt.Errorf("%s: %w", why, err)
	}
	return err
}

func (e perfEvent) start() error {
	if err := unix.IoctlSetInt(int(e), unix.PERF_EVENT_IOC_RESET, 0); err != nil {
		return err
	}
	return unix.IoctlSetInt(int(e), unix.PERF_EVENT_IOC_ENABLE, 0)
}

func (e perfEvent) stop() (value, enabled, running uint64, err error) {
	if err := unix.IoctlSetInt(int(e), unix.PERF_EVENT_IOC_DISABLE, 0); err != nil {
		return 0, 0, 0, err
	}
	var buf [24]byte
	n, err := unix.Read(int(e), buf[:])
	if err != nil {
		return 0, 0, 0, err
	}
	if n != len(buf) {
		return 0, 0, 0, fmt.Errorf("%d bytes read, want %d", n, len(buf))
	}
	order := binary.NativeEndian
	return order.Uint64(buf[:]), order.Uint64(buf[8:]), order.Uint64(buf[16:]), nil
}

func (e perfEvent) Close() error { return unix.Close(int(e)) }
