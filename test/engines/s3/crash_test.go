package s3

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/blob/awss3"
	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// dying is a process that dies at its n-th request: that one is still done, or
// not, and none after it. To the server there is no difference.
type dying struct {
	faults
	at   int
	done bool // the last request is done

	mu   sync.Mutex
	made int
	last string // the request at which it died
}

func newDying(at int, done bool) *dying {
	d := &dying{at: at, done: done}
	d.do = func(operation string, _ int, _ *http.Request) what {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.made++
		switch {
		case d.made < d.at:
			return pass
		case d.made == d.at:
			d.last = operation
			if d.done {
				return lose
			}
		}
		return drop
	}
	return d
}

func (d *dying) died() (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last, d.last != ""
}

// TestCrash lets the process die at every request of an upload in turn. What is
// there afterwards is the old file or the new one, whole and described, or none;
// the next attempt gets its file; and a sweep leaves no trace of the dead one.
func TestCrash(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"small": 1000, "large": 8*mib + 1} {
		for _, replace := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s replace=%v", name, replace), func(t *testing.T) {
				deaths := map[string]bool{}
				for at := 1; crash(t, size, replace, at, deaths); at++ {
				}
				t.Logf("died at %d different requests: %v", len(deaths), deaths)
				want := 1
				if size > 8*mib {
					want = 4 // begin, part, record, complete
				}
				if len(deaths) < want {
					t.Errorf("died at %v only", deaths)
				}
			})
		}
	}
}

// crash is one life and what comes after; false if the process no longer died.
func crash(t *testing.T, size int, replace bool, at int, deaths map[string]bool) bool {
	t.Helper()
	died := false
	for _, done := range []bool{false, true} {
		s := open(t, nil)
		old, fresh := content(1, size+100), content(2, size)
		if replace {
			if err := put(t.Context(), s, aKey, old, false); err != nil {
				t.Fatal(err)
			}
		}
		d := newDying(at, done)
		mortal, err := awss3.Open(t.Context(), config(t, &alive{d: d}), awss3.Options{Bucket: run(t), Prefix: s.prefix})
		if err != nil {
			t.Fatal(err)
		}
		_ = put(t.Context(), mortal, aKey, fresh, replace)
		last, dead := d.died()
		if dead {
			died = true
			deaths[last] = true
		}
		where := fmt.Sprintf("died at request %d (%s), done %v", at, last, done)
		switch info, err := s.Stat(t.Context(), aKey); {
		case err == nil && info.Meta == describe(fresh):
			wantFile(t, s, aKey, fresh)
		case err == nil && replace && info.Meta == describe(old):
			wantFile(t, s, aKey, old)
		case errors.Is(err, jobs.ErrNotFound) && !replace:
		default:
			t.Errorf("%s: %+v, %v", where, info, err)
		}
		if err := put(t.Context(), s, aKey, fresh, replace); err != nil && !errors.Is(err, pipeline.ErrExists) {
			t.Errorf("%s: the next attempt: %v", where, err)
		}
		wantFile(t, s, aKey, fresh)
		later, err := awss3.Open(t.Context(), config(t, nil), awss3.Options{
			Bucket: run(t), Prefix: s.prefix, Now: func() time.Time { return time.Now().Add(2 * time.Hour) },
		})
		if err == nil {
			err = later.Sweep(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, left := range leftovers(t, s.prefix) {
			if strings.HasPrefix(left, "records/") { // unfinished uploads are for the bucket's rule
				t.Errorf("%s: left behind: %s", where, left)
			}
		}
		wantFile(t, s, aKey, fresh)
	}
	return died
}

// alive lets a process start before it begins to count its requests.
type alive struct{ d *dying }

// RoundTrip implements http.RoundTripper.
func (a *alive) RoundTrip(r *http.Request) (*http.Response, error) {
	if operation := operationOf(r); operation == "Probe" || operation == http.MethodHead {
		return http.DefaultTransport.RoundTrip(r)
	}
	return a.d.RoundTrip(r)
}
