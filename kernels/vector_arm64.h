// Instructions on vectors of float32 that the assembler lacks: d, n and m are
// numbers of V registers, P is the number of the R register that points.
#define FADD(d, n, m) WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d))
#define FSUB(d, n, m) WORD $(0x4EA0D400 | (m)<<16 | (n)<<5 | (d))
#define FMUL(d, n, m) WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d))
// d += n*m
#define FMLA(d, n, m) WORD $(0x4E20CC00 | (m)<<16 | (n)<<5 | (d))
// d += n*m[0]
#define FMLA0(d, n, m) WORD $(0x4F801000 | (m)<<16 | (n)<<5 | (d))
// A NaN in either operand gives NaN.
#define FMAX(d, n, m) WORD $(0x4E20F400 | (m)<<16 | (n)<<5 | (d))
#define FMIN(d, n, m) WORD $(0x4EA0F400 | (m)<<16 | (n)<<5 | (d))
// Lanes where n > m, n >= m.
#define FCMGT(d, n, m) WORD $(0x6EA0E400 | (m)<<16 | (n)<<5 | (d))
#define FCMGE(d, n, m) WORD $(0x6E20E400 | (m)<<16 | (n)<<5 | (d))
// Sums of neighbours, of n and then of m.
#define FADDP(d, n, m) WORD $(0x6E20D400 | (m)<<16 | (n)<<5 | (d))
// FADDP Sd, Vn.2S: the sum of the first two lanes.
#define FADDP2(d, n) WORD $(0x7E30D800 | (n)<<5 | (d))
// ORR Vd.16B, Vn.16B, Vn.16B: d = n
#define MOVE(d, n) WORD $(0x4EA01C00 | (n)<<16 | (n)<<5 | (d))
#define AND(d, n, m) WORD $(0x4E201C00 | (m)<<16 | (n)<<5 | (d))
// d = n &^ m
#define BIC(d, n, m) WORD $(0x4E601C00 | (m)<<16 | (n)<<5 | (d))
// d = n where m
#define BIT(d, n, m) WORD $(0x6EA01C00 | (m)<<16 | (n)<<5 | (d))
// LDR Qt, [Xp, #O] and so on.
#define LOAD(O, P, t) WORD $(0x3DC00000 | (O)<<6 | (P)<<5 | (t))
#define STORE(t, O, P) WORD $(0x3D800000 | (O)<<6 | (P)<<5 | (t))
#define LOAD1(O, P, t) WORD $(0xBD400000 | (O)<<8 | (P)<<5 | (t))
#define STORE1(t, O, P) WORD $(0xBD000000 | (O)<<8 | (P)<<5 | (t))
