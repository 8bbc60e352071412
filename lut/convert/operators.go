package convert

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// Rows are the entries that are one operator each, as rows with warm caches.
// Only a mean was published of them: it stands for the median and both
// percentiles, the interval is 1.96 standard errors where a standard deviation
// and a count are given, else zero, and no row counts as stable. Of an operator
// that occurs several times it is the mean of all runs.
func Rows(p *lut.Published, at time.Time) ([]lut.Row, error) {
	column := func(name string) int { return slices.Index(p.Columns, name) }
	count, std := column("count"), column("std")
	type runs struct{ n, sum, squares float64 }
	total := map[graph.Workload]*runs{}
	var order []graph.Workload
	for i, record := range p.Records {
		w, ok, err := operator(p, record)
		if err != nil {
			return nil, fmt.Errorf("lut: %s: entry %d: %w", p.Source, i, err)
		}
		mean := p.LatencyMS(i) * 1e6
		if !ok || mean <= 0 {
			continue
		}
		n, deviation := 1.0, 0.0
		if count >= 0 && record[count] != "" {
			if n, err = positive(record[count]); err != nil {
				return nil, fmt.Errorf("lut: %s: entry %d: count: %w", p.Source, i, err)
			}
		}
		if std >= 0 && record[std] != "" {
			if deviation, err = strconv.ParseFloat(record[std], 64); err != nil || !(deviation >= 0) || math.IsInf(deviation, 0) {
				return nil, fmt.Errorf("lut: %s: entry %d: std is %q", p.Source, i, record[std])
			}
			deviation *= 1e6
		}
		t := total[w]
		if t == nil {
			t = &runs{}
			total[w] = t
			order = append(order, w)
		}
		t.n += n
		t.sum += n * mean
		t.squares += n * (deviation*deviation + mean*mean)
	}
	rows := make([]lut.Row, len(order))
	for i, w := range order {
		t := total[w]
		mean := t.sum / t.n
		r := lut.NewRow(w)
		r.LatencyMedianNS, r.LatencyMeanNS, r.RawMedianNS, r.LatencyP10NS, r.LatencyP90NS = mean, mean, mean, mean, mean
		r.LatencyCI95NS = 1.96 * math.Sqrt(max(0, t.squares/t.n-mean*mean)/t.n)
		r.Samples, r.MeasuredAt = int64(t.n), at
		rows[i] = r
	}
	return rows, nil
}

// operator is the workload that an entry is, if it is one.
func operator(p *lut.Published, record []string) (graph.Workload, bool, error) {
	switch p.Format {
	case OFA:
		return ofaOperator(record[1])
	case NNMeter:
		return nnMeterOperator(p.Columns, record)
	}
	return graph.Workload{}, false, nil
}

var ofaKey = regexp.MustCompile(`^(AvgPool2D|Conv|Conv_1|Conv_2|Logits)-input:([0-9]+)x([0-9]+)x([0-9]+)-output:(?:([0-9]+)x([0-9]+)x)?([0-9]+)$`)

// ofaOperator reads the keys of the layers around the blocks, whose windows,
// strides and activations are those of OFA's MobileNetV3, and canonical names,
// which are what [WriteRowsOFA] writes.
func ofaOperator(key string) (graph.Workload, bool, error) {
	m := ofaKey.FindStringSubmatch(key)
	if m == nil {
		w, err := graph.ParseWorkload(key)
		return w, err == nil, nil
	}
	var n [6]int
	for i, text := range m[2:] {
		if text != "" {
			v, err := positive(text)
			if err != nil {
				return graph.Workload{}, false, fmt.Errorf("%s: %w", key, err)
			}
			n[i] = int(v)
		}
	}
	h, w, in, out := n[0], n[1], n[2], n[5]
	var work graph.Workload
	switch m[1] {
	case "AvgPool2D":
		work = graph.Workload{Op: graph.OpGlobalAvgPool, DType: graph.F32, N: 1, C: in, H: h, W: w}
	case "Logits":
		work = graph.Workload{Op: graph.OpLinear, DType: graph.F32, N: 1, C: in, K: out, Epilogue: "none"}
	case "Conv":
		work = convolution(h, w, in, out, 3, 2, 1, "hswish")
		work.PadTop, work.PadLeft, work.PadBottom, work.PadRight = 1, 1, 1, 1
	default:
		work = convolution(h, w, in, out, 1, 1, 1, "hswish")
	}
	if err := work.Validate(); err != nil {
		return graph.Workload{}, false, fmt.Errorf("%s: %w", key, err)
	}
	if n[3] > 0 && (m[1] == "Conv" || m[1] == "Conv_1") && (work.OutH() != n[3] || work.OutW() != n[4]) {
		return graph.Workload{}, false, nil // not that network's layer
	}
	return work, true, nil
}

// convolution is one with the padding that keeps the size, or its part of one
// stride, as TensorFlow's SAME.
func convolution(h, w, in, out, kernel, stride, group int, epilogue string) graph.Workload {
	work := graph.Workload{
		Op: graph.OpConv2D, DType: graph.F32, N: 1, C: in, H: h, W: w, K: out, R: kernel, S: kernel,
		StrideH: stride, StrideW: stride, DilationH: 1, DilationW: 1, Group: group, Epilogue: epilogue,
	}
	work.PadTop, work.PadBottom = samePadding(h, kernel, stride)
	work.PadLeft, work.PadRight = samePadding(w, kernel, stride)
	return work
}

func samePadding(size, kernel, stride int) (before, after int) {
	all := max(((size+stride-1)/stride-1)*stride+kernel-size, 0)
	return all / 2, all - all/2
}

// nnMeterNames are the columns of nn-Meter's configurations in its releases.
var nnMeterNames = map[string][]string{
	"kernel":  {"kernel", "kernel_type", "name"},
	"size":    {"hw", "input_h", "inputh"},
	"in":      {"cin"},
	"out":     {"cout"},
	"window":  {"kernel_size", "kernelsize", "ks", "k"},
	"stride":  {"strides", "stride", "s", "pool_strides"},
	"latency": {"latency", "latency_ms", "latency_mean", "mean"},
}

func nnMeterColumn(columns []string, what string) int {
	return slices.IndexFunc(columns, func(c string) bool {
		return slices.Contains(nnMeterNames[what], strings.ToLower(strings.TrimSpace(c)))
	})
}

// nameNNMeter finds the columns that say what an entry is and its latency.
func nameNNMeter(p *lut.Published) error {
	at := nnMeterColumn(p.Columns, "latency")
	if at < 0 {
		return fmt.Errorf("no column of the latency: name it one of %s", strings.Join(nnMeterNames["latency"], ", "))
	}
	if nnMeterColumn(p.Columns, "kernel") < 0 {
		return fmt.Errorf("no column of the kernel, such as conv-bn-relu: name it one of %s", strings.Join(nnMeterNames["kernel"], ", "))
	}
	p.Key, p.Latency = at, p.Columns[at]
	if at == 0 {
		return errors.New("the latency is the first column: put the kernel and its configuration before it")
	}
	return nil
}

var nnMeterConv = regexp.MustCompile(`^(dw)?conv(?:-bn)?(?:-(relu6?|hswish))?$`)

func nnMeterOperator(columns, record []string) (graph.Workload, bool, error) {
	var failed error
	value := func(what string) int {
		at := nnMeterColumn(columns, what)
		if at < 0 {
			failed = errors.Join(failed, fmt.Errorf("there is no column %s", nnMeterNames[what][0]))
			return 0
		}
		v, err := positive(record[at])
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", columns[at], err))
		}
		return int(v)
	}
	kernel := strings.ToLower(record[nnMeterColumn(columns, "kernel")])
	plane := func(op graph.Op) graph.Workload {
		size := value("size")
		return graph.Workload{Op: op, DType: graph.F32, N: 1, C: value("in"), H: size, W: size}
	}
	var work graph.Workload
	switch m := nnMeterConv.FindStringSubmatch(kernel); {
	case m != nil:
		size, in, group := value("size"), value("in"), 1
		out := in
		if m[1] == "dw" {
			group = in
		} else {
			out = value("out")
		}
		epilogue := m[2]
		if epilogue == "" {
			epilogue = "none"
		}
		window, stride := value("window"), value("stride")
		if failed == nil {
			work = convolution(size, size, in, out, window, stride, group, epilogue)
		}
	case kernel == "fc":
		work = graph.Workload{Op: graph.OpLinear, DType: graph.F32, N: 1, C: value("in"), K: value("out"), Epilogue: "none"}
	case kernel == "relu", kernel == "hswish":
		work = plane(graph.Op(kernel))
	case kernel == "global-avgpool":
		work = plane(graph.OpGlobalAvgPool)
	case kernel == "maxpool", kernel == "avgpool":
		work = plane(graph.Op(kernel))
		work.R, work.StrideH = value("window"), value("stride")
		work.S, work.StrideW = work.R, work.StrideH
		if failed == nil {
			work.PadTop, work.PadBottom = samePadding(work.H, work.R, work.StrideH)
			work.PadLeft, work.PadRight = work.PadTop, work.PadBottom
		}
	default:
		return graph.Workload{}, false, nil
	}
	if failed == nil {
		failed = work.Validate()
	}
	if failed != nil {
		return graph.Workload{}, false, failed
	}
	return work, true, nil
}

// positive reads a whole number, which may be written as a decimal, as by
// pandas.
func positive(text string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || v != math.Trunc(v) || v < 1 || v > math.MaxInt32 {
		return 0, fmt.Errorf("%q is no positive whole number", text)
	}
	return v, nil
}
