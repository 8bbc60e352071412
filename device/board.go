package device

import "strings"

// collectBoard reads the product's name from the device tree or from DMI.
func collectBoard(t tree, info *Info) {
	if model, ok := t.text("proc/device-tree/model"); ok {
		info.Board = model
		return
	}
	vendor, _ := t.text("sys/class/dmi/id/sys_vendor")
	product, ok := t.text("sys/class/dmi/id/product_name")
	if !ok {
		info.unseen("board: neither a device tree nor DMI")
		return
	}
	if !strings.HasPrefix(product, vendor) {
		product = vendor + " " + product
	}
	info.Board = product
}
