#include "textflag.h"

// A row of n elements is copied as two pieces, which overlap unless n is a
// power of two.

#define YMM2 \
	VMOVUPS (BX), Y0            \
	VMOVUPS -32(BX)(AX*4), Y1   \
	VMOVUPS Y0, (DI)            \
	VMOVUPS Y1, -32(DI)(AX*4)

#define XMM2 \
	VMOVUPS (BX), X0            \
	VMOVUPS -16(BX)(AX*4), X1   \
	VMOVUPS X0, (DI)            \
	VMOVUPS X1, -16(DI)(AX*4)

#define QUAD2 \
	MOVQ (BX), R11              \
	MOVQ -8(BX)(AX*4), R12      \
	MOVQ R11, (DI)              \
	MOVQ R12, -8(DI)(AX*4)

#define LONG1 \
	MOVL (BX), R11 \
	MOVL R11, (DI)

#define ROWS(COPY, loop) \
loop:            \
	COPY          \
	ADDQ R9, BX   \
	ADDQ R8, DI   \
	DECQ CX       \
	JNE  loop     \
	VZEROUPPER    \
	RET

#define LISTED(COPY, loop) \
loop:                    \
	MOVQ (R10), BX        \
	LEAQ (SI)(BX*4), BX   \
	COPY                  \
	ADDQ $8, R10          \
	ADDQ R8, DI           \
	DECQ CX               \
	JNE  loop             \
	VZEROUPPER            \
	RET

// func copyRowsAVX2(dst, src *float32, width, ld int, offsets *int, count, n int)
TEXT ·copyRowsAVX2(SB), NOSPLIT, $0-56
	MOVQ  dst+0(FP), DI
	MOVQ  src+8(FP), SI
	MOVQ  width+16(FP), R8
	MOVQ  ld+24(FP), R9
	MOVQ  offsets+32(FP), R10
	MOVQ  count+40(FP), CX
	MOVQ  n+48(FP), AX
	SHLQ  $2, R8
	SHLQ  $2, R9
	TESTQ R10, R10
	JNE   listed
	MOVQ  SI, BX
	CMPQ  AX, $8
	JGE   rows8
	CMPQ  AX, $4
	JGE   rows4
	CMPQ  AX, $2
	JGE   rows2
	ROWS(LONG1, rows1)

rows8:
	ROWS(YMM2, rows8loop)

rows4:
	ROWS(XMM2, rows4loop)

rows2:
	ROWS(QUAD2, rows2loop)

listed:
	CMPQ AX, $8
	JGE  listed8
	CMPQ AX, $4
	JGE  listed4
	CMPQ AX, $2
	JGE  listed2
	LISTED(LONG1, listed1)

listed8:
	LISTED(YMM2, listed8loop)

listed4:
	LISTED(XMM2, listed4loop)

listed2:
	LISTED(QUAD2, listed2loop)

// func transpose4AVX2(dst, r0, r1, r2, r3 *float32, width, n int)
TEXT ·transpose4AVX2(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ r0+8(FP), R8
	MOVQ r1+16(FP), R9
	MOVQ r2+24(FP), R10
	MOVQ r3+32(FP), R11
	MOVQ width+40(FP), BX
	MOVQ n+48(FP), CX
	SHLQ $2, BX
	LEAQ (BX)(BX*2), DX
	SUBQ $8, CX
	JLT  four

eight:
	VMOVUPS      (R8), Y0
	VMOVUPS      (R9), Y1
	VMOVUPS      (R10), Y2
	VMOVUPS      (R11), Y3
	VUNPCKLPS    Y1, Y0, Y4
	VUNPCKHPS    Y1, Y0, Y5
	VUNPCKLPS    Y3, Y2, Y6
	VUNPCKHPS    Y3, Y2, Y7
	VUNPCKLPD    Y6, Y4, Y0
	VUNPCKHPD    Y6, Y4, Y1
	VUNPCKLPD    Y7, Y5, Y2
	VUNPCKHPD    Y7, Y5, Y3
	VMOVUPS      X0, (DI)
	VMOVUPS      X1, (DI)(BX*1)
	VMOVUPS      X2, (DI)(BX*2)
	VMOVUPS      X3, (DI)(DX*1)
	LEAQ         (DI)(BX*4), DI
	VEXTRACTF128 $1, Y0, (DI)
	VEXTRACTF128 $1, Y1, (DI)(BX*1)
	VEXTRACTF128 $1, Y2, (DI)(BX*2)
	VEXTRACTF128 $1, Y3, (DI)(DX*1)
	LEAQ         (DI)(BX*4), DI
	ADDQ         $32, R8
	ADDQ         $32, R9
	ADDQ         $32, R10
	ADDQ         $32, R11
	SUBQ         $8, CX
	JGE          eight

four:
	ADDQ      $4, CX
	JLT       rest
	VMOVUPS   (R8), X0
	VMOVUPS   (R9), X1
	VMOVUPS   (R10), X2
	VMOVUPS   (R11), X3
	VUNPCKLPS X1, X0, X4
	VUNPCKHPS X1, X0, X5
	VUNPCKLPS X3, X2, X6
	VUNPCKHPS X3, X2, X7
	VUNPCKLPD X6, X4, X0
	VUNPCKHPD X6, X4, X1
	VUNPCKLPD X7, X5, X2
	VUNPCKHPD X7, X5, X3
	VMOVUPS   X0, (DI)
	VMOVUPS   X1, (DI)(BX*1)
	VMOVUPS   X2, (DI)(BX*2)
	VMOVUPS   X3, (DI)(DX*1)
	LEAQ      (DI)(BX*4), DI
	ADDQ      $16, R8
	ADDQ      $16, R9
	ADDQ      $16, R10
	ADDQ      $16, R11
	SUBQ      $4, CX

rest:
	ADDQ $4, CX
	JEQ  done

one:
	MOVL (R8), AX
	MOVL AX, (DI)
	MOVL (R9), AX
	MOVL AX, 4(DI)
	MOVL (R10), AX
	MOVL AX, 8(DI)
	MOVL (R11), AX
	MOVL AX, 12(DI)
	ADDQ $4, R8
	ADDQ $4, R9
	ADDQ $4, R10
	ADDQ $4, R11
	ADDQ BX, DI
	DECQ CX
	JNE  one

done:
	VZEROUPPER
	RET
