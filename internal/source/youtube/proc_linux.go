package youtube

import "syscall"

// dieWithParent makes the kernel end the process when this one is killed.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
