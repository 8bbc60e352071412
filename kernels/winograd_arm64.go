package kernels

func setWinogradKernels(in instructions) {
	winogradTransforms = portableWinograd
	if in.base == neon {
		winogradTransforms = winogradKernels{input4: winogradInput4NEON, input2: winogradInput2NEON, output4: winogradOutput4NEON, output2: winogradOutput2NEON}
	}
}

// winogradInput4NEON is winogradInput4Portable(t, 4*t.vectors).
//
//go:noescape
func winogradInput4NEON(t *winogradInput)

// winogradInput2NEON is winogradInput2Portable(t, 4*t.vectors).
//
//go:noescape
func winogradInput2NEON(t *winogradInput)

// winogradOutput4NEON is winogradOutput4Portable(t, 4*t.vectors).
//
//go:noescape
func winogradOutput4NEON(t *winogradOutput)

// winogradOutput2NEON is winogradOutput2Portable(t, 4*t.vectors).
//
//go:noescape
func winogradOutput2NEON(t *winogradOutput)
