//go:build linux || darwin

package main

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/ebitengine/purego"
)

// session is a model with inputs, ready to run.
type session struct {
	api     *api
	session uintptr
	keep    [][]byte  // names and data that the library has addresses of
	inNames []uintptr // char *
	in      []uintptr // OrtValue *
	names   []string  // of the outputs
	outName []uintptr
	out     []uintptr // OrtValue *, 0 before a run
}

// written is what a session writes beside its outputs; nothing where empty.
type written struct {
	profile string // prefix of the path of a profile
	model   string // path of the model as it is run
}

// newSession loads a model.
func (a *api) newSession(model string, o options, inputs []tensor, w written) (s *session, err error) {
	s = &session{api: a}
	defer func() {
		if err != nil {
			s.close()
			s = nil
		}
	}()
	var opts uintptr
	if err := a.call(createSessionOptions, out(&opts)); err != nil {
		return s, err
	}
	defer a.release(releaseSessionOptions, opts)
	if err := a.configure(opts, o, w); err != nil {
		return s, err
	}
	if err := a.call(createSession, a.env, s.text(model), opts, out(&s.session)); err != nil {
		return s, err
	}
	return s, s.bind(inputs)
}

func (a *api) configure(opts uintptr, o options, w written) error {
	s := &session{} // keeps strings until the end
	steps := []error{
		a.call(setIntraOpNumThreads, opts, uintptr(o.threads)),
		a.call(setInterOpNumThreads, opts, 1),
		a.call(setSessionGraphOptimizationLevel, opts, optimizationLevels[o.optimization]),
	}
	for _, p := range o.config {
		steps = append(steps, a.call(addSessionConfigEntry, opts, s.text(p[0]), s.text(p[1])))
	}
	if w.profile != "" {
		steps = append(steps, a.call(enableProfiling, opts, s.text(w.profile)))
	}
	if w.model != "" {
		steps = append(steps, a.call(setOptimizedModelFilePath, opts, s.text(w.model)))
	}
	if o.provider != "cpu" {
		keys, values := []uintptr{0}, []uintptr{0}
		for i, p := range o.providerOptions {
			keys, values = slices.Insert(keys, i, s.text(p[0])), slices.Insert(values, i, s.text(p[1]))
		}
		steps = append(steps, a.call(sessionOptionsAppendExecutionProvider, opts, s.text(o.provider),
			list(keys), list(values), uintptr(len(o.providerOptions))))
	}
	for _, err := range steps {
		if err != nil {
			return err
		}
	}
	return nil
}

// text is the address of s, as C has it.
func (s *session) text(text string) uintptr {
	b := cString(text)
	s.keep = append(s.keep, b)
	return address(b)
}

// bind makes the inputs, and readies a place for the outputs.
func (s *session) bind(inputs []tensor) error {
	var n uintptr
	if err := s.api.call(sessionGetInputCount, s.session, out(&n)); err != nil {
		return err
	}
	for i := range n {
		name, err := s.api.text(sessionGetInputName, s.session, i)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(inputs, func(t tensor) bool { return t.name == name })
		if at < 0 {
			return fmt.Errorf("the model's input %q is not given", name)
		}
		t := inputs[at]
		var value uintptr
		shape := append(slices.Clone(t.shape), 0)
		s.keep = append(s.keep, t.data)
		if err := s.api.call(createTensorWithDataAsOrtValue, s.api.memory, address(t.data), uintptr(len(t.data)),
			fixed(unsafe.Pointer(&shape[0])), uintptr(len(t.shape)), uintptr(t.kind), out(&value)); err != nil {
			return fmt.Errorf("input %q: %w", name, err)
		}
		s.in, s.inNames = append(s.in, value), append(s.inNames, s.text(name))
	}
	if err := s.api.call(sessionGetOutputCount, s.session, out(&n)); err != nil {
		return err
	}
	for i := range n {
		name, err := s.api.text(sessionGetOutputName, s.session, i)
		if err != nil {
			return err
		}
		s.names, s.outName, s.out = append(s.names, name), append(s.outName, s.text(name)), append(s.out, 0)
	}
	return nil
}

// run runs the model n times; each time the library allocates the outputs, as
// it does for most users.
func (s *session) run(n int) error {
	a := s.api
	for range n {
		if err := s.once(); err != nil {
			return err
		}
		for i := range s.out {
			purego.SyscallN(a.functions[releaseValue], s.out[i])
			s.out[i] = 0
		}
	}
	return nil
}

// once runs the model and leaves its outputs in s.out.
func (s *session) once() error {
	return s.api.call(runSession, s.session, 0, list(s.inNames), list(s.in), uintptr(len(s.in)),
		list(s.outName), uintptr(len(s.out)), list(s.out))
}

// outputs runs the model and returns copies of what it computes.
func (s *session) outputs() ([]tensor, error) {
	if err := s.once(); err != nil {
		return nil, err
	}
	var tensors []tensor
	var failed error
	for i, value := range s.out {
		t, err := s.api.tensor(value)
		t.name = s.names[i]
		if err != nil && failed == nil {
			failed = fmt.Errorf("output %q: %w", t.name, err)
		}
		tensors = append(tensors, t)
		s.api.release(releaseValue, value)
		s.out[i] = 0
	}
	return tensors, failed
}

// tensor copies a value.
func (a *api) tensor(value uintptr) (t tensor, err error) {
	var info, kind, rank, data uintptr
	if err := a.call(getTensorTypeAndShape, value, out(&info)); err != nil {
		return t, err
	}
	defer a.release(releaseTensorTypeAndShapeInfo, info)
	if err := a.call(getTensorElementType, info, out(&kind)); err != nil {
		return t, err
	}
	if err := a.call(getDimensionsCount, info, out(&rank)); err != nil {
		return t, err
	}
	t.kind, t.shape = int(int32(kind)), make([]int64, rank)
	shape := append(t.shape, 0)
	if err := a.call(getDimensions, info, fixed(unsafe.Pointer(&shape[0])), rank); err != nil {
		return t, err
	}
	t.shape = shape[:rank]
	if err := a.call(getTensorMutableData, value, out(&data)); err != nil {
		return t, err
	}
	size, err := t.bytes()
	if err == nil {
		t.data = slices.Clone(unsafe.Slice((*byte)(pointer(data)), size))
	}
	return t, err
}

func (s *session) close() {
	for _, value := range s.in {
		s.api.release(releaseValue, value)
	}
	if s.session != 0 {
		s.api.release(releaseSession, s.session)
	}
	s.in, s.session = nil, 0
}
