#include "textflag.h"
#include "vector_arm64.h"

// The functions of operation.go and rows.go, row by row. R0, R1, R2 and R8 are
// the operands, R9 and on what is added to them after a row, R4 the rows left,
// R6 the elements of a row and R12 their bytes, R3 the elements left. V0 to V3
// are scratch registers, V28 to V30 scalars of the row.

#define FDIV(d, n, m) WORD $(0x6E20FC00 | (m)<<16 | (n)<<5 | (d))
#define FABS(d, n) WORD $(0x4EA0F800 | (n)<<5 | (d))
#define FSQRT(d, n) WORD $(0x6EA1F800 | (n)<<5 | (d))
// The elements of n from that of byte O on, then those of n again.
#define ROTATE(d, n, O) WORD $(0x6E000000 | (n)<<16 | (O)<<11 | (n)<<5 | (d))
// Single element 0 of n in all elements of d.
#define SPREAD(d, n) WORD $(0x4E040400 | (n)<<5 | (d))

#define STEP(BYTES) \
	ADD BYTES, R0; \
	ADD BYTES, R1; \
	ADD BYTES, R2; \
	ADD BYTES, R8

// EACH applies a body to R6 elements: four at a time with LOAD and STORE, one
// with LOAD1 and STORE1.
#define EACH(BODY, OP) \
	MOVD R6, R3;               \
vectors: \
	CMP $16, R3;               \
	BLT vector;                \
	BODY(LOAD, STORE, 0, OP);  \
	BODY(LOAD, STORE, 16, OP); \
	BODY(LOAD, STORE, 32, OP); \
	BODY(LOAD, STORE, 48, OP); \
	STEP($64);                 \
	SUB $16, R3;               \
	B vectors;                 \
vector: \
	CMP $4, R3;                \
	BLT single;                \
	BODY(LOAD, STORE, 0, OP);  \
	STEP($16);                 \
	SUB $4, R3;                \
	B vector;                  \
single: \
	CBZ R3, finish;            \
	BODY(LOAD1, STORE1, 0, OP); \
	STEP($4);                  \
	SUB $1, R3;                \
	B single;                  \
finish:

// ROWS applies a body to every row, after START and before NEXT.
#define ROWS(START, BODY, OP, NEXT) \
	LSL $2, R6, R12;   \
	CBZ R4, done;      \
	SUB R12, R9;       \
row: \
	START;             \
	EACH(BODY, OP);    \
	NEXT;              \
	SUB $1, R4;        \
	CBNZ R4, row;      \
done:

// Operations.

#define OPERATION_ARGS \
	MOVD dst+0(FP), R0;      \
	MOVD a+8(FP), R1;        \
	MOVD b+16(FP), R2;       \
	MOVD rows+24(FP), R4;    \
	MOVD n+32(FP), R6;       \
	MOVD dstRow+40(FP), R9;  \
	MOVD aRow+48(FP), R10;   \
	MOVD bRow+56(FP), R11;   \
	LSL $2, R6, R12;         \
	SUB R12, R10;            \
	SUB R12, R11

#define OPERATION_NEXT \
	ADD R9, R0;  \
	ADD R10, R1; \
	ADD R11, R2

#define NO_START MOVD R6, R3
#define SCALAR_A LOAD1(0, 1, 28); SPREAD(28, 28)
#define SCALAR_B LOAD1(0, 2, 28); SPREAD(28, 28)

#define UNARY(LD, ST, O, OP) LD(O, 1, 0); OP(0, 0); ST(0, O, 0)
#define VV(LD, ST, O, OP) LD(O, 1, 0); LD(O, 2, 1); OP(0, 0, 1); ST(0, O, 0)
#define VS(LD, ST, O, OP) LD(O, 1, 0); OP(0, 0, 28); ST(0, O, 0)
#define SV(LD, ST, O, OP) LD(O, 2, 1); OP(0, 28, 1); ST(0, O, 0)
#define SPREAD_BODY(LD, ST, O, OP) ST(28, O, 0)

// func copyVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·copyVVNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(NO_START, UNARY, MOVE, OPERATION_NEXT)
	RET

// func copySVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·copySVNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(SCALAR_A, SPREAD_BODY, MOVE, OPERATION_NEXT)
	RET

// func absVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·absVVNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(NO_START, UNARY, FABS, OPERATION_NEXT)
	RET

// func sqrtVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·sqrtVVNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(NO_START, UNARY, FSQRT, OPERATION_NEXT)
	RET

// func addVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·addVVNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(NO_START, VV, FADD, OPERATION_NEXT)
	RET

// func addVSNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·addVSNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(SCALAR_B, VS, FADD, OPERATION_NEXT)
	RET

// func subVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·subVVNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(NO_START, VV, FSUB, OPERATION_NEXT)
	RET

// func subVSNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·subVSNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(SCALAR_B, VS, FSUB, OPERATION_NEXT)
	RET

// func subSVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·subSVNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(SCALAR_A, SV, FSUB, OPERATION_NEXT)
	RET

// func mulVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·mulVVNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(NO_START, VV, FMUL, OPERATION_NEXT)
	RET

// func mulVSNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·mulVSNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(SCALAR_B, VS, FMUL, OPERATION_NEXT)
	RET

// func divVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·divVVNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(NO_START, VV, FDIV, OPERATION_NEXT)
	RET

// func divVSNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·divVSNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(SCALAR_B, VS, FDIV, OPERATION_NEXT)
	RET

// func divSVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·divSVNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(SCALAR_A, SV, FDIV, OPERATION_NEXT)
	RET

// func maxVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·maxVVNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(NO_START, VV, FMAX, OPERATION_NEXT)
	RET

// func maxVSNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·maxVSNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(SCALAR_B, VS, FMAX, OPERATION_NEXT)
	RET

// func minVVNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·minVVNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(NO_START, VV, FMIN, OPERATION_NEXT)
	RET

// func minVSNEON(dst, a, b *float32, rows, n, dstRow, aRow, bRow int)
TEXT ·minVSNEON(SB), NOSPLIT, $0-64
	OPERATION_ARGS
	ROWS(SCALAR_B, VS, FMIN, OPERATION_NEXT)
	RET

// Functions of rows. R10, R11, R13 and R14 walk the scalars.

// SCALAR sets all elements of a V register to the scalar that an R register
// points to.
#define SCALAR(P, V) LOAD1(0, P, V); SPREAD(V, V)

#define ROW_AFFINE_START SCALAR(10, 28); SCALAR(11, 29)

// ROW_AFFINE: dst = V28*x + V29.
#define ROW_AFFINE(LD, ST, O, OP) \
	LD(O, 1, 0);    \
	MOVE(1, 29);    \
	FMLA(1, 0, 28); \
	ST(1, O, 0)

#define ROW_AFFINE_NEXT \
	ADD R9, R0;  \
	ADD R9, R1;  \
	ADD $4, R10; \
	ADD $4, R11

// ROW_NORMALIZE: dst = (V28*x + V29)*scale + shift.
#define ROW_NORMALIZE(LD, ST, O, OP) \
	LD(O, 1, 0);    \
	MOVE(1, 29);    \
	FMLA(1, 0, 28); \
	LD(O, 2, 0);    \
	LD(O, 8, 2);    \
	FMLA(2, 1, 0);  \
	ST(2, O, 0)

#define ROW_NORMALIZE_NEXT \
	SUB R12, R2; \
	SUB R12, R8; \
	ROW_AFFINE_NEXT

#define ROW_ADD_START SCALAR(10, 28); SCALAR(11, 29); SCALAR(13, 30)

// ROW_AFFINE_ADD: dst += V28*x + (V29*y + V30).
#define ROW_AFFINE_ADD(LD, ST, O, OP) \
	LD(O, 1, 0);    \
	LD(O, 2, 1);    \
	MOVE(2, 30);    \
	FMLA(2, 1, 29); \
	FMLA(2, 0, 28); \
	LD(O, 0, 0);    \
	FADD(0, 0, 2);  \
	ST(0, O, 0)

#define ROW_ADD_NEXT \
	ADD R9, R2;  \
	ADD $4, R13; \
	ROW_AFFINE_NEXT

// ROW_SCALED_ADD: the same with x*scale for x.
#define ROW_SCALED_ADD(LD, ST, O, OP) \
	LD(O, 1, 0);    \
	LD(O, 8, 1);    \
	FMUL(0, 0, 1);  \
	LD(O, 2, 1);    \
	MOVE(2, 30);    \
	FMLA(2, 1, 29); \
	FMLA(2, 0, 28); \
	LD(O, 0, 0);    \
	FADD(0, 0, 2);  \
	ST(0, O, 0)

#define ROW_SCALED_ADD_NEXT \
	SUB R12, R8; \
	ROW_ADD_NEXT

// func rowAffineNEON(dst, x, a, b *float32, rows, n, row int)
TEXT ·rowAffineNEON(SB), NOSPLIT, $0-56
	MOVD dst+0(FP), R0
	MOVD x+8(FP), R1
	MOVD a+16(FP), R10
	MOVD b+24(FP), R11
	MOVD rows+32(FP), R4
	MOVD n+40(FP), R6
	MOVD row+48(FP), R9
	ROWS(ROW_AFFINE_START, ROW_AFFINE, MOVE, ROW_AFFINE_NEXT)
	RET

// func rowNormalizeNEON(dst, x, scale, shift, a, b *float32, rows, n, row int)
TEXT ·rowNormalizeNEON(SB), NOSPLIT, $0-72
	MOVD dst+0(FP), R0
	MOVD x+8(FP), R1
	MOVD scale+16(FP), R2
	MOVD shift+24(FP), R8
	MOVD a+32(FP), R10
	MOVD b+40(FP), R11
	MOVD rows+48(FP), R4
	MOVD n+56(FP), R6
	MOVD row+64(FP), R9
	ROWS(ROW_AFFINE_START, ROW_NORMALIZE, MOVE, ROW_NORMALIZE_NEXT)
	RET

// func rowAffineAddNEON(dst, x, y, a, b, c *float32, rows, n, row int)
TEXT ·rowAffineAddNEON(SB), NOSPLIT, $0-72
	MOVD dst+0(FP), R0
	MOVD x+8(FP), R1
	MOVD y+16(FP), R2
	MOVD a+24(FP), R10
	MOVD b+32(FP), R11
	MOVD c+40(FP), R13
	MOVD rows+48(FP), R4
	MOVD n+56(FP), R6
	MOVD row+64(FP), R9
	ROWS(ROW_ADD_START, ROW_AFFINE_ADD, MOVE, ROW_ADD_NEXT)
	RET

// func rowScaledAddNEON(dst, x, y, scale, a, b, c *float32, rows, n, row int)
TEXT ·rowScaledAddNEON(SB), NOSPLIT, $0-80
	MOVD dst+0(FP), R0
	MOVD x+8(FP), R1
	MOVD y+16(FP), R2
	MOVD scale+24(FP), R8
	MOVD a+32(FP), R10
	MOVD b+40(FP), R11
	MOVD c+48(FP), R13
	MOVD rows+56(FP), R4
	MOVD n+64(FP), R6
	MOVD row+72(FP), R9
	ROWS(ROW_ADD_START, ROW_SCALED_ADD, MOVE, ROW_SCALED_ADD_NEXT)
	RET

// Reductions of rows. Sums are in V16 to V19 and V20 to V23, of single elements
// in the first elements of V24 and V25. The operands are R1, R2 and R8.

#define ZERO(V) VEOR V.B16, V.B16, V.B16

#define REDUCE_ROWS(START, BODY, OP, NEXT) \
	LSL $2, R6, R12;          \
	CBZ R4, done;             \
	SUB R12, R9;              \
row: \
	START;                    \
	MOVD R6, R3;              \
vectors: \
	CMP $16, R3;              \
	BLT vector;               \
	BODY(LOAD, 0, 16, 20, OP);  \
	BODY(LOAD, 16, 17, 21, OP); \
	BODY(LOAD, 32, 18, 22, OP); \
	BODY(LOAD, 48, 19, 23, OP); \
	STEP($64);                \
	SUB $16, R3;              \
	B vectors;                \
vector: \
	CMP $4, R3;               \
	BLT single;               \
	BODY(LOAD, 0, 16, 20, OP); \
	STEP($16);                \
	SUB $4, R3;               \
	B vector;                 \
single: \
	CBZ R3, finish;           \
	BODY(LOAD1, 0, 24, 25, OP); \
	STEP($4);                 \
	SUB $1, R3;               \
	B single;                 \
finish: \
	TOTAL(OP, 16, 17, 18, 19, 24); \
	STORE1(16, 0, 10);        \
	ADD $4, R10;              \
	NEXT;                     \
	SUB $1, R4;               \
	CBNZ R4, row;             \
done:

// TOTAL combines everything in the first element of A.
#define TOTAL(OP, A, B, C, D, ONE) \
	OP(A, A, B);      \
	OP(C, C, D);      \
	OP(A, A, C);      \
	ROTATE(26, A, 8); \
	OP(A, A, 26);     \
	ROTATE(26, A, 4); \
	OP(A, A, 26);     \
	OP(A, A, ONE)

#define FROM_ZERO \
	ZERO(V16); \
	ZERO(V17); \
	ZERO(V18); \
	ZERO(V19); \
	ZERO(V24)

#define PRODUCTS_FROM_ZERO \
	FROM_ZERO; \
	ZERO(V20); \
	ZERO(V21); \
	ZERO(V22); \
	ZERO(V23); \
	ZERO(V25); \
	SCALAR(13, 28)

#define FROM(X) \
	MOVW $X, R7; \
	VDUP R7, V16.S4; \
	VDUP R7, V17.S4; \
	VDUP R7, V18.S4; \
	VDUP R7, V19.S4; \
	VDUP R7, V24.S4
#define FROM_MINUS_INFINITY FROM(0xff800000)
#define FROM_INFINITY FROM(0x7f800000)
#define FROM_ONE FROM(0x3f800000)
#define SQUARES_FROM_ZERO FROM_ZERO; SCALAR(11, 28)

#define COMBINE(LD, O, S, P, OP) LD(O, 1, 0); OP(S, S, 0)
#define SQUARES(LD, O, S, P, OP) LD(O, 1, 0); FSUB(0, 0, 28); FMLA(S, 0, 0)
#define PRODUCTS(LD, O, S, P, OP) \
	LD(O, 1, 0);    \
	LD(O, 2, 1);    \
	FSUB(1, 1, 28); \
	FADD(S, S, 0);  \
	FMLA(P, 0, 1)
#define SCALED_PRODUCTS(LD, O, S, P, OP) \
	LD(O, 1, 0);    \
	LD(O, 8, 1);    \
	FMUL(0, 0, 1);  \
	LD(O, 2, 1);    \
	FSUB(1, 1, 28); \
	FADD(S, S, 0);  \
	FMLA(P, 0, 1)

#define COMBINE_NEXT ADD R9, R1
#define SQUARES_NEXT ADD R9, R1; ADD $4, R11
#define PRODUCTS_NEXT \
	TOTAL(FADD, 20, 21, 22, 23, 25); \
	STORE1(20, 0, 11); \
	ADD R9, R1;        \
	ADD R9, R2;        \
	ADD $4, R11;       \
	ADD $4, R13
#define SCALED_PRODUCTS_NEXT SUB R12, R8; PRODUCTS_NEXT

// func rowSumNEON(x, out *float32, rows, n, row int)
TEXT ·rowSumNEON(SB), NOSPLIT, $0-40
	MOVD x+0(FP), R1
	MOVD out+8(FP), R10
	MOVD rows+16(FP), R4
	MOVD n+24(FP), R6
	MOVD row+32(FP), R9
	REDUCE_ROWS(FROM_ZERO, COMBINE, FADD, COMBINE_NEXT)
	RET

// func rowMaxNEON(x, out *float32, rows, n, row int)
TEXT ·rowMaxNEON(SB), NOSPLIT, $0-40
	MOVD x+0(FP), R1
	MOVD out+8(FP), R10
	MOVD rows+16(FP), R4
	MOVD n+24(FP), R6
	MOVD row+32(FP), R9
	REDUCE_ROWS(FROM_MINUS_INFINITY, COMBINE, FMAX, COMBINE_NEXT)
	RET

// func rowMinNEON(x, out *float32, rows, n, row int)
TEXT ·rowMinNEON(SB), NOSPLIT, $0-40
	MOVD x+0(FP), R1
	MOVD out+8(FP), R10
	MOVD rows+16(FP), R4
	MOVD n+24(FP), R6
	MOVD row+32(FP), R9
	REDUCE_ROWS(FROM_INFINITY, COMBINE, FMIN, COMBINE_NEXT)
	RET

// func rowProductNEON(x, out *float32, rows, n, row int)
TEXT ·rowProductNEON(SB), NOSPLIT, $0-40
	MOVD x+0(FP), R1
	MOVD out+8(FP), R10
	MOVD rows+16(FP), R4
	MOVD n+24(FP), R6
	MOVD row+32(FP), R9
	REDUCE_ROWS(FROM_ONE, COMBINE, FMUL, COMBINE_NEXT)
	RET

// func rowSquaresNEON(x, out, center *float32, rows, n, row int)
TEXT ·rowSquaresNEON(SB), NOSPLIT, $0-48
	MOVD x+0(FP), R1
	MOVD out+8(FP), R10
	MOVD center+16(FP), R11
	MOVD rows+24(FP), R4
	MOVD n+32(FP), R6
	MOVD row+40(FP), R9
	REDUCE_ROWS(SQUARES_FROM_ZERO, SQUARES, FADD, SQUARES_NEXT)
	RET

// func rowProductsNEON(x, y, sums, products, center *float32, rows, n, row int)
TEXT ·rowProductsNEON(SB), NOSPLIT, $0-64
	MOVD x+0(FP), R1
	MOVD y+8(FP), R2
	MOVD sums+16(FP), R10
	MOVD products+24(FP), R11
	MOVD center+32(FP), R13
	MOVD rows+40(FP), R4
	MOVD n+48(FP), R6
	MOVD row+56(FP), R9
	REDUCE_ROWS(PRODUCTS_FROM_ZERO, PRODUCTS, FADD, PRODUCTS_NEXT)
	RET

// func rowScaledProductsNEON(x, y, scale, sums, products, center *float32, rows, n, row int)
TEXT ·rowScaledProductsNEON(SB), NOSPLIT, $0-72
	MOVD x+0(FP), R1
	MOVD y+8(FP), R2
	MOVD scale+16(FP), R8
	MOVD sums+24(FP), R10
	MOVD products+32(FP), R11
	MOVD center+40(FP), R13
	MOVD rows+48(FP), R4
	MOVD n+56(FP), R6
	MOVD row+64(FP), R9
	REDUCE_ROWS(PRODUCTS_FROM_ZERO, SCALED_PRODUCTS, FADD, SCALED_PRODUCTS_NEXT)
	RET

// Reductions over rows: R0 is dst, R1 the first row of x, R2 the current row,
// R9 the distance of rows, R7 the rows left.

#define COLUMNS(OP) \
	CBZ R4, done;      \
vectors: \
	CMP $16, R6;       \
	BLT vector;        \
	LOAD(0, 0, 16);    \
	LOAD(16, 0, 17);   \
	LOAD(32, 0, 18);   \
	LOAD(48, 0, 19);   \
	MOVD R1, R2;       \
	MOVD R4, R7;       \
four: \
	LOAD(0, 2, 0);     \
	LOAD(16, 2, 1);    \
	LOAD(32, 2, 2);    \
	LOAD(48, 2, 3);    \
	ADD R9, R2;        \
	OP(16, 16, 0);     \
	OP(17, 17, 1);     \
	OP(18, 18, 2);     \
	OP(19, 19, 3);     \
	SUB $1, R7;        \
	CBNZ R7, four;     \
	STORE(16, 0, 0);   \
	STORE(17, 16, 0);  \
	STORE(18, 32, 0);  \
	STORE(19, 48, 0);  \
	ADD $64, R0;       \
	ADD $64, R1;       \
	SUB $16, R6;       \
	B vectors;         \
vector: \
	CMP $4, R6;        \
	BLT single;        \
	LOAD(0, 0, 16);    \
	MOVD R1, R2;       \
	MOVD R4, R7;       \
one: \
	LOAD(0, 2, 0);     \
	ADD R9, R2;        \
	OP(16, 16, 0);     \
	SUB $1, R7;        \
	CBNZ R7, one;      \
	STORE(16, 0, 0);   \
	ADD $16, R0;       \
	ADD $16, R1;       \
	SUB $4, R6;        \
	B vector;          \
single: \
	CBZ R6, done;      \
	LOAD1(0, 0, 16);   \
	MOVD R1, R2;       \
	MOVD R4, R7;       \
element: \
	LOAD1(0, 2, 0);    \
	ADD R9, R2;        \
	OP(16, 16, 0);     \
	SUB $1, R7;        \
	CBNZ R7, element;  \
	STORE1(16, 0, 0);  \
	ADD $4, R0;        \
	ADD $4, R1;        \
	SUB $1, R6;        \
	B single;          \
done:

// func columnSumNEON(dst, x *float32, rows, n, row int)
TEXT ·columnSumNEON(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD x+8(FP), R1
	MOVD rows+16(FP), R4
	MOVD n+24(FP), R6
	MOVD row+32(FP), R9
	COLUMNS(FADD)
	RET

// func columnMaxNEON(dst, x *float32, rows, n, row int)
TEXT ·columnMaxNEON(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD x+8(FP), R1
	MOVD rows+16(FP), R4
	MOVD n+24(FP), R6
	MOVD row+32(FP), R9
	COLUMNS(FMAX)
	RET

// func columnMinNEON(dst, x *float32, rows, n, row int)
TEXT ·columnMinNEON(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD x+8(FP), R1
	MOVD rows+16(FP), R4
	MOVD n+24(FP), R6
	MOVD row+32(FP), R9
	COLUMNS(FMIN)
	RET

// func columnProductNEON(dst, x *float32, rows, n, row int)
TEXT ·columnProductNEON(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD x+8(FP), R1
	MOVD rows+16(FP), R4
	MOVD n+24(FP), R6
	MOVD row+32(FP), R9
	COLUMNS(FMUL)
	RET

// COLUMN_START begins a block of columns whose rows start at R12 (x) and R13
// (y): R2 and R8 are the current row, R14 and R15 its a and b.
#define COLUMN_START \
	MOVD R12, R2;  \
	MOVD R13, R8;  \
	MOVD R10, R14; \
	MOVD R11, R15; \
	MOVD R4, R7

// COLUMN_PRODUCT: S += x, P += x*(V28*y + V29).
#define COLUMN_PRODUCT(LD, O, S, P) \
	LD(O, 2, 0);    \
	LD(O, 8, 1);    \
	MOVE(2, 29);    \
	FMLA(2, 1, 28); \
	FADD(S, S, 0);  \
	FMLA(P, 0, 2)

#define COLUMN_SCALARS SCALAR(14, 28); SCALAR(15, 29)

#define COLUMN_NEXT(LABEL) \
	ADD R9, R2;  \
	ADD R9, R8;  \
	ADD $4, R14; \
	ADD $4, R15; \
	SUB $1, R7;  \
	CBNZ R7, LABEL

#define COLUMN_STEP(BYTES, N) \
	ADD BYTES, R0;  \
	ADD BYTES, R1;  \
	ADD BYTES, R12; \
	ADD BYTES, R13; \
	SUB N, R6

// func columnProductsNEON(sums, products, x, y, a, b *float32, rows, n, row int)
TEXT ·columnProductsNEON(SB), NOSPLIT, $0-72
	MOVD sums+0(FP), R0
	MOVD products+8(FP), R1
	MOVD x+16(FP), R12
	MOVD y+24(FP), R13
	MOVD a+32(FP), R10
	MOVD b+40(FP), R11
	MOVD rows+48(FP), R4
	MOVD n+56(FP), R6
	MOVD row+64(FP), R9
	CBZ R4, done
vectors:
	CMP $8, R6
	BLT vector
	LOAD(0, 0, 16)
	LOAD(16, 0, 17)
	LOAD(0, 1, 20)
	LOAD(16, 1, 21)
	COLUMN_START
two:
	COLUMN_SCALARS
	COLUMN_PRODUCT(LOAD, 0, 16, 20)
	COLUMN_PRODUCT(LOAD, 16, 17, 21)
	COLUMN_NEXT(two)
	STORE(16, 0, 0)
	STORE(17, 16, 0)
	STORE(20, 0, 1)
	STORE(21, 16, 1)
	COLUMN_STEP($32, $8)
	B vectors
vector:
	CMP $4, R6
	BLT single
	LOAD(0, 0, 16)
	LOAD(0, 1, 20)
	COLUMN_START
one:
	COLUMN_SCALARS
	COLUMN_PRODUCT(LOAD, 0, 16, 20)
	COLUMN_NEXT(one)
	STORE(16, 0, 0)
	STORE(20, 0, 1)
	COLUMN_STEP($16, $4)
	B vector
single:
	CBZ R6, done
	LOAD1(0, 0, 16)
	LOAD1(0, 1, 20)
	COLUMN_START
element:
	COLUMN_SCALARS
	COLUMN_PRODUCT(LOAD1, 0, 16, 20)
	COLUMN_NEXT(element)
	STORE1(16, 0, 0)
	STORE1(20, 0, 1)
	COLUMN_STEP($4, $1)
	B single
done:
	RET
