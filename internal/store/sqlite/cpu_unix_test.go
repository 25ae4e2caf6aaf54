//go:build unix

package sqlite_test

import (
	"syscall"
	"time"
)

// cpu is the time that the process has spent on all cores: unlike the wall's it
// does not depend on who else uses the machine.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
