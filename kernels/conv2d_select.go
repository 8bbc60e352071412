package kernels

// algorithm is a way to compute a convolution.
type algorithm uint8

const (
	unfoldedGemm    algorithm = iota // matrix product with the unfolded image, NCHW
	linearLayer                      // images of one element a channel, NCHW
	planarDepthwise                  // NCHW
	directTiles                      // tiles on NCHWc
	directPlanes                     // tiles on planes of NCHW, result in NCHWc
)

// String returns the name of a.
func (a algorithm) String() string {
	return [...]string{"unfolded GEMM", "linear", "depthwise", "direct", "direct on planes"}[a]
}

// layouts returns the layouts that a works on.
func (a algorithm) layouts() (in, out Layout) {
	switch a {
	case directTiles:
		return Blocked, Blocked
	case directPlanes:
		return Planar, Blocked
	}
	return Planar, Planar
}

// fewChannels is the number of input channels up to which a planar image is
// read where it lies rather than brought into blocks.
const fewChannels = 4

// candidates calls f with every algorithm that can compute s.
func (s Conv2D) candidates(f func(algorithm)) {
	f(unfoldedGemm)
	if s.single() {
		f(linearLayer)
	}
	if s.depthwise() {
		f(planarDepthwise)
	}
	f(directTiles)
	f(directPlanes)
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
	switch {
	case s.depthwise():
		return planarDepthwise, "one channel a group"
	case !s.wholeBlocks():
		return unfoldedGemm, "groups are not whole blocks of channels"
	case in == Planar && out == Planar && s.single():
		return linearLayer, "one pixel an image"
	case in == Planar && out == Planar:
		return unfoldedGemm, "image in planes"
	case in == Planar && s.C <= fewChannels && s.Groups == 1:
		return directPlanes, "few input channels"
	}
	return directTiles, "blocks of channels"
}

// ConvolutionAlgorithm returns the name of the algorithm that computes s with
// input and output in the given layouts, and the reason for it.
func ConvolutionAlgorithm(s Conv2D, in, out Layout) (name, why string) {
	a, why := s.selectAlgorithm(in, out)
	return a.String(), why
}
