package proc

import (
	"os/exec"
	"syscall"
)

// bind has the kernel end the process when the test process is gone, however it went.
func bind(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
