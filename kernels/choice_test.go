package kernels

import "testing"

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
}
