#include "textflag.h"
#include "vector_arm64.h"

// Bodies of the vector functions. R0 is dst, R1 the first operand, R2 the
// second. A body works on the elements O bytes on: four with LOAD and STORE,
// one with LOAD1 and STORE1. V0 to V2 are scratch registers, V27 to V31
// constants.

#define MUL_ADD_BODY(LD, ST, O) \
	LD(O, 1, 0);   \
	LD(O, 2, 1);   \
	LD(O, 0, 2);   \
	FMLA(2, 0, 1); \
	ST(2, O, 0)

// AXPY_BODY: dst += V27*a.
#define AXPY_BODY(LD, ST, O) \
	LD(O, 1, 0);    \
	LD(O, 0, 2);    \
	FMLA(2, 0, 27); \
	ST(2, O, 0)

// AFFINE_BODY: dst = V27*a + V28.
#define AFFINE_BODY(LD, ST, O) \
	LD(O, 1, 0);    \
	MOVE(1, 28);    \
	FMLA(1, 0, 27); \
	ST(1, O, 0)

// AFFINE_ADD_BODY: dst += V27*a + (V28*b + V29).
#define AFFINE_ADD_BODY(LD, ST, O) \
	LD(O, 1, 0);    \
	LD(O, 2, 1);    \
	MOVE(2, 29);    \
	FMLA(2, 1, 28); \
	FMLA(2, 0, 27); \
	LD(O, 0, 0);    \
	FADD(0, 0, 2);  \
	ST(0, O, 0)

// CLAMP_BODY: dst = min(max(a, V27), V28).
#define CLAMP_BODY(LD, ST, O) \
	LD(O, 1, 0);    \
	FMAX(0, 0, 27); \
	FMIN(0, 0, 28); \
	ST(0, O, 0)

// HARD_SIGMOID_BODY: dst = min(max(a*V27 + V28, V29), V30).
#define HARD_SIGMOID_BODY(LD, ST, O) \
	LD(O, 1, 0);    \
	MOVE(1, 28);    \
	FMLA(1, 0, 27); \
	FMAX(1, 1, 29); \
	FMIN(1, 1, 30); \
	ST(1, O, 0)

// HARD_SWISH_BODY: the same, times a.
#define HARD_SWISH_BODY(LD, ST, O) \
	LD(O, 1, 0);    \
	MOVE(1, 28);    \
	FMLA(1, 0, 27); \
	FMAX(1, 1, 29); \
	FMIN(1, 1, 30); \
	FMUL(1, 1, 0);  \
	ST(1, O, 0)

// CLAMP_BACKWARD_BODY: dst += V29*a where V27 < b <= V28.
#define CLAMP_BACKWARD_BODY(LD, ST, O) \
	LD(O, 2, 1);     \
	FCMGT(2, 1, 27); \
	FCMGE(1, 28, 1); \
	AND(1, 1, 2);    \
	LD(O, 1, 0);     \
	FMUL(0, 0, 29);  \
	AND(0, 0, 1);    \
	LD(O, 0, 2);     \
	FADD(2, 2, 0);   \
	ST(2, O, 0)

// HARD_SWISH_BACKWARD_BODY: dst += a*g(b), where g is V30 from V29, 0 up to
// V31 and V27*b + V28 between.
#define HARD_SWISH_BACKWARD_BODY(LD, ST, O) \
	LD(O, 2, 1);     \
	MOVE(2, 28);     \
	FMLA(2, 1, 27);  \
	FCMGE(0, 1, 29); \
	BIT(2, 30, 0);   \
	FCMGE(0, 31, 1); \
	BIC(2, 2, 0);    \
	LD(O, 1, 0);     \
	LD(O, 0, 1);     \
	FMLA(1, 0, 2);   \
	ST(1, O, 0)

// Bodies of the reductions: S and P are the sums.

#define DOT_BODY(LD, O, S, P) \
	LD(O, 1, 0);   \
	LD(O, 2, 1);   \
	FMLA(S, 0, 1)

#define SUM_BODY(LD, O, S, P) \
	LD(O, 1, 0);   \
	FADD(S, S, 0)

// SUM_SQUARES_BODY: S += (a-V27)^2.
#define SUM_SQUARES_BODY(LD, O, S, P) \
	LD(O, 1, 0);    \
	FSUB(0, 0, 27); \
	FMLA(S, 0, 0)

// SUM_PRODUCTS_BODY: S += a, P += a*(b-V27).
#define SUM_PRODUCTS_BODY(LD, O, S, P) \
	LD(O, 1, 0);    \
	LD(O, 2, 1);    \
	FSUB(1, 1, 27); \
	FADD(S, S, 0);  \
	FMLA(P, 0, 1)

// STEP moves all operands on.
#define STEP(BYTES) \
	ADD BYTES, R0; \
	ADD BYTES, R1; \
	ADD BYTES, R2

// EACH applies a body to R3 elements.
#define EACH(BODY) \
vectors: \
	CMP $16, R3;           \
	BLT vector;            \
	BODY(LOAD, STORE, 0);  \
	BODY(LOAD, STORE, 16); \
	BODY(LOAD, STORE, 32); \
	BODY(LOAD, STORE, 48); \
	STEP($64);             \
	SUB $16, R3;           \
	B vectors;             \
vector: \
	CMP $4, R3;            \
	BLT single;            \
	BODY(LOAD, STORE, 0);  \
	STEP($16);             \
	SUB $4, R3;            \
	B vector;              \
single: \
	CBZ R3, finish;        \
	BODY(LOAD1, STORE1, 0); \
	STEP($4);              \
	SUB $1, R3;            \
	B single;              \
finish:

// SEGMENTS applies a body to R4 segments of R6 elements with a gap of R5 bytes.
#define SEGMENTS(BODY) \
	CBZ R4, done;  \
segment: \
	MOVD R6, R3;   \
	EACH(BODY)     \
	STEP(R5);      \
	SUB $1, R4;    \
	CBNZ R4, segment; \
done:

#define ZERO(V) VEOR V.B16, V.B16, V.B16

// REDUCE applies the body of a reduction to every segment. Sums lie in V16 to
// V19 and V20 to V23, for single elements in the first lanes of V24 and V25.
#define REDUCE(BODY) \
	ZERO(V16);             \
	ZERO(V17);             \
	ZERO(V18);             \
	ZERO(V19);             \
	ZERO(V20);             \
	ZERO(V21);             \
	ZERO(V22);             \
	ZERO(V23);             \
	ZERO(V24);             \
	ZERO(V25);             \
	CBZ R4, done;          \
segment: \
	MOVD R6, R3;           \
vectors: \
	CMP $16, R3;           \
	BLT vector;            \
	BODY(LOAD, 0, 16, 20);  \
	BODY(LOAD, 16, 17, 21); \
	BODY(LOAD, 32, 18, 22); \
	BODY(LOAD, 48, 19, 23); \
	STEP($64);             \
	SUB $16, R3;           \
	B vectors;             \
vector: \
	CMP $4, R3;            \
	BLT single;            \
	BODY(LOAD, 0, 16, 20); \
	STEP($16);             \
	SUB $4, R3;            \
	B vector;              \
single: \
	CBZ R3, finish;        \
	BODY(LOAD1, 0, 24, 25); \
	STEP($4);              \
	SUB $1, R3;            \
	B single;              \
finish: \
	STEP(R5);              \
	SUB $1, R4;            \
	CBNZ R4, segment;      \
done: \
	FADD(16, 16, 17);      \
	FADD(18, 18, 19);      \
	FADD(16, 16, 18);      \
	FADDP(16, 16, 16);     \
	FADDP2(16, 16);        \
	FADDS F24, F16, F16

// GAP turns the stride of the segments into their gap.
#define GAP \
	SUB R6, R5; \
	LSL $2, R5

#define BINARY_ARGS \
	MOVD dst_base+0(FP), R0; \
	MOVD dst_len+8(FP), R3;  \
	MOVD a_base+24(FP), R1;  \
	MOVD b_base+48(FP), R2

#define UNARY_ARGS \
	MOVD dst_base+0(FP), R0; \
	MOVD dst_len+8(FP), R3;  \
	MOVD src_base+24(FP), R1

#define BACKWARD_ARGS \
	MOVD dsrc_base+0(FP), R0;  \
	MOVD dsrc_len+8(FP), R3;   \
	MOVD ddst_base+24(FP), R1; \
	MOVD src_base+48(FP), R2

#define SUM_ARGS \
	MOVD x_base+0(FP), R1;    \
	MOVD segments+24(FP), R4; \
	MOVD stride+32(FP), R5;   \
	MOVD length+40(FP), R6;   \
	GAP

// ARG sets all lanes of V to an argument.
#define ARG(X, F, V) \
	FMOVS X, F; \
	VDUP V.S[0], V.S4

#define CONSTANT(X, V) \
	MOVW $X, R7; \
	VDUP R7, V.S4

// 1/6, 1/2, 0 and 1.
#define HARD_SIGMOID_CONSTANTS \
	CONSTANT(0x3e2aaaab, V27); \
	CONSTANT(0x3f000000, V28); \
	ZERO(V29);                 \
	CONSTANT(0x3f800000, V30)

// 1/3, 1/2, 3, 1 and -3.
#define HARD_SWISH_BACKWARD_CONSTANTS \
	CONSTANT(0x3eaaaaab, V27); \
	CONSTANT(0x3f000000, V28); \
	CONSTANT(0x40400000, V29); \
	CONSTANT(0x3f800000, V30); \
	CONSTANT(0xc0400000, V31)

// func mulAddNEON(dst, a, b []float32)
TEXT ·mulAddNEON(SB), NOSPLIT, $0-72
	BINARY_ARGS
	EACH(MUL_ADD_BODY)
	RET

// func axpyNEON(alpha float32, x, y []float32)
TEXT ·axpyNEON(SB), NOSPLIT, $0-56
	ARG(alpha+0(FP), F27, V27)
	MOVD x_base+8(FP), R1
	MOVD x_len+16(FP), R3
	MOVD y_base+32(FP), R0
	EACH(AXPY_BODY)
	RET

// func clampNEON(dst, src []float32, lo, hi float32)
TEXT ·clampNEON(SB), NOSPLIT, $0-56
	UNARY_ARGS
	ARG(lo+48(FP), F27, V27)
	ARG(hi+52(FP), F28, V28)
	EACH(CLAMP_BODY)
	RET

// func clampBackwardNEON(dsrc, ddst, src []float32, lo, hi, scale float32)
TEXT ·clampBackwardNEON(SB), NOSPLIT, $0-84
	BACKWARD_ARGS
	ARG(lo+72(FP), F27, V27)
	ARG(hi+76(FP), F28, V28)
	ARG(scale+80(FP), F29, V29)
	EACH(CLAMP_BACKWARD_BODY)
	RET

// func hardSigmoidNEON(dst, src []float32)
TEXT ·hardSigmoidNEON(SB), NOSPLIT, $0-48
	UNARY_ARGS
	HARD_SIGMOID_CONSTANTS
	EACH(HARD_SIGMOID_BODY)
	RET

// func hardSwishNEON(dst, src []float32)
TEXT ·hardSwishNEON(SB), NOSPLIT, $0-48
	UNARY_ARGS
	HARD_SIGMOID_CONSTANTS
	EACH(HARD_SWISH_BODY)
	RET

// func hardSwishBackwardNEON(dsrc, ddst, src []float32)
TEXT ·hardSwishBackwardNEON(SB), NOSPLIT, $0-72
	BACKWARD_ARGS
	HARD_SWISH_BACKWARD_CONSTANTS
	EACH(HARD_SWISH_BACKWARD_BODY)
	RET

// func affineNEON(dst, src []float32, segments, stride, length int, a, b float32)
TEXT ·affineNEON(SB), NOSPLIT, $0-80
	MOVD dst_base+0(FP), R0
	MOVD src_base+24(FP), R1
	MOVD segments+48(FP), R4
	MOVD stride+56(FP), R5
	MOVD length+64(FP), R6
	GAP
	ARG(a+72(FP), F27, V27)
	ARG(b+76(FP), F28, V28)
	SEGMENTS(AFFINE_BODY)
	RET

// func affineAddNEON(dst, x, y []float32, segments, stride, length int, a, b, c float32)
TEXT ·affineAddNEON(SB), NOSPLIT, $0-108
	MOVD dst_base+0(FP), R0
	MOVD x_base+24(FP), R1
	MOVD y_base+48(FP), R2
	MOVD segments+72(FP), R4
	MOVD stride+80(FP), R5
	MOVD length+88(FP), R6
	GAP
	ARG(a+96(FP), F27, V27)
	ARG(b+100(FP), F28, V28)
	ARG(c+104(FP), F29, V29)
	SEGMENTS(AFFINE_ADD_BODY)
	RET

// func dotNEON(a, b []float32) float32
TEXT ·dotNEON(SB), NOSPLIT, $0-52
	MOVD a_base+0(FP), R1
	MOVD b_base+24(FP), R2
	MOVD a_len+8(FP), R6
	MOVD $1, R4
	MOVD $0, R5
	REDUCE(DOT_BODY)
	FMOVS F16, ret+48(FP)
	RET

// func sumSegmentsNEON(x []float32, segments, stride, length int) float32
TEXT ·sumSegmentsNEON(SB), NOSPLIT, $0-52
	SUM_ARGS
	REDUCE(SUM_BODY)
	FMOVS F16, ret+48(FP)
	RET

// func sumSquaresNEON(x []float32, segments, stride, length int, center float32) float32
TEXT ·sumSquaresNEON(SB), NOSPLIT, $0-60
	SUM_ARGS
	ARG(center+48(FP), F27, V27)
	REDUCE(SUM_SQUARES_BODY)
	FMOVS F16, ret+56(FP)
	RET

// func sumProductsNEON(x, y []float32, segments, stride, length int, center float32) (sum, product float32)
TEXT ·sumProductsNEON(SB), NOSPLIT, $0-88
	MOVD x_base+0(FP), R1
	MOVD y_base+24(FP), R2
	MOVD segments+48(FP), R4
	MOVD stride+56(FP), R5
	MOVD length+64(FP), R6
	GAP
	ARG(center+72(FP), F27, V27)
	REDUCE(SUM_PRODUCTS_BODY)
	FMOVS F16, sum+80(FP)
	FADD(20, 20, 21)
	FADD(22, 22, 23)
	FADD(20, 20, 22)
	FADDP(20, 20, 20)
	FADDP2(20, 20)
	FADDS F25, F20, F20
	FMOVS F20, product+84(FP)
	RET
