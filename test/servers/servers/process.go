package servers

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func tryLock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// spawner starts processes on one thread that lives as long as this process does:
// the kernel ends a bound child when the thread that made it ends, and the Go
// runtime ends threads as it likes.
var spawner = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// Spawn starts a command that ends when this process does, however it ends.
func Spawn(cmd *exec.Cmd) error {
	cmd.SysProcAttr = attributes(false)
	return spawn(cmd)
}

func spawn(cmd *exec.Cmd) error {
	result := make(chan error)
	spawner() <- func() { result <- cmd.Start() }
	return <-result
}

// process is one run of a server.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // of Wait; valid after ended
}

func launch(cmd *exec.Cmd, detached bool) (*process, error) {
	cmd.SysProcAttr = attributes(detached)
	if err := spawn(cmd); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// end asks a process to go, and kills it when it has not gone in time.
func (p *process) end(patience time.Duration) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may be over
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // and can not hear while it is paused
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-p.ended:
	case <-late.C:
		p.kill()
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be over
	<-p.ended
}

// born tells when a process was started, in the kernel's ticks: with the pid it names
// a process for good. It is empty when there is no such process, or it is a zombie.
func born(pid int) string {
	fields := stat(pid)
	if len(fields) < 20 || string(fields[0]) == "Z" {
		return ""
	}
	return string(fields[19])
}

// stat is what /proc says of a process from its state on: the fields behind the
// name, which may hold blanks.
func stat(pid int) [][]byte {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return nil
	}
	return bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
}

// ports takes n free ports of 127.0.0.1 for as long as release is not called. They
// lie below those that the system gives to clients, so that a server finds its port
// free when it starts again; a lock keeps other processes' tests off.
func ports(n int) (taken []int, release func(), err error) {
	root, err := cacheFolder()
	if err != nil {
		return nil, nil, err
	}
	root = filepath.Join(root, "ports")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, nil, err
	}
	var locks []*os.File
	release = func() {
		for _, l := range locks {
			_ = l.Close()
		}
	}
	for range 1000 {
		if len(taken) == n {
			return taken, release, nil
		}
		port := 20000 + rand.IntN(10000)
		file, err := os.OpenFile(filepath.Join(root, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			release()
			return nil, nil, err
		}
		if tryLock(file) && free(port) {
			taken, locks = append(taken, port), append(locks, file)
		} else {
			_ = file.Close()
		}
	}
	release()
	return nil, nil, fmt.Errorf("found no %d free ports", n)
}

func free(port int) bool {
	l, err := net.Listen("tcp", local(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
