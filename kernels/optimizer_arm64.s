#include "textflag.h"
#include "vector_arm64.h"

#define FDIV(d, n, m) WORD $(0x6E20FC00 | (m)<<16 | (n)<<5 | (d))
#define FSQRT(d, n) WORD $(0x6EA1F800 | (n)<<5 | (d))

// R0 is w, R1 the gradient, R2 and R8 the running means, R4 the constants,
// which lie in V16 and on.
#define STEP(BYTES, N) \
	ADD BYTES, R0; \
	ADD BYTES, R1; \
	ADD BYTES, R2; \
	ADD BYTES, R8; \
	SUB N, R3

// CONSTANT sets all elements of V to the next constant.
#define CONSTANT(V) \
	MOVWU (R4), R5; \
	ADD $4, R4;     \
	VDUP R5, V.S4

// MOMENTUM: h = V16*g + V17*w, v = V18*v + V19*h, w += V22*(V20*h + V21*v).
#define MOMENTUM(LD, ST) \
	LD(0, 0, 0);     \
	LD(0, 1, 1);     \
	LD(0, 2, 2);     \
	FMUL(1, 1, 16);  \
	FMLA(1, 0, 17);  \
	FMUL(2, 2, 18);  \
	FMLA(2, 1, 19);  \
	ST(2, 0, 2);     \
	FMUL(1, 1, 20);  \
	FMLA(1, 2, 21);  \
	FMLA(0, 1, 22);  \
	ST(0, 0, 0)

// ADAM: h = V16*g, m = V18*m + V19*h, v = V20*v + V21*h*h,
// w = V17*w + V24*m/(V22*sqrt(v) + V23).
#define ADAM(LD, ST) \
	LD(0, 1, 1);     \
	LD(0, 2, 2);     \
	LD(0, 8, 3);     \
	LD(0, 0, 0);     \
	FMUL(1, 1, 16);  \
	FMUL(2, 2, 18);  \
	FMLA(2, 1, 19);  \
	ST(2, 0, 2);     \
	FMUL(1, 1, 1);   \
	FMUL(3, 3, 20);  \
	FMLA(3, 1, 21);  \
	ST(3, 0, 8);     \
	FSQRT(3, 3);     \
	MOVE(1, 23);     \
	FMLA(1, 3, 22);  \
	FDIV(2, 2, 1);   \
	FMUL(0, 0, 17);  \
	FMLA(0, 2, 24);  \
	ST(0, 0, 0)

// func momentumStepNEON(w, grad, v, k *float32, n int)
TEXT ·momentumStepNEON(SB), NOSPLIT, $0-40
	MOVD w+0(FP), R0
	MOVD grad+8(FP), R1
	MOVD v+16(FP), R2
	MOVD k+24(FP), R4
	MOVD n+32(FP), R3
	CONSTANT(V16)
	CONSTANT(V17)
	CONSTANT(V18)
	CONSTANT(V19)
	CONSTANT(V20)
	CONSTANT(V21)
	CONSTANT(V22)
four:
	CMP $4, R3
	BLT one
	MOMENTUM(LOAD, STORE)
	STEP($16, $4)
	B four
one:
	CBZ R3, done
	MOMENTUM(LOAD1, STORE1)
	STEP($4, $1)
	B one
done:
	RET

// func adamStepNEON(w, grad, m, v, k *float32, n int)
TEXT ·adamStepNEON(SB), NOSPLIT, $0-48
	MOVD w+0(FP), R0
	MOVD grad+8(FP), R1
	MOVD m+16(FP), R2
	MOVD v+24(FP), R8
	MOVD k+32(FP), R4
	MOVD n+40(FP), R3
	CONSTANT(V16)
	CONSTANT(V17)
	CONSTANT(V18)
	CONSTANT(V19)
	CONSTANT(V20)
	CONSTANT(V21)
	CONSTANT(V22)
	CONSTANT(V23)
	CONSTANT(V24)
four:
	CMP $4, R3
	BLT one
	ADAM(LOAD, STORE)
	STEP($16, $4)
	B four
one:
	CBZ R3, done
	ADAM(LOAD1, STORE1)
	STEP($4, $1)
	B one
done:
	RET
