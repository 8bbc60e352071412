package device

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// memoryStatus is MEMORYSTATUSEX of sysinfoapi.h.
type memoryStatus struct {
	length, load                                   uint32
	totalPhys, availPhys, totalPageFile, availPage uint64
	totalVirtual, availVirtual, availExtended      uint64
}

func detect() (Info, error) {
	info := native()
	cpu := &info.CPUs[0]
	if key, err := registry.OpenKey(registry.LOCAL_MACHINE, `HARDWARE\DESCRIPTION\System\CentralProcessor\0`, registry.QUERY_VALUE); err == nil {
		defer key.Close()
		if s, _, err := key.GetStringValue("ProcessorNameString"); err == nil {
			cpu.Model = strings.TrimSpace(s)
		}
		if s, _, err := key.GetStringValue("VendorIdentifier"); err == nil {
			cpu.Vendor = s
		}
		if mhz, _, err := key.GetIntegerValue("~MHz"); err == nil {
			info.Frequency = &Frequency{MaxHz: int64(mhz) * 1e6}
		}
	}
	if cpu.Model == "" {
		return Info{}, errors.New("device: the registry's CentralProcessor key does not tell the processor")
	}
	info.coresUnknown()
	status := memoryStatus{length: uint32(unsafe.Sizeof(memoryStatus{}))}
	if ok, _, _ := windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx").Call(uintptr(unsafe.Pointer(&status))); ok != 0 {
		info.MemoryBytes = status.totalPhys
	} else {
		info.unseen("memory: GlobalMemoryStatusEx failed")
	}
	v := windows.RtlGetVersion()
	info.Kernel = fmt.Sprintf("%d.%d.%d", v.MajorVersion, v.MinorVersion, v.BuildNumber)
	info.ClockSource = "QueryPerformanceCounter"
	info.unseen("governor and current frequency: Windows' power plan is not read")
	info.unseen("kinds of cores: performance and efficiency cores are shown as one kind")
	info.unseen("energy: no meter is read on Windows")
	return info, nil
}
