package kernels

import "testing"

func TestMeasurePeak(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		p := MeasurePeak()
		// Any machine does more than a million operations a second, and none
		// does ten million in a nanosecond.
		if p.FMA < 1e6 || p.FMA > 1e16 {
			t.Errorf("FMA = %g", p.FMA)
		}
		if selected.dot8 && peaks.dot8 != nil && (p.Dot8 < 1e6 || p.Dot8 > 1e16) {
			t.Errorf("Dot8 = %g", p.Dot8)
		}
		t.Logf("%s: %.1f GFLOP/s, %.1f GOP/s of bytes", Implementation(), p.FMA/1e9, p.Dot8/1e9)
	})
	for _, bytes := range []int{0, 1 << 10, 1 << 20} {
		if rate := MeasureCopy(bytes); rate < 1e6 || rate > 1e16 {
			t.Errorf("MeasureCopy(%d) = %g", bytes, rate)
		}
	}
}
