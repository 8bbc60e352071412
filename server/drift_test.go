package server

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/server/api"
)

// checksUntilAlarm simulates checks of a panel: noise of 1% in common and of 1%
// each, heavy tails in one of twenty, and from the check changeAt on times that
// are factor as long. It returns the number of the check that raised an alarm,
// or most.
func checksUntilAlarm(rng *rand.Rand, most, changeAt int, factor float64, heavy bool) (int, *api.DriftAlarm) {
	names := []string{"a", "b", "c", "d"}
	charts := make([]chart, len(names)+1)
	h := limit(len(charts), checksPerFalseAlarm)
	for n := range most {
		shift := 0.0
		if n >= changeAt {
			shift = math.Log(factor)
		}
		common := 0.01 * rng.NormFloat64()
		if heavy && rng.IntN(20) == 0 {
			common += 0.1 * rng.ExpFloat64()
		}
		sum, alarmed := 0.0, false
		for i := range names {
			v := 10 + shift + common + 0.01*rng.NormFloat64()
			sum += v
			charts[i].add(v)
			value, _ := charts[i].statistic()
			alarmed = alarmed || math.Abs(value) > h
		}
		charts[len(names)].add(sum / float64(len(names)))
		value, _ := charts[len(names)].statistic()
		if alarmed || math.Abs(value) > h {
			return n + 1, nil
		}
	}
	return most, nil
}

// TestFalseAlarms simulates machines whose speed does not change. With a mean
// of at least checksPerFalseAlarm between alarms, which come like a Poisson
// process once the charts have settled, at most 1 - exp(-0.25) of the runs of
// a quarter of that length have one.
func TestFalseAlarms(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const runs, length = 120, checksPerFalseAlarm / 4
	alarms := 0
	for range runs {
		if n, _ := checksUntilAlarm(rng, length, math.MaxInt, 1, false); n < length {
			alarms++
		}
	}
	rate, bound := float64(alarms)/runs, 1-math.Exp(-0.25)
	t.Logf("%.1f%% of %d runs of %d checks have a false alarm, at most %.1f%% may", 100*rate, runs, length, 100*bound)
	// Three standard errors above the bound is no chance.
	if rate > bound+3*math.Sqrt(bound*(1-bound)/runs) {
		t.Errorf("%.1f%% of the runs have a false alarm", 100*rate)
	}
}

func TestDetectionDelay(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for _, test := range []struct {
		factor float64
		heavy  bool
		most   float64 // checks, on average
	}{{1.03, false, 12}, {1.1, false, 5}, {0.95, false, 7}, {1.1, true, 12}} {
		const runs, changeAt = 200, 60
		sum, missed, early := 0.0, 0, 0
		for range runs {
			n, _ := checksUntilAlarm(rng, changeAt+100, changeAt, test.factor, test.heavy)
			switch {
			case n <= changeAt:
				early++
			case n == changeAt+100:
				missed++
			default:
				sum += float64(n - changeAt)
			}
		}
		delay := sum / float64(runs-early-missed)
		t.Logf("factor %v, heavy tails %v: found after %.1f checks on average; %d of %d missed, %d too early", test.factor, test.heavy, delay, missed, runs, early)
		if delay > test.most || missed > runs/50 || early > runs/5 {
			t.Errorf("factor %v, heavy tails %v: found after %.1f checks, want at most %v; %d missed, %d too early", test.factor, test.heavy, delay, test.most, missed, early)
		}
	}
}

func TestAlarmSaysWhatChanged(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	var d api.Drift
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var raised *api.DriftAlarm
	changedAt := at.Add(40 * time.Hour)
	for n := range 60 {
		facts, factor := map[string]string{"governor": "performance", "kernel": "6.1", factTemperature: "50 °C"}, 1.0
		if n >= 40 {
			facts["governor"], factor = "powersave", 1.2
			facts[factTemperature] = "52 °C"
		}
		check := api.Check{At: at.Add(time.Duration(n) * time.Hour), Facts: facts}
		for _, name := range []string{"a", "b"} {
			check.Medians = append(check.Medians, api.PanelMedian{Workload: name, NS: 1000 * factor * math.Exp(0.01*rng.NormFloat64())})
		}
		if alarm := observe(&d, check); alarm != nil {
			if raised != nil {
				t.Fatalf("a second alarm at check %d, though nothing changed since the first", n)
			}
			raised = alarm
		}
	}
	if raised == nil {
		t.Fatal("no alarm")
	}
	if len(raised.Facts) != 1 || raised.Facts[0] != (api.ChangedFact{Name: "governor", Was: "performance", Is: "powersave"}) {
		t.Errorf("changed facts: %+v", raised.Facts)
	}
	if off := raised.Since.Sub(changedAt); off < -3*time.Hour || off > 3*time.Hour {
		t.Errorf("it began at %v, want about %v", raised.Since, changedAt)
	}
	if len(raised.Changes) == 0 || raised.Changes[0].Workload != overall || math.Abs(raised.Changes[0].Ratio-1.2) > 0.03 {
		t.Errorf("changes: %+v", raised.Changes)
	}
}

func TestLimit(t *testing.T) {
	// Average run lengths of two-sided charts with a reference of 1/2, from
	// Montgomery, "Introduction to Statistical Quality Control", table 9.3.
	for h, run := range map[float64]float64{4: 168, 5: 465} {
		if got := limit(1, run); math.Abs(got-h) > 0.02 {
			t.Errorf("limit for a run length of %v: %.3f, want %v", run, got, h)
		}
	}
}
