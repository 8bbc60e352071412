package server

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/hwprofd/hwprofd/server/api"
)

// TestProfileFromKnown has the daemon complete a table of its device.
func TestProfileFromKnown(t *testing.T) {
	d := startDaemon(t, t.TempDir())
	d.addTable("xeon", 60)
	d.addTable("pi4", 60)
	job := d.submit(`{"kind":"profile","lut":"here","known":["xeon","pi4"]}`)
	if job.Spec.Rows != 10 {
		t.Errorf("%d rows are to be measured, want 10", job.Spec.Rows)
	}
	d.await(job.ID, in(api.Done))
	var rows api.Rows
	d.get("/api/v1/luts/here/rows?limit=1000", &rows)
	measured := 0
	for _, r := range rows.Rows {
		if !r.Predicted() {
			measured++
		}
	}
	if measured != 10 || len(rows.Rows) <= 10 {
		t.Errorf("%d of %d rows are measured", measured, len(rows.Rows))
	}
	var p api.Prediction
	d.ask("POST", "/api/v1/predict", "application/json", fmt.Appendf(nil, `{"lut":"here","workloads":[%q]}`, rows.Rows[len(rows.Rows)-1].Key), http.StatusOK, &p)
	contains(t, d.page("/"), "the others from xeon, pi4")
	for _, wrong := range []struct{ spec, want string }{
		{`{"kind":"profile","lut":"b","known":["none"]}`, "known[0]"},
		{`{"kind":"profile","lut":"b","known":["xeon","xeon"]}`, "twice"},
		{`{"kind":"profile","lut":"b","known":["xeon"],"rows":2}`, "rows 2"},
		{`{"kind":"profile","lut":"b","space":"mobile28","known":["xeon"]}`, "either space or models"},
		{`{"kind":"profile","lut":"b","space":"mobile28","rows":10}`, "rows 10"},
		{`{"kind":"predict","lut":"xeon","models":["x"],"known":["xeon"]}`, "only go with a profile"},
	} {
		var problem api.Problem
		d.ask("POST", "/api/v1/jobs", "application/json", []byte(wrong.spec), http.StatusBadRequest, &problem)
		contains(t, problem.Detail, wrong.want)
	}
}
