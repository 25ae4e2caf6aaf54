package fleet

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// killsEach is how many kills a storm has at least, where three times its time is
// enough for them.
const killsEach = 50

func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// smallDisk mounts a file system of 16 MiB for local files; "" where that is not
// allowed.
func smallDisk(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=16m"); err != nil {
		t.Logf("NOT RUN: full disks, as none can be mounted: %v", err)
		return ""
	}
	t.Cleanup(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) })
	return folder
}

// TestChaos is the storm over every mix: workers are killed at random and at every
// named point of the protocol, stopped past their leases and replaced; engines are
// restarted, cut off and slow, their answers lost, doubled and wrong; disks are full;
// all the while clients ask for songs. CHAOS_SECONDS is how long it lasts on all mixes
// (35 s each), CHAOS_SEED repeats its plan.
func TestChaos(t *testing.T) {
	lasts := 35 * time.Second
	if n := number(t, "CHAOS_SECONDS", 0); n > 0 {
		lasts = time.Duration(n) * time.Second / time.Duration(len(mixes))
	}
	if testing.Short() {
		lasts = 8 * time.Second
	}
	const songs = 300
	media := catalogue(t, songs)
	seed := number(t, "CHAOS_SEED", rand.Uint64())
	t.Logf("CHAOS_SEED=%d", seed)
	var kills, accepted, ended, lost, copies int
	points, run := map[string]int{}, 0
	var sum sync.Mutex // of what follows the storms, two of which rage at a time
	storms := func(t *testing.T, i int, row mix) {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := &storm{t: t, chance: rand.New(rand.NewPCG(seed, uint64(i))), counts: map[string]int{}, points: map[string]int{}, next: i * 5, nextAPI: i * 2, over: make(chan struct{})}
			row, s.wires = row.wired(t)
			w := filepath.Join(t.TempDir(), "witness")
			env := []string{"BUTAKERO_MEDIA_DIR=" + media, "BUTAKERO_DEMO_RATE_BYTES=12000", "FAILPOINT_LEDGER=" + w}
			if row.blob == "local" {
				if s.disk = smallDisk(t); s.disk != "" {
					env = append(env, "LOCAL_STORAGE_PATH="+s.disk)
				}
			}
			s.m = row.on(t, env...)
			first := start(t, "api", s.m.env)
			s.second = start(t, "api", s.m.env)
			for range 3 {
				s.workers = append(s.workers, start(t, "worker", s.m.env))
			}
			n, l := s.m.listen(t), newLedger(t)
			var clients sync.WaitGroup
			begun, calm := time.Now(), make(chan struct{})
			for c := range 2 {
				clients.Go(func() {
					for k := c; ; k += 2 {
						select {
						case <-calm:
							return
						default:
						}
						api := first
						s.mu.Lock()
						if c == 1 && s.second != nil {
							api = s.second
						}
						s.mu.Unlock()
						song := songName(k % songs)
						if id, _, err := api.submit(t.Context(), song); err == nil && id != "" {
							l.accept(t, id, song)
						}
						pause(200 * time.Millisecond)
					}
				})
			}
			// On a slow machine it lasts longer, for fifty kills.
			for time.Since(begun) < lasts || s.counted("kills") < killsEach && time.Since(begun) < 3*lasts && !testing.Short() {
				s.one()
				pause(time.Duration(50+s.chance.IntN(150)) * time.Millisecond)
			}
			close(calm)
			clients.Wait()
			s.heal()
			// Three workers killed in a row over the same song are taken for its fault.
			out := l.check(t, first, n, 4*time.Minute, "crash_loop")
			seen := witnesses(t, w)
			for _, wrong := range seen.wrong {
				t.Error(wrong)
			}
			sum.Lock()
			defer sum.Unlock()
			run++
			kills += s.counts["kills"]
			accepted, ended, lost, copies = accepted+out.accepted, ended+out.ended, lost+out.lost, copies+out.copies
			for point, n := range s.points {
				points[point] += n
			}
			t.Logf("| %s | %s | %d accepted | %d ended | %d in a crash loop | %d lost | %d copies of events | %d downloads for %d commits | %s after the heal, the last in attempt %d |",
				row.name, s.faults(), out.accepted, out.ended, out.failed, out.lost, out.copies, seen.downloads, seen.commits, out.slowest.Round(100*time.Millisecond), out.last.Job.Attempt)
		})
	}
	t.Run("on", func(t *testing.T) {
		for i, row := range mixes {
			storms(t, i, row)
		}
	})
	var died []string
	for _, point := range slices.Sorted(maps.Keys(points)) {
		died = append(died, fmt.Sprintf("%s %d", point, points[point]))
	}
	t.Logf("died at named points: %s", strings.Join(died, ", "))
	// Which points are met is a matter of chance and time; most of them are.
	if all := 2 * (len(workerPoints) + len(apiPoints) - 1); run == len(mixes) && !testing.Short() && len(points) < all*3/4 {
		t.Errorf("only %d of %d named points were met", len(points), all)
	}
	fmt.Printf("chaos: %d mixes, %d kills, %d accepted, %d ended, %d lost, %d duplicates\n", run, kills, accepted, ended, lost, copies)
}
