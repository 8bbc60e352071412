package kernels

// groupNormJob is a call of GroupNorm or its backward pass; part works on
// groups.
type groupNormJob struct {
	c, hw, groups, count        int // count is that of all groups
	dst, src, dsrc, ddst        []float32
	scale, shift, mean, inverse []float32
	sums, products              []float32 // of each plane
	eps                         float32
	groupsOfPart                int
	scratch                     workerScratch
	backward                    bool
}

// start prepares the job.
func (j *groupNormJob) start(function string, n, c, hw, groups int, scale, mean, inverse []float32) {
	if groups < 1 || c%groups != 0 {
		panicLength(function, "groups", c, groups)
	}
	if scale != nil {
		checkLength(function, "scale", len(scale), c)
	}
	checkLength(function, "mean", len(mean), n*groups)
	checkLength(function, "inverse", len(inverse), n*groups)
	*j = groupNormJob{
		c: c, hw: hw, groups: groups, count: n * groups, scale: scale, mean: mean, inverse: inverse,
		sums: j.sums, products: j.products, scratch: j.scratch,
	}
	j.groupsOfPart = max(partElements/max(c/groups*hw, 1), 1)
	j.scratch.grow(max(6*(c/groups), 4))
}

func (j *groupNormJob) run() {
	if j.count > 0 && j.c > 0 && j.hw > 0 {
		parallel((j.count+j.groupsOfPart-1)/j.groupsOfPart, j)
	}
}

// end forgets the operands.
func (j *groupNormJob) end() {
	*j = groupNormJob{sums: j.sums, products: j.products, scratch: j.scratch}
}

// GroupNorm normalises groups of channels of each image of src [n, c, hw]:
// (x-mean) / sqrt(variance+eps) * scale + shift, where the statistics, found
// as by [LayerNorm], are of c/groups channels, and scale and shift [c], which
// may be nil for 1 and 0, of the channels (Wu and He, "Group Normalization",
// 2018). groups = c is instance normalisation. mean and inverse [n, groups]
// get the mean and 1 / sqrt(variance+eps). dst and src may be the same slice.
func GroupNorm(ws *Workspace, n, c, hw, groups int, dst, src, scale, shift, mean, inverse []float32, eps float32) {
	j := &ws.groupNorm
	j.start("GroupNorm", n, c, hw, groups, scale, mean, inverse)
	if shift != nil {
		checkLength("GroupNorm", "shift", len(shift), c)
	}
	checkLength("GroupNorm", "dst", len(dst), n*c*hw)
	checkLength("GroupNorm", "src", len(src), n*c*hw)
	j.dst, j.src, j.shift, j.eps = dst, src, shift, eps
	j.run()
	j.end()
}

// GroupNormBackward adds the gradients of GroupNorm to dsrc [n, c, hw], dscale
// and dshift [c], of which the last two may be nil.
func GroupNormBackward(ws *Workspace, n, c, hw, groups int, dsrc, dscale, dshift, ddst, src, scale, mean, inverse []float32) {
	j := &ws.groupNorm
	j.start("GroupNormBackward", n, c, hw, groups, scale, mean, inverse)
	checkLength("GroupNormBackward", "dsrc", len(dsrc), n*c*hw)
	checkLength("GroupNormBackward", "ddst", len(ddst), n*c*hw)
	checkLength("GroupNormBackward", "src", len(src), n*c*hw)
	if dscale != nil {
		checkLength("GroupNormBackward", "dscale", len(dscale), c)
	}
	if dshift != nil {
		checkLength("GroupNormBackward", "dshift", len(dshift), c)
	}
	j.sums, j.products = grow(j.sums, n*c), grow(j.products, n*c)
	j.dsrc, j.ddst, j.src, j.backward = dsrc, ddst, src, true
	j.run()
	if hw > 0 {
		for k := range c {
			var sum, product float64
			for i := range n {
				sum += float64(j.sums[i*c+k])
				product += float64(j.products[i*c+k]) * float64(inverse[i*groups+k/(c/groups)])
			}
			if dshift != nil {
				dshift[k] += float32(sum)
			}
			if dscale != nil {
				dscale[k] += float32(product)
			}
		}
	}
	j.end()
}

func (j *groupNormJob) part(i, worker int) {
	for g := i * j.groupsOfPart; g < min((i+1)*j.groupsOfPart, j.count); g++ {
		if j.backward {
			j.backwardGroup(g, j.scratch[worker])
		} else {
			j.forwardGroup(g, j.scratch[worker])
		}
	}
}

// channelScale is the scale of a channel.
func (j *groupNormJob) channelScale(k int) float32 {
	if j.scale == nil {
		return 1
	}
	return j.scale[k]
}

func (j *groupNormJob) forwardGroup(g int, scratch []float32) {
	channels := j.c / j.groups
	n := channels * j.hw
	src := j.src[g*n:][:n]
	rowStatistics(src, 1, n, j.mean[g:g+1], j.inverse[g:g+1], scratch)
	inverse := 1 / sqrt(j.inverse[g]+j.eps)
	j.inverse[g] = inverse
	a, b := scratch[:channels], scratch[channels:2*channels]
	for i := range channels {
		k := g%j.groups*channels + i
		a[i] = inverse * j.channelScale(k)
		b[i] = -j.mean[g] * a[i]
		if j.shift != nil {
			b[i] += j.shift[k]
		}
	}
	vector.rowAffine(&j.dst[g*n], &src[0], &a[0], &b[0], channels, j.hw, 4*j.hw)
}

func (j *groupNormJob) backwardGroup(g int, scratch []float32) {
	channels := j.c / j.groups
	n := channels * j.hw
	ddst, src := &j.ddst[g*n], &j.src[g*n]
	take := func(k int) []float32 { return scratch[k*channels:][:channels] }
	a, b, c, center := take(0), take(1), take(2), take(3)
	sums, products := j.sums[g*channels:][:channels], j.products[g*channels:][:channels]
	for i := range channels {
		center[i] = j.mean[g]
	}
	planeProducts(j.ddst[g*n:], j.src[g*n:], sums, products, center, take(4), take(5), j.hw)
	var sum, product float64
	for i := range channels {
		scale := float64(j.channelScale(g%j.groups*channels + i))
		sum += scale * float64(sums[i])
		product += scale * float64(products[i])
	}
	inverse := float64(j.inverse[g])
	ofInput := -inverse * inverse * inverse * product / float64(n)
	constant := -inverse*sum/float64(n) - ofInput*float64(j.mean[g])
	for i := range channels {
		a[i] = float32(inverse) * j.channelScale(g%j.groups*channels+i)
		b[i], c[i] = float32(ofInput), float32(constant)
	}
	vector.rowAffineAdd(&j.dsrc[g*n], ddst, src, &a[0], &b[0], &c[0], channels, j.hw, 4*j.hw)
}

// planeProducts sets sums to the sum of each plane of x [len(sums), hw], and
// products to that of x*(y-center). Sums of more than reductionBlock elements
// are of pieces. s and p are scratch memory as long as sums.
func planeProducts(x, y, sums, products, center, s, p []float32, hw int) {
	vector.rowProducts(&x[0], &y[0], &sums[0], &products[0], &center[0], len(sums), min(hw, reductionBlock), 4*hw)
	for at := reductionBlock; at < hw; at += reductionBlock {
		vector.rowProducts(&x[at], &y[at], &s[0], &p[0], &center[0], len(sums), min(hw-at, reductionBlock), 4*hw)
		for i := range sums {
			sums[i] += s[i]
			products[i] += p[i]
		}
	}
}
