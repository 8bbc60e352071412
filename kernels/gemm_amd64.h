// Inner kernels of matrix multiplication: see type tile in gemm.go for what
// they compute and portableTile for the same in Go.
//
// Registers of the kernels:
//   DI  the tile             AX  packed A         BX  B
//   R8  bStride              R9  cStride          CX  steps of k
//   DX  C                    SI  residual or 0    R10 bias or 0
//   R11 rows                 R12 panels left      R13 A of the panel
// A row of the tile is held in two registers; the loops are written out for
// every number of rows, and for the left half of the columns alone.

DATA three<>+0(SB)/4, $3.0
GLOBL three<>(SB), RODATA|NOPTR, $4
DATA sixth<>+0(SB)/4, $0.16666667
GLOBL sixth<>(SB), RODATA|NOPTR, $4

// MAXPS and MINPS return their last operand in Intel's order, Go's first, if
// either is a NaN: x comes first here, so that a NaN in it stays one.

// LOOP runs CX steps, four at a time while there are as many.
#define LOOP(STEP, rows, four, rest, one) \
	SUBQ $4, CX             \
	JLT  rest               \
four:                       \
	STEP(0)                 \
	STEP(rows*4)            \
	STEP(rows*8)            \
	STEP(rows*12)           \
	ADDQ $(rows*16), AX     \
	SUBQ $4, CX             \
	JGE  four               \
rest:                       \
	ADDQ $4, CX             \
	JEQ  finish             \
one:                        \
	STEP(0)                 \
	ADDQ $(rows*4), AX      \
	DECQ CX                 \
	JNE  one                \
	JMP  finish
