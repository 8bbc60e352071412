package kernels

import "slices"

// The NEON kernels compute four rows, or two without dot products, however few
// are wanted: one kernel serves them all.
var neonDotInt8 = &int8Kernel{
	width: 8, rows: 4, offset: 128,
	run:           slices.Repeat([][2]func(*int8Tile){{int8Tile1NEONDot, int8Tile2NEONDot}}, 5),
	depthwise:     [2]func(*int8Tile){int8DepthwiseNEONDot, int8DepthwiseNEONDot},
	depthwiseRows: 4, interleave: interleaveNEON, interleaved: 16,
}

// neonMatrixInt8 uses USMMLA.
var neonMatrixInt8 = &int8Kernel{
	width: 8, rows: 4, paired: true,
	run:           slices.Repeat([][2]func(*int8Tile){{int8Tile1NEONMatrix, int8Tile2NEONMatrix}}, 5),
	depthwise:     [2]func(*int8Tile){int8DepthwiseNEONMatrix, int8DepthwiseNEONMatrix},
	depthwiseRows: 4, interleave: interleaveNEON, interleaved: 16,
}

var neonInt8 = &int8Kernel{
	width: 8, rows: 2, offset: 128,
	run:           slices.Repeat([][2]func(*int8Tile){{int8Tile1NEON, int8Tile2NEON}}, 3),
	depthwise:     [2]func(*int8Tile){int8DepthwiseNEON, int8DepthwiseNEON},
	depthwiseRows: 4, interleave: interleaveNEON, interleaved: 16,
}

// int8Tile1NEONDot is int8TilePortable(t, 8, 2, 128) with t.vectors = 1.
//
//go:noescape
func int8Tile1NEONDot(t *int8Tile)

// int8Tile2NEONDot is int8TilePortable(t, 8, 2, 128) with t.vectors = 2.
//
//go:noescape
func int8Tile2NEONDot(t *int8Tile)

// int8Tile1NEON is int8TilePortable(t, 8, 1, 128) with t.vectors = 1.
//
//go:noescape
func int8Tile1NEON(t *int8Tile)

// int8Tile2NEON is int8TilePortable(t, 8, 1, 128) with t.vectors = 2.
//
//go:noescape
func int8Tile2NEON(t *int8Tile)

// int8DepthwiseNEONDot is int8DepthwisePortable(t, 8, 128).
//
//go:noescape
func int8DepthwiseNEONDot(t *int8Tile)

// int8DepthwiseNEON is int8DepthwisePortable(t, 8, 128).
//
//go:noescape
func int8DepthwiseNEON(t *int8Tile)

// interleaveNEON is interleavePortable(dst, rows, n, flip) for n a multiple of
// 16.
//
//go:noescape
func interleaveNEON(dst *uint8, rows *[4]*uint8, n int, flip uint8)

// int8Tile1NEONMatrix is int8TilePortable(t, 8, 2, 0) with t.vectors = 1 and
// t.b packed in pairs of steps.
//
//go:noescape
func int8Tile1NEONMatrix(t *int8Tile)

// int8Tile2NEONMatrix is int8TilePortable(t, 8, 2, 0) with t.vectors = 2 and
// t.b packed in pairs of steps.
//
//go:noescape
func int8Tile2NEONMatrix(t *int8Tile)

// int8DepthwiseNEONMatrix is int8DepthwisePortable(t, 8, 0).
//
//go:noescape
func int8DepthwiseNEONMatrix(t *int8Tile)

func setInt8Kernels(in instructions) {
	switch {
	case in.base == neon && in.i8mm:
		int8Tiles = neonMatrixInt8
	case in.base == neon && in.dot8:
		int8Tiles = neonDotInt8
	case in.base == neon:
		int8Tiles = neonInt8
	default:
		int8Tiles = portableInt8
	}
}
