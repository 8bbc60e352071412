//go:build linux || darwin

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// apiVersion is the version of the C API that is asked for: that of ONNX
// Runtime 1.16. A library has its own and all older ones, as it only ever adds
// functions to the end of the table.
const apiVersion = 16

// Places of functions in the table OrtApi of onnxruntime_c_api.h, which is the
// documentation of them all.
const (
	getErrorMessage                       = 2
	createEnv                             = 3
	createSession                         = 7
	runSession                            = 9
	createSessionOptions                  = 10
	setOptimizedModelFilePath             = 11
	enableProfiling                       = 14
	setSessionGraphOptimizationLevel      = 23
	setIntraOpNumThreads                  = 24
	setInterOpNumThreads                  = 25
	sessionGetInputCount                  = 30
	sessionGetOutputCount                 = 31
	sessionGetInputName                   = 36
	sessionGetOutputName                  = 37
	createTensorWithDataAsOrtValue        = 49
	getTensorMutableData                  = 51
	getTensorElementType                  = 60
	getDimensionsCount                    = 61
	getDimensions                         = 62
	getTensorTypeAndShape                 = 65
	createCPUMemoryInfo                   = 69
	allocatorFree                         = 76
	getAllocatorWithDefaultOptions        = 78
	releaseStatus                         = 93
	releaseSession                        = 95
	releaseValue                          = 96
	releaseTensorTypeAndShapeInfo         = 99
	releaseSessionOptions                 = 100
	sessionEndProfiling                   = 110
	addSessionConfigEntry                 = 130
	sessionOptionsAppendExecutionProvider = 216
	apiFunctions                          = 217 // that are read of the table
)

// api is the library: its table of functions, and what all sessions share.
type api struct {
	functions []uintptr
	version   string
	env       uintptr
	memory    uintptr // OrtMemoryInfo of the CPU
	allocator uintptr
}

// loadAPI loads the library in path, or where that is empty the first that is
// found.
func loadAPI(path string) (*api, error) {
	names := []string{path}
	if path == "" {
		names = []string{"libonnxruntime.so.1", "libonnxruntime.so"}
		if runtime.GOOS == "darwin" {
			names = []string{"libonnxruntime.dylib"}
		}
		if self, err := os.Executable(); err == nil {
			for _, name := range names {
				names = append([]string{filepath.Join(filepath.Dir(self), name)}, names...)
			}
		}
		for _, pattern := range usualPlaces() {
			found, _ := filepath.Glob(pattern) // the patterns are well formed
			names = append(names, found...)
		}
	}
	var (
		library uintptr
		err     error
	)
	for _, name := range names {
		if library, err = purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL); err == nil {
			break
		}
	}
	if err != nil && path == "" {
		return nil, fmt.Errorf("no library of ONNX Runtime in its usual places: name one with --lib PATH (%w)", err)
	}
	if err != nil {
		return nil, fmt.Errorf("no library of ONNX Runtime: --lib %s: %w", path, err)
	}
	base, err := purego.Dlsym(library, "OrtGetApiBase")
	if err != nil {
		return nil, fmt.Errorf("%s is no library of ONNX Runtime: %w", path, err)
	}
	r, _, _ := purego.SyscallN(base)
	functions := unsafe.Slice((*uintptr)(pointer(r)), 2) // OrtApiBase: GetApi, GetVersionString
	table, _, _ := purego.SyscallN(functions[0], apiVersion)
	version, _, _ := purego.SyscallN(functions[1])
	a := &api{version: goString(version)}
	if table == 0 {
		return nil, fmt.Errorf("ONNX Runtime %s is older than 1.%d", a.version, apiVersion)
	}
	a.functions = unsafe.Slice((*uintptr)(pointer(table)), apiFunctions)
	const warnings = 2 // ORT_LOGGING_LEVEL_WARNING
	name := cString("hwprofd")
	if err := a.call(createEnv, warnings, address(name), out(&a.env)); err != nil {
		return nil, err
	}
	if err := a.call(createCPUMemoryInfo, 1 /* OrtArenaAllocator */, 0 /* OrtMemTypeDefault */, out(&a.memory)); err != nil {
		return nil, err
	}
	return a, a.call(getAllocatorWithDefaultOptions, out(&a.allocator))
}

// usualPlaces are patterns of where installations of ONNX Runtime's archive and
// of Python's package put the library.
func usualPlaces() []string {
	places := []string{
		"/opt/onnxruntime*/lib/libonnxruntime.so.[0-9]*",
		"/usr/local/lib/libonnxruntime.so.[0-9]*",
		"/usr/local/lib/python3*/*-packages/onnxruntime/capi/libonnxruntime.so.[0-9]*",
		"/usr/lib/python3*/*-packages/onnxruntime/capi/libonnxruntime.so.[0-9]*",
	}
	if home, err := os.UserHomeDir(); err == nil {
		places = append(places, home+"/.local/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so.[0-9]*")
	}
	if runtime.GOOS == "darwin" {
		places = []string{"/opt/homebrew/lib/libonnxruntime.dylib", "/usr/local/lib/libonnxruntime.dylib"}
	}
	return places
}

// call calls a function that returns a status.
func (a *api) call(function int, args ...uintptr) error {
	status, _, _ := purego.SyscallN(a.functions[function], args...)
	if status == 0 {
		return nil
	}
	message, _, _ := purego.SyscallN(a.functions[getErrorMessage], status)
	err := errors.New("ONNX Runtime: " + goString(message))
	a.release(releaseStatus, status)
	return err
}

// release calls a function that returns nothing.
func (a *api) release(function int, object uintptr) {
	purego.SyscallN(a.functions[function], object)
}

// text is a string that a function gives, to be freed.
func (a *api) text(function int, args ...uintptr) (string, error) {
	var s uintptr
	if err := a.call(function, append(args, a.allocator, out(&s))...); err != nil {
		return "", err
	}
	text := goString(s)
	return text, a.call(allocatorFree, a.allocator, s)
}

// pointer is an address of C's memory.
func pointer(address uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&address)) }

// latest makes what fixed is given escape to the heap.
var latest unsafe.Pointer

// fixed is the address of what p points to, which is on the heap, where it
// stays: a stack may move when it grows. It is kept from being collected by
// its holder, or by no collection taking place before the call is over.
func fixed(p unsafe.Pointer) uintptr {
	latest = p
	return uintptr(p)
}

// address is that of b's first byte.
func address(b []byte) uintptr { return fixed(unsafe.Pointer(unsafe.SliceData(b))) }

// list is the address of addresses, none where there are none.
func list(p []uintptr) uintptr { return fixed(unsafe.Pointer(unsafe.SliceData(p))) }

// out is the address that a function writes its result to.
func out(p *uintptr) uintptr { return fixed(unsafe.Pointer(p)) }

func cString(s string) []byte { return append([]byte(s), 0) }

func goString(p uintptr) string {
	if p == 0 {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(pointer(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(pointer(p)), n))
}
