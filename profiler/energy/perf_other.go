//go:build !linux

package energy

import "errors"

func perfOpen(uint32, uint64, int) (perfEvent, error) { return nil, errors.ErrUnsupported }
