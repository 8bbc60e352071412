package kernels

// algorithm is a way to compute a convolution.
type algorithm uint8

const (
	unfoldedGemm    algorithm = iota // matrix product with the unfolded image, NCHW
	linearLayer                      // images of one element a channel, NCHW
	planarDepthwise                  // NCHW
	directTiles                      // tiles on NCHWc
	directPlanes                     // tiles on planes of NCHW, result in NCHWc
	winograd4                        // Winograd's F(4x4, 3x3) on NCHWc
	winograd2                        // F(2x2, 3x3)
	blocksDepthwise                  // NCHWc
)

// String returns the name of a.
func (a algorithm) String() string {
	return [...]string{
		"unfolded GEMM", "linear", "depthwise on planes", "direct", "direct on planes",
		"winograd F(4x4,3x3)", "winograd F(2x2,3x3)", "depthwise",
	}[a]
}

// layouts returns the layouts that a works on.
func (a algorithm) layouts() (in, out Layout) {
	switch a {
	case directTiles, winograd4, winograd2, blocksDepthwise:
		return Blocked, Blocked
	case directPlanes:
		return Planar, Blocked
	}
	return Planar, Planar
}

// What the selection goes by.
const (
	// fewChannels is the number of input channels up to which a planar image
	// is read where it lies rather than brought into blocks.
	fewChannels = 4
	// shortSum is the number of terms of an output element below which
	// bringing the output back into planes costs more than blocks gain.
	shortSum = 80
)

// candidates calls f with every algorithm that can compute s.
func (s Conv2D) candidates(f func(algorithm)) {
	f(unfoldedGemm)
	if s.single() {
		f(linearLayer)
	}
	if s.depthwise() {
		f(planarDepthwise)
		f(blocksDepthwise)
	}
	if s.winograd() {
		f(winograd4)
		f(winograd2)
	}
	f(directTiles)
	f(directPlanes)
}

// winograd reports whether Winograd's method can compute s.
func (s Conv2D) winograd() bool {
	return s.R == 3 && s.S == 3 && s.StrideH == 1 && s.StrideW == 1 && s.DilationH == 1 && s.DilationW == 1 && s.Groups == 1
}

// wholeBlocks reports whether the channels of every group are blocks of their
// own.
func (s Conv2D) wholeBlocks() bool {
	c := tiles.width
	return s.Groups == 1 || s.C/s.Groups%c == 0 && s.K/s.Groups%c == 0
}

// selectAlgorithm is the rule that says which algorithm computes s, given the
// layouts of input and output, and why. Where the algorithm's layouts are
// others, the images are converted before or after it.
func (s Conv2D) selectAlgorithm(in, out Layout) (a algorithm, why string) {
	terms := s.C / s.Groups * s.R * s.S
	switch {
	case s.depthwise() && in == Planar && out == Planar:
		return planarDepthwise, "one channel a group, in planes"
	case s.depthwise():
		return blocksDepthwise, "one channel a group"
	case !s.wholeBlocks() && s.pointwise():
		return unfoldedGemm, "groups are not whole blocks of channels"
	case out == Planar && in == Planar && terms < shortSum:
		return unfoldedGemm, "planes in and out, and few terms"
	case in == Planar && s.C <= fewChannels && s.Groups == 1:
		return directPlanes, "few input channels, in planes"
	case s.winograd() && s.C >= 32 && s.K >= 32:
		return winograd4, "3x3 of stride 1"
	}
	return directTiles, "fits all"
}

// ConvolutionAlgorithm returns the name of the algorithm that computes s with
// input and output in the given layouts, and the reason for it.
func ConvolutionAlgorithm(s Conv2D, in, out Layout) (name, why string) {
	a, why := s.selectAlgorithm(in, out)
	return a.String(), why
}
