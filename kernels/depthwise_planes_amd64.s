#include "textflag.h"
#include "depthwise_amd64.h"

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

// LANE_MASK sets all bits of the first COUNT lanes of Y.
#define LANE_MASK(COUNT, Y) \
	LEAQ laneMasks<>+32(SB), BX; \
	MOVQ COUNT, DX;              \
	SHLQ $2, DX;                 \
	SUBQ DX, BX;                 \
	VMOVUPS (BX), Y

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
