package kernels

var neonDots = &dotKernel{rows: 4, run: []func(*dots){1: dots1NEON, 2: dots2NEON, 3: dots3NEON, 4: dots4NEON}}

// dots1NEON is dotsPortable with t.rows = 1.
//
//go:noescape
func dots1NEON(t *dots)

// dots2NEON is dotsPortable with t.rows = 2.
//
//go:noescape
func dots2NEON(t *dots)

// dots3NEON is dotsPortable with t.rows = 3.
//
//go:noescape
func dots3NEON(t *dots)

// dots4NEON is dotsPortable with t.rows = 4.
//
//go:noescape
func dots4NEON(t *dots)

func setDotKernels(in instructions) {
	dotTiles = portableDots
	if in.base == neon {
		dotTiles = neonDots
	}
}
