package kernels

import (
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		seen := make(map[string]bool)
		for _, f := range Families() {
			c := Choose(f.Work)
			if f.Name == "" || seen[f.Name] || c.Kernel == "" || c.Why == "" {
				t.Errorf("%q: %+v", f.Name, c)
			}
			seen[f.Name] = true
			if c.Implementation != portable && c.Implementation != selected.base && c.Implementation != selected.name {
				t.Errorf("%q runs on %q, but %q is in use", f.Name, c.Implementation, selected.name)
			}
		}
	})
	depthwise := Conv2D{N: 1, C: 8, H: 5, W: 5, K: 8, R: 3, S: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 8}
	if c := Choose(Convolution{Shape: depthwise, In: Blocked, Out: Blocked}); !strings.Contains(c.Kernel, "depthwise") {
		t.Errorf("a depthwise convolution: %+v", c)
	}
}
