#include "textflag.h"

// Masks of the first k of 8 lanes begin at 32-4*k.
DATA laneMasks<>+0(SB)/8, $-1
DATA laneMasks<>+8(SB)/8, $-1
DATA laneMasks<>+16(SB)/8, $-1
DATA laneMasks<>+24(SB)/8, $-1
DATA laneMasks<>+32(SB)/8, $0
DATA laneMasks<>+40(SB)/8, $0
DATA laneMasks<>+48(SB)/8, $0
DATA laneMasks<>+56(SB)/8, $0
GLOBL laneMasks<>(SB), RODATA|NOPTR, $64

// Permutations of 32 lanes in two registers, a byte a lane.
DATA evenLanes<>+0(SB)/8, $0x0e0c0a0806040200
DATA evenLanes<>+8(SB)/8, $0x1e1c1a1816141210
GLOBL evenLanes<>(SB), RODATA|NOPTR, $16
DATA oddLanes<>+0(SB)/8, $0x0f0d0b0907050301
DATA oddLanes<>+8(SB)/8, $0x1f1d1b1917151311
GLOBL oddLanes<>(SB), RODATA|NOPTR, $16
DATA mergeLow<>+0(SB)/8, $0x1303120211011000
DATA mergeLow<>+8(SB)/8, $0x1707160615051404
GLOBL mergeLow<>(SB), RODATA|NOPTR, $16
DATA mergeHigh<>+0(SB)/8, $0x1b0b1a0a19091808
DATA mergeHigh<>+8(SB)/8, $0x1f0f1e0e1d0d1c0c
GLOBL mergeHigh<>(SB), RODATA|NOPTR, $16

// CONVOLVE_ARGS: DI dst, SI src, CX elements left, R8 offsets, R9 their
// number, R10 weights.
#define CONVOLVE_ARGS \
	MOVQ dst_base+0(FP), DI;      \
	MOVQ src_base+24(FP), SI;     \
	MOVQ n+48(FP), CX;            \
	MOVQ offsets_base+56(FP), R8; \
	MOVQ offsets_len+64(FP), R9;  \
	MOVQ weights_base+80(FP), R10

// NEXT_TAP loads weight BX into W and the address it applies to into DX.
#define NEXT_TAP(W) \
	MOVQ (R8)(BX*8), DX;          \
	LEAQ (SI)(DX*4), DX;          \
	VBROADCASTSS (R10)(BX*4), W;  \
	INCQ BX

// CLAMP: the operand that survives a comparison with NaN is the first.
#define CLAMP(LO, HI, A) \
	VMAXPS A, LO, A; \
	VMINPS A, HI, A

#define SET4(V, A, B, C, D) \
	VMOVAPS V, A; \
	VMOVAPS V, B; \
	VMOVAPS V, C; \
	VMOVAPS V, D

// CORRELATE_ARGS: SI grad, DI elements, CX 0; the rest address src at the
// nine offsets.
#define CORRELATE_ARGS \
	MOVQ grad_base+8(FP), SI; \
	MOVQ src_base+32(FP), CX; \
	MOVQ offsets+64(FP), DI;  \
	MOVQ (DI), AX;            \
	MOVQ 8(DI), BX;           \
	MOVQ 16(DI), DX;          \
	MOVQ 24(DI), R8;          \
	MOVQ 32(DI), R9;          \
	MOVQ 40(DI), R10;         \
	MOVQ 48(DI), R11;         \
	MOVQ 56(DI), R12;         \
	MOVQ 64(DI), R13;         \
	LEAQ (CX)(AX*4), AX;      \
	LEAQ (CX)(BX*4), BX;      \
	LEAQ (CX)(DX*4), DX;      \
	LEAQ (CX)(R8*4), R8;      \
	LEAQ (CX)(R9*4), R9;      \
	LEAQ (CX)(R10*4), R10;    \
	LEAQ (CX)(R11*4), R11;    \
	LEAQ (CX)(R12*4), R12;    \
	LEAQ (CX)(R13*4), R13;    \
	MOVQ n+56(FP), DI;        \
	XORL CX, CX

// ROW_ARGS: DI dst, SI src, CX rows; R8 and R9 their steps, R12 the width, R11
// the width less a vector, in bytes.
#define ROW_ARGS \
	MOVQ dst_base+0(FP), DI;  \
	MOVQ src_base+24(FP), SI; \
	MOVQ rows+48(FP), CX;     \
	MOVQ dstStep+56(FP), R8;  \
	MOVQ srcStep+64(FP), R9;  \
	MOVQ width+72(FP), R12;   \
	SHLQ $2, R8;              \
	SHLQ $2, R9;              \
	SHLQ $2, R12;             \
	LEAQ -32(R12), R11

// COPY_ARGS: DI dst, SI src, CX rows, R8 and R9 their steps in bytes, R11
// bytes of a row in whole vectors of LANES, R12 elements beyond them.
#define COPY_ARGS(LANES) \
	MOVQ dst_base+0(FP), DI;  \
	MOVQ src_base+24(FP), SI; \
	MOVQ rows+48(FP), CX;     \
	MOVQ dstStep+56(FP), R8;  \
	MOVQ srcStep+64(FP), R9;  \
	MOVQ width+72(FP), R12;   \
	SHLQ $2, R8;              \
	SHLQ $2, R9;              \
	MOVQ R12, R11;            \
	ANDQ $(LANES-1), R12;     \
	SUBQ R12, R11;            \
	SHLQ $2, R11

// SPLIT_ARGS: DI even, R13 odd, SI src; the rest as for COPY_ARGS.
#define SPLIT_ARGS(LANES) \
	MOVQ even_base+0(FP), DI; \
	MOVQ odd_base+24(FP), R13; \
	MOVQ src_base+48(FP), SI; \
	MOVQ rows+72(FP), CX;     \
	MOVQ dstStep+80(FP), R8;  \
	MOVQ srcStep+88(FP), R9;  \
	MOVQ width+96(FP), R12;   \
	SHLQ $2, R8;              \
	SHLQ $2, R9;              \
	MOVQ R12, R11;            \
	ANDQ $(LANES-1), R12;     \
	SUBQ R12, R11;            \
	SHLQ $2, R11

// MERGE_ARGS: DI dst, SI even, R13 odd; the rest as for COPY_ARGS.
#define MERGE_ARGS(LANES) \
	MOVQ dst_base+0(FP), DI;   \
	MOVQ even_base+24(FP), SI; \
	MOVQ odd_base+48(FP), R13; \
	MOVQ rows+72(FP), CX;      \
	MOVQ dstStep+80(FP), R8;   \
	MOVQ srcStep+88(FP), R9;   \
	MOVQ width+96(FP), R12;    \
	SHLQ $2, R8;               \
	SHLQ $2, R9;               \
	MOVQ R12, R11;             \
	ANDQ $(LANES-1), R12;      \
	SUBQ R12, R11;             \
	SHLQ $2, R11

// func convolveAVX2(dst, src []float32, n int, offsets []int, weights []float32, bias, lo, hi float32)
TEXT ·convolveAVX2(SB), NOSPLIT, $0-116
	CONVOLVE_ARGS
	VBROADCASTSS bias+104(FP), Y13
	VBROADCASTSS lo+108(FP), Y14
	VBROADCASTSS hi+112(FP), Y15

eight:
	CMPQ CX, $48
	JLE  four
	SET4(Y13, Y0, Y1, Y2, Y3)
	SET4(Y13, Y4, Y5, Y6, Y7)
	XORL BX, BX
	JMP  eightCheck

eightTap:
	NEXT_TAP(Y8)
	VFMADD231PS (DX), Y8, Y0
	VFMADD231PS 32(DX), Y8, Y1
	VFMADD231PS 64(DX), Y8, Y2
	VFMADD231PS 96(DX), Y8, Y3
	VFMADD231PS 128(DX), Y8, Y4
	VFMADD231PS 160(DX), Y8, Y5
	VFMADD231PS 192(DX), Y8, Y6
	VFMADD231PS 224(DX), Y8, Y7

eightCheck:
	CMPQ BX, R9
	JLT  eightTap
	CLAMP(Y14, Y15, Y0)
	CLAMP(Y14, Y15, Y1)
	CLAMP(Y14, Y15, Y2)
	CLAMP(Y14, Y15, Y3)
	CLAMP(Y14, Y15, Y4)
	CLAMP(Y14, Y15, Y5)
	CLAMP(Y14, Y15, Y6)
	CLAMP(Y14, Y15, Y7)
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	VMOVUPS Y3, 96(DI)
	VMOVUPS Y4, 128(DI)
	VMOVUPS Y5, 160(DI)
	VMOVUPS Y6, 192(DI)
	VMOVUPS Y7, 224(DI)
	ADDQ $256, DI
	ADDQ $256, SI
	SUBQ $64, CX
	JMP  eight

four:
	CMPQ CX, $16
	JLE  two
	SET4(Y13, Y0, Y1, Y2, Y3)
	XORL BX, BX
	JMP  fourCheck

fourTap:
	NEXT_TAP(Y8)
	VFMADD231PS (DX), Y8, Y0
	VFMADD231PS 32(DX), Y8, Y1
	VFMADD231PS 64(DX), Y8, Y2
	VFMADD231PS 96(DX), Y8, Y3

fourCheck:
	CMPQ BX, R9
	JLT  fourTap
	CLAMP(Y14, Y15, Y0)
	CLAMP(Y14, Y15, Y1)
	CLAMP(Y14, Y15, Y2)
	CLAMP(Y14, Y15, Y3)
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	VMOVUPS Y3, 96(DI)
	ADDQ $128, DI
	ADDQ $128, SI
	SUBQ $32, CX
	JMP  four

two:
	CMPQ CX, $0
	JLE  done
	SET4(Y13, Y0, Y1, Y0, Y1)
	XORL BX, BX
	JMP  twoCheck

twoTap:
	NEXT_TAP(Y8)
	VFMADD231PS (DX), Y8, Y0
	VFMADD231PS 32(DX), Y8, Y1

twoCheck:
	CMPQ BX, R9
	JLT  twoTap
	CLAMP(Y14, Y15, Y0)
	CLAMP(Y14, Y15, Y1)
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)

done:
	VZEROUPPER
	RET

// func convolveAVX512(dst, src []float32, n int, offsets []int, weights []float32, bias, lo, hi float32)
TEXT ·convolveAVX512(SB), NOSPLIT, $0-116
	CONVOLVE_ARGS
	VBROADCASTSS bias+104(FP), Z13
	VBROADCASTSS lo+108(FP), Z14
	VBROADCASTSS hi+112(FP), Z15

eight:
	CMPQ CX, $96
	JLE  four
	SET4(Z13, Z0, Z1, Z2, Z3)
	SET4(Z13, Z4, Z5, Z6, Z7)
	XORL BX, BX
	JMP  eightCheck

eightTap:
	NEXT_TAP(Z8)
	VFMADD231PS (DX), Z8, Z0
	VFMADD231PS 64(DX), Z8, Z1
	VFMADD231PS 128(DX), Z8, Z2
	VFMADD231PS 192(DX), Z8, Z3
	VFMADD231PS 256(DX), Z8, Z4
	VFMADD231PS 320(DX), Z8, Z5
	VFMADD231PS 384(DX), Z8, Z6
	VFMADD231PS 448(DX), Z8, Z7

eightCheck:
	CMPQ BX, R9
	JLT  eightTap
	CLAMP(Z14, Z15, Z0)
	CLAMP(Z14, Z15, Z1)
	CLAMP(Z14, Z15, Z2)
	CLAMP(Z14, Z15, Z3)
	CLAMP(Z14, Z15, Z4)
	CLAMP(Z14, Z15, Z5)
	CLAMP(Z14, Z15, Z6)
	CLAMP(Z14, Z15, Z7)
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	VMOVUPS Z2, 128(DI)
	VMOVUPS Z3, 192(DI)
	VMOVUPS Z4, 256(DI)
	VMOVUPS Z5, 320(DI)
	VMOVUPS Z6, 384(DI)
	VMOVUPS Z7, 448(DI)
	ADDQ $512, DI
	ADDQ $512, SI
	SUBQ $128, CX
	JMP  eight

four:
	CMPQ CX, $32
	JLE  two
	SET4(Z13, Z0, Z1, Z2, Z3)
	XORL BX, BX
	JMP  fourCheck

fourTap:
	NEXT_TAP(Z8)
	VFMADD231PS (DX), Z8, Z0
	VFMADD231PS 64(DX), Z8, Z1
	VFMADD231PS 128(DX), Z8, Z2
	VFMADD231PS 192(DX), Z8, Z3

fourCheck:
	CMPQ BX, R9
	JLT  fourTap
	CLAMP(Z14, Z15, Z0)
	CLAMP(Z14, Z15, Z1)
	CLAMP(Z14, Z15, Z2)
	CLAMP(Z14, Z15, Z3)
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	VMOVUPS Z2, 128(DI)
	VMOVUPS Z3, 192(DI)
	ADDQ $256, DI
	ADDQ $256, SI
	SUBQ $64, CX
	JMP  four

two:
	CMPQ CX, $0
	JLE  done
	SET4(Z13, Z0, Z1, Z0, Z1)
	XORL BX, BX
	JMP  twoCheck

twoTap:
	NEXT_TAP(Z8)
	VFMADD231PS (DX), Z8, Z0
	VFMADD231PS 64(DX), Z8, Z1

twoCheck:
	CMPQ BX, R9
	JLT  twoTap
	CLAMP(Z14, Z15, Z0)
	CLAMP(Z14, Z15, Z1)
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)

done:
	VZEROUPPER
	RET

#define CORRELATE9(G, A0, A1, A2, A3, A4, A5, A6, A7, A8) \
	VMOVUPS (SI)(CX*4), G;          \
	VFMADD231PS (AX)(CX*4), G, A0;  \
	VFMADD231PS (BX)(CX*4), G, A1;  \
	VFMADD231PS (DX)(CX*4), G, A2;  \
	VFMADD231PS (R8)(CX*4), G, A3;  \
	VFMADD231PS (R9)(CX*4), G, A4;  \
	VFMADD231PS (R10)(CX*4), G, A5; \
	VFMADD231PS (R11)(CX*4), G, A6; \
	VFMADD231PS (R12)(CX*4), G, A7; \
	VFMADD231PS (R13)(CX*4), G, A8

// REDUCE9 adds the lanes of Y0 to Y8 to the nine sums at DI.
#define REDUCE9 \
	VHADDPS Y1, Y0, Y0;       \
	VHADDPS Y3, Y2, Y2;       \
	VHADDPS Y5, Y4, Y4;       \
	VHADDPS Y7, Y6, Y6;       \
	VHADDPS Y8, Y8, Y8;       \
	VHADDPS Y2, Y0, Y0;       \
	VHADDPS Y6, Y4, Y4;       \
	VHADDPS Y8, Y8, Y8;       \
	VEXTRACTF128 $1, Y0, X1;  \
	VEXTRACTF128 $1, Y4, X5;  \
	VEXTRACTF128 $1, Y8, X9;  \
	VADDPS X1, X0, X0;        \
	VADDPS X5, X4, X4;        \
	VADDSS X9, X8, X8;        \
	VADDPS (DI), X0, X0;      \
	VADDPS 16(DI), X4, X4;    \
	VADDSS 32(DI), X8, X8;    \
	VMOVUPS X0, (DI);         \
	VMOVUPS X4, 16(DI);       \
	VMOVSS X8, 32(DI)

// func correlateAVX2(sums *[9]float32, grad, src []float32, n int, offsets *[9]int)
TEXT ·correlateAVX2(SB), NOSPLIT, $0-72
	CORRELATE_ARGS
	VXORPS Y0, Y0, Y0
	SET4(Y0, Y1, Y2, Y3, Y4)
	SET4(Y0, Y5, Y6, Y7, Y8)

loop:
	CORRELATE9(Y9, Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8)
	ADDQ $8, CX
	CMPQ CX, DI
	JLT  loop
	MOVQ sums+0(FP), DI
	REDUCE9
	VZEROUPPER
	RET

#define HALVE(Z, Y) \
	VEXTRACTF64X4 $1, Z, Y9; \
	VADDPS Y9, Y, Y

// func correlateAVX512(sums *[9]float32, grad, src []float32, n int, offsets *[9]int)
TEXT ·correlateAVX512(SB), NOSPLIT, $0-72
	CORRELATE_ARGS
	VXORPS Z0, Z0, Z0
	SET4(Z0, Z1, Z2, Z3, Z4)
	SET4(Z0, Z5, Z6, Z7, Z8)

loop:
	CORRELATE9(Z9, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8)
	ADDQ $16, CX
	CMPQ CX, DI
	JLT  loop
	MOVQ sums+0(FP), DI
	HALVE(Z0, Y0)
	HALVE(Z1, Y1)
	HALVE(Z2, Y2)
	HALVE(Z3, Y3)
	HALVE(Z4, Y4)
	HALVE(Z5, Y5)
	HALVE(Z6, Y6)
	HALVE(Z7, Y7)
	HALVE(Z8, Y8)
	REDUCE9
	VZEROUPPER
	RET

// LANE_MASK sets all bits of the first COUNT lanes of Y.
#define LANE_MASK(COUNT, Y) \
	LEAQ laneMasks<>+32(SB), BX; \
	MOVQ COUNT, DX;              \
	SHLQ $2, DX;                 \
	SUBQ DX, BX;                 \
	VMOVUPS (BX), Y

// LANE_BITS sets the low COUNT bits of AX.
#define LANE_BITS(COUNT) \
	MOVL $-1, AX;        \
	BZHIL COUNT, AX, AX

// The rows of the AVX2 forms end with a vector that overlaps the one before,
// within the row: masked stores are slow, and a row must not wait for what the
// last one wrote.

// func copyPlaneAVX2(dst, src []float32, rows, dstStep, srcStep, width int)
TEXT ·copyPlaneAVX2(SB), NOSPLIT, $0-80
	ROW_ARGS
	TESTQ CX, CX
	JLE   done
	CMPQ  R12, $16
	JLT   narrow
	CMPQ  R12, $32
	JGE   wide

quad:
	VMOVUPS (SI), X0
	VMOVUPS -16(SI)(R12*1), X1
	VMOVUPS X0, (DI)
	VMOVUPS X1, -16(DI)(R12*1)
	ADDQ    R8, DI
	ADDQ    R9, SI
	DECQ    CX
	JNZ     quad
	RET

wide:
	VMOVUPS -32(SI)(R12*1), Y1
	XORL    AX, AX

vectors:
	VMOVUPS (SI)(AX*1), Y0
	VMOVUPS Y0, (DI)(AX*1)
	ADDQ    $32, AX
	CMPQ    AX, R11
	JLE     vectors
	VMOVUPS Y1, -32(DI)(R12*1)
	ADDQ    R8, DI
	ADDQ    R9, SI
	DECQ    CX
	JNZ     wide
	VZEROUPPER
	RET

narrow:
	XORL AX, AX

scalars:
	VMOVSS (SI)(AX*1), X0
	VMOVSS X0, (DI)(AX*1)
	ADDQ   $4, AX
	CMPQ   AX, R12
	JLT    scalars
	ADDQ   R8, DI
	ADDQ   R9, SI
	DECQ   CX
	JNZ    narrow

done:
	RET

// func copyPlaneAVX512(dst, src []float32, rows, dstStep, srcStep, width int)
TEXT ·copyPlaneAVX512(SB), NOSPLIT, $0-80
	COPY_ARGS(16)
	LANE_BITS(R12)
	KMOVW AX, K1
	TESTQ CX, CX
	JLE   done

row:
	XORL AX, AX

vectors:
	CMPQ    AX, R11
	JGE     tail
	VMOVUPS (SI)(AX*1), Z0
	VMOVUPS Z0, (DI)(AX*1)
	ADDQ    $64, AX
	JMP     vectors

tail:
	VMOVUPS.Z (SI)(AX*1), K1, Z0
	VMOVUPS   Z0, K1, (DI)(AX*1)
	ADDQ      R8, DI
	ADDQ      R9, SI
	DECQ      CX
	JNZ       row

done:
	VZEROUPPER
	RET

// SPLIT8 parts the 16 elements of Y0 and Y1 and stores them at BX.
#define SPLIT8 \
	VSHUFPS $0x88, Y1, Y0, Y2; \
	VSHUFPS $0xdd, Y1, Y0, Y3; \
	VPERMPD $0xd8, Y2, Y2;     \
	VPERMPD $0xd8, Y3, Y3;     \
	VMOVUPS Y2, (DI)(BX*1);    \
	VMOVUPS Y3, (R13)(BX*1)

// MASKS16 sets the masks of the first R12 of 16 lanes in Y14 and Y15.
#define MASKS16 \
	MOVQ $8, AX;       \
	CMPQ R12, AX;      \
	CMOVQLT R12, AX;   \
	LANE_MASK(AX, Y14); \
	NEGQ AX;           \
	ADDQ R12, AX;      \
	LANE_MASK(AX, Y15)

// func splitPlaneAVX2(even, odd, src []float32, rows, dstStep, srcStep, width int)
TEXT ·splitPlaneAVX2(SB), NOSPLIT, $0-104
	SPLIT_ARGS(16)
	MASKS16
	TESTQ CX, CX
	JLE   done

row:
	XORL AX, AX
	XORL BX, BX

vectors:
	CMPQ    AX, R11
	JGE     tail
	VMOVUPS (SI)(AX*1), Y0
	VMOVUPS 32(SI)(AX*1), Y1
	SPLIT8
	ADDQ    $64, AX
	ADDQ    $32, BX
	JMP     vectors

tail:
	TESTQ      R12, R12
	JZ         next
	VMASKMOVPS (SI)(AX*1), Y14, Y0
	VMASKMOVPS 32(SI)(AX*1), Y15, Y1
	SPLIT8

next:
	ADDQ R8, DI
	ADDQ R8, R13
	ADDQ R9, SI
	DECQ CX
	JNZ  row

done:
	VZEROUPPER
	RET

#define SPLIT16 \
	VMOVAPS Z0, Z2;          \
	VPERMT2PS Z1, Z14, Z0;   \
	VPERMT2PS Z1, Z15, Z2;   \
	VMOVUPS Z0, (DI)(BX*1);  \
	VMOVUPS Z2, (R13)(BX*1)

// func splitPlaneAVX512(even, odd, src []float32, rows, dstStep, srcStep, width int)
TEXT ·splitPlaneAVX512(SB), NOSPLIT, $0-104
	SPLIT_ARGS(32)
	LANE_BITS(R12)
	KMOVW AX, K1
	SHRL  $16, AX
	KMOVW AX, K2
	VPMOVZXBD evenLanes<>(SB), Z14
	VPMOVZXBD oddLanes<>(SB), Z15
	TESTQ CX, CX
	JLE   done

row:
	XORL AX, AX
	XORL BX, BX

vectors:
	CMPQ    AX, R11
	JGE     tail
	VMOVUPS (SI)(AX*1), Z0
	VMOVUPS 64(SI)(AX*1), Z1
	SPLIT16
	ADDQ    $128, AX
	ADDQ    $64, BX
	JMP     vectors

tail:
	TESTQ     R12, R12
	JZ        next
	VMOVUPS.Z (SI)(AX*1), K1, Z0
	VMOVUPS.Z 64(SI)(AX*1), K2, Z1
	SPLIT16

next:
	ADDQ R8, DI
	ADDQ R8, R13
	ADDQ R9, SI
	DECQ CX
	JNZ  row

done:
	VZEROUPPER
	RET

// ADD_TAIL adds the lanes of V that MASK selects at OFFSET(DI)(AX*1). Where
// dst goes on, the other lanes are written back as they were.
#define ADD_TAIL(OFFSET, V, MASK, LAST, NEXT) \
	LEAQ OFFSET(DI)(AX*1), DX;   \
	VANDPS V, MASK, V;           \
	CMPQ DX, R10;                \
	JHI LAST;                    \
	VADDPS (DX), V, V;           \
	VMOVUPS V, (DX);             \
	JMP NEXT

#define ADD_LAST(V, MASK) \
	VMASKMOVPS (DX), MASK, Y7; \
	VADDPS Y7, V, V;           \
	VMASKMOVPS V, MASK, (DX)

// func addPlaneAVX2(dst, src []float32, rows, dstStep, srcStep, width int)
TEXT ·addPlaneAVX2(SB), NOSPLIT, $0-80
	ROW_ARGS
	TESTQ CX, CX
	JLE   done
	CMPQ  R12, $16
	JLT   narrow
	CMPQ  R12, $32
	JGE   wide

quad:
	VMOVUPS (SI), X0
	VMOVUPS -16(SI)(R12*1), X1
	VADDPS  (DI), X0, X0
	VADDPS  -16(DI)(R12*1), X1, X1
	VMOVUPS X0, (DI)
	VMOVUPS X1, -16(DI)(R12*1)
	ADDQ    R8, DI
	ADDQ    R9, SI
	DECQ    CX
	JNZ     quad
	RET

wide:
	VMOVUPS -32(SI)(R12*1), Y1
	VADDPS  -32(DI)(R12*1), Y1, Y1
	XORL    AX, AX

vectors:
	VMOVUPS (SI)(AX*1), Y0
	VADDPS  (DI)(AX*1), Y0, Y0
	VMOVUPS Y0, (DI)(AX*1)
	ADDQ    $32, AX
	CMPQ    AX, R11
	JLE     vectors
	VMOVUPS Y1, -32(DI)(R12*1)
	ADDQ    R8, DI
	ADDQ    R9, SI
	DECQ    CX
	JNZ     wide
	VZEROUPPER
	RET

narrow:
	XORL AX, AX

scalars:
	VMOVSS (SI)(AX*1), X0
	VADDSS (DI)(AX*1), X0, X0
	VMOVSS X0, (DI)(AX*1)
	ADDQ   $4, AX
	CMPQ   AX, R12
	JLT    scalars
	ADDQ   R8, DI
	ADDQ   R9, SI
	DECQ   CX
	JNZ    narrow

done:
	RET

// func addPlaneAVX512(dst, src []float32, rows, dstStep, srcStep, width int)
TEXT ·addPlaneAVX512(SB), NOSPLIT, $0-80
	COPY_ARGS(16)
	LANE_BITS(R12)
	KMOVW AX, K1
	TESTQ CX, CX
	JLE   done

row:
	XORL AX, AX

vectors:
	CMPQ    AX, R11
	JGE     tail
	VMOVUPS (SI)(AX*1), Z0
	VADDPS  (DI)(AX*1), Z0, Z0
	VMOVUPS Z0, (DI)(AX*1)
	ADDQ    $64, AX
	JMP     vectors

tail:
	VMOVUPS.Z (SI)(AX*1), K1, Z0
	VMOVUPS.Z (DI)(AX*1), K1, Z1
	VADDPS    Z1, Z0, Z0
	VMOVUPS   Z0, K1, (DI)(AX*1)
	ADDQ      R8, DI
	ADDQ      R9, SI
	DECQ      CX
	JNZ       row

done:
	VZEROUPPER
	RET

// MERGE8 loads 8 elements each at BX and interleaves them in Y0 and Y1.
#define MERGE8 \
	VMOVUPS (SI)(BX*1), Y2;        \
	VMOVUPS (R13)(BX*1), Y3;       \
	VUNPCKLPS Y3, Y2, Y4;          \
	VUNPCKHPS Y3, Y2, Y5;          \
	VPERM2F128 $0x20, Y5, Y4, Y0;  \
	VPERM2F128 $0x31, Y5, Y4, Y1

// func mergePlaneAVX2(dst, even, odd []float32, rows, dstStep, srcStep, width int)
TEXT ·mergePlaneAVX2(SB), NOSPLIT, $0-104
	MERGE_ARGS(16)
	MASKS16
	MOVQ  dst_len+8(FP), R10
	LEAQ  -32(DI)(R10*4), R10
	TESTQ CX, CX
	JLE   done

row:
	XORL AX, AX
	XORL BX, BX

vectors:
	CMPQ    AX, R11
	JGE     tail
	MERGE8
	VADDPS  (DI)(AX*1), Y0, Y0
	VADDPS  32(DI)(AX*1), Y1, Y1
	VMOVUPS Y0, (DI)(AX*1)
	VMOVUPS Y1, 32(DI)(AX*1)
	ADDQ    $64, AX
	ADDQ    $32, BX
	JMP     vectors

tail:
	TESTQ R12, R12
	JZ    next
	MERGE8
	ADD_TAIL(0, Y0, Y14, lastLow, high)

lastLow:
	ADD_LAST(Y0, Y14)

high:
	CMPQ R12, $8
	JLE  next
	ADD_TAIL(32, Y1, Y15, lastHigh, next)

lastHigh:
	ADD_LAST(Y1, Y15)

next:
	ADDQ R8, DI
	ADDQ R9, SI
	ADDQ R9, R13
	DECQ CX
	JNZ  row

done:
	VZEROUPPER
	RET

#define MERGE16 \
	VMOVUPS (SI)(BX*1), Z0;  \
	VMOVUPS (R13)(BX*1), Z2; \
	VMOVAPS Z0, Z1;          \
	VPERMT2PS Z2, Z14, Z0;   \
	VPERMT2PS Z2, Z15, Z1

// func mergePlaneAVX512(dst, even, odd []float32, rows, dstStep, srcStep, width int)
TEXT ·mergePlaneAVX512(SB), NOSPLIT, $0-104
	MERGE_ARGS(32)
	LANE_BITS(R12)
	KMOVW AX, K1
	SHRL  $16, AX
	KMOVW AX, K2
	VPMOVZXBD mergeLow<>(SB), Z14
	VPMOVZXBD mergeHigh<>(SB), Z15
	TESTQ CX, CX
	JLE   done

row:
	XORL AX, AX
	XORL BX, BX

vectors:
	CMPQ    AX, R11
	JGE     tail
	MERGE16
	VADDPS  (DI)(AX*1), Z0, Z0
	VADDPS  64(DI)(AX*1), Z1, Z1
	VMOVUPS Z0, (DI)(AX*1)
	VMOVUPS Z1, 64(DI)(AX*1)
	ADDQ    $128, AX
	ADDQ    $64, BX
	JMP     vectors

tail:
	TESTQ     R12, R12
	JZ        next
	MERGE16
	VMOVUPS.Z (DI)(AX*1), K1, Z2
	VMOVUPS.Z 64(DI)(AX*1), K2, Z3
	VADDPS    Z2, Z0, Z0
	VADDPS    Z3, Z1, Z1
	VMOVUPS   Z0, K1, (DI)(AX*1)
	VMOVUPS   Z1, K2, 64(DI)(AX*1)

next:
	ADDQ R8, DI
	ADDQ R9, SI
	ADDQ R9, R13
	DECQ CX
	JNZ  row

done:
	VZEROUPPER
	RET
