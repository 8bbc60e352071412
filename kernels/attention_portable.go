package kernels

import "unsafe"

// scoreRows is the work of turning rows of scores of attention into weights,
// in place: 2^(scale*(score-largest)).
type scoreRows struct {
	rows, cols int
	scores     *float32
	stride     int // bytes from one row to the next
	scale      float32
	largest    *float32 // of each row, the largest score before
	next       *float32 // gets the larger of that and of the row
	sum        *float32 // gets the sum of the row's weights
}

// row is the scores of row i.
func (t *scoreRows) row(i int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(t.scores), i*t.stride)), t.cols)
}

// shift sets row i's largest score, given that of the row alone, and returns
// what to add to the scaled scores.
func (t *scoreRows) shift(i int, largest float32) float32 {
	if before := *elementAt(t.largest, i); before > largest {
		largest = before
	}
	*elementAt(t.next, i) = largest
	if largest == -infinity { // all weights are 0
		return 0
	}
	return -largest * t.scale
}

func scoreRowsPortable(t *scoreRows) {
	for i := range t.rows {
		x := t.row(i)
		shift := t.shift(i, largestPortable(x))
		*elementAt(t.sum, i) = scoreExpPortable(x, x, t.scale, shift)
	}
}

// transposeRows is the work of writing element j of a few rows side by side,
// for j < 4*fours. How many rows depends on the implementation.
type transposeRows struct {
	src    *float32
	stride int // bytes from one row to the next
	dst    *float32
	width  int // bytes from the elements j to the elements j+1
	fours  int
}

const portableTransposeRows = 4

func transposeRowsPortable(t *transposeRows) {
	for i := range portableTransposeRows {
		row := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(t.src), i*t.stride)), 4*t.fours)
		for j, x := range row {
			*(*float32)(unsafe.Add(unsafe.Pointer(t.dst), j*t.width+4*i)) = x
		}
	}
}

// dotRows is the work of setting dst[j] to the dot product of a and row j of
// b. The rows at prefetch, if any, are as many and will be wanted soon.
type dotRows struct {
	rows, n     int
	a, b        *float32
	bRow        int // bytes from one row to the next
	dst         *float32
	prefetch    *float32
	prefetchRow int
}

func dotRowsPortable(t *dotRows) {
	a, dst := unsafe.Slice(t.a, t.n), unsafe.Slice(t.dst, t.rows)
	for j := range dst {
		dst[j] = dotPortable(a, unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(t.b), j*t.bRow)), t.n))
	}
}

// attentionKernels are the implementations of one instruction set.
type attentionKernels struct {
	scoreRows     func(t *scoreRows)
	transposeRows func(t *transposeRows)
	together      int // rows that transposeRows transposes
	dotRows       func(t *dotRows)
	panels        *panelKernels // nil: attention is not done by panels
}

var portableAttention = attentionKernels{scoreRowsPortable, transposeRowsPortable, portableTransposeRows, dotRowsPortable, nil}

// attentions is the implementation in use.
var attentions = portableAttention

// setAttentionKernels makes attention use the instructions in.
func setAttentionKernels(in instructions) { attentions = attentionImplementation(in.base) }
