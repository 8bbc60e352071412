// Bodies of the vector functions, common to AVX2 and AVX-512. DI is dst, SI
// the first operand, DX the second. A body works on the elements O bytes on:
// on as many as the registers hold, with LD and ST that move them, or on one.
// A, B and C are scratch registers, K0 to K4 broadcast constants.

#define LOAD(O, P, R) VMOVUPS O(P), R
#define LOAD1(O, P, R) VMOVSS O(P), R
#define STORE(R, O, P) VMOVUPS R, O(P)
#define STORE1(R, O, P) VMOVSS R, O(P)

#define ADD(LD, ST, O, A, B, C, K0, K1, K2, K3, K4) \
	LD(O, SI, A);   \
	LD(O, DX, B);   \
	VADDPS B, A, A; \
	ST(A, O, DI)

#define MUL(LD, ST, O, A, B, C, K0, K1, K2, K3, K4) \
	LD(O, SI, A);   \
	LD(O, DX, B);   \
	VMULPS B, A, A; \
	ST(A, O, DI)

#define MUL_ADD(LD, ST, O, A, B, C, K0, K1, K2, K3, K4) \
	LD(O, SI, A);        \
	LD(O, DX, B);        \
	LD(O, DI, C);        \
	VFMADD231PS B, A, C; \
	ST(C, O, DI)

// AXPY: dst += K0*a.
#define AXPY(LD, ST, O, A, B, C, K0, K1, K2, K3, K4) \
	LD(O, SI, A);         \
	LD(O, DI, C);         \
	VFMADD231PS A, K0, C; \
	ST(C, O, DI)

// AFFINE: dst = K0*a + K1.
#define AFFINE(LD, ST, O, A, B, C, K0, K1, K2, K3, K4) \
	LD(O, SI, A);          \
	VFMADD213PS K1, K0, A; \
	ST(A, O, DI)

// AFFINE_ADD: dst += K0*a + (K1*b + K2).
#define AFFINE_ADD(LD, ST, O, A, B, C, K0, K1, K2, K3, K4) \
	LD(O, SI, A);          \
	LD(O, DX, B);          \
	LD(O, DI, C);          \
	VFMADD213PS K2, K1, B; \
	VFMADD231PS A, K0, B;  \
	VADDPS B, C, C;        \
	ST(C, O, DI)

// CLAMP: dst = min(max(a, K0), K1). Where an operand is NaN, so that neither
// is less, the first of the instruction is kept.
#define CLAMP(LD, ST, O, A, B, C, K0, K1, K2, K3, K4) \
	LD(O, SI, A);    \
	VMAXPS A, K0, A; \
	VMINPS A, K1, A; \
	ST(A, O, DI)

// HARD_SIGMOID: dst = min(max(a*K0 + K1, K2), K3).
#define HARD_SIGMOID(LD, ST, O, A, B, C, K0, K1, K2, K3, K4) \
	LD(O, SI, A);          \
	VFMADD213PS K1, K0, A; \
	VMAXPS A, K2, A;       \
	VMINPS A, K3, A;       \
	ST(A, O, DI)

// HARD_SWISH: dst = a * min(max(a*K0 + K1, K2), K3).
#define HARD_SWISH(LD, ST, O, A, B, C, K0, K1, K2, K3, K4) \
	LD(O, SI, A);          \
	VMOVAPS A, B;          \
	VFMADD213PS K1, K0, A; \
	VMAXPS A, K2, A;       \
	VMINPS A, K3, A;       \
	VMULPS B, A, A;        \
	ST(A, O, DI)

// Bodies of the reductions: S and P are the sums.

#define SUBTRACT(K, A) VSUBPS K, A, A

#define SUM(LD, SUB, O, S, P, A, B, K) \
	LD(O, SI, A);   \
	VADDPS A, S, S

#define DOT(LD, SUB, O, S, P, A, B, K) \
	LD(O, SI, A);        \
	LD(O, DX, B);        \
	VFMADD231PS B, A, S

// SUM_SQUARES: S += (a-K)^2.
#define SUM_SQUARES(LD, SUB, O, S, P, A, B, K) \
	LD(O, SI, A);        \
	SUB(K, A);           \
	VFMADD231PS A, A, S

// SUM_PRODUCTS: S += a, P += a*(b-K).
#define SUM_PRODUCTS(LD, SUB, O, S, P, A, B, K) \
	LD(O, SI, A);        \
	LD(O, DX, B);        \
	VSUBPS K, B, B;      \
	VADDPS A, S, S;      \
	VFMADD231PS B, A, P

// STEP moves all operands on.
#define STEP(BYTES) \
	ADDQ BYTES, SI; \
	ADDQ BYTES, DX; \
	ADDQ BYTES, DI

// Loads of operands: DI dst, SI and DX the others, CX the number of elements.

#define BINARY_ARGS \
	MOVQ dst_base+0(FP), DI; \
	MOVQ dst_len+8(FP), CX;  \
	MOVQ a_base+24(FP), SI;  \
	MOVQ b_base+48(FP), DX

#define UNARY_ARGS \
	MOVQ dst_base+0(FP), DI; \
	MOVQ dst_len+8(FP), CX;  \
	MOVQ src_base+24(FP), SI

#define BACKWARD_ARGS \
	MOVQ dsrc_base+0(FP), DI;  \
	MOVQ dsrc_len+8(FP), CX;   \
	MOVQ ddst_base+24(FP), SI; \
	MOVQ src_base+48(FP), DX

#define AXPY_ARGS \
	MOVQ x_base+8(FP), SI; \
	MOVQ x_len+16(FP), CX; \
	MOVQ y_base+32(FP), DI

// Segments: R8 their number, R9 the gap between them in bytes, R10 their length.
#define GAP \
	SUBQ R10, R9; \
	SHLQ $2, R9

#define AFFINE_ARGS \
	MOVQ dst_base+0(FP), DI;  \
	MOVQ src_base+24(FP), SI; \
	MOVQ segments+48(FP), R8; \
	MOVQ stride+56(FP), R9;   \
	MOVQ length+64(FP), R10;  \
	GAP

#define AFFINE_ADD_ARGS \
	MOVQ dst_base+0(FP), DI;  \
	MOVQ x_base+24(FP), SI;   \
	MOVQ y_base+48(FP), DX;   \
	MOVQ segments+72(FP), R8; \
	MOVQ stride+80(FP), R9;   \
	MOVQ length+88(FP), R10;  \
	GAP

#define SUM_ARGS \
	MOVQ x_base+0(FP), SI;    \
	MOVQ segments+24(FP), R8; \
	MOVQ stride+32(FP), R9;   \
	MOVQ length+40(FP), R10;  \
	GAP

#define SUM_PRODUCTS_ARGS \
	MOVQ x_base+0(FP), SI;    \
	MOVQ y_base+24(FP), DX;   \
	MOVQ segments+48(FP), R8; \
	MOVQ stride+56(FP), R9;   \
	MOVQ length+64(FP), R10;  \
	GAP

#define DOT_ARGS \
	MOVQ a_base+0(FP), SI;  \
	MOVQ b_base+24(FP), DX; \
	MOVQ a_len+8(FP), R10;  \
	MOVQ $1, R8;            \
	XORL R9, R9

// Constants of the activations.
DATA sixth<>+0(SB)/4, $0x3e2aaaab
GLOBL sixth<>(SB), RODATA|NOPTR, $4
DATA third<>+0(SB)/4, $0x3eaaaaab
GLOBL third<>(SB), RODATA|NOPTR, $4
DATA half<>+0(SB)/4, $0x3f000000
GLOBL half<>(SB), RODATA|NOPTR, $4
DATA one<>+0(SB)/4, $0x3f800000
GLOBL one<>(SB), RODATA|NOPTR, $4
DATA three<>+0(SB)/4, $0x40400000
GLOBL three<>(SB), RODATA|NOPTR, $4
DATA minusThree<>+0(SB)/4, $0xc0400000
GLOBL minusThree<>(SB), RODATA|NOPTR, $4

#define HARD_SIGMOID_CONSTANTS(K0, K1, K2, K3) \
	VBROADCASTSS sixth<>(SB), K0; \
	VBROADCASTSS half<>(SB), K1;  \
	VXORPS K2, K2, K2;            \
	VBROADCASTSS one<>(SB), K3

#define HARD_SWISH_BACKWARD_CONSTANTS(K0, K1, K2, K3, K4) \
	VBROADCASTSS third<>(SB), K0; \
	VBROADCASTSS half<>(SB), K1;  \
	VBROADCASTSS three<>(SB), K2; \
	VBROADCASTSS one<>(SB), K3;   \
	VBROADCASTSS minusThree<>(SB), K4
