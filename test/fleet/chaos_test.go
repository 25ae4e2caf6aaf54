package fleet

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/test/servers/servers"
)

// killsEach is how many kills a storm has at least, where three times its time is
// enough for them.
const killsEach = 50

// TestChaos is the storm over every mix: workers are killed at random, stopped past
// their leases and replaced, brokers and stores restarted, while clients ask for
// songs. CHAOS_SECONDS is how long it lasts on each (35).
func TestChaos(t *testing.T) {
	lasts := 35 * time.Second
	if text := os.Getenv("CHAOS_SECONDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		lasts = time.Duration(n) * time.Second / time.Duration(len(mixes))
	}
	if testing.Short() {
		lasts = 8 * time.Second
	}
	const songs = 400
	media := catalogue(t, songs)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var kills, accepted, ended, lost, copies int
	for i, row := range mixes {
		t.Run(row.name, func(t *testing.T) {
			s := &storm{t: t, chance: rand.New(rand.NewPCG(seed, uint64(i))), counts: map[string]int{}}
			if row.queue == "kafka" && row.store == "mongodb" {
				s.broker, s.store = servers.NewKafka(t), servers.NewMongo(t)
				row.kafka, row.mongo = []string{s.broker.Address}, s.store.Address
			}
			s.m = row.on(t, "BUTAKERO_MEDIA_DIR="+media, "BUTAKERO_DEMO_RATE_BYTES=60000")
			apis := []*process{start(t, "api", s.m.env), start(t, "api", s.m.env)}
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
						song := songName(k % songs)
						if id, _, err := apis[k%2].submit(t.Context(), song); err == nil && id != "" {
							l.accept(t, id, song)
						}
						pause(60 * time.Millisecond)
					}
				})
			}
			// On a slow machine it lasts longer, for fifty kills.
			for time.Since(begun) < lasts || s.counted("kills") < killsEach && time.Since(begun) < 3*lasts && !testing.Short() {
				s.one()
				pause(time.Duration(100+s.chance.IntN(250)) * time.Millisecond)
			}
			close(calm)
			clients.Wait()
			s.open.Wait()
			// Three workers killed in a row over the same song are taken for its fault.
			out := l.check(t, apis[0], n, 3*time.Minute, "crash_loop")
			kills += s.counts["kills"]
			accepted, ended, lost, copies = accepted+out.accepted, ended+out.ended, lost+out.lost, copies+out.copies
			var faults []string
			for _, what := range []string{"kills", "stopped past the lease", "replaced gracefully", "broker restarts", "store restarts"} {
				if s.counts[what] > 0 {
					faults = append(faults, fmt.Sprintf("%d %s", s.counts[what], what))
				}
			}
			t.Logf("| %s | %s | %d accepted | %d ended | %d in a crash loop | %d lost | %d copies of events | %s after the heal |",
				row.name, strings.Join(faults, ", "), out.accepted, out.ended, out.failed, out.lost, out.copies, out.slowest.Round(100*time.Millisecond))
		})
	}
	fmt.Printf("chaos: %d mixes, %d kills, %d accepted, %d ended, %d lost, %d duplicates\n", len(mixes), kills, accepted, ended, lost, copies)
}
