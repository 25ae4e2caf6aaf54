package servers

import "syscall"

// attributes puts a server in a process group of its own, so that Ctrl-C reaches the
// tests and not the server under them. Bound, it ends with the thread that starts
// it; detached, it outlives the process and its terminal.
func attributes(detached bool) *syscall.SysProcAttr {
	if detached {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
