package pipeline

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// bind puts the process in a group of its own, which dies as a whole when it is
// cancelled, and makes the kernel end it when this process dies.
func bind(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}

// stdinPath is a path that stands for standard input and can be opened anew.
const stdinPath = "/proc/self/fd/0"
