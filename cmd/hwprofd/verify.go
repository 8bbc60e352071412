package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/graph/operator"
	"github.com/hwprofd/hwprofd/inference"
)

func newVerifyCommand() *cobra.Command {
	var tolerance tolerance
	cmd := &cobra.Command{
		Use:   "verify DIR...",
		Short: "Run ONNX conformance cases and compare the results",
		Long: `Runs cases in the form of ONNX's backend test suite and compares the results as
its own runner does: numbers within atol + rtol * |expected|, NaN where NaN is
expected, integers and types and shapes exactly.

A case is a folder with model.onnx and one or more test_data_set_*, each with
input_N.pb and output_N.pb; or a model NAME.onnx with NAME_output_0.pb beside
it, whose inputs count up from 0 to 1. A folder of cases stands for them all.

Each case prints a line: "ok NAME", "FAIL NAME: what differs" or
"unsupported NAME: which operators"; the last line has the three counts. The
exit code is 1 if any case fails.`,
		Example: "  hwprofd verify onnx/backend/test/data/node\n  hwprofd verify my-model --rtol 1e-2",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return usagef("name a folder with a case, or a folder of cases")
			case !(tolerance.relative >= 0) || !(tolerance.absolute >= 0):
				return usagef("--rtol %v and --atol %v have to be 0 or more", tolerance.relative, tolerance.absolute)
			}
			var cases []conformanceCase
			for _, dir := range args {
				found, err := findCases(dir)
				if err != nil {
					return err
				}
				cases = append(cases, found...)
			}
			return verifyCases(cmd.Context(), cmd.OutOrStdout(), cases, tolerance)
		},
	}
	flags := cmd.Flags()
	flags.Float64Var(&tolerance.relative, "rtol", 1e-3, "relative tolerance")
	flags.Float64Var(&tolerance.absolute, "atol", 1e-7, "absolute tolerance")
	return cmd
}

// conformanceCase is a model with what it gives for some inputs.
type conformanceCase struct {
	name, model string
	// sets are folders with input_N.pb and output_N.pb. Without any, output is
	// the file of the one output.
	sets   []string
	output string
}

// findCases returns the cases in a folder, which may be one itself.
func findCases(dir string) ([]conformanceCase, error) {
	cases, err := casesIn(dir)
	if err != nil {
		return nil, err
	}
	if len(cases) > 0 {
		return cases, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		inner, err := casesIn(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		cases = append(cases, inner...)
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("%s: no case here: want model.onnx and test_data_set_0, or folders with these", dir)
	}
	return cases, nil
}

// casesIn returns the cases whose models lie in a folder itself.
func casesIn(dir string) ([]conformanceCase, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := make(map[string]bool, len(entries))
	var sets []string
	for _, e := range entries {
		files[e.Name()] = true
		if e.IsDir() && strings.HasPrefix(e.Name(), "test_data_set_") {
			sets = append(sets, filepath.Join(dir, e.Name()))
		}
	}
	if files["model.onnx"] && len(sets) > 0 {
		return []conformanceCase{{name: filepath.Base(filepath.Clean(dir)), model: filepath.Join(dir, "model.onnx"), sets: sets}}, nil
	}
	var cases []conformanceCase
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".onnx")
		if output := name + "_output_0.pb"; ok && files[output] {
			cases = append(cases, conformanceCase{name: name, model: filepath.Join(dir, e.Name()), output: filepath.Join(dir, output)})
		}
	}
	return cases, nil
}

// errVerify says that cases failed, which the lines before have told.
type errVerify int

func (n errVerify) Error() string { return fmt.Sprintf("%d cases failed", int(n)) }

func verifyCases(ctx context.Context, w io.Writer, cases []conformanceCase, tol tolerance) error {
	var ok, failed, unsupported int
	for _, c := range cases {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := c.verify(tol)
		switch {
		case err == nil:
			ok++
			fmt.Fprintf(w, "ok %s\n", c.name)
		case errors.Is(err, errors.ErrUnsupported):
			unsupported++
			fmt.Fprintf(w, "unsupported %s: %s\n", c.name, oneLine(err))
		default:
			failed++
			fmt.Fprintf(w, "FAIL %s: %s\n", c.name, oneLine(err))
		}
	}
	fmt.Fprintf(w, "%d ok, %d FAIL, %d unsupported\n", ok, failed, unsupported)
	if failed > 0 {
		return errVerify(failed)
	}
	return nil
}

// verify runs the case; a panic is an error too.
func (c conformanceCase) verify(tol tolerance) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v at %s", r, panicPlace(debug.Stack()))
		}
	}()
	if len(c.sets) == 0 {
		return c.verifyCounting(tol)
	}
	names, err := onnx.InputNames(c.model)
	if err != nil {
		return err
	}
	for _, set := range c.sets {
		inputs, err := readTensors(set, "input")
		if err != nil {
			return err
		}
		want, err := readTensors(set, "output")
		if err != nil {
			return err
		}
		if err := c.verifySet(names, inputs, want, tol); err != nil {
			if len(c.sets) > 1 {
				err = fmt.Errorf("%s: %w", filepath.Base(set), err)
			}
			return err
		}
	}
	return nil
}

// panicPlace is the line of this program that panicked.
func panicPlace(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "panic(") })
	for _, l := range lines[max(i, 0):] {
		if l = strings.TrimSpace(l); strings.Contains(l, "/hwprofd/") || strings.Contains(l, ".go:") && !strings.Contains(l, "/runtime/") {
			return filepath.Base(strings.Fields(l)[0])
		}
	}
	return "an unknown place"
}

// readTensors reads kind_0.pb, kind_1.pb and so on.
func readTensors(dir, kind string) ([]*operator.Tensor, error) {
	var list []*operator.Tensor
	for i := 0; ; i++ {
		path := filepath.Join(dir, fmt.Sprintf("%s_%d.pb", kind, i))
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return list, nil
		}
		t, err := onnx.ReadTensor(path)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
}

// verifySet runs the model on inputs. Those that decide a shape are read into
// the model as constants.
func (c conformanceCase) verifySet(names []string, inputs, want []*operator.Tensor, tol tolerance) error {
	if len(inputs) > len(names) {
		return fmt.Errorf("%d inputs for a model of %d", len(inputs), len(names))
	}
	given := make(map[string]*operator.Tensor, len(inputs))
	options := onnx.Options{Shapes: make(map[string][]int), Constants: make(map[string]*operator.Tensor)}
	for i, t := range inputs {
		given[names[i]], options.Shapes[names[i]] = t, t.Shape
	}
	g, err := onnx.ReadWith(c.model, options)
	for range inputs {
		var dependent *onnx.NotConstantError
		if !errors.As(err, &dependent) {
			break
		}
		before := len(options.Constants)
		for _, name := range dependent.Inputs {
			if t := given[name]; t != nil {
				options.Constants[name] = t
			}
		}
		if len(options.Constants) == before {
			break
		}
		g, err = onnx.ReadWith(c.model, options)
	}
	if err != nil {
		return err
	}
	got, err := runGraph(g, given)
	if err != nil {
		return err
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d outputs, want %d", len(got), len(want))
	}
	for i := range want {
		if err := tol.compare(got[i], sameBits(want[i], got[i].DType)); err != nil {
			return fmt.Errorf("output %q: %w", g.Outputs[i].Name, err)
		}
	}
	return nil
}

// verifyCounting runs the model on inputs of i/n for element i of n.
func (c conformanceCase) verifyCounting(tol tolerance) error {
	want, err := onnx.ReadTensor(c.output)
	if err != nil {
		return err
	}
	g, err := onnx.Read(c.model)
	if err != nil {
		return err
	}
	given := make(map[string]*operator.Tensor)
	for _, v := range g.Inputs {
		if v.DType != operator.F32 {
			return fmt.Errorf("input %q is of type %s; only %s can be made up", v.Name, v.DType, operator.F32)
		}
		t := operator.New(v.DType, v.Shape...)
		data := t.Data.([]float32)
		for i := range data {
			data[i] = float32(float64(i) / float64(len(data)))
		}
		given[v.Name] = t
	}
	got, err := runGraph(g, given)
	if err != nil {
		return err
	}
	return tol.compare(got[0], want)
}

// runGraph runs a graph once on tensors by input name.
func runGraph(g *graph.Graph, given map[string]*operator.Tensor) ([]*operator.Tensor, error) {
	plan, err := inference.Compile(g)
	if err != nil {
		return nil, err
	}
	for i, v := range g.Inputs {
		t := given[v.Name]
		if t == nil {
			return nil, fmt.Errorf("input %q is not given", v.Name)
		}
		x := plan.Inputs()[i]
		t = sameBits(t, x.DType)
		if t.DType != x.DType || !slices.Equal(t.Shape, x.Shape) {
			return nil, fmt.Errorf("input %q is %s %v, want %s %v", v.Name, t.DType, t.Shape, x.DType, x.Shape)
		}
		reflect.Copy(reflect.ValueOf(x.Data), reflect.ValueOf(t.Data))
	}
	if err := plan.Run(); err != nil {
		return nil, err
	}
	return plan.Outputs(), nil
}

// sameBits is a tensor of 16-bit numbers as brain floats where these are
// wanted: ONNX's older cases store them so.
func sameBits(t *operator.Tensor, want operator.DType) *operator.Tensor {
	if t.DType == operator.U16 && want == operator.BF16 {
		return &operator.Tensor{DType: want, Shape: t.Shape, Data: t.Data}
	}
	return t
}
