// Package device says what machine this is: its processor, cores, instruction
// sets, caches, memory, clock and energy meters, and a short fingerprint of
// those that decide how fast it computes. A latency table carries the
// fingerprint of the device that it was measured on.
//
// On Linux everything is read from /proc and /sys, one source a file of this
// package; elsewhere the system calls of the platform and the CPUID
// instruction answer, and [Info.Unseen] lists what they cannot tell.
package device

// Info describes one machine. It is written to and read from JSON.
type Info struct {
	OS    string `json:"os"`              // GOOS, such as "linux"
	Arch  string `json:"arch"`            // GOARCH, such as "arm64"
	Board string `json:"board,omitempty"` // product name, such as "Raspberry Pi 5 Model B Rev 1.0"

	CPUs    []CPU    `json:"cpus"`  // one entry for each kind of core
	Cores   int      `json:"cores"` // physical cores
	Threads int      `json:"threads"`
	ISA     []string `json:"isa"` // instruction sets for computing, such as "avx2" or "neon"
	Caches  []Cache  `json:"caches"`

	MemoryBytes uint64 `json:"memory_bytes"` // as the kernel counts it, a little less than installed

	Kernel      string `json:"kernel"`
	ClockSource string `json:"clock_source,omitempty"`
	Governor    string `json:"governor,omitempty"` // several are joined by commas
	// IsolatedCores are those that the scheduler keeps other work off, as the
	// kernel lists them: "2-3".
	IsolatedCores string     `json:"isolated_cores,omitempty"`
	Frequency     *Frequency `json:"frequency,omitempty"`

	Virtual    bool   `json:"virtual"`
	Hypervisor string `json:"hypervisor,omitempty"` // such as "kvm", where it shows
	Emulator   string `json:"emulator,omitempty"`   // such as "qemu-aarch64", where it runs this program: times are the emulator's

	EnergyMeters []Meter  `json:"energy_meters"`
	Unseen       []string `json:"unseen"` // what this system does not show, and why
}

// CPU is one kind of core. Most machines have one kind, big.LITTLE ones two or three.
type CPU struct {
	Vendor   string `json:"vendor"`   // such as "AuthenticAMD" or "ARM"
	Model    string `json:"model"`    // such as "AMD EPYC 7763 64-Core Processor" or "Cortex-A76"
	Family   int    `json:"family"`   // x86 family; ARM architecture version
	ModelID  int    `json:"model_id"` // x86 model; ARM part number
	Variant  int    `json:"variant"`  // ARM variant (the r of r1p2); 0 on x86
	Stepping int    `json:"stepping"` // x86 stepping; ARM revision (the p of r1p2)
	Threads  int    `json:"threads"`  // hardware threads of this kind
}

// Cache is one kind of cache and how often the machine has it.
type Cache struct {
	Level     int    `json:"level"`
	Type      string `json:"type"` // "data", "instruction" or "unified"
	Bytes     int64  `json:"bytes"`
	LineBytes int    `json:"line_bytes,omitempty"`
	Ways      int    `json:"ways,omitempty"`
	SharedBy  int    `json:"shared_by,omitempty"` // hardware threads on one instance
	Count     int    `json:"count,omitempty"`     // instances in the machine
}

// Frequency is the range of the core clock and its value when looked at, in Hz.
// A field that the system does not show is 0.
type Frequency struct {
	MinHz     int64 `json:"min_hz,omitempty"`
	MaxHz     int64 `json:"max_hz,omitempty"`
	CurrentHz int64 `json:"current_hz,omitempty"`
}

// Meter is a sensor from which energy can be had, directly or by integrating power.
type Meter struct {
	Source   string `json:"source"`   // "powercap", "hwmon", "power_supply", "iio" or "perf"
	Name     string `json:"name"`     // such as "package-0"
	Quantity string `json:"quantity"` // "energy", "power" or "voltage and current"
	Path     string `json:"path"`
	Readable bool   `json:"readable"` // false where it needs more rights than this process has
}

// Detect describes the machine that it runs on. It fails only where not even
// the processor can be told, since a fingerprint of nothing would match any
// other machine; whatever else stays hidden is listed in [Info.Unseen].
func Detect() (Info, error) { return detect() }

func (i *Info) unseen(what string) { i.Unseen = append(i.Unseen, what) }
