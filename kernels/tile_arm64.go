package kernels

var neonTiles = &tileKernel{base: neon, width: 8, rows: 6, run: [][2]func(*tile){
	1: {tile1x1NEON, tile1x2NEON},
	2: {tile2x1NEON, tile2x2NEON},
	3: {tile3x1NEON, tile3x2NEON},
	4: {tile4x1NEON, tile4x2NEON},
	5: {tile5x1NEON, tile5x2NEON},
	6: {tile6x1NEON, tile6x2NEON},
}}

// tile1x1NEON is tilePortable(t, 8, 3) with t.rows = 1 and t.vectors = 1.
//
//go:noescape
func tile1x1NEON(t *tile)

// tile1x2NEON is tilePortable(t, 8, 3) with t.rows = 1 and t.vectors = 2.
//
//go:noescape
func tile1x2NEON(t *tile)

// tile2x1NEON is tilePortable(t, 8, 3) with t.rows = 2 and t.vectors = 1.
//
//go:noescape
func tile2x1NEON(t *tile)

// tile2x2NEON is tilePortable(t, 8, 3) with t.rows = 2 and t.vectors = 2.
//
//go:noescape
func tile2x2NEON(t *tile)

// tile3x1NEON is tilePortable(t, 8, 3) with t.rows = 3 and t.vectors = 1.
//
//go:noescape
func tile3x1NEON(t *tile)

// tile3x2NEON is tilePortable(t, 8, 3) with t.rows = 3 and t.vectors = 2.
//
//go:noescape
func tile3x2NEON(t *tile)

// tile4x1NEON is tilePortable(t, 8, 3) with t.rows = 4 and t.vectors = 1.
//
//go:noescape
func tile4x1NEON(t *tile)

// tile4x2NEON is tilePortable(t, 8, 3) with t.rows = 4 and t.vectors = 2.
//
//go:noescape
func tile4x2NEON(t *tile)

// tile5x1NEON is tilePortable(t, 8, 3) with t.rows = 5 and t.vectors = 1.
//
//go:noescape
func tile5x1NEON(t *tile)

// tile5x2NEON is tilePortable(t, 8, 3) with t.rows = 5 and t.vectors = 2.
//
//go:noescape
func tile5x2NEON(t *tile)

// tile6x1NEON is tilePortable(t, 8, 3) with t.rows = 6 and t.vectors = 1.
//
//go:noescape
func tile6x1NEON(t *tile)

// tile6x2NEON is tilePortable(t, 8, 3) with t.rows = 6 and t.vectors = 2.
//
//go:noescape
func tile6x2NEON(t *tile)

func setTileKernels(in instructions) {
	if in.base == neon {
		tiles = neonTiles
	} else {
		tiles = portableTiles
	}
}
