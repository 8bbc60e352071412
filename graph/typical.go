package graph

// Typical returns workloads to judge kernels by: every convolution of
// ResNet-50 and MobileNetV3-large that differs from the others, and what else
// such networks and transformers are made of. Batches are of one image.
func Typical() []Workload {
	var list []Workload
	convolution := func(c, h, k, r, stride, group int, epilogue string) {
		list = append(list, Workload{
			Op: OpConv2D, DType: F32, N: 1, C: c, H: h, W: h, K: k, R: r, S: r, StrideH: stride, StrideW: stride,
			PadTop: r / 2, PadLeft: r / 2, PadBottom: r / 2, PadRight: r / 2, DilationH: 1, DilationW: 1, Group: group, Epilogue: epilogue,
		})
	}

	// ResNet-50: its first convolution, then four stages of blocks that
	// narrow, convolve and widen; the first block of a stage has a stride.
	convolution(3, 224, 64, 7, 2, 1, "relu")
	c, h := 64, 56
	for stage, width := range []int{64, 128, 256, 512} {
		stride := min(stage+1, 2)
		convolution(c, h, width, 1, 1, 1, "relu")
		if stride > 1 {
			convolution(width, h, width, 3, stride, 1, "relu")
		}
		convolution(c, h, 4*width, 1, stride, 1, "none")
		h /= stride
		convolution(4*width, h, width, 1, 1, 1, "relu")
		convolution(width, h, width, 3, 1, 1, "relu")
		convolution(width, h, 4*width, 1, 1, 1, "add.relu")
		c = 4 * width
	}

	// MobileNetV3-large.
	convolution(3, 224, 16, 3, 2, 1, "hswish")
	for _, p := range []struct {
		c, h, k  int
		epilogue string
	}{
		{16, 112, 16, "add"}, {16, 112, 64, "relu"}, {64, 56, 24, "none"}, {24, 56, 72, "relu"}, {72, 56, 24, "add"},
		{72, 28, 40, "none"}, {40, 28, 120, "relu"}, {120, 28, 40, "add"}, {40, 28, 240, "hswish"},
		{240, 14, 80, "none"}, {80, 14, 200, "hswish"}, {200, 14, 80, "add"}, {80, 14, 184, "hswish"}, {184, 14, 80, "add"},
		{80, 14, 480, "hswish"}, {480, 14, 112, "none"}, {112, 14, 672, "hswish"}, {672, 14, 112, "add"},
		{672, 7, 160, "none"}, {160, 7, 960, "hswish"}, {960, 7, 160, "add"},
	} {
		convolution(p.c, p.h, p.k, 1, 1, 1, p.epilogue)
	}
	for _, d := range []struct {
		c, h, r, stride int
		epilogue        string
	}{
		{16, 112, 3, 1, "relu"}, {64, 112, 3, 2, "relu"}, {72, 56, 3, 1, "relu"}, {72, 56, 5, 2, "relu"}, {120, 28, 5, 1, "relu"},
		{240, 28, 3, 2, "hswish"}, {200, 14, 3, 1, "hswish"}, {184, 14, 3, 1, "hswish"}, {480, 14, 3, 1, "hswish"},
		{672, 14, 3, 1, "hswish"}, {672, 14, 5, 2, "hswish"}, {960, 7, 5, 1, "hswish"},
	} {
		convolution(d.c, d.h, d.c, d.r, d.stride, d.c, d.epilogue)
	}

	for _, l := range [][3]int{{1, 1280, 1000}, {1, 2048, 1000}, {49, 320, 1280}, {196, 192, 768}, {196, 768, 768}, {196, 768, 3072}} {
		list = append(list, Workload{Op: OpLinear, DType: F32, N: l[0], C: l[1], K: l[2], Epilogue: "none"})
	}
	image := func(op Op, c, h int) Workload {
		return Workload{Op: op, DType: F32, N: 1, C: c, H: h, W: h}
	}
	add, scale := image(OpAdd, 256, 56), image(OpMul, 672, 14)
	add.K, add.R, add.S, add.Epilogue = 256, 56, 56, "relu"
	scale.K, scale.R, scale.S, scale.Epilogue = 672, 1, 1, "none"
	pool := image(OpMaxPool, 64, 112)
	pool.R, pool.S, pool.StrideH, pool.StrideW, pool.PadTop, pool.PadLeft, pool.PadBottom, pool.PadRight = 3, 3, 2, 2, 1, 1, 1, 1
	return append(list,
		add, scale, pool, image(OpGlobalAvgPool, 2048, 7), image(OpGlobalAvgPool, 672, 14),
		image(OpRelu, 256, 56), image(OpHardSwish, 240, 28), image(OpHardSigmoid, 672, 14), image(OpSigmoid, 672, 14),
		Workload{Op: OpSoftmax, DType: F32, N: 1, C: 1000}, Workload{Op: OpSoftmax, DType: F32, N: 196, C: 196},
	)
}
