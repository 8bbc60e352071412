#include "textflag.h"
#include "vector_arm64.h"

#define UZP1(d, n, m) WORD $(0x4E801800 | (m)<<16 | (n)<<5 | (d))
#define UZP2(d, n, m) WORD $(0x4E805800 | (m)<<16 | (n)<<5 | (d))
#define ZIP1(d, n, m) WORD $(0x4E803800 | (m)<<16 | (n)<<5 | (d))
#define ZIP2(d, n, m) WORD $(0x4E807800 | (m)<<16 | (n)<<5 | (d))
#define ORR(d, n, m) WORD $(0x4EA01C00 | (m)<<16 | (n)<<5 | (d))

// func splitNEON(even, odd, src *float32, rows, n, dstRow, srcRow int)
TEXT ·splitNEON(SB), NOSPLIT, $0-56
	MOVD even+0(FP), R0
	MOVD odd+8(FP), R1
	MOVD src+16(FP), R2
	MOVD rows+24(FP), R4
	MOVD n+32(FP), R6
	MOVD dstRow+40(FP), R9
	MOVD srcRow+48(FP), R10
	SUB R6<<2, R9
	SUB R6<<3, R10
	CBZ R4, done
row:
	MOVD R6, R3
four:
	CBZ R3, next
	LOAD(0, 2, 0)
	LOAD(16, 2, 1)
	UZP1(2, 0, 1)
	UZP2(3, 0, 1)
	STORE(2, 0, 0)
	STORE(3, 0, 1)
	ADD $16, R0
	ADD $16, R1
	ADD $32, R2
	SUB $4, R3
	B four
next:
	ADD R9, R0
	ADD R9, R1
	ADD R10, R2
	SUB $1, R4
	CBNZ R4, row
done:
	RET

// func mergeNEON(dst, even, odd *float32, rows, n, dstRow, srcRow int)
TEXT ·mergeNEON(SB), NOSPLIT, $0-56
	MOVD dst+0(FP), R2
	MOVD even+8(FP), R0
	MOVD odd+16(FP), R1
	MOVD rows+24(FP), R4
	MOVD n+32(FP), R6
	MOVD dstRow+40(FP), R10
	MOVD srcRow+48(FP), R9
	SUB R6<<2, R9
	SUB R6<<3, R10
	CBZ R4, done
row:
	MOVD R6, R3
four:
	CBZ R3, next
	LOAD(0, 0, 0)
	LOAD(0, 1, 1)
	ZIP1(2, 0, 1)
	ZIP2(3, 0, 1)
	STORE(2, 0, 2)
	STORE(3, 16, 2)
	ADD $16, R0
	ADD $16, R1
	ADD $32, R2
	SUB $4, R3
	B four
next:
	ADD R9, R0
	ADD R9, R1
	ADD R10, R2
	SUB $1, R4
	CBNZ R4, row
done:
	RET

// MAX_BACKWARD: V3 is where x and y differ and neither is a NaN.
#define MAX_BACKWARD(LD, ST) \
	LD(0, 2, 0);     \
	LD(0, 8, 1);     \
	FCMGT(2, 0, 1);  \
	FCMGT(3, 1, 0);  \
	ORR(3, 3, 2);    \
	LD(0, 1, 0);     \
	LD(0, 0, 1);     \
	BIC(2, 0, 3);    \
	FADD(1, 1, 2);   \
	AND(0, 0, 3);    \
	ST(1, 0, 0);     \
	ST(0, 0, 1)

#define MAX_STEP(BYTES, N) \
	ADD BYTES, R0; \
	ADD BYTES, R1; \
	ADD BYTES, R2; \
	ADD BYTES, R8; \
	SUB N, R3

// func maxBackwardNEON(dx, dy, x, y *float32, rows, n, dxRow, dyRow, xRow, yRow int)
TEXT ·maxBackwardNEON(SB), NOSPLIT, $0-80
	MOVD dx+0(FP), R0
	MOVD dy+8(FP), R1
	MOVD x+16(FP), R2
	MOVD y+24(FP), R8
	MOVD rows+32(FP), R4
	MOVD n+40(FP), R6
	MOVD dxRow+48(FP), R9
	MOVD dyRow+56(FP), R10
	MOVD xRow+64(FP), R11
	MOVD yRow+72(FP), R12
	SUB R6<<2, R9
	SUB R6<<2, R10
	SUB R6<<2, R11
	SUB R6<<2, R12
	CBZ R4, done
row:
	MOVD R6, R3
vector:
	CMP $4, R3
	BLT single
	MAX_BACKWARD(LOAD, STORE)
	MAX_STEP($16, $4)
	B vector
single:
	CBZ R3, next
	MAX_BACKWARD(LOAD1, STORE1)
	MAX_STEP($4, $1)
	B single
next:
	ADD R9, R0
	ADD R10, R1
	ADD R11, R2
	ADD R12, R8
	SUB $1, R4
	CBNZ R4, row
done:
	RET

// func transposeNEON(dst, src *float32, rows, dstRow, srcRow int)
TEXT ·transposeNEON(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD rows+16(FP), R4
	MOVD dstRow+24(FP), R9
	MOVD srcRow+32(FP), R10
	ADD R0, R9, R5
	ADD R5, R9, R6
	ADD R6, R9, R7
block:
	CBZ R4, done
	LOAD(0, 1, 0)
	ADD R10, R1
	LOAD(0, 1, 1)
	ADD R10, R1
	LOAD(0, 1, 2)
	ADD R10, R1
	LOAD(0, 1, 3)
	ADD R10, R1
	ZIP1(4, 0, 2)
	ZIP2(5, 0, 2)
	ZIP1(6, 1, 3)
	ZIP2(7, 1, 3)
	ZIP1(0, 4, 6)
	ZIP2(1, 4, 6)
	ZIP1(2, 5, 7)
	ZIP2(3, 5, 7)
	STORE(0, 0, 0)
	STORE(1, 0, 5)
	STORE(2, 0, 6)
	STORE(3, 0, 7)
	ADD $16, R0
	ADD $16, R5
	ADD $16, R6
	ADD $16, R7
	SUB $4, R4
	B block
done:
	RET
