#include "textflag.h"
#include "vector_amd64.h"

#define LOADK(O, P, R) VMOVUPS.Z O(P), K1, R
#define STOREK(R, O, P) VMOVUPS R, K1, O(P)
#define SUBTRACTK(K, A) VSUBPS.Z K, A, K1, A

#define WIDE(BODY, O) BODY(LOAD, STORE, O, Z0, Z1, Z2, Z11, Z12, Z13, Z14, Z15)

// TAIL_MASK selects the last CX elements, fewer than 16, in K1.
#define TAIL_MASK \
	MOVL $-1, AX;     \
	BZHIL CX, AX, AX; \
	KMOVW AX, K1

// EACH applies a body to CX elements.
#define EACH(BODY) \
vectors: \
	CMPQ CX, $64;    \
	JLT vector;      \
	WIDE(BODY, 0);   \
	WIDE(BODY, 64);  \
	WIDE(BODY, 128); \
	WIDE(BODY, 192); \
	STEP($256);      \
	SUBQ $64, CX;    \
	JMP vectors;     \
vector: \
	CMPQ CX, $16;    \
	JLT tail;        \
	WIDE(BODY, 0);   \
	STEP($64);       \
	SUBQ $16, CX;    \
	JMP vector;      \
tail: \
	TESTQ CX, CX;    \
	JLE finish;      \
	TAIL_MASK;       \
	BODY(LOADK, STOREK, 0, Z0, Z1, Z2, Z11, Z12, Z13, Z14, Z15); \
	SHLQ $2, CX;     \
	STEP(CX);        \
finish:

// SEGMENTS applies a body to every segment.
#define SEGMENTS(BODY) \
	TESTQ R8, R8;  \
	JLE done;      \
segment: \
	MOVQ R10, CX;  \
	EACH(BODY)     \
	STEP(R9);      \
	DECQ R8;       \
	JNZ segment;   \
done:

// REDUCE applies the body of a reduction to every segment. Sums lie in Z0 to
// Z3 and Z4 to Z7.
#define REDUCE(BODY) \
	VXORPS Z0, Z0, Z0;  \
	VXORPS Z1, Z1, Z1;  \
	VXORPS Z2, Z2, Z2;  \
	VXORPS Z3, Z3, Z3;  \
	VXORPS Z4, Z4, Z4;  \
	VXORPS Z5, Z5, Z5;  \
	VXORPS Z6, Z6, Z6;  \
	VXORPS Z7, Z7, Z7;  \
	TESTQ R8, R8;       \
	JLE done;           \
segment: \
	MOVQ R10, CX;       \
vectors: \
	CMPQ CX, $64;       \
	JLT pair;           \
	BODY(LOAD, SUBTRACT, 0, Z0, Z4, Z12, Z13, Z15);   \
	BODY(LOAD, SUBTRACT, 64, Z1, Z5, Z12, Z13, Z15);  \
	BODY(LOAD, SUBTRACT, 128, Z2, Z6, Z12, Z13, Z15); \
	BODY(LOAD, SUBTRACT, 192, Z3, Z7, Z12, Z13, Z15); \
	STEP($256);         \
	SUBQ $64, CX;       \
	JMP vectors;        \
pair: \
	CMPQ CX, $32;       \
	JLT vector;         \
	BODY(LOAD, SUBTRACT, 0, Z0, Z4, Z12, Z13, Z15);   \
	BODY(LOAD, SUBTRACT, 64, Z1, Z5, Z12, Z13, Z15);  \
	STEP($128);         \
	SUBQ $32, CX;       \
vector: \
	CMPQ CX, $16;       \
	JLT tail;           \
	BODY(LOAD, SUBTRACT, 0, Z2, Z6, Z12, Z13, Z15);   \
	STEP($64);          \
	SUBQ $16, CX;       \
tail: \
	TESTQ CX, CX;       \
	JLE finish;         \
	TAIL_MASK;          \
	BODY(LOADK, SUBTRACTK, 0, Z3, Z7, Z12, Z13, Z15); \
	SHLQ $2, CX;        \
	STEP(CX);           \
finish: \
	STEP(R9);           \
	DECQ R8;            \
	JNZ segment;        \
done: \
	TOTAL(Z0, Z1, Z2, Z3, Y0, X0)

// TOTAL leaves the total of four vectors in the first lane of X.
#define TOTAL(V0, V1, V2, V3, Y, X) \
	VADDPS V1, V0, V0;            \
	VADDPS V3, V2, V2;            \
	VADDPS V2, V0, V0;            \
	VEXTRACTF64X4 $1, V0, Y14;    \
	VADDPS Y14, Y, Y;             \
	VEXTRACTF128 $1, Y, X14;      \
	VADDPS X14, X, X;             \
	VHADDPS X, X, X;              \
	VHADDPS X, X, X

#define PRODUCT_TOTAL TOTAL(Z4, Z5, Z6, Z7, Y4, X4)

// CLAMP_BACKWARD: dst += SCALE*a where LO < b <= HI.
#define CLAMP_BACKWARD(LD, ST, O, A, B, C, LO, HI, SCALE, C3, C4) \
	LD(O, DX, B);                \
	VCMPPS $0x1e, LO, B, K2;     \
	VCMPPS $0x12, HI, B, K2, K2; \
	LD(O, SI, A);                \
	LD(O, DI, C);                \
	VMULPS.Z SCALE, A, K2, A;    \
	VADDPS A, C, C;              \
	ST(C, O, DI)

// HARD_SWISH_BACKWARD: dst += a*g(b), where g is 1 from 3, 0 up to -3 and
// b/3 + 1/2 between.
#define HARD_SWISH_BACKWARD(LD, ST, O, A, B, C, THIRD, HALF, THREE, ONE, LOW) \
	LD(O, DX, B);                \
	VMOVAPS HALF, C;             \
	VFMADD231PS THIRD, B, C;     \
	VCMPPS $0x1d, THREE, B, K2;  \
	VMOVAPS ONE, K2, C;          \
	VCMPPS $0x16, LOW, B, K2;    \
	VMOVAPS.Z C, K2, C;          \
	LD(O, SI, A);                \
	LD(O, DI, B);                \
	VFMADD231PS C, A, B;         \
	ST(B, O, DI)

// func addAVX512(dst, a, b []float32)
TEXT ·addAVX512(SB), NOSPLIT, $0-72
	BINARY_ARGS
	EACH(ADD)
	VZEROUPPER
	RET

// func mulAVX512(dst, a, b []float32)
TEXT ·mulAVX512(SB), NOSPLIT, $0-72
	BINARY_ARGS
	EACH(MUL)
	VZEROUPPER
	RET

// func mulAddAVX512(dst, a, b []float32)
TEXT ·mulAddAVX512(SB), NOSPLIT, $0-72
	BINARY_ARGS
	EACH(MUL_ADD)
	VZEROUPPER
	RET

// func axpyAVX512(alpha float32, x, y []float32)
TEXT ·axpyAVX512(SB), NOSPLIT, $0-56
	AXPY_ARGS
	VBROADCASTSS alpha+0(FP), Z11
	EACH(AXPY)
	VZEROUPPER
	RET

// func clampAVX512(dst, src []float32, lo, hi float32)
TEXT ·clampAVX512(SB), NOSPLIT, $0-56
	UNARY_ARGS
	VBROADCASTSS lo+48(FP), Z11
	VBROADCASTSS hi+52(FP), Z12
	EACH(CLAMP)
	VZEROUPPER
	RET

// func clampBackwardAVX512(dsrc, ddst, src []float32, lo, hi, scale float32)
TEXT ·clampBackwardAVX512(SB), NOSPLIT, $0-84
	BACKWARD_ARGS
	VBROADCASTSS lo+72(FP), Z11
	VBROADCASTSS hi+76(FP), Z12
	VBROADCASTSS scale+80(FP), Z13
	EACH(CLAMP_BACKWARD)
	VZEROUPPER
	RET

// func hardSigmoidAVX512(dst, src []float32)
TEXT ·hardSigmoidAVX512(SB), NOSPLIT, $0-48
	UNARY_ARGS
	HARD_SIGMOID_CONSTANTS(Z11, Z12, Z13, Z14)
	EACH(HARD_SIGMOID)
	VZEROUPPER
	RET

// func hardSwishAVX512(dst, src []float32)
TEXT ·hardSwishAVX512(SB), NOSPLIT, $0-48
	UNARY_ARGS
	HARD_SIGMOID_CONSTANTS(Z11, Z12, Z13, Z14)
	EACH(HARD_SWISH)
	VZEROUPPER
	RET

// func hardSwishBackwardAVX512(dsrc, ddst, src []float32)
TEXT ·hardSwishBackwardAVX512(SB), NOSPLIT, $0-72
	BACKWARD_ARGS
	HARD_SWISH_BACKWARD_CONSTANTS(Z11, Z12, Z13, Z14, Z15)
	EACH(HARD_SWISH_BACKWARD)
	VZEROUPPER
	RET

// func affineAVX512(dst, src []float32, segments, stride, length int, a, b float32)
TEXT ·affineAVX512(SB), NOSPLIT, $0-80
	AFFINE_ARGS
	VBROADCASTSS a+72(FP), Z11
	VBROADCASTSS b+76(FP), Z12
	SEGMENTS(AFFINE)
	VZEROUPPER
	RET

// func affineAddAVX512(dst, x, y []float32, segments, stride, length int, a, b, c float32)
TEXT ·affineAddAVX512(SB), NOSPLIT, $0-108
	AFFINE_ADD_ARGS
	VBROADCASTSS a+96(FP), Z11
	VBROADCASTSS b+100(FP), Z12
	VBROADCASTSS c+104(FP), Z13
	SEGMENTS(AFFINE_ADD)
	VZEROUPPER
	RET

// func dotAVX512(a, b []float32) float32
TEXT ·dotAVX512(SB), NOSPLIT, $0-52
	DOT_ARGS
	REDUCE(DOT)
	VMOVSS X0, ret+48(FP)
	VZEROUPPER
	RET

// func sumSegmentsAVX512(x []float32, segments, stride, length int) float32
TEXT ·sumSegmentsAVX512(SB), NOSPLIT, $0-52
	SUM_ARGS
	REDUCE(SUM)
	VMOVSS X0, ret+48(FP)
	VZEROUPPER
	RET

// func sumSquaresAVX512(x []float32, segments, stride, length int, center float32) float32
TEXT ·sumSquaresAVX512(SB), NOSPLIT, $0-60
	SUM_ARGS
	VBROADCASTSS center+48(FP), Z15
	REDUCE(SUM_SQUARES)
	VMOVSS X0, ret+56(FP)
	VZEROUPPER
	RET

// func sumProductsAVX512(x, y []float32, segments, stride, length int, center float32) (sum, product float32)
TEXT ·sumProductsAVX512(SB), NOSPLIT, $0-88
	SUM_PRODUCTS_ARGS
	VBROADCASTSS center+72(FP), Z15
	REDUCE(SUM_PRODUCTS)
	PRODUCT_TOTAL
	VMOVSS X0, sum+80(FP)
	VMOVSS X4, product+84(FP)
	VZEROUPPER
	RET
