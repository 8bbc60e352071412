package energy

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// openEvent is the file descriptor of an event.
type openEvent int

func perfOpen(pmu uint32, config uint64, cpu int) (perfEvent, error) {
	attr := unix.PerfEventAttr{Type: pmu, Config: config}
	attr.Size = uint32(unsafe.Sizeof(attr))
	fd, err := unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return openEvent(fd), nil
}

func (e openEvent) Read() (uint64, error) {
	var buf [8]byte
	if n, err := unix.Read(int(e), buf[:]); err != nil || n != len(buf) {
		return 0, fmt.Errorf("energy: reading a perf event: %d bytes, %w", n, err)
	}
	return binary.NativeEndian.Uint64(buf[:]), nil
}

func (e openEvent) Close() error { return unix.Close(int(e)) }
