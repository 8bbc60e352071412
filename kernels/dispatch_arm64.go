package kernels

import "golang.org/x/sys/cpu"

// vectorImplementations lists the vector instruction sets. NEON is part of
// the base architecture.
func vectorImplementations() []instructions {
	var list []instructions
	half := cpu.ARM64.HasASIMDHP && cpu.ARM64.HasFPHP
	if cpu.ARM64.HasASIMDDP {
		if cpu.ARM64.HasI8MM {
			list = append(list, instructions{name: "neoni8mm", base: neon, dot8: true, i8mm: true, fp16: half})
		}
		list = append(list, instructions{name: "neondot", base: neon, dot8: true, fp16: half})
	}
	return append(list, instructions{name: neon, base: neon})
}
