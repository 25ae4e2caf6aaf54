package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

var deskTests = []test{
	{name: "ListAndCursor", alone: true, run: testJobList},
	{name: "Filters", alone: true, run: testFilters},
	{name: "Groups", alone: true, run: testGroups},
	{name: "BadCursors", run: testBadCursors},
}

var eventTests = []test{
	{name: "Order", alone: true, run: testEventOrder},
	{name: "NoHoles", alone: true, run: testEventsWithoutHoles},
	{name: "Again", alone: true, run: testEventAgain},
}

var statsTests = []test{
	{name: "Counts", alone: true, run: testStats},
}

// list reads all pages of a list.
func (s *suite) list(f jobs.JobFilter, limit int) []jobs.Job {
	s.Helper()
	var all []jobs.Job
	cursor := ""
	for range 1000 {
		page, next, err := s.b.Jobs(s.ctx, f, cursor, limit)
		if err != nil {
			s.Fatal(err)
		}
		if len(page) > limit {
			s.Fatalf("a page of %d, asked for %d", len(page), limit)
		}
		all = append(all, page...)
		if next == "" {
			return all
		}
		cursor = next
	}
	s.Fatal("a list without end")
	return nil
}

func testJobList(s *suite) {
	if all := s.list(jobs.JobFilter{}, 10); len(all) != 0 {
		s.Fatalf("%d jobs in an empty store", len(all))
	}
	want := map[jobs.Key]bool{}
	now := s.now
	for i := range 23 { // some of them at the same moment
		s.now = now.Add(time.Duration(i/2) * time.Minute)
		for _, j := range []jobs.Job{s.pending(), s.running(), s.done()} {
			want[j.Key] = true
		}
	}
	first := s.list(jobs.JobFilter{}, 1000)
	if len(first) > 0 { // what is touched comes first
		touched := first[len(first)-1]
		s.now = now.Add(24 * time.Hour)
		switch touched.State {
		case jobs.JobPending:
			s.job(s.claimCommand(touched.Key, "late", s.now))
		case jobs.JobRunning:
			s.job(s.commitCommand(touched))
		default:
			c := s.ensureCommand(touched.Key)
			c.Generation = touched.Generation
			s.job(c)
		}
	}
	for _, limit := range []int{1, 7, 69, 1000} {
		s.eventually(func() string {
			all := s.list(jobs.JobFilter{}, limit)
			seen := map[jobs.Key]bool{}
			for i, j := range all {
				seen[j.Key] = true
				if i > 0 && normalTime(j.UpdatedAt).After(normalTime(all[i-1].UpdatedAt)) {
					return fmt.Sprintf("place %d (%s) was updated at %s, the one before it at %s", i, j.State, j.UpdatedAt, all[i-1].UpdatedAt)
				}
				if wrong := difference(normalJob(s.readJob(j.Key)), normalJob(j)); wrong != "" {
					return "not the record: " + wrong
				}
			}
			if len(all) != len(want) || len(seen) != len(want) {
				return fmt.Sprintf("pages of %d: %d jobs, %d different, want %d", limit, len(all), len(seen), len(want))
			}
			return ""
		})
	}
}

func testFilters(s *suite) {
	now := s.now
	pending, running, done, cancelled := s.pending(), s.running(), s.done(), s.cancelled()
	out := s.job(s.failCommand(s.running(), jobs.JobRetry))
	retry := out.Job
	c := s.ensureCommand(newKey())
	c.Key.Profile, c.Info.Title, c.Requester = "low", "Ñandú – The Song", "Guild-77"
	s.job(c)
	held := s.job(s.claimCommand(c.Key, "t", s.now)).Job
	s.now = now.Add(time.Hour)
	fail := s.failCommand(held, jobs.JobDead)
	fail.Failure = &jobs.Failure{Class: jobs.ClassPermanent, Code: "video_private", Message: "the video is Private 100%_",
		Host: "youtube", Stage: jobs.StageStoring, Extractor: "yt-dlp", At: s.now}
	dead := s.job(fail).Job
	for name, test := range map[string]struct {
		filter jobs.JobFilter
		want   []jobs.Job
	}{
		"pending":       {jobs.JobFilter{State: jobs.JobPending}, []jobs.Job{pending}},
		"running":       {jobs.JobFilter{State: jobs.JobRunning}, []jobs.Job{running}},
		"retry":         {jobs.JobFilter{State: jobs.JobRetry}, []jobs.Job{retry}},
		"done":          {jobs.JobFilter{State: jobs.JobDone}, []jobs.Job{done}},
		"dead":          {jobs.JobFilter{State: jobs.JobDead}, []jobs.Job{dead}},
		"cancelled":     {jobs.JobFilter{State: jobs.JobCancelled}, []jobs.Job{cancelled}},
		"class":         {jobs.JobFilter{Class: jobs.ClassPermanent}, []jobs.Job{dead}},
		"code":          {jobs.JobFilter{Code: "reset"}, []jobs.Job{retry}},
		"host":          {jobs.JobFilter{Host: "youtube"}, []jobs.Job{dead}},
		"stage":         {jobs.JobFilter{State: jobs.JobDead, Stage: jobs.StageStoring}, []jobs.Job{dead}},
		"extractor":     {jobs.JobFilter{Extractor: "yt-dlp"}, []jobs.Job{dead}},
		"exactly of":    {jobs.JobFilter{Requester: "Guild-77"}, []jobs.Job{dead}},
		"not in part":   {jobs.JobFilter{Requester: "guild"}, nil},
		"all of them":   {jobs.JobFilter{State: jobs.JobDead, Class: jobs.ClassPermanent, Host: "youtube", Extractor: "yt-dlp", Requester: "Guild-77"}, []jobs.Job{dead}},
		"all but one":   {jobs.JobFilter{State: jobs.JobDead, Class: jobs.ClassPermanent, Host: "youtube", Extractor: "native", Requester: "Guild-77"}, nil},
		"song":          {jobs.JobFilter{Song: done.Key.ID}, []jobs.Job{done}},
		"profile":       {jobs.JobFilter{Profile: "low"}, []jobs.Job{dead}},
		"since":         {jobs.JobFilter{Since: now.Add(30 * time.Minute)}, []jobs.Job{dead}},
		"until":         {jobs.JobFilter{Until: now.Add(30 * time.Minute)}, []jobs.Job{pending, running, done, cancelled, retry}},
		"since exactly": {jobs.JobFilter{Since: dead.UpdatedAt}, []jobs.Job{dead}},
		"until exactly": {jobs.JobFilter{Since: dead.UpdatedAt, Until: dead.UpdatedAt}, nil},
		"title":         {jobs.JobFilter{Text: "Ñandú – the"}, []jobs.Job{dead}},
		"requester":     {jobs.JobFilter{Text: "guild-77"}, []jobs.Job{dead}},
		"message":       {jobs.JobFilter{Text: "private 100%_"}, []jobs.Job{dead}},
		"no wildcards":  {jobs.JobFilter{Text: "private%song"}, nil},
		"both":          {jobs.JobFilter{State: jobs.JobDead, Code: "video_private", Song: dead.Key.ID, Text: "song"}, []jobs.Job{dead}},
		"neither":       {jobs.JobFilter{State: jobs.JobDone, Code: "video_private"}, nil},
		"unknown state": {jobs.JobFilter{State: "dancing"}, nil},
		"unknown song":  {jobs.JobFilter{Song: "' OR 1=1 --"}, nil},
	} {
		for _, limit := range []int{1, 100} {
			s.eventually(func() string {
				got := map[jobs.Key]bool{}
				for _, j := range s.list(test.filter, limit) {
					got[j.Key] = true
				}
				for _, j := range test.want {
					if !got[j.Key] {
						return fmt.Sprintf("%s: the %s job is missing", name, j.State)
					}
				}
				if len(got) != len(test.want) {
					return fmt.Sprintf("%s: %d jobs, want %d", name, len(got), len(test.want))
				}
				return ""
			})
		}
	}
}

func testGroups(s *suite) {
	die := func(code, host string, at time.Time) {
		held := s.running()
		fail := s.failCommand(held, jobs.JobDead)
		fail.Now = at
		fail.Failure = &jobs.Failure{Class: jobs.ClassPermanent, Code: code, Message: "no", Host: host, At: at}
		s.job(fail)
	}
	first, second := s.now.Add(time.Hour), s.now.Add(2*time.Hour)
	die("private", "youtube", first)
	die("private", "youtube", second)
	die("live", "", first)
	s.pending()
	for name, test := range map[string]struct {
		filter jobs.JobFilter
		by     jobs.Facet
		limit  int
		want   []jobs.Group
	}{
		"code":     {jobs.JobFilter{State: jobs.JobDead}, jobs.FacetCode, 10, []jobs.Group{{Value: "private", Count: 2, Oldest: first, Newest: second}, {Value: "live", Count: 1, Oldest: first, Newest: first}}},
		"largest":  {jobs.JobFilter{State: jobs.JobDead}, jobs.FacetCode, 1, []jobs.Group{{Value: "private", Count: 2, Oldest: first, Newest: second}}},
		"nameless": {jobs.JobFilter{State: jobs.JobDead}, jobs.FacetHost, 10, []jobs.Group{{Value: "youtube", Count: 2, Oldest: first, Newest: second}, {Count: 1, Oldest: first, Newest: first}}},
		"filtered": {jobs.JobFilter{State: jobs.JobDead, Since: second}, jobs.FacetClass, 10, []jobs.Group{{Value: "permanent", Count: 1, Oldest: second, Newest: second}}},
		"nothing":  {jobs.JobFilter{State: jobs.JobDone}, jobs.FacetCode, 10, nil},
	} {
		s.eventually(func() string {
			got, err := s.b.Groups(s.ctx, test.filter, test.by, test.limit)
			if err != nil || len(got) != len(test.want) {
				return fmt.Sprintf("%s: %+v, %v; want %+v", name, got, err, test.want)
			}
			for i, want := range test.want {
				if g := got[i]; g.Value != want.Value || g.Count != want.Count || !g.Oldest.Equal(want.Oldest) || !g.Newest.Equal(want.Newest) {
					return fmt.Sprintf("%s: %+v, want %+v", name, g, want)
				}
			}
			return ""
		})
	}
}

func testBadCursors(s *suite) {
	s.pending()
	for _, cursor := range []string{"nonsense", "-1", "💥", "{}", "99999999999999999999999", "AAAA"} {
		if _, _, err := s.b.Jobs(s.ctx, jobs.JobFilter{}, cursor, 10); !errors.Is(err, jobs.ErrBadCursor) {
			s.Errorf("jobs from %q: %v", cursor, err)
		}
		if _, _, err := s.b.Events(s.ctx, cursor, 10); !errors.Is(err, jobs.ErrBadCursor) {
			s.Errorf("events from %q: %v", cursor, err)
		}
	}
}

// reader follows the events.
type reader struct {
	*suite
	cursor string
	seen   []jobs.Operation
}

// read takes what has come since the last read.
func (r *reader) read(limit int) {
	r.Helper()
	for range 10_000 {
		page, next, err := r.b.Events(r.ctx, r.cursor, limit)
		if err != nil {
			r.Fatal(err)
		}
		if next == "" || len(page) > limit {
			r.Fatalf("next %q, %d events, asked for %d", next, len(page), limit)
		}
		moved := next != r.cursor
		r.cursor = next
		r.seen = append(r.seen, page...)
		if !moved || len(page) == 0 {
			return
		}
	}
	r.Fatal("events without end")
}

func testEventOrder(s *suite) {
	r := &reader{suite: s}
	r.read(10)
	if len(r.seen) != 0 {
		s.Fatalf("%d events in an empty store", len(r.seen))
	}
	j := s.done()
	all := s.put(j.Key, 40)
	for i, o := range all { // ended in the order of their puts, which is not that of their ids
		c := jobs.FinishCommand(j, o, s.at(time.Duration(i)*time.Millisecond), s.at(time.Hour))
		if i%2 == 1 {
			c = s.failOperation(o, 1)
			c.Now = s.at(time.Duration(i) * time.Millisecond)
		}
		s.operation(c)
		if i%10 == 9 {
			s.operation(s.announceCommand(s.readOperation(o.ID))) // published ones stay in the list
		}
	}
	for _, limit := range []int{1, 7, 1000} {
		s.eventually(func() string {
			again := &reader{suite: s}
			again.read(limit)
			if len(again.seen) != len(all) {
				return fmt.Sprintf("pages of %d: %d events, want %d", limit, len(again.seen), len(all))
			}
			for i, o := range again.seen {
				if o.ID != all[i].ID {
					return fmt.Sprintf("place %d holds another operation than the one that ended then", i)
				}
			}
			return ""
		})
	}
}

// A reader that keeps its cursor sees every end, however many end at the same
// time.
func testEventsWithoutHoles(s *suite) {
	const finishers, each = 16, 40
	j := s.done()
	all := s.put(j.Key, finishers*each)
	r := &reader{suite: s}
	stop := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			r.read(50)
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	together(finishers, func(i int) {
		for _, o := range all[i*each : (i+1)*each] {
			outs, err := s.b.ApplyOperations(s.ctx, []jobs.OperationCommand{jobs.FinishCommand(j, o, s.now, s.at(time.Hour))})
			if err != nil || outs[0].Err != nil {
				s.Errorf("%v %v", outs, err)
				return
			}
		}
	})
	close(stop)
	reading.Wait()
	s.eventually(func() string {
		r.read(50)
		times := map[string]int{}
		for _, o := range r.seen {
			times[o.ID]++
		}
		for _, o := range all {
			if times[o.ID] == 0 {
				return fmt.Sprintf("%d of %d ends were seen", len(times), len(all))
			}
		}
		return ""
	})
}

func testEventAgain(s *suite) {
	r := &reader{suite: s}
	o := s.waiting(newKey())
	o = s.operation(s.failOperation(o, 1)).Operation
	s.eventually(func() string {
		r.read(10)
		if len(r.seen) == 0 {
			return "the end was not seen"
		}
		return ""
	})
	o = s.operation(s.announceCommand(o)).Operation
	o = s.operation(s.reopenCommand(o, 1)).Operation
	r.seen = nil
	r.read(10)
	s.operation(s.failOperation(o, 2))
	s.eventually(func() string {
		r.read(10)
		for _, e := range r.seen {
			if e.ID == o.ID && e.Generation == 2 && e.State == jobs.OperationFailed {
				return ""
			}
		}
		return "the second end was not seen by a reader that had seen the first"
	})
}

func testStats(s *suite) {
	if st, err := s.b.Stats(s.ctx, s.now); err != nil || st.Waiting != 0 || !st.OldestPending.IsZero() {
		s.Fatalf("an empty store: %+v, %v", st, err)
	}
	want := map[jobs.JobState]int64{jobs.JobPending: 3, jobs.JobRunning: 2, jobs.JobRetry: 1, jobs.JobDone: 2, jobs.JobDead: 1, jobs.JobCancelled: 1}
	now := s.now
	s.running()
	s.running()
	s.dead()
	s.cancelled()
	s.job(s.closeCommand(s.done()))
	d := s.done()
	s.now = now.Add(time.Minute)
	first := s.pending()
	s.now = now.Add(2 * time.Minute)
	s.pending()
	s.pending()
	s.now = now
	fail := s.failCommand(s.running(), jobs.JobRetry)
	fail.RunAt = s.at(10 * time.Minute)
	retry := s.job(fail).Job // made first, claimable later
	gone := s.cancelled()
	s.job(s.closeCommand(gone))
	s.job(jobs.JobCommand{Kind: jobs.JobDiscard, Key: gone.Key, Now: s.now, Generation: 1})
	s.put(first.Key, 5)
	for i, o := range s.put(d.Key, 4) {
		e := s.operation(jobs.FinishCommand(d, o, s.now, s.now)).Operation
		if i == 0 {
			s.operation(s.announceCommand(e))
		}
	}
	check := func(at, oldest time.Time) {
		s.Helper()
		s.eventually(func() string {
			st, err := s.b.Stats(s.ctx, at)
			if err != nil {
				s.Fatal(err)
			}
			for state, n := range want {
				if st.Jobs[state] != n {
					return fmt.Sprintf("%d %s jobs, want %d (%+v)", st.Jobs[state], state, n, st)
				}
			}
			if st.Waiting != 5 || st.PendingEvents != 3 {
				return fmt.Sprintf("%d wait, want 5; %d events pending, want 3", st.Waiting, st.PendingEvents)
			}
			if !normalTime(st.OldestPending).Equal(oldest) {
				return fmt.Sprintf("the oldest claimable job is of %s, want %s", st.OldestPending, oldest)
			}
			return ""
		})
	}
	check(retry.RunAt.Add(-time.Millisecond), first.CreatedAt)
	check(retry.RunAt, retry.CreatedAt)
}
