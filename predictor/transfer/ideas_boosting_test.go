package transfer

import (
	"cmp"
	"math"
	"slices"
)

// stumps are settings of gradient boosting with trees of one split, which are as
// large as ten rows let them be; deeper ones did no better (docs/transfer.md).
type stumps struct {
	rounds int
	rate   float64
	leaf   int     // least number of rows on either side
	ridge  float64 // added to a side's number of rows
}

// boosted adds stumps, fitted to what is left, to best lines through known devices.
func boosted(p *experience, lines int, b stumps, measured []int, times []float64, rest []int) []float64 {
	y := make([]float64, len(times))
	for i, v := range times {
		y[i] = math.Log(v)
	}
	line := bestLines(p, lines, measured, y)
	for i, item := range measured {
		y[i] -= line(item)
	}
	out := make([]float64, len(rest))
	for i, item := range rest {
		out[i] = line(item)
	}
	columns := boostingColumns(p)
	for range b.rounds {
		column, threshold, low, high := b.split(columns, measured, y)
		if column == nil {
			break
		}
		side := func(item int) float64 {
			if column[item] <= threshold {
				return low
			}
			return high
		}
		for i, item := range measured {
			y[i] -= b.rate * side(item)
		}
		for i, item := range rest {
			out[i] += b.rate * side(item)
		}
	}
	return out
}

// bestLines is the mean of lines, in logarithms, through the known devices on
// which leaving a measurement out does least harm, by its mean square error.
func bestLines(p *experience, most int, measured []int, y []float64) func(item int) float64 {
	type line struct {
		known           []float64
		at, slope, harm float64
	}
	var lines []line
	level, _ := moments(y)
	for _, d := range p.known[0] {
		x := at(d.whole, measured)
		mean, _ := moments(x)
		sxx, sxy := 0.1, 0.0 // a ridge, as known devices have variance 1
		for i, v := range x {
			sxx += (v - mean) * (v - mean)
			sxy += (v - mean) * (y[i] - level)
		}
		l := line{known: d.whole, slope: max(sxy/sxx, 0)}
		l.at = level - l.slope*mean
		for i, v := range x {
			lever := 1/float64(len(x)) + (v-mean)*(v-mean)/sxx
			wrong := (y[i] - l.at - l.slope*v) / (1 - lever)
			l.harm += wrong * wrong / float64(len(x))
		}
		lines = append(lines, l)
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.harm, b.harm) })
	lines = lines[:min(most, len(lines))]
	return func(item int) float64 {
		sum, total := 0.0, 0.0
		for _, l := range lines {
			w := 1 / (l.harm*l.harm + 1e-12)
			sum += w * (l.at + l.slope*l.known[item])
			total += w
		}
		return sum / total
	}
}

// boostingColumns are known devices' costs and what networks consist of.
func boostingColumns(p *experience) [][]float64 {
	var columns [][]float64
	for _, d := range p.known[0] {
		columns = append(columns, d.whole)
	}
	for g, first := range p.items.groups[0] {
		switch first.name {
		case "operators", "live operators", "edges", "blocks", "work", "blocks of stages":
			columns = append(columns, columnsOf(p.items.groups, g)...)
		}
	}
	return columns
}

// split returns the column and threshold that leave the least, and the values on
// either side; no column where none can be split.
func (b stumps) split(columns [][]float64, measured []int, y []float64) (column []float64, threshold, low, high float64) {
	best := 1e-12
	value := func(sum float64, rows int) float64 { return sum / (float64(rows) + b.ridge) }
	total := 0.0
	for _, v := range y {
		total += v
	}
	for _, c := range columns {
		order := make([]int, len(y))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(c[measured[i]], c[measured[j]]) })
		left := 0.0
		for k, i := range order[:len(order)-1] {
			left += y[i]
			rows, others := k+1, len(y)-k-1
			before, after := c[measured[i]], c[measured[order[k+1]]]
			if rows < b.leaf || others < b.leaf || before == after {
				continue
			}
			l, h := value(left, rows), value(total-left, others)
			if gain := l*left + h*(total-left) - value(total, len(y))*total; gain > best {
				best, column, threshold, low, high = gain, c, (before+after)/2, l, h
			}
		}
	}
	return column, threshold, low, high
}
