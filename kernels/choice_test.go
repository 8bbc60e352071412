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
			if c.Implementation != portable && c.Implementation != selected.base {
				t.Errorf("%q runs on %q, but %q is in use", f.Name, c.Implementation, selected.base)
			}
		}
	})
	one := Conv2D{N: 1, C: 8, H: 1, W: 1, K: 4, R: 1, S: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}
	if c := Choose(one); !strings.Contains(c.Kernel, "linear") {
		t.Errorf("a convolution of single pixels: %+v", c)
	}
}
