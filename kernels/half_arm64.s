#include "textflag.h"
#include "vector_arm64.h"

// Conversions between four or eight elements of 16 and 32 bits.
#define FCVTN(d, n) WORD $(0x0E216800 | (n)<<5 | (d))
#define FCVTN2(d, n) WORD $(0x4E216800 | (n)<<5 | (d))
#define FCVTL(d, n) WORD $(0x0E217800 | (n)<<5 | (d))
#define FCVTL2(d, n) WORD $(0x4E217800 | (n)<<5 | (d))
// Lanes where n = m, neither being a NaN.
#define FCMEQ(d, n, m) WORD $(0x4E20E400 | (m)<<16 | (n)<<5 | (d))
// d = n where d, else m.
#define BSL(d, n, m) WORD $(0x6E601C00 | (m)<<16 | (n)<<5 | (d))

#define ARGS \
	MOVD dst+0(FP), R0; \
	MOVD src+8(FP), R1; \
	MOVD n+16(FP), R3

// func float16FromFloat32NEON(dst *uint16, src *float32, n int)
TEXT ·float16FromFloat32NEON(SB), NOSPLIT, $0-24
	ARGS
eight:
	CBZ R3, done
	LOAD(0, 1, 0)
	LOAD(16, 1, 1)
	FCVTN(2, 0)
	FCVTN2(2, 1)
	STORE(2, 0, 0)
	ADD $32, R1
	ADD $16, R0
	SUB $8, R3
	B eight
done:
	RET

// func float32FromFloat16NEON(dst *float32, src *uint16, n int)
TEXT ·float32FromFloat16NEON(SB), NOSPLIT, $0-24
	ARGS
eight:
	CBZ R3, done
	LOAD(0, 1, 0)
	FCVTL(1, 0)
	FCVTL2(2, 0)
	STORE(1, 0, 0)
	STORE(2, 16, 0)
	ADD $16, R1
	ADD $32, R0
	SUB $8, R3
	B eight
done:
	RET

// ROUND rounds X to the upper half of its elements, in Y; a NaN keeps its bits
// and becomes quiet. V28 has 0x7fff, V29 1, V30 the bit of quiet NaN.
#define ROUND(X, NX, Y, NY, Z, NZ) \
	VUSHR $16, X.S4, Y.S4;     \
	VAND V29.B16, Y.B16, Y.B16; \
	VADD V28.S4, Y.S4, Y.S4;   \
	VADD X.S4, Y.S4, Y.S4;     \
	FCMEQ(NZ, NX, NX);         \
	VORR V30.B16, X.B16, X.B16; \
	BSL(NZ, NY, NX)

// func bfloat16FromFloat32NEON(dst *uint16, src *float32, n int)
TEXT ·bfloat16FromFloat32NEON(SB), NOSPLIT, $0-24
	ARGS
	MOVW $0x7fff, R4
	VDUP R4, V28.S4
	MOVW $1, R4
	VDUP R4, V29.S4
	MOVW $0x400000, R4
	VDUP R4, V30.S4
eight:
	CBZ R3, done
	LOAD(0, 1, 0)
	LOAD(16, 1, 1)
	ROUND(V0, 0, V2, 2, V4, 4)
	ROUND(V1, 1, V3, 3, V5, 5)
	VUZP2 V5.H8, V4.H8, V0.H8
	STORE(0, 0, 0)
	ADD $32, R1
	ADD $16, R0
	SUB $8, R3
	B eight
done:
	RET

// func float32FromBfloat16NEON(dst *float32, src *uint16, n int)
TEXT ·float32FromBfloat16NEON(SB), NOSPLIT, $0-24
	ARGS
	VEOR V3.B16, V3.B16, V3.B16
eight:
	CBZ R3, done
	LOAD(0, 1, 0)
	VZIP1 V0.H8, V3.H8, V1.H8
	VZIP2 V0.H8, V3.H8, V2.H8
	STORE(1, 0, 0)
	STORE(2, 16, 0)
	ADD $16, R1
	ADD $32, R0
	SUB $8, R3
	B eight
done:
	RET

// func bfloat16PairsNEON(even, odd *float32, src *uint16, n int)
TEXT ·bfloat16PairsNEON(SB), NOSPLIT, $0-32
	MOVD even+0(FP), R0
	MOVD odd+8(FP), R2
	MOVD src+16(FP), R1
	MOVD n+24(FP), R3
	MOVW $0xffff0000, R4
	VDUP R4, V28.S4
four:
	CBZ R3, done
	LOAD(0, 1, 0)
	VSHL $16, V0.S4, V1.S4
	VAND V28.B16, V0.B16, V0.B16
	STORE(1, 0, 0)
	STORE(0, 0, 2)
	ADD $16, R0
	ADD $16, R1
	ADD $16, R2
	SUB $4, R3
	B four
done:
	RET
