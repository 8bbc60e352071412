// Package space holds the search spaces, one file each. A space turns a
// vector of choices into a network (nas.Space.Lower) and says nothing about
// how networks are trained, costed or searched.
package space

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hwprofd/hwprofd/nas"
)

// constructors makes each space for images of the given number of channels
// and classes.
var constructors = map[string]func(channels, classes int) (nas.Space, error){
	"mobile28": func(channels, classes int) (nas.Space, error) { return NewMobile28(channels, classes) },
}

// Names lists the spaces that ByName knows, sorted.
func Names() []string { return slices.Sorted(maps.Keys(constructors)) }

// ByName makes the named space for images of the given number of channels and
// classes.
func ByName(name string, channels, classes int) (nas.Space, error) {
	construct, ok := constructors[name]
	if !ok {
		return nil, fmt.Errorf("space: no space is called %q; there is: %s", name, strings.Join(Names(), ", "))
	}
	return construct(channels, classes)
}
