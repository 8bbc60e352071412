#include "textflag.h"
#include "vector_amd64.h"

#define WIDE(BODY, O) BODY(LOAD, STORE, O, Y0, Y1, Y2, Y11, Y12, Y13, Y14, Y15)

// EACH applies a body to CX elements.
#define EACH(BODY) \
vectors: \
	CMPQ CX, $32;   \
	JLT vector;     \
	WIDE(BODY, 0);  \
	WIDE(BODY, 32); \
	WIDE(BODY, 64); \
	WIDE(BODY, 96); \
	STEP($128);     \
	SUBQ $32, CX;   \
	JMP vectors;    \
vector: \
	CMPQ CX, $8;    \
	JLT quad;       \
	WIDE(BODY, 0);  \
	STEP($32);      \
	SUBQ $8, CX;    \
	JMP vector;     \
quad: \
	CMPQ CX, $4;    \
	JLT scalar;     \
	BODY(LOAD, STORE, 0, X0, X1, X2, X11, X12, X13, X14, X15); \
	STEP($16);      \
	SUBQ $4, CX;    \
scalar: \
	TESTQ CX, CX;   \
	JLE finish;     \
	BODY(LOAD1, STORE1, 0, X0, X1, X2, X11, X12, X13, X14, X15); \
	STEP($4);       \
	DECQ CX;        \
	JMP scalar;     \
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

// REDUCE applies the body of a reduction to every segment. Sums lie in Y0 to
// Y3 and Y4 to Y7, for groups of four in X8 and X9, and for single elements in
// the first lanes of X10 and X11.
#define REDUCE(BODY) \
	VXORPS Y0, Y0, Y0;     \
	VXORPS Y1, Y1, Y1;     \
	VXORPS Y2, Y2, Y2;     \
	VXORPS Y3, Y3, Y3;     \
	VXORPS Y4, Y4, Y4;     \
	VXORPS Y5, Y5, Y5;     \
	VXORPS Y6, Y6, Y6;     \
	VXORPS Y7, Y7, Y7;     \
	VXORPS Y8, Y8, Y8;     \
	VXORPS Y9, Y9, Y9;     \
	VXORPS Y10, Y10, Y10;  \
	VXORPS Y11, Y11, Y11;  \
	TESTQ R8, R8;          \
	JLE done;              \
segment: \
	MOVQ R10, CX;          \
vectors: \
	CMPQ CX, $32;          \
	JLT pair;              \
	BODY(LOAD, SUBTRACT, 0, Y0, Y4, Y12, Y13, Y15);  \
	BODY(LOAD, SUBTRACT, 32, Y1, Y5, Y12, Y13, Y15); \
	BODY(LOAD, SUBTRACT, 64, Y2, Y6, Y12, Y13, Y15); \
	BODY(LOAD, SUBTRACT, 96, Y3, Y7, Y12, Y13, Y15); \
	STEP($128);            \
	SUBQ $32, CX;          \
	JMP vectors;           \
pair: \
	CMPQ CX, $16;          \
	JLT vector;            \
	BODY(LOAD, SUBTRACT, 0, Y0, Y4, Y12, Y13, Y15);  \
	BODY(LOAD, SUBTRACT, 32, Y1, Y5, Y12, Y13, Y15); \
	STEP($64);             \
	SUBQ $16, CX;          \
vector: \
	CMPQ CX, $8;           \
	JLT quad;              \
	BODY(LOAD, SUBTRACT, 0, Y2, Y6, Y12, Y13, Y15); \
	STEP($32);             \
	SUBQ $8, CX;           \
quad: \
	CMPQ CX, $4;           \
	JLT scalar;            \
	BODY(LOAD, SUBTRACT, 0, X8, X9, X12, X13, X15); \
	STEP($16);             \
	SUBQ $4, CX;           \
scalar: \
	TESTQ CX, CX;          \
	JLE finish;            \
	BODY(LOAD1, SUBTRACT, 0, X10, X11, X12, X13, X15); \
	STEP($4);              \
	DECQ CX;               \
	JMP scalar;            \
finish: \
	STEP(R9);              \
	DECQ R8;               \
	JNZ segment;           \
done: \
	TOTAL(Y0, Y1, Y2, Y3, X0, X8, X10)

// TOTAL leaves the total of four vectors, a group of four and one element in
// the first lane of A.
#define TOTAL(V0, V1, V2, V3, A, QUAD, ONE) \
	VADDPS V1, V0, V0;          \
	VADDPS V3, V2, V2;          \
	VADDPS V2, V0, V0;          \
	VEXTRACTF128 $1, V0, X14;   \
	VADDPS X14, A, A;           \
	VADDPS QUAD, A, A;          \
	VHADDPS A, A, A;            \
	VHADDPS A, A, A;            \
	VADDSS ONE, A, A

#define PRODUCT_TOTAL TOTAL(Y4, Y5, Y6, Y7, X4, X9, X11)

// CLAMP_BACKWARD: dst += K2*a where K0 < b <= K1.
#define CLAMP_BACKWARD(LD, ST, O, A, B, C, K0, K1, K2, K3, K4) \
	LD(O, DX, B);           \
	VCMPPS $0x1e, K0, B, C; \
	VCMPPS $0x12, K1, B, B; \
	VANDPS C, B, B;         \
	LD(O, SI, A);           \
	VMULPS K2, A, A;        \
	VANDPS B, A, A;         \
	LD(O, DI, C);           \
	VADDPS A, C, C;         \
	ST(C, O, DI)

// HARD_SWISH_BACKWARD: dst += a*g(b), where g is K3 from K2, 0 up to K4 and
// K0*b + K1 between.
#define HARD_SWISH_BACKWARD(LD, ST, O, A, B, C, K0, K1, K2, K3, K4) \
	LD(O, DX, B);           \
	VMOVAPS K1, C;          \
	VFMADD231PS K0, B, C;   \
	VCMPPS $0x1d, K2, B, A; \
	VBLENDVPS A, K3, C, C;  \
	VCMPPS $0x16, K4, B, A; \
	VANDPS A, C, C;         \
	LD(O, SI, A);           \
	LD(O, DI, B);           \
	VFMADD231PS C, A, B;    \
	ST(B, O, DI)

// func addAVX2(dst, a, b []float32)
TEXT ·addAVX2(SB), NOSPLIT, $0-72
	BINARY_ARGS
	EACH(ADD)
	VZEROUPPER
	RET

// func mulAVX2(dst, a, b []float32)
TEXT ·mulAVX2(SB), NOSPLIT, $0-72
	BINARY_ARGS
	EACH(MUL)
	VZEROUPPER
	RET

// func mulAddAVX2(dst, a, b []float32)
TEXT ·mulAddAVX2(SB), NOSPLIT, $0-72
	BINARY_ARGS
	EACH(MUL_ADD)
	VZEROUPPER
	RET

// func axpyAVX2(alpha float32, x, y []float32)
TEXT ·axpyAVX2(SB), NOSPLIT, $0-56
	AXPY_ARGS
	VBROADCASTSS alpha+0(FP), Y11
	EACH(AXPY)
	VZEROUPPER
	RET

// func clampAVX2(dst, src []float32, lo, hi float32)
TEXT ·clampAVX2(SB), NOSPLIT, $0-56
	UNARY_ARGS
	VBROADCASTSS lo+48(FP), Y11
	VBROADCASTSS hi+52(FP), Y12
	EACH(CLAMP)
	VZEROUPPER
	RET

// func clampBackwardAVX2(dsrc, ddst, src []float32, lo, hi, scale float32)
TEXT ·clampBackwardAVX2(SB), NOSPLIT, $0-84
	BACKWARD_ARGS
	VBROADCASTSS lo+72(FP), Y11
	VBROADCASTSS hi+76(FP), Y12
	VBROADCASTSS scale+80(FP), Y13
	EACH(CLAMP_BACKWARD)
	VZEROUPPER
	RET

// func hardSigmoidAVX2(dst, src []float32)
TEXT ·hardSigmoidAVX2(SB), NOSPLIT, $0-48
	UNARY_ARGS
	HARD_SIGMOID_CONSTANTS(Y11, Y12, Y13, Y14)
	EACH(HARD_SIGMOID)
	VZEROUPPER
	RET

// func hardSwishAVX2(dst, src []float32)
TEXT ·hardSwishAVX2(SB), NOSPLIT, $0-48
	UNARY_ARGS
	HARD_SIGMOID_CONSTANTS(Y11, Y12, Y13, Y14)
	EACH(HARD_SWISH)
	VZEROUPPER
	RET

// func hardSwishBackwardAVX2(dsrc, ddst, src []float32)
TEXT ·hardSwishBackwardAVX2(SB), NOSPLIT, $0-72
	BACKWARD_ARGS
	HARD_SWISH_BACKWARD_CONSTANTS(Y11, Y12, Y13, Y14, Y15)
	EACH(HARD_SWISH_BACKWARD)
	VZEROUPPER
	RET

// func affineAVX2(dst, src []float32, segments, stride, length int, a, b float32)
TEXT ·affineAVX2(SB), NOSPLIT, $0-80
	AFFINE_ARGS
	VBROADCASTSS a+72(FP), Y11
	VBROADCASTSS b+76(FP), Y12
	SEGMENTS(AFFINE)
	VZEROUPPER
	RET

// func affineAddAVX2(dst, x, y []float32, segments, stride, length int, a, b, c float32)
TEXT ·affineAddAVX2(SB), NOSPLIT, $0-108
	AFFINE_ADD_ARGS
	VBROADCASTSS a+96(FP), Y11
	VBROADCASTSS b+100(FP), Y12
	VBROADCASTSS c+104(FP), Y13
	SEGMENTS(AFFINE_ADD)
	VZEROUPPER
	RET

// func dotAVX2(a, b []float32) float32
TEXT ·dotAVX2(SB), NOSPLIT, $0-52
	DOT_ARGS
	REDUCE(DOT)
	VMOVSS X0, ret+48(FP)
	VZEROUPPER
	RET

// func sumSegmentsAVX2(x []float32, segments, stride, length int) float32
TEXT ·sumSegmentsAVX2(SB), NOSPLIT, $0-52
	SUM_ARGS
	REDUCE(SUM)
	VMOVSS X0, ret+48(FP)
	VZEROUPPER
	RET

// func sumSquaresAVX2(x []float32, segments, stride, length int, center float32) float32
TEXT ·sumSquaresAVX2(SB), NOSPLIT, $0-60
	SUM_ARGS
	VBROADCASTSS center+48(FP), Y15
	REDUCE(SUM_SQUARES)
	VMOVSS X0, ret+56(FP)
	VZEROUPPER
	RET

// func sumProductsAVX2(x, y []float32, segments, stride, length int, center float32) (sum, product float32)
TEXT ·sumProductsAVX2(SB), NOSPLIT, $0-88
	SUM_PRODUCTS_ARGS
	VBROADCASTSS center+72(FP), Y15
	REDUCE(SUM_PRODUCTS)
	PRODUCT_TOTAL
	VMOVSS X0, sum+80(FP)
	VMOVSS X4, product+84(FP)
	VZEROUPPER
	RET
