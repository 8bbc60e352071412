package transfer

import "strings"

// family is a device's name without its last part: 1080ti_1 and 1080ti_256, two
// batch sizes of a GPU, are of family 1080ti.
func family(device string) string {
	if i := strings.LastIndexByte(device, '_'); i > 0 {
		return device[:i]
	}
	return device
}
