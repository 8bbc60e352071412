// What the AVX2 and AVX-512 forms of depthwise convolution share.

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

// SPLIT_ARGS: DI even, R13 odd, SI src, CX rows, R8 and R9 the steps of
// destination and source in bytes, R11 bytes of a row in whole groups of LANES,
// R12 elements beyond them.
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

// MERGE_ARGS: DI dst, SI even, R13 odd, CX rows, R8 and R9 the steps of
// destination and source in bytes, R11 bytes of a row in whole groups of LANES,
// R12 elements beyond them.
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
