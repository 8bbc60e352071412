package kernels

// MaxPoolBackward adds the gradient of MaxPool to dsrc [N, C, H, W], given
// that of its result, the input and the result. The gradient of a window goes
// to the first of its largest elements, in a window with NaN to its first.
func MaxPoolBackward(ws *Workspace, p Pool2D, dsrc, ddst, src, dst []float32) {
	j := &ws.pool
	j.start(p, true, 0)
	j.check("MaxPoolBackward", "dst", dst, "src", src)
	j.check("MaxPoolBackward", "ddst", ddst, "dsrc", dsrc)
	j.dst, j.src, j.dsrc, j.ddst = dst, src, dsrc, ddst
	j.run()
}

// AvgPoolBackward adds the gradient of AvgPool to dsrc [N, C, H, W].
func AvgPoolBackward(ws *Workspace, p Pool2D, dsrc, ddst []float32) {
	j := &ws.pool
	j.start(p, false, 0)
	j.check("AvgPoolBackward", "ddst", ddst, "dsrc", dsrc)
	j.countElements()
	j.dsrc, j.ddst = dsrc, ddst
	j.run()
}

// gradientRows copies rows of ddst to the end of the scratch memory.
func (j *poolJob) gradientRows(plane, y, rows int, scratch []float32) []float32 {
	out := j.outW * j.pixel
	g := scratch[3*j.band*j.rowW*j.pixel:][:rows*out]
	copy(g, j.ddst[(plane*j.outH+y)*out:])
	return g
}

// maxBackward lets the elements of the windows take the gradients, one after
// the other, of the windows whose largest they are.
func (j *poolJob) maxBackward(plane, y, rows int, scratch []float32) {
	e := j.pixel
	out := j.outW * e
	g := j.gradientRows(plane, y, rows, scratch)
	src, dsrc := j.src[plane*j.H*j.W*e:], j.dsrc[plane*j.H*j.W*e:]
	dst := j.dst[(plane*j.outH+y)*out:]
	n := j.band * j.rowW
	wide, sorted, dsorted := scratch[:n], scratch[n:2*n], scratch[2*n:3*n]
	for r := range j.R {
		from, to, at := j.inputRows(r, y, rows)
		if from == to {
			continue
		}
		first := from - y
		inputRow := 4 * j.StrideH * j.W * e
		if j.sortedW > 0 {
			vector.operations[OpCopy][bothVectors](&wide[0], &src[at*j.W], nil, to-from, j.W, 4*j.rowW, inputRow, 0)
			j.sort(sorted, wide, to-from)
			clear(dsorted)
		}
		for s := range j.S {
			offset := s*j.DilationW - j.PadLeft
			x0 := max(0, ceilDivide(-offset, j.StrideW))
			x1 := min(j.outW, ceilDivide(j.W-offset, j.StrideW))
			if x1 <= x0 {
				continue
			}
			x := x0*j.StrideW + offset // column of the input
			switch {
			case j.sortedW > 0:
				i := x%j.StrideW*j.band*j.sortedW + x/j.StrideW
				vector.maxBackward(&dsorted[i], &g[first*out+x0], &sorted[i], &dst[first*out+x0],
					to-from, x1-x0, 4*j.sortedW, 4*out, 4*j.sortedW, 4*out)
			case j.StrideW == 1:
				i := (at*j.W + x) * e
				vector.maxBackward(&dsrc[i], &g[first*out+x0*e], &src[i], &dst[first*out+x0*e],
					to-from, (x1-x0)*e, inputRow, 4*out, inputRow, 4*out)
			default:
				for k := range to - from {
					i := ((at+k*j.StrideH)*j.W + x) * e
					o := (first+k)*out + x0*e
					vector.maxBackward(&dsrc[i], &g[o], &src[i], &dst[o], x1-x0, e, 4*j.StrideW*e, 4*e, 4*j.StrideW*e, 4*e)
				}
			}
		}
		if j.sortedW > 0 {
			j.unsort(wide, dsorted, to-from)
			d := &dsrc[at*j.W]
			vector.operations[OpAdd][bothVectors](d, d, &wide[0], to-from, j.W, inputRow, inputRow, 4*j.rowW)
		}
	}
}

// averageBackward adds the gradients to the columns of the windows, and the
// result to their rows.
func (j *poolJob) averageBackward(plane, y, rows int, scratch []float32) {
	e := j.pixel
	out := j.outW * e
	g := j.gradientRows(plane, y, rows, scratch)
	j.scale(g, y, rows)
	n := j.band * j.rowW * e
	wide, sorted := scratch[:n], scratch[n:2*n]
	clear(wide)
	if j.sortedW > 0 {
		clear(sorted)
	}
	add := vector.operations[OpAdd][bothVectors]
	for s := range j.S {
		d, row := j.column(wide, sorted, s)
		if !j.Blocked || j.StrideW == 1 {
			add(d, d, &g[0], rows, out, row, row, 4*out)
			continue
		}
		for k := range rows {
			to := &elements(d, k*row, 1)[0]
			add(to, to, &g[k*out], j.outW, e, 4*j.StrideW*e, 4*j.StrideW*e, 4*e)
		}
	}
	if j.sortedW > 0 {
		j.unsort(wide, sorted, rows)
	}
	inside := j.inside() * e
	if inside == 0 {
		return
	}
	dsrc := j.dsrc[plane*j.H*j.W*e:]
	for r := range j.R {
		if from, to, at := j.inputRows(r, y, rows); to > from {
			d, inputRow := &dsrc[at*j.W*e], 4*j.StrideH*j.W*e
			add(d, d, &wide[(from-y)*j.rowW*e+j.PadLeft*e], to-from, inside, inputRow, inputRow, 4*j.rowW*e)
		}
	}
}
