package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// processCPU is the CPU time that this process has used.
func processCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// RSS is the resident memory of a process in KiB, of which so much is its own
// and not the page cache's copy of its program (Linux).
func RSS(pid int) (resident, own int, err error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, 0, err
	}
	for line := range bytes.Lines(raw) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		var kib int
		if _, err := fmt.Sscanf(string(bytes.TrimSpace(rest)), "%d kB", &kib); err != nil {
			continue
		}
		switch string(name) {
		case "VmRSS":
			resident = kib
		case "RssAnon":
			own = kib
		}
	}
	if resident == 0 {
		return 0, 0, fmt.Errorf("no VmRSS of process %d", pid)
	}
	return resident, own, nil
}
