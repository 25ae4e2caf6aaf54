//go:build !linux

package servers

import "syscall"

// attributes can not bind a server to its starter here: a killed test leaves its
// servers behind.
func attributes(detached bool) *syscall.SysProcAttr {
	if detached {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true}
}
