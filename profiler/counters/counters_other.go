//go:build !linux

package counters

import "errors"

var known []event

func openEvent(event) (counting, error) { return nil, errors.ErrUnsupported }
