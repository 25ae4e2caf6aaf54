//go:build unix && !linux

package youtube

import "syscall"

func dieWithParent(*syscall.SysProcAttr) {}
