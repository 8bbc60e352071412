#include "textflag.h"
#include "depthwise_amd64.h"

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

// LANE_BITS sets the low COUNT bits of AX.
#define LANE_BITS(COUNT) \
	MOVL $-1, AX;        \
	BZHIL COUNT, AX, AX

// The rows of the AVX2 forms end with a vector that overlaps the one before,
// within the row: masked stores are slow, and a row must not wait for what the
// last one wrote.

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
