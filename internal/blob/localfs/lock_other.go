//go:build !unix

package localfs

import "os"

// tryLock always succeeds: on these systems a folder must not be shared by
// processes.
func tryLock(*os.File) (bool, error) { return true, nil }

// syncFolder does nothing: folders can not be synced on these systems.
func syncFolder(*os.File) error { return nil }
