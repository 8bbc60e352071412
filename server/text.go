package server

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/hwprofd/hwprofd/server/api"
)

// whatJob says in words what a job does.
func whatJob(job api.Job) string {
	spec := job.Spec
	models := fmt.Sprintf("%d models", len(spec.Models))
	if len(spec.Models) == 1 {
		models = "a model"
	}
	switch spec.Kind {
	case api.Profile:
		if spec.Space != "" {
			return fmt.Sprintf("profile space %s into %s", spec.Space, spec.LUT)
		}
		if len(spec.Known) > 0 {
			return fmt.Sprintf("profile %d workloads into %s, the others from %s", spec.Rows, spec.LUT, strings.Join(spec.Known, ", "))
		}
		return fmt.Sprintf("profile %s into %s", models, spec.LUT)
	case api.Measure:
		return "measure " + models
	case api.Watch:
		return "check the machine's speed"
	}
	return fmt.Sprintf("%s %s by %s", spec.Kind, models, spec.LUT)
}

func tookJob(job api.Job) string {
	if job.Started == nil || job.Finished == nil {
		return "-"
	}
	d := job.Finished.Sub(*job.Started)
	if d < time.Minute {
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	}
	return d.Round(time.Second).String()
}

func progressText(job api.Job) string {
	p := job.Progress
	if p == nil {
		return ""
	}
	now := p.Now
	if now == "" {
		now = p.Step
	}
	return fmt.Sprintf("%.0f%%, %s left, %s", 100*p.Share, time.Duration(p.LeftSeconds*float64(time.Second)).Round(time.Second), now)
}

// momentText takes a time.Time or a pointer to one.
func momentText(v any) (template.HTML, error) {
	t, ok := v.(time.Time)
	if p, isPointer := v.(*time.Time); isPointer && p != nil {
		t, ok = *p, true
	}
	if !ok {
		return "", fmt.Errorf("moment of a %T", v)
	}
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `">` + t.Format("2006-01-02 15:04") + ` UTC</time>`), nil
}

func signedPercent(v float64) string { return fmt.Sprintf("%+.1f%%", 100*v) }

// nsText writes nanoseconds with three digits and a unit.
func nsText(ns float64) string {
	unit := "ns"
	for _, u := range []string{"µs", "ms", "s"} {
		if math.Abs(ns) < 1000 {
			break
		}
		ns, unit = ns/1000, u
	}
	return threeDigits(ns) + " " + unit
}

func threeDigits(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 0.1 || a == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

func countText(n int64) string {
	v, unit := float64(n), ""
	for _, u := range []string{"k", "M", "G", "T"} {
		if v < 1000 {
			break
		}
		v, unit = v/1000, u
	}
	if unit == "" {
		return strconv.FormatInt(n, 10)
	}
	return threeDigits(v) + " " + unit
}

func byteSize(n int64) string {
	v, unit := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if v < 1024 {
			break
		}
		v, unit = v/1024, u
	}
	if unit == "B" {
		return strconv.FormatInt(n, 10) + " B"
	}
	return strings.TrimSuffix(threeDigits(v), ".00") + " " + unit
}

func pText(p float64) string {
	if p < 0.001 {
		return "< 0.001"
	}
	return strconv.FormatFloat(p, 'f', 3, 64)
}
