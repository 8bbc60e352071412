#include "go_asm.h"
#include "textflag.h"
#include "gemm_amd64.h"

// 6 rows of 16 columns: row i in Y(2i) and Y(2i+1), B in Y12 and Y13, an
// element of A in Y14.

#define B16 \
	VMOVUPS (BX), Y12   \
	VMOVUPS 32(BX), Y13 \
	ADDQ    R8, BX

#define B8 \
	VMOVUPS (BX), Y12 \
	ADDQ    R8, BX

#define ROW16(at, left, right) \
	VBROADCASTSS at(AX), Y14       \
	VFMADD231PS  Y12, Y14, left  \
	VFMADD231PS  Y13, Y14, right

#define ROW8(at, left) \
	VBROADCASTSS at(AX), Y14      \
	VFMADD231PS  Y12, Y14, left

#define STEP16X1(at) \
	B16                 \
	ROW16(at, Y0, Y1)

#define STEP16X2(at) \
	STEP16X1(at)          \
	ROW16(at+4, Y2, Y3)

#define STEP16X3(at) \
	STEP16X2(at)          \
	ROW16(at+8, Y4, Y5)

#define STEP16X4(at) \
	STEP16X3(at)           \
	ROW16(at+12, Y6, Y7)

#define STEP16X5(at) \
	STEP16X4(at)           \
	ROW16(at+16, Y8, Y9)

#define STEP16X6(at) \
	STEP16X5(at)             \
	ROW16(at+20, Y10, Y11)

#define STEP8X1(at) \
	B8             \
	ROW8(at, Y0)

#define STEP8X2(at) \
	STEP8X1(at)      \
	ROW8(at+4, Y2)

#define STEP8X3(at) \
	STEP8X2(at)      \
	ROW8(at+8, Y4)

#define STEP8X4(at) \
	STEP8X3(at)       \
	ROW8(at+12, Y6)

#define STEP8X5(at) \
	STEP8X4(at)       \
	ROW8(at+16, Y8)

#define STEP8X6(at) \
	STEP8X5(at)        \
	ROW8(at+20, Y10)

// FETCH asks for a row of C that is to be added to before it is needed: the
// rows are too far apart for the processor to guess.
#define FETCH(at) \
	PREFETCHT0 (at)   \
	PREFETCHT0 60(at) \
	ADDQ       R9, at

// FROM adds a row at (P) to a row of the tile.
#define FROM(P, left, right) \
	VADDPS (P), left, left      \
	VADDPS 32(P), right, right  \
	ADDQ   R9, P

#define BIAS(at, left, right) \
	VBROADCASTSS at(R10), Y14 \
	VADDPS Y14, left, left    \
	VADDPS Y14, right, right

#define CLAMP(x) \
	VMAXPS x, Y12, x \
	VMINPS x, Y13, x

#define HARDSIGMOID(x) \
	VADDPS x, Y15, x   \
	VMAXPS x, Y12, x   \
	VMINPS x, Y13, x   \
	VMULPS x, Y14, x

#define HARDSWISH(x, copy, sixth) \
	VADDPS x, Y15, copy      \
	VMAXPS copy, Y12, copy   \
	VMINPS copy, Y13, copy   \
	VMULPS sixth, copy, copy \
	VMULPS copy, x, x

#define STORE(left, right) \
	VMOVUPS left, (DX)    \
	VMOVUPS right, 32(DX) \
	ADDQ    R9, DX

// func gemmAVX2(t *oldTile)
TEXT ·gemmAVX2(SB), NOSPLIT, $32-8
	MOVQ t+0(FP), DI
	MOVQ oldTile_a(DI), R13
	MOVQ oldTile_bStride(DI), R8
	MOVQ oldTile_cStride(DI), R9
	MOVQ oldTile_c(DI), DX
	MOVQ oldTile_residual(DI), SI
	MOVQ oldTile_bias(DI), R10
	MOVQ oldTile_rows(DI), R11
	MOVQ oldTile_count(DI), R12
	VBROADCASTSS sixth<>(SB), Y14
	VMOVUPS Y14, sixths-32(SP)

panel:
	MOVQ   R13, AX
	ADDQ   oldTile_aStride(DI), R13
	CMPQ   oldTile_accumulate(DI), $0
	JEQ    fetched
	MOVQ   DX, CX
	FETCH(CX)
	FETCH(CX)
	FETCH(CX)
	FETCH(CX)
	FETCH(CX)
	FETCH(CX)

fetched:
	MOVQ   oldTile_b(DI), BX
	MOVQ   oldTile_k(DI), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10
	VXORPS Y11, Y11, Y11
	CMPQ   R11, $1
	JEQ    single
	CMPQ   oldTile_narrow(DI), $0
	JNE    narrow
	CMPQ   R11, $6
	JEQ    wide6
	CMPQ   R11, $5
	JEQ    wide5
	CMPQ   R11, $4
	JEQ    wide4
	CMPQ   R11, $3
	JEQ    wide3
	JMP    wide2

	// A single row, all columns: four steps at once, to have enough sums under
	// way.
single:
	LEAQ (R8)(R8*2), R15
	SUBQ $4, CX
	JLT  singlerest

singlefour:
	VBROADCASTSS (AX), Y12
	VBROADCASTSS 4(AX), Y13
	VBROADCASTSS 8(AX), Y14
	VBROADCASTSS 12(AX), Y15
	VFMADD231PS  (BX), Y12, Y0
	VFMADD231PS  32(BX), Y12, Y1
	VFMADD231PS  (BX)(R8*1), Y13, Y2
	VFMADD231PS  32(BX)(R8*1), Y13, Y3
	VFMADD231PS  (BX)(R8*2), Y14, Y4
	VFMADD231PS  32(BX)(R8*2), Y14, Y5
	VFMADD231PS  (BX)(R15*1), Y15, Y6
	VFMADD231PS  32(BX)(R15*1), Y15, Y7
	LEAQ         (BX)(R8*4), BX
	ADDQ         $16, AX
	SUBQ         $4, CX
	JGE          singlefour
	VADDPS       Y2, Y0, Y0
	VADDPS       Y3, Y1, Y1
	VADDPS       Y6, Y4, Y4
	VADDPS       Y7, Y5, Y5
	VADDPS       Y4, Y0, Y0
	VADDPS       Y5, Y1, Y1

singlerest:
	ADDQ $4, CX
	JEQ  finish

singleone:
	STEP16X1(0)
	ADDQ $4, AX
	DECQ CX
	JNE  singleone
	JMP  finish

wide2:
	LOOP(STEP16X2, 2, wide2four, wide2rest, wide2one)

wide3:
	LOOP(STEP16X3, 3, wide3four, wide3rest, wide3one)

wide4:
	LOOP(STEP16X4, 4, wide4four, wide4rest, wide4one)

wide5:
	LOOP(STEP16X5, 5, wide5four, wide5rest, wide5one)

wide6:
	LOOP(STEP16X6, 6, wide6four, wide6rest, wide6one)

narrow:
	CMPQ R11, $6
	JEQ  narrow6
	CMPQ R11, $5
	JEQ  narrow5
	CMPQ R11, $4
	JEQ  narrow4
	CMPQ R11, $3
	JEQ  narrow3

narrow2:
	LOOP(STEP8X2, 2, narrow2four, narrow2rest, narrow2one)

narrow3:
	LOOP(STEP8X3, 3, narrow3four, narrow3rest, narrow3one)

narrow4:
	LOOP(STEP8X4, 4, narrow4four, narrow4rest, narrow4one)

narrow5:
	LOOP(STEP8X5, 5, narrow5four, narrow5rest, narrow5one)

narrow6:
	LOOP(STEP8X6, 6, narrow6four, narrow6rest, narrow6one)

finish:
	CMPQ oldTile_accumulate(DI), $0
	JEQ  bias
	MOVQ DX, AX
	FROM(AX, Y0, Y1)
	CMPQ R11, $1
	JEQ  bias
	FROM(AX, Y2, Y3)
	CMPQ R11, $2
	JEQ  bias
	FROM(AX, Y4, Y5)
	CMPQ R11, $3
	JEQ  bias
	FROM(AX, Y6, Y7)
	CMPQ R11, $4
	JEQ  bias
	FROM(AX, Y8, Y9)
	CMPQ R11, $5
	JEQ  bias
	FROM(AX, Y10, Y11)

bias:
	TESTQ R10, R10
	JEQ   residual
	BIAS(0, Y0, Y1)
	CMPQ  R11, $1
	JEQ   biased
	BIAS(4, Y2, Y3)
	CMPQ  R11, $2
	JEQ   biased
	BIAS(8, Y4, Y5)
	CMPQ  R11, $3
	JEQ   biased
	BIAS(12, Y6, Y7)
	CMPQ  R11, $4
	JEQ   biased
	BIAS(16, Y8, Y9)
	CMPQ  R11, $5
	JEQ   biased
	BIAS(20, Y10, Y11)

biased:
	LEAQ (R10)(R11*4), R10

residual:
	TESTQ SI, SI
	JEQ   activation
	FROM(SI, Y0, Y1)
	CMPQ  R11, $1
	JEQ   activation
	FROM(SI, Y2, Y3)
	CMPQ  R11, $2
	JEQ   activation
	FROM(SI, Y4, Y5)
	CMPQ  R11, $3
	JEQ   activation
	FROM(SI, Y6, Y7)
	CMPQ  R11, $4
	JEQ   activation
	FROM(SI, Y8, Y9)
	CMPQ  R11, $5
	JEQ   activation
	FROM(SI, Y10, Y11)

activation:
	MOVQ         oldTile_activation(DI), CX
	CMPQ         CX, $const_oldTileLinear
	JEQ          store
	VBROADCASTSS oldTile_low(DI), Y12
	VBROADCASTSS oldTile_high(DI), Y13
	CMPQ         CX, $const_oldTileClamp
	JEQ          clamp
	VBROADCASTSS three<>(SB), Y15
	CMPQ         CX, $const_oldTileHardSwish
	JEQ          hardswish
	VMOVUPS      sixths-32(SP), Y14
	HARDSIGMOID(Y0)
	HARDSIGMOID(Y1)
	HARDSIGMOID(Y2)
	HARDSIGMOID(Y3)
	HARDSIGMOID(Y4)
	HARDSIGMOID(Y5)
	HARDSIGMOID(Y6)
	HARDSIGMOID(Y7)
	HARDSIGMOID(Y8)
	HARDSIGMOID(Y9)
	HARDSIGMOID(Y10)
	HARDSIGMOID(Y11)
	JMP          store

hardswish:
	HARDSWISH(Y0, Y14, sixths-32(SP))
	HARDSWISH(Y1, Y14, sixths-32(SP))
	HARDSWISH(Y2, Y14, sixths-32(SP))
	HARDSWISH(Y3, Y14, sixths-32(SP))
	HARDSWISH(Y4, Y14, sixths-32(SP))
	HARDSWISH(Y5, Y14, sixths-32(SP))
	HARDSWISH(Y6, Y14, sixths-32(SP))
	HARDSWISH(Y7, Y14, sixths-32(SP))
	HARDSWISH(Y8, Y14, sixths-32(SP))
	HARDSWISH(Y9, Y14, sixths-32(SP))
	HARDSWISH(Y10, Y14, sixths-32(SP))
	HARDSWISH(Y11, Y14, sixths-32(SP))
	JMP store

clamp:
	CLAMP(Y0)
	CLAMP(Y1)
	CLAMP(Y2)
	CLAMP(Y3)
	CLAMP(Y4)
	CLAMP(Y5)
	CLAMP(Y6)
	CLAMP(Y7)
	CLAMP(Y8)
	CLAMP(Y9)
	CLAMP(Y10)
	CLAMP(Y11)

store:
	STORE(Y0, Y1)
	CMPQ R11, $1
	JEQ  stored
	STORE(Y2, Y3)
	CMPQ R11, $2
	JEQ  stored
	STORE(Y4, Y5)
	CMPQ R11, $3
	JEQ  stored
	STORE(Y6, Y7)
	CMPQ R11, $4
	JEQ  stored
	STORE(Y8, Y9)
	CMPQ R11, $5
	JEQ  stored
	STORE(Y10, Y11)

stored:
	DECQ R12
	JNE  panel
	VZEROUPPER
	RET
