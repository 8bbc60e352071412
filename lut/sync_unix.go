//go:build unix

package lut

import "os"

// syncDir waits until the directory's entries are on disk, those of new files too.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
