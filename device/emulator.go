package device

import (
	"debug/elf"
	"os"
	"path/filepath"
)

// machineOf maps GOARCH to the machine of its ELF files.
var machineOf = map[string]elf.Machine{
	"386": elf.EM_386, "amd64": elf.EM_X86_64, "arm": elf.EM_ARM, "arm64": elf.EM_AARCH64,
	"riscv64": elf.EM_RISCV, "ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390, "loong64": elf.EM_LOONGARCH,
}

// emulator returns the name of the program that the kernel has started, at exe,
// if that is for another processor than this one: then it runs this program by
// translating it. Emulators answer for /proc/self themselves, so that exe has
// to be the link of a thread, /proc/thread-self/exe.
func emulator(exe, arch string) string {
	want, ok := machineOf[arch]
	if !ok {
		return ""
	}
	f, err := elf.Open(exe)
	if err != nil {
		return ""
	}
	defer f.Close()
	if f.Machine == want {
		return ""
	}
	path, err := os.Readlink(exe)
	if err != nil {
		return "unknown"
	}
	return filepath.Base(path)
}
