package kernels

// vectorImplementations lists the vector instruction sets. NEON is part of
// the base architecture.
func vectorImplementations() []string { return []string{neon} }
