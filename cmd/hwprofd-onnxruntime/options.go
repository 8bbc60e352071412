//go:build linux || darwin

package main

// options of a session that change its speed.
type options struct {
	threads         int
	optimization    string
	provider        string
	providerOptions pairs
	config          pairs
}

// optimizationLevels are the values of GraphOptimizationLevel.
var optimizationLevels = map[string]uintptr{"disabled": 0, "basic": 1, "extended": 2, "all": 99}

// named are the options as a table's metadata has them.
func (o options) named() map[string]string {
	m := map[string]string{"optimization": o.optimization, "provider": o.provider}
	for _, p := range o.providerOptions {
		m["provider."+p[0]] = p[1]
	}
	for _, p := range o.config {
		m[p[0]] = p[1]
	}
	return m
}
