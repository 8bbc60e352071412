//go:build !linux

package profiler

import "errors"

type cores struct{}

func allowedCores() cores { return cores{} }

func (c cores) last() cores { return c }

func (cores) holdProcess(int) error { return errors.ErrUnsupported }
