// Package kernels computes the operators of neural networks on the processor,
// forward and backward: matrix multiplication, convolution, attention, pooling,
// normalisation, activations, elementwise arithmetic, reductions, changes of
// shape and steps of optimisers.
//
// Numbers are float32 unless a function says otherwise; matrices are row major
// and images are [N, C, H, W] or, where a function takes a [Layout], in blocks
// of channels. Functions take slices and plain shape structs, and allocate
// nothing once their [Workspace] has grown. A call runs on the calling
// goroutine and on as many workers as [Threads] allows; callers may also run
// calls in parallel, a Workspace each. A slice that is too short for its shape
// is a mistake of the program and panics.
//
// Products and convolutions of bytes (int8) take and leave images as
// [N, H, W, C] and are exact: every implementation gives the same bytes. See
// [Int8Input] and [Int8Output].
//
// The inner loops are assembly for AVX-512, AVX2 with FMA, and NEON, each with
// a twin in Go against which it is tested; [Implementations] lists those that
// the processor at hand can run, and the best is selected when the program
// starts. Implementations round differently, but propagate NaN and infinities
// alike. Winograd convolution, which [ConvolutionAlgorithm] names, spreads them
// over the tile that they lie in.
package kernels

//go:generate go run ./asm -family depthwise
//go:generate go run ./asm -family dots
//go:generate go run ./asm -family exp
//go:generate go run ./asm -family layout
//go:generate go run ./asm -family peak
//go:generate go run ./asm -family int8
//go:generate go run ./asm -family quantize
//go:generate go run ./asm -family bytes
//go:generate go run ./asm -family half
//go:generate go run ./asm -family optimizer
//go:generate go run ./asm -family tile
//go:generate go run ./asm -family blocktile
//go:generate go run ./asm -family planetile
//go:generate go run ./asm -family pack
//go:generate go run ./asm -family attention
//go:generate go run ./asm -family vector
//go:generate go run ./asm -family winograd
