package main

import (
	"math"
	"strings"
	"testing"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/lut"
)

// TestOn: an int8 device does an addition, which a float one does in the
// convolution before, by itself.
func TestOn(t *testing.T) {
	w, err := graph.ParseWorkload("conv2d/f32/n1c8h6w6/k8r3s3/stride1.pad1.dil1.group1/add.relu")
	if err != nil {
		t.Fatal(err)
	}
	if got := (pretended{batch: 8}).on(w); len(got) != 1 || got[0].N != 8 || got[0].Epilogue != "add.relu" {
		t.Errorf("in float with a batch of 8: %v", got)
	}
	got := (pretended{batch: 1, int8: true}).on(w)
	if len(got) != 2 || got[0].Op != graph.OpConv2D || got[0].DType != graph.U8 || got[1].Op != graph.OpAdd || got[1].DType != graph.U8 {
		t.Fatalf("in int8: %v", got)
	}
	if got[1].H != w.OutH() || got[1].C != w.K {
		t.Errorf("the addition is %v, of the output of %v", got[1], w)
	}
}

// TestTry scales a device that is a known one but for a factor: one factor is
// exact, and each network counts once a repeat.
func TestTry(t *testing.T) {
	nets, err := panel(1)
	if err != nil {
		t.Fatal(err)
	}
	of := func(factor float64) *lut.Table {
		table := &lut.Table{}
		seen := map[graph.Workload]bool{}
		for _, g := range nets {
			workloads, err := workloadsOf(g)
			if err != nil {
				t.Fatal(err)
			}
			n := lut.Network{Name: g.Name, Use: "test", Samples: 20}
			for _, w := range workloads {
				ns := factor * (1000 + float64(w.MACs())/50)
				n.Workloads = append(n.Workloads, w.String())
				n.LatencyMedianNS += ns
				if !seen[w] {
					seen[w] = true
					row := lut.NewRow(w)
					row.Samples, row.LatencyMedianNS = 20, ns
					table.Rows = append(table.Rows, row)
				}
			}
			table.Networks = append(table.Networks, n)
		}
		return table
	}
	truth := of(3)
	for _, designed := range []bool{false, true} {
		o, err := try(way{"one factor", scaled}, []*lut.Table{of(1), of(2)}, truth, designed)
		if err != nil {
			t.Fatal(err)
		}
		if want := repeats * (panelNetworks - knownNetworks); len(o.errors) != want || median(o.errors) > 1e-9 || len(o.ofRows) != repeats*len(truth.Rows) {
			t.Errorf("designed %v: %d errors, median %g, want %d of 0", designed, len(o.errors), median(o.errors), want)
		}
		if o.coverage() != "none | none" {
			t.Errorf("a factor has no intervals, got %s", o.coverage())
		}
	}
	// One of the networks takes twice what is predicted, and is in no interval.
	exact := func(known []*lut.Table, measured *lut.Table) (answers, error) {
		a, err := scaled(known, measured)
		a.intervals = map[string][2]float64{}
		for name, ns := range a.networks {
			a.intervals[name] = [2]float64{0.9 * ns, 1.1 * ns}
		}
		return a, err
	}
	truth.Networks[panelNetworks-1].LatencyMedianNS *= 2
	o, err := try(way{"intervals", exact}, []*lut.Table{of(1)}, truth, false)
	if err != nil {
		t.Fatal(err)
	}
	if o.held != len(o.widths)-repeats || math.Abs(median(o.widths)-0.1) > 1e-9 {
		t.Errorf("%d of %d within intervals of half-width %g, want all but %d within 0.1", o.held, len(o.widths), median(o.widths), repeats)
	}
}

func TestRunErrors(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "usage: "},
		{[]string{"compare"}, "usage: "},
		{[]string{"compare", t.TempDir()}, "best.lut.parquet"},
		{[]string{"measure", t.TempDir(), "toaster"}, `no device "toaster"`},
	} {
		if err := run(c.args); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("devices %q: error %v, want one with %q", c.args, err, c.want)
		}
	}
}
