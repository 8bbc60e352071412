package kernels

// Conv2DForward computes dst = convolution(src) + bias, where src is
// [N, C, H, W], dst is [N, K, OutH, OutW], weight is [K, C/Groups, R, S] and
// bias, which may be nil, is [K]. A NaN or an infinity may spread to the pixels
// around, as it may in the gradients, where Winograd's method is used.
func Conv2DForward(ws *Workspace, s Conv2D, dst, src, weight, bias []float32) {
	s.check(src, dst, weight)
	if bias != nil {
		checkLength("Conv2D", "bias", len(bias), s.K)
	}
	if s.depthwise() {
		depthwiseForward(ws, s, dst, src, weight, bias, nil, NoActivation)
		return
	}
	if s.single() {
		beta := float32(0)
		if bias != nil {
			beta = 1
			for n := range s.N {
				copy(dst[n*s.K:(n+1)*s.K], bias)
			}
		}
		Gemm(ws, false, true, s.N, s.K, s.C, 1, src, s.C, weight, s.C, beta, dst, s.K)
		return
	}
	if s.pointwise() {
		hw, m, channels := s.H*s.W, s.K/s.Groups, s.C/s.Groups
		for g := range s.Groups {
			b := bias
			if b != nil {
				b = bias[g*m : (g+1)*m]
			}
			ws.multiplyPlanes(s.N, m, channels, hw, weight[g*m*channels:], false, src[g*channels*hw:], s.C*hw, dst[g*m*hw:], s.K*hw, b, false)
		}
		return
	}
	if size := s.trainingTiles(); size > 0 {
		ws.training.run(ws, s, size, dst, src, weight, bias, false, false)
		return
	}
	u := s.unfolding()
	ws.offsets = u.offsets(ws.offsets)
	k := s.C / s.Groups * s.R * s.S
	conv2DForward(ws, gemm, s, &u, ws.offsets, product{
		m: s.K / s.Groups, k: k, alpha: 1, a: dense(weight, k, k), bias: bias,
	}, dst, src)
}

// Conv2DBackwardInput adds the gradient of the input to dsrc [N, C, H, W],
// given that of the output, ddst [N, K, OutH, OutW], and weight
// [K, C/Groups, R, S].
func Conv2DBackwardInput(ws *Workspace, s Conv2D, dsrc, ddst, weight []float32) {
	s.check(dsrc, ddst, weight)
	if s.depthwise() {
		depthwiseBackwardInput(ws, s, dsrc, ddst, weight)
		return
	}
	if s.single() {
		Gemm(ws, false, false, s.N, s.C, s.K, 1, ddst, s.K, weight, s.C, 1, dsrc, s.C)
		return
	}
	var (
		outHW, inHW = s.OutH() * s.OutW(), s.H * s.W
		m, channels = s.K / s.Groups, s.C / s.Groups
		area        = s.R * s.S
	)
	if s.pointwise() {
		for g := range s.Groups {
			ws.multiplyPlanes(s.N, channels, m, inHW, weight[g*m*channels:], true, ddst[g*m*inHW:], s.K*inHW, dsrc[g*channels*inHW:], s.C*inHW, nil, true)
		}
		return
	}
	if t, ok := s.gradientConvolution(); ok {
		if size := t.trainingTiles(); size > 0 {
			ws.training.run(ws, t, size, dsrc, ddst, weight, nil, true, true)
			return
		}
		ws.weight = grow(ws.weight, s.weightSize())
		turnWeights(ws.weight, weight, s)
		u := t.unfolding()
		ws.offsets = u.offsets(ws.offsets)
		k := m * area
		conv2DForward(ws, gemm, t, &u, ws.offsets, product{
			m: channels, k: k, alpha: 1, a: dense(ws.weight, k, k), accumulate: true,
		}, dsrc, ddst)
		return
	}
	u := s.unfolding()
	ws.offsets = u.offsets(ws.offsets)
	ws.image = grow(ws.image, u.size())
	// The gradient of the unfolded image is made for some channels at a time.
	step := min(max(columnsBudget/(area*outHW), 1), channels)
	ws.columns = grow(ws.columns, step*area*outHW)
	for n := range s.N {
		for g := range s.Groups {
			clear(ws.image)
			image := u.matrix(ws.image, ws.offsets)
			for c0 := 0; c0 < channels; c0 += step {
				c1 := min(c0+step, channels)
				rows := (c1 - c0) * area
				ws.multiply(gemm, &product{
					m: rows, n: outHW, k: m, alpha: 1,
					a: dense(weight[g*m*channels*area+c0*area:], channels*area, rows), transA: true,
					b: dense(ddst[(n*s.K+g*m)*outHW:], outHW, outHW),
					c: dense(ws.columns, outHW, outHW),
				})
				for row := range rows {
					for y := range u.outH {
						to := image.data[image.row(c0*area+row)+y*image.stride:][:u.outW]
						Add(to, to, ws.columns[row*outHW+y*u.outW:][:u.outW])
					}
				}
			}
			u.unpad(dsrc[(n*s.C+g*channels)*inHW:], ws.image)
		}
	}
}

// gradientConvolution returns the convolution that computes the gradient of
// the input from that of the output and the turned weights. There is none if
// steps were skipped or the image was padded by more than the kernel covers.
func (s Conv2D) gradientConvolution() (t Conv2D, ok bool) {
	if s.StrideH != 1 || s.StrideW != 1 {
		return t, false
	}
	t = s
	t.C, t.H, t.W, t.K = s.K, s.OutH(), s.OutW(), s.C
	t.PadTop, t.PadLeft = (s.R-1)*s.DilationH-s.PadTop, (s.S-1)*s.DilationW-s.PadLeft
	t.PadBottom, t.PadRight = (s.R-1)*s.DilationH-s.PadBottom, (s.S-1)*s.DilationW-s.PadRight
	return t, t.Validate() == nil
}

// turnWeights writes weight [K, C/Groups, R, S] as weights of the gradient
// convolution, [C, K/Groups, R, S], with the kernels turned by half a turn.
func turnWeights(dst, weight []float32, s Conv2D) {
	m, channels, area := s.K/s.Groups, s.C/s.Groups, s.R*s.S
	for g := range s.Groups {
		for k := range m {
			for c := range channels {
				from := weight[((g*m+k)*channels+c)*area:][:area]
				to := dst[((g*channels+c)*m+k)*area:][:area]
				for i, x := range from {
					to[area-1-i] = x
				}
			}
		}
	}
}

// columnsBudget is the number of elements of the unfolded gradient that
// Conv2DBackwardInput keeps, unless those of a single channel are more.
const columnsBudget = 1 << 16

// Conv2DBackwardWeight adds the gradient of the weights to dweight
// [K, C/Groups, R, S], given the input src [N, C, H, W] and the gradient of
// the output, ddst [N, K, OutH, OutW].
func Conv2DBackwardWeight(ws *Workspace, s Conv2D, dweight, src, ddst []float32) {
	s.check(src, ddst, dweight)
	if s.depthwise() {
		depthwiseBackwardWeight(ws, s, dweight, src, ddst)
		return
	}
	if s.single() {
		Gemm(ws, true, false, s.K, s.C, s.N, 1, ddst, s.K, src, s.C, 1, dweight, s.C)
		return
	}
	newWeightGradient(ws, s).run(dweight, src, ddst)
}
