package server

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/predictor"
	"github.com/hwprofd/hwprofd/server/api"
)

// TestSchemasHaveEveryField compares the schemas of /openapi.json with the types
// that are written, both ways: names, and what is always there.
func TestSchemasHaveEveryField(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]any{
		"Problem": api.Problem{}, "Device": api.Device{}, "Model": api.Model{}, "Models": api.Models{}, "LUT": api.LUT{}, "LUTs": api.LUTs{},
		"Row": lut.Row{}, "Rows": api.Rows{}, "Difference": lut.Difference{}, "Differences": lut.Differences{},
		"PredictRequest": api.PredictRequest{}, "Prediction": api.Prediction{}, "Evaluation": api.Evaluation{}, "Comparison": api.Comparison{},
		"JobSpec": api.JobSpec{}, "Job": api.Job{}, "Jobs": api.Jobs{}, "Drift": api.Drift{}, "Check": api.Check{}, "DriftAlarm": api.DriftAlarm{}, "DriftChart": api.DriftChart{},
	}
	for name, value := range described {
		schema := doc.Components.Schemas[name]
		if schema == nil {
			t.Errorf("there is no schema %s", name)
			continue
		}
		compareSchema(t, name, schema.Value, reflect.TypeOf(value))
	}
}

func compareSchema(t *testing.T, at string, schema *openapi3.Schema, typ reflect.Type) {
	t.Helper()
	switch {
	case typ.Kind() == reflect.Pointer:
		compareSchema(t, at, schema, typ.Elem())
	case typ.Kind() == reflect.Slice && typ.Elem().Kind() != reflect.Uint8: // no bytes, as of a raw message
		if schema.Items == nil {
			t.Errorf("%s is no array", at)
			return
		}
		compareSchema(t, at+"[]", schema.Items.Value, typ.Elem())
	case typ.Kind() == reflect.Struct && typ != reflect.TypeFor[time.Time]():
		fields, always := map[string]reflect.Type{}, []string{}
		for _, f := range reflect.VisibleFields(typ) {
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Anonymous || name == "-" {
				continue
			}
			fields[name] = f.Type
			if !strings.Contains(options, "omitempty") {
				always = append(always, name)
			}
		}
		for name, field := range fields {
			if property := schema.Properties[name]; property == nil {
				t.Errorf("%s has no %s", at, name)
			} else {
				compareSchema(t, at+"."+name, property.Value, field)
			}
		}
		for name := range schema.Properties {
			if fields[name] == nil {
				t.Errorf("%s has %s, which is never written", at, name)
			}
		}
		required := slices.Clone(schema.Required)
		slices.Sort(required)
		slices.Sort(always)
		if !slices.Equal(required, always) {
			t.Errorf("%s requires %q, always there are %q", at, required, always)
		}
	}
}

// TestSchemaHasEverySource compares the sources of a prediction's parts.
func TestSchemaHasEverySource(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	known := doc.Components.Schemas["Part"].Value.Properties["source"].Value.Enum
	for _, source := range []string{
		predictor.SourceNetwork, predictor.SourceTable, predictor.SourceTransfer, predictor.SourceInterpolation, predictor.SourceRegression, predictor.SourceRoofline,
	} {
		if !slices.Contains(known, any(source)) {
			t.Errorf("%q is none of %q", source, known)
		}
	}
}
