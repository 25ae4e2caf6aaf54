package dynamo

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/storetest"
)

func generator(t *testing.T) storetest.Generator {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return storetest.Generator{Rand: rand.New(rand.NewPCG(seed, 2)), Start: time.Unix(1_800_000_000, 0).UTC()}
}

// Where the condition of a write holds, jobs.Transition changes the record, and
// the write leaves what encoding the changed record gives: all attributes, those
// of the indexes too. How often it does not hold, though there is a change to
// make, is what second calls cost.
func TestMirrorOfTransition(t *testing.T) {
	t.Parallel()
	g := generator(t)
	key := jobs.Key{Song: jobs.Song{Platform: jobs.PlatformYouTube, ID: "dQw4w9WgXcQ"}, Profile: jobs.DefaultProfile}
	first, second := map[jobs.JobCommandKind]int{}, map[jobs.JobCommandKind]int{}
	var j jobs.Job
	stored, longest := item{}, 0
	for range 40_000 {
		c := g.Job(key, j)
		if c.Kind == jobs.JobDiscard && g.IntN(50) > 0 {
			continue // let a history get full
		}
		want, changed, refusal := jobs.Transition(j, c)
		u := jobUpdate(c, "r")
		var after item
		holds := false
		if u != nil {
			after, holds = u.apply(t, stored)
		}
		switch {
		case holds && (refusal != nil || !changed):
			t.Fatalf("%+v on %+v is written, and should be refused: %v", c, j, refusal)
		case holds:
			got, err := decodeJob(after)
			if err != nil {
				t.Fatal(err)
			}
			next := encodeJob(want, "r")
			if want.State != jobs.JobRunning {
				delete(after, attrMargin) // nobody reads it
			}
			if !reflect.DeepEqual(after, next) {
				t.Fatalf("%s: %s\n%+v\nwant\n%+v\nfrom %+v\nby %+v", c.Kind, different(after, next), got, want, j, c)
			}
			first[c.Kind]++
		case changed && refusal == nil:
			second[c.Kind]++
			after = item{}
			if want.Generation > 0 {
				after = encodeJob(want, "r")
			}
		default:
			continue
		}
		j, stored = want, after
		longest = max(longest, len(j.History))
	}
	if longest < jobs.HistoryLimit {
		t.Errorf("no more than %d failures were remembered", longest)
	}
	t.Logf("covered by the first write: %v\nby the second: %v", first, second)
	for _, kind := range []jobs.JobCommandKind{
		jobs.JobRing, jobs.JobClaim, jobs.JobCommit, jobs.JobFail, jobs.JobCancel, jobs.JobReplay, jobs.JobReopened, jobs.JobClose,
	} {
		if 3*first[kind] < second[kind] { // the random history of failures is full more often than a real one
			t.Errorf("%s: the first write covers %d of %d", kind, first[kind], first[kind]+second[kind])
		}
	}
	if first[jobs.JobRenew] == 0 { // these random workers begin a new stage all the time
		t.Error("no renewal was covered by the first write")
	}
}

func TestMirrorOfTransitionOperation(t *testing.T) {
	t.Parallel()
	g := generator(t)
	key := jobs.Key{Song: jobs.Song{Platform: jobs.PlatformDemo, ID: "dQw4w9WgXcQ"}, Profile: "low"}
	written := time.Unix(1_900_000_000, 5)
	first := map[jobs.OperationCommandKind]int{}
	var o jobs.Operation
	stored := item{}
	id := jobs.NewOperationID(key.Song, [8]byte{})
	for n := range 40_000 {
		if o.Ended() && g.IntN(20) == 0 {
			o, stored, id = jobs.Operation{}, item{}, jobs.NewOperationID(key.Song, [8]byte{4: byte(n >> 16), 5: byte(n >> 8), 6: byte(n)})
		}
		c := g.Operation(id, key, o)
		want, changed, refusal := jobs.TransitionOperation(o, c)
		u := operationUpdate(c, "r", func() time.Time { return written })
		var after item
		holds := false
		if u != nil {
			if u.fresh != nil {
				u.fresh(u)
				u.fresh(u) // as a second try does
			}
			after, holds = u.apply(t, stored)
		}
		order := ""
		if want.Ended() {
			order = endOrder(id, written)
		}
		next := encodeOperation(want, "r", order)
		switch {
		case holds && (refusal != nil || !changed):
			t.Fatalf("%+v on %+v is written, and should be refused: %v", c, o, refusal)
		case holds && !reflect.DeepEqual(after, next):
			t.Fatalf("%s: %s\nfrom %+v\nby %+v", c.Kind, different(after, next), o, c)
		case holds:
			first[c.Kind]++
		case changed && refusal == nil && c.Kind != jobs.OperationPut:
			t.Fatalf("%+v on %+v takes a second write", c, o)
		case !changed || refusal != nil:
			continue
		}
		o, stored = want, next
	}
	t.Logf("%v", first)
	for _, kind := range []jobs.OperationCommandKind{jobs.OperationFinish, jobs.OperationAnnounced, jobs.OperationDefer, jobs.OperationReopen} {
		if first[kind] == 0 {
			t.Errorf("no %s was written", kind)
		}
	}
}

func different(got, want item) (names []string) {
	for name := range want {
		if !reflect.DeepEqual(got[name], want[name]) {
			names = append(names, name)
		}
	}
	for name := range got {
		if want[name] == nil {
			names = append(names, "+"+name)
		}
	}
	return names
}
