//go:build !linux

package main

import "errors"

func useFirstCPU() error { return errors.ErrUnsupported }
