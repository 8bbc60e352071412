// Instructions and steps of the int8 kernels.

// The assembler lacks these instructions. By element: d += n * m[i], four
// bytes at a time.
#define SDOT(d, n, m, i) WORD $(0x4F80E000 | ((i)&1)<<21 | (m)<<16 | ((i)>>1)<<11 | (n)<<5 | (d))
// Signed products of bytes, of the low and of the high halves.
#define SMULL(d, n, m) WORD $(0x0E20C000 | (m)<<16 | (n)<<5 | (d))
#define SMULL2(d, n, m) WORD $(0x4E20C000 | (m)<<16 | (n)<<5 | (d))
// d.4S += sums of neighbours in n.8H
#define SADALP(d, n) WORD $(0x4E606800 | (n)<<5 | (d))
#define MULS(d, n, m) WORD $(0x4EA09C00 | (m)<<16 | (n)<<5 | (d))
#define SCVTF(d, n) WORD $(0x4E21D800 | (n)<<5 | (d))
// To the nearest integer, the even one of two.
#define FCVTNS(d, n) WORD $(0x4E21A800 | (n)<<5 | (d))
#define FADD(d, n, m) WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d))
#define FMUL(d, n, m) WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d))
// A NaN in either operand gives a NaN; with NM, the other operand.
#define FMAX(d, n, m) WORD $(0x4E20F400 | (m)<<16 | (n)<<5 | (d))
#define FMIN(d, n, m) WORD $(0x4EA0F400 | (m)<<16 | (n)<<5 | (d))
#define FMAXNM(d, n, m) WORD $(0x4E20C400 | (m)<<16 | (n)<<5 | (d))
#define FMINNM(d, n, m) WORD $(0x4EA0C400 | (m)<<16 | (n)<<5 | (d))
// Bytes to words and words to dwords, low and high half, unsigned.
#define UXTL8(d, n) WORD $(0x2F08A400 | (n)<<5 | (d))
#define UXTL16(d, n) WORD $(0x2F10A400 | (n)<<5 | (d))
#define UXTL16H(d, n) WORD $(0x6F10A400 | (n)<<5 | (d))
// Back, without saturation.
#define XTN32(d, n) WORD $(0x0E612800 | (n)<<5 | (d))
#define XTN32H(d, n) WORD $(0x4E612800 | (n)<<5 | (d))
#define XTN16(d, n) WORD $(0x0E212800 | (n)<<5 | (d))
// d += n * m, four bytes at a time.
#define SDOTV(d, n, m) WORD $(0x4E809400 | (m)<<16 | (n)<<5 | (d))
// d += n * m, where n is two rows of eight unsigned bytes, m two columns of
// eight signed ones, and d the first row's sums and then the second's.
#define USMMLA(d, n, m) WORD $(0x4E80AC00 | (m)<<16 | (n)<<5 | (d))
// d += n * m, four bytes at a time, unsigned ones by signed ones.
#define USDOTV(d, n, m) WORD $(0x4E809C00 | (m)<<16 | (n)<<5 | (d))

// LOAD loads what lasts through a call; shift is R23.
#define LOAD(shift) \
	MOVD t+0(FP), R0 \
	MOVD int8Tile_count(R0), R25 \
	MOVD int8Tile_a(R0), R24 \
	MOVD $0, R21 \
	MOVD int8Tile_rowSums(R0), R22 \
	MOVD $shift, R23

// FINISH turns the sums at R20 into C and moves on.
#define FINISH \
	MOVD $sums-256(SP), R20 \
	BL   int8Finish<>(SB) \
	MOVD int8Tile_aStep(R0), R1 \
	ADD  R1, R24, R24 \
	MOVD int8Tile_cStep(R0), R1 \
	ADD  R1, R21, R21 \
	SUBS $1, R25

// ROWS sets R1, R2 and R3 to the distances from the first row to the others,
// or to 0 where there are none: the first is computed in their place.
#define ROWS \
	MOVD int8Tile_rows(R0), R10 \
	MOVD int8Tile_aRow(R0), R1 \
	MOVD int8Tile_aGroup(R0), R2 \
	ADD  R1, R2, R3 \
	CMP  $2, R10 \
	CSEL LT, ZR, R1, R1 \
	CMP  $3, R10 \
	CSEL LT, ZR, R2, R2 \
	CMP  $4, R10 \
	CSEL LT, ZR, R3, R3 \
	MOVD int8Tile_segments(R0), R11 \
	MOVD int8Tile_offsets(R0), R12 \
	MOVD int8Tile_b(R0), R9

// SEGMENT sets R5 to R8 to the rows of the next segment.
#define SEGMENT \
	MOVD.P 8(R12), R5 \
	ADD    R24, R5, R5 \
	ADD    R1, R5, R6 \
	ADD    R2, R5, R7 \
	ADD    R3, R5, R8 \
	MOVD   int8Tile_steps(R0), R10

// FLIP takes 128 off the bytes of A.
#define FLIP \
	VEOR V24.B16, V20.B16, V20.B16 \
	VEOR V24.B16, V21.B16, V21.B16 \
	VEOR V24.B16, V22.B16, V22.B16 \
	VEOR V24.B16, V23.B16, V23.B16

// A16 and A4 load the next bytes of four rows.
#define A16 \
	VLD1.P 16(R5), [V20.B16] \
	VLD1.P 16(R6), [V21.B16] \
	VLD1.P 16(R7), [V22.B16] \
	VLD1.P 16(R8), [V23.B16] \
	FLIP

#define A4 \
	FMOVS.P 4(R5), F20 \
	FMOVS.P 4(R6), F21 \
	FMOVS.P 4(R7), F22 \
	FMOVS.P 4(R8), F23 \
	FLIP

// DOT4 adds the products of four bytes, number i of V20 to V23, and 16 columns.
#define DOT4(i) \
	VLD1.P 64(R9), [V16.B16, V17.B16, V18.B16, V19.B16] \
	SDOT(0, 16, 20, i) \
	SDOT(1, 17, 20, i) \
	SDOT(2, 18, 20, i) \
	SDOT(3, 19, 20, i) \
	SDOT(4, 16, 21, i) \
	SDOT(5, 17, 21, i) \
	SDOT(6, 18, 21, i) \
	SDOT(7, 19, 21, i) \
	SDOT(8, 16, 22, i) \
	SDOT(9, 17, 22, i) \
	SDOT(10, 18, 22, i) \
	SDOT(11, 19, 22, i) \
	SDOT(12, 16, 23, i) \
	SDOT(13, 17, 23, i) \
	SDOT(14, 18, 23, i) \
	SDOT(15, 19, 23, i)

// PRODUCTS4 adds to s and the sums after it the products of bytes of a row in
// a and 16 columns, two sums a column.
#define PRODUCTS4(a, s) \
	SMULL(22, 16, a) \
	SMULL2(23, 16, a) \
	SADALP(s+0, 22) \
	SADALP(s+1, 23) \
	SMULL(22, 17, a) \
	SMULL2(23, 17, a) \
	SADALP(s+2, 22) \
	SADALP(s+3, 23) \
	SMULL(22, 18, a) \
	SMULL2(23, 18, a) \
	SADALP(s+4, 22) \
	SADALP(s+5, 23) \
	SMULL(22, 19, a) \
	SMULL2(23, 19, a) \
	SADALP(s+6, 22) \
	SADALP(s+7, 23)

// DOT2 adds the products of four bytes, number i of V20 to V23, and 8 columns.
#define DOT2(i) \
	VLD1.P 32(R9), [V16.B16, V17.B16] \
	SDOT(0, 16, 20, i) \
	SDOT(1, 17, 20, i) \
	SDOT(4, 16, 21, i) \
	SDOT(5, 17, 21, i) \
	SDOT(8, 16, 22, i) \
	SDOT(9, 17, 22, i) \
	SDOT(12, 16, 23, i) \
	SDOT(13, 17, 23, i)

// PRODUCTS2 adds to s and the sums after it the products of bytes of a row in
// a and 8 columns, two sums a column.
#define PRODUCTS2(a, s) \
	SMULL(22, 16, a) \
	SMULL2(23, 16, a) \
	SADALP(s+0, 22) \
	SADALP(s+1, 23) \
	SMULL(22, 17, a) \
	SMULL2(23, 17, a) \
	SADALP(s+2, 22) \
	SADALP(s+3, 23)

// PIXELS sets what the segments of a tile of four pixels, or one, need.
#define PIXELS \
	MOVD int8Tile_rows(R0), R10 \
	MOVD int8Tile_aRow(R0), R1 \
	CMP  $2, R10 \
	CSEL LT, ZR, R1, R1 \
	MOVD int8Tile_segments(R0), R11 \
	MOVD int8Tile_offsets(R0), R12 \
	MOVD int8Tile_b(R0), R9

// PIXEL sets R5 to R8 to the pixels of the next segment, and loads its weights.
#define PIXEL \
	MOVD.P 8(R12), R5 \
	ADD    R24, R5, R5 \
	ADD    R1, R5, R6 \
	ADD    R1, R6, R7 \
	ADD    R1, R7, R8 \
	VLD1.P 32(R9), [V16.B16, V17.B16]

// CHANNELS8 adds the products of eight channels of the pixel at r to s and the
// sums after it, two sums a channel.
#define CHANNELS8(r, s) \
	VLD1 (r), [V20.B16, V21.B16] \
	SMULL(22, 16, 20) \
	SMULL2(23, 16, 20) \
	SMULL(24, 17, 21) \
	SMULL2(25, 17, 21) \
	SADALP(s, 22) \
	SADALP(s+1, 23) \
	SADALP(s+2, 24) \
	SADALP(s+3, 25)

// The sums of vectors i and j are those of neighbours, to which the start is
// added.
#define PAIRS(i, j, start, to) \
	VADDP j.S4, i.S4, to.S4 \
	VADD  start.S4, to.S4, to.S4

// A8PAIRS makes pairs of rows, V24 and V25, of the low halves of V26 to V29,
// and A8HIGH of the high ones.
#define A8PAIRS \
	VZIP1 V27.D2, V26.D2, V24.D2 \
	VZIP1 V29.D2, V28.D2, V25.D2
#define A8HIGH \
	VZIP2 V27.D2, V26.D2, V24.D2 \
	VZIP2 V29.D2, V28.D2, V25.D2

// MATRIX8 adds the products of eight bytes of four rows, in V24 and V25, and
// 16 columns.
#define MATRIX8 \
	VLD1.P 64(R9), [V16.B16, V17.B16, V18.B16, V19.B16] \
	VLD1.P 64(R9), [V20.B16, V21.B16, V22.B16, V23.B16] \
	USMMLA(0, 24, 16) \
	USMMLA(8, 25, 16) \
	USMMLA(1, 24, 17) \
	USMMLA(9, 25, 17) \
	USMMLA(2, 24, 18) \
	USMMLA(10, 25, 18) \
	USMMLA(3, 24, 19) \
	USMMLA(11, 25, 19) \
	USMMLA(4, 24, 20) \
	USMMLA(12, 25, 20) \
	USMMLA(5, 24, 21) \
	USMMLA(13, 25, 21) \
	USMMLA(6, 24, 22) \
	USMMLA(14, 25, 22) \
	USMMLA(7, 24, 23) \
	USMMLA(15, 25, 23)

// MATRIX4 adds the products of eight bytes of four rows, in V24 and V25, and
// 8 columns.
#define MATRIX4 \
	VLD1.P 64(R9), [V16.B16, V17.B16, V18.B16, V19.B16] \
	USMMLA(0, 24, 16) \
	USMMLA(8, 25, 16) \
	USMMLA(1, 24, 17) \
	USMMLA(9, 25, 17) \
	USMMLA(2, 24, 18) \
	USMMLA(10, 25, 18) \
	USMMLA(3, 24, 19) \
	USMMLA(11, 25, 19)
