package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// Finding is the outcome of one trial of SelfTest.
type Finding struct {
	Part    string  `json:"part"`    // store, queue or files
	Promise string  `json:"promise"` // in plain words
	OK      bool    `json:"ok"`
	NotRun  string  `json:"not_run,omitempty"` // why it was not tried
	Detail  string  `json:"detail,omitempty"`  // what was seen
	Seconds float64 `json:"seconds"`
}

// SelfTest tries, against the configured store, queue and files of a real
// installation, the promises on which nothing may be lost or made twice. It uses a
// song that nobody can ask for and takes away whatever it has made. report is told
// of each trial as it ends. The error says what could not even be opened.
func SelfTest(ctx context.Context, c *Config, log *slog.Logger, report func(Finding)) (ok bool, err error) {
	s, err := Open(ctx, c, log)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	t := &trial{System: s, name: "selftest-" + jobs.RandomID()[:8]}
	ok = true
	for _, one := range []struct {
		part, promise string
		try           func(context.Context) (string, error)
	}{
		{"store", "of 64 workers that claim a job at the same time one gets it", t.claimRace},
		{"store", "a worker that has lost its lease can write nothing any more", t.fence},
		{"store", "a write whose answer was lost is recognised when it is repeated", t.repeated},
		{"store", "a read sees every write that was answered before", t.readsOwnWrites},
		{"store", "of 64 that change a shared note at the same time one gets through", t.noteRace},
		{"store", "the trials leave nothing behind", t.cleanStore},
		{"queue", "a message that is sent can be received, released and received again", t.queueRoundTrip},
		{"queue", "the queue tells how much there is", t.queueDepth},
		{"files", "of 16 that store a file under one name at the same time one does", t.fileRace},
		{"files", "a file is not to be seen before it is whole", t.unseen},
		{"files", "a file is read back as it was written, from any place on", t.readBack},
		{"files", "the trials leave nothing behind", t.cleanFiles},
	} {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		bounded, cancel := context.WithTimeout(ctx, time.Minute)
		begun := time.Now()
		detail, err := one.try(bounded)
		cancel()
		f := Finding{Part: one.part, Promise: one.promise, OK: err == nil, Detail: detail, Seconds: time.Since(begun).Seconds()}
		var skipped notTried
		switch {
		case errors.As(err, &skipped):
			f.OK, f.NotRun = true, string(skipped)
		case err != nil:
			f.Detail, ok = err.Error(), false
		}
		report(f)
	}
	return ok, nil
}

// notTried is why a trial was left out.
type notTried string

// Error implements error.
func (n notTried) Error() string { return string(n) }

var errNoFence = errors.New("the fence does not hold")

// trial is what the trials share.
type trial struct {
	*System
	name string
	made []jobs.Key
}

// song returns a key that nobody asks for: of the demo source, with an id that none
// of its samples has.
func (t *trial) song() jobs.Key {
	id := (jobs.RandomID() + "selftest___")[:jobs.SongIDLength-4] + "_slf"
	k := jobs.Key{Song: jobs.Song{Platform: jobs.PlatformDemo, ID: id}, Profile: jobs.DefaultProfile}
	t.made = append(t.made, k)
	return k
}

func (t *trial) apply(ctx context.Context, c jobs.JobCommand) (jobs.JobOutcome, error) {
	outs, err := t.Store.ApplyJobs(ctx, []jobs.JobCommand{c})
	if err != nil {
		return jobs.JobOutcome{}, err
	}
	return outs[0], outs[0].Err
}

// begin makes a job that no reconciler looks at during the trials.
func (t *trial) begin(ctx context.Context) (jobs.Key, error) {
	k, now := t.song(), time.Now()
	_, err := t.apply(ctx, jobs.JobCommand{Kind: jobs.JobEnsure, Key: k, Now: now, RunAt: now.Add(-2 * time.Hour), DueAt: now.Add(time.Hour), Requester: "selftest"})
	return k, err
}

func claimOf(k jobs.Key, token string, now time.Time, lease time.Duration) jobs.JobCommand {
	return jobs.JobCommand{Kind: jobs.JobClaim, Key: k, Now: now, Token: token, Owner: "selftest", Until: now.Add(lease), MaxCrashes: 100}
}

const (
	claimRacers = 64
	fileRacers  = 16
	raceRounds  = 5
)

// together runs n at the same time.
func together(n int, do func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() { <-start; do(i) })
	}
	close(start)
	wg.Wait()
}

func (t *trial) claimRace(ctx context.Context) (string, error) {
	for round := range raceRounds {
		k, err := t.begin(ctx)
		if err != nil {
			return "", err
		}
		var winners atomic.Int32
		var other atomic.Pointer[error]
		together(claimRacers, func(int) {
			_, err := t.apply(ctx, claimOf(k, jobs.RandomID(), time.Now(), time.Hour))
			switch {
			case err == nil:
				winners.Add(1)
			case !errors.Is(err, jobs.ErrBusy):
				other.Store(&err)
			}
		})
		if e := other.Load(); e != nil {
			return "", fmt.Errorf("round %d: %w", round+1, *e)
		}
		if n := winners.Load(); n != 1 {
			return "", fmt.Errorf("%d workers got the same job in round %d: do not use this store", n, round+1)
		}
	}
	return fmt.Sprintf("%d rounds, %d claims", raceRounds, raceRounds*claimRacers), nil
}

func (t *trial) fence(ctx context.Context) (string, error) {
	k, err := t.begin(ctx)
	if err != nil {
		return "", err
	}
	now := time.Now()
	old, err := t.apply(ctx, claimOf(k, "old", now.Add(-time.Hour), time.Minute)) // long over
	if err != nil {
		return "", err
	}
	fresh, err := t.apply(ctx, claimOf(k, "new", now, time.Hour))
	if err != nil {
		return "", fmt.Errorf("a lease that is over can not be taken over: %w", err)
	}
	for name, c := range map[string]jobs.JobCommand{
		"renew":  {Kind: jobs.JobRenew, Key: k, Now: now, Fence: old.Job.Fence, Token: "old", Until: now.Add(time.Hour), Stage: jobs.StageFetching},
		"commit": {Kind: jobs.JobCommit, Key: k, Now: now, Fence: old.Job.Fence, Token: "old", Result: &jobs.Result{Path: "selftest"}},
		"fail":   {Kind: jobs.JobFail, Key: k, Now: now, Fence: old.Job.Fence, Token: "old", To: jobs.JobRetry, RunAt: now, Failure: &jobs.Failure{At: now}},
		"forge":  {Kind: jobs.JobCommit, Key: k, Now: now, Fence: fresh.Job.Fence, Token: "old", Result: &jobs.Result{Path: "selftest"}},
	} {
		if _, err := t.apply(ctx, c); !errors.Is(err, jobs.ErrFenced) {
			return "", fmt.Errorf("a worker without the lease could %s: do not use this store (%w)", name, errors.Join(err, errNoFence))
		}
	}
	return "", nil
}

func (t *trial) repeated(ctx context.Context) (string, error) {
	k, err := t.begin(ctx)
	if err != nil {
		return "", err
	}
	claim := claimOf(k, "once", time.Now(), time.Hour)
	first, err := t.apply(ctx, claim)
	if err != nil {
		return "", err
	}
	again, err := t.apply(ctx, claim)
	if err != nil || again.Job.Fence != first.Job.Fence {
		return "", fmt.Errorf("the claim was not recognised: %w", err)
	}
	now := time.Now()
	commit := jobs.JobCommand{Kind: jobs.JobCommit, Key: k, Now: now, Fence: first.Job.Fence, Token: "once", Result: &jobs.Result{Path: "selftest", Bytes: 1}}
	for range 2 {
		if _, err := t.apply(ctx, commit); err != nil {
			return "", fmt.Errorf("the commit was not recognised: %w", err)
		}
	}
	return "", nil
}

func (t *trial) readsOwnWrites(ctx context.Context) (string, error) {
	k, err := t.begin(ctx)
	if err != nil {
		return "", err
	}
	const times = 20
	for i := range times {
		now := time.Now()
		out, err := t.apply(ctx, claimOf(k, fmt.Sprint(i), now, -time.Second))
		if err != nil {
			return "", err
		}
		if j, err := t.Store.Job(ctx, k); err != nil || j.Fence != out.Job.Fence || j.Token != fmt.Sprint(i) {
			return "", fmt.Errorf("write %d was not seen by the read after it (%w): reads are stale", i+1, err)
		}
	}
	return fmt.Sprintf("%d writes", times), nil
}

func (t *trial) noteRace(ctx context.Context) (string, error) {
	expires := time.Now().Add(time.Hour)
	n, err := t.Store.SwapNote(ctx, jobs.Note{Key: t.name, Value: []byte("0"), ExpiresAt: expires})
	if err != nil {
		return "", err
	}
	for round := range raceRounds {
		var winners atomic.Int32
		var kept atomic.Pointer[jobs.Note]
		together(claimRacers, func(i int) {
			next, err := t.Store.SwapNote(ctx, jobs.Note{Key: t.name, Value: fmt.Append(nil, i), Version: n.Version, ExpiresAt: expires})
			if err == nil {
				winners.Add(1)
				kept.Store(&next)
			}
		})
		if won := winners.Load(); won != 1 {
			return "", fmt.Errorf("%d got through in round %d: do not use this store", won, round+1)
		}
		n = *kept.Load()
	}
	return fmt.Sprintf("%d rounds", raceRounds), nil
}

func (t *trial) cleanStore(ctx context.Context) (string, error) {
	if n, err := t.Store.Note(ctx, t.name); err == nil {
		n.ExpiresAt = time.Unix(1, 0)
		if _, err := t.Store.SwapNote(ctx, n); err != nil {
			return "", err
		}
	}
	now := time.Now()
	for _, k := range t.made {
		j, err := t.Store.Job(ctx, k)
		if errors.Is(err, jobs.ErrNotFound) {
			continue
		}
		if err != nil {
			return "", err
		}
		for _, kind := range []jobs.JobCommandKind{jobs.JobCancel, jobs.JobClose, jobs.JobDiscard} {
			_, err := t.apply(ctx, jobs.JobCommand{Kind: kind, Key: k, Now: now, Generation: j.Generation})
			if err != nil && !(kind == jobs.JobCancel && errors.Is(err, jobs.ErrEnded)) && !errors.Is(err, jobs.ErrNotFound) {
				return "", fmt.Errorf("%s %s: %w", kind, k, err)
			}
		}
		if _, err := t.Store.Job(ctx, k); !errors.Is(err, jobs.ErrNotFound) {
			return "", fmt.Errorf("%s is still there", k)
		}
	}
	return fmt.Sprintf("%d records made and taken away", len(t.made)+1), nil
}

// queueRoundTrip sends a message for a job that does not exist: a worker that gets
// it acknowledges it, and that is a delivery too.
func (t *trial) queueRoundTrip(ctx context.Context) (string, error) {
	k := jobs.Key{Song: jobs.Song{Platform: jobs.PlatformDemo, ID: "selftest" + jobs.RandomID()[:3]}, Profile: jobs.DefaultProfile}
	err := t.Queue.Send(ctx, []jobs.Outgoing{{Message: jobs.Message{Version: jobs.MessageVersion, Key: k.String(), Generation: 1}}})
	if err != nil {
		return "", err
	}
	if !t.Queue.Held() {
		return "", notTried("the message was taken; receiving would join the workers' group and disturb them")
	}
	released := false
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		wait, cancel := context.WithTimeout(ctx, time.Until(deadline))
		all, err := t.Queue.Receive(wait, 1)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return "", err
		}
		for _, d := range all {
			mine := d.Message.Key == k.String()
			s := jobs.Settlement{Delivery: d, Release: !mine || !released}
			if errs := t.Queue.Settle(ctx, []jobs.Settlement{s}); errs[0] != nil {
				return "", fmt.Errorf("settle: %w", errs[0])
			}
			if mine && released {
				return "", nil
			}
			released = released || mine
		}
	}
	if released {
		return "a worker of the fleet took the released message", nil
	}
	return "a worker of the fleet took the message", nil
}

func (t *trial) queueDepth(ctx context.Context) (string, error) {
	d, err := t.Queue.Depth(ctx)
	if err != nil {
		return "", err
	}
	tell := func(n int64) string {
		if n < 0 {
			return "unknown"
		}
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("visible %s, in flight %s, delayed %s", tell(d.Visible), tell(d.InFlight), tell(d.Delayed)), nil
}

func (t *trial) upload(ctx context.Context, key string, content []byte) error {
	u, err := t.Blobs.Create(ctx, key)
	if err != nil {
		return err
	}
	if _, err := u.Write(content); err != nil {
		return errors.Join(err, u.Abort())
	}
	return u.Commit(ctx, metaOf(content), false)
}

func metaOf(content []byte) pipeline.BlobMeta {
	sum := sha256.Sum256(content)
	return pipeline.BlobMeta{
		Song: jobs.Song{Platform: jobs.PlatformDemo, ID: "selftest___"}, Profile: jobs.DefaultProfile, Title: "selftest",
		Bytes: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), Frames: 1, Duration: 20 * time.Millisecond,
	}
}

func (t *trial) file(n int) string { return fmt.Sprintf("audio/%s-%d.dca", t.name, n) }

func (t *trial) fileRace(ctx context.Context) (string, error) {
	var winners atomic.Int32
	var other atomic.Pointer[error]
	together(fileRacers, func(i int) {
		err := t.upload(ctx, t.file(1), bytes.Repeat([]byte{byte(i)}, 50_000))
		switch {
		case err == nil:
			winners.Add(1)
		case !errors.Is(err, pipeline.ErrExists):
			other.Store(&err)
		}
	})
	if e := other.Load(); e != nil {
		return "", *e
	}
	if n := winners.Load(); n != 1 {
		return "", fmt.Errorf("%d stored a file under one name: the file store has no conditional writes; the fence of the record still keeps results apart, but such races cost an upload", n)
	}
	return "", nil
}

func (t *trial) unseen(ctx context.Context) (string, error) {
	u, err := t.Blobs.Create(ctx, t.file(2))
	if err != nil {
		return "", err
	}
	if _, err := u.Write(make([]byte, 100_000)); err != nil {
		return "", errors.Join(err, u.Abort())
	}
	_, err = t.Blobs.Stat(ctx, t.file(2))
	if err := errors.Join(u.Abort()); err != nil {
		return "", err
	}
	if !errors.Is(err, jobs.ErrNotFound) {
		return "", fmt.Errorf("an unfinished file was to be seen (%w)", err)
	}
	if _, err = t.Blobs.Stat(ctx, t.file(2)); !errors.Is(err, jobs.ErrNotFound) {
		return "", fmt.Errorf("an abandoned file was to be seen (%w)", err)
	}
	return "", nil
}

func (t *trial) readBack(ctx context.Context) (string, error) {
	content := make([]byte, 300_001)
	for i := range content {
		content[i] = byte(i * i >> 3)
	}
	if err := t.upload(ctx, t.file(3), content); err != nil {
		return "", err
	}
	for _, offset := range []int64{0, 1, 65_536, 300_000, 300_001} {
		r, err := t.Blobs.Open(ctx, t.file(3), offset)
		if err != nil {
			return "", err
		}
		got, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			return "", err
		}
		if !bytes.Equal(got, content[offset:]) {
			return "", fmt.Errorf("what came from place %d on was not what was written", offset)
		}
	}
	return "", nil
}

func (t *trial) cleanFiles(ctx context.Context) (string, error) {
	for n := 1; n <= 3; n++ {
		if err := t.Blobs.Remove(ctx, t.file(n)); err != nil {
			return "", err
		}
	}
	left, err := t.Blobs.List(ctx, "audio/"+t.name, "", 10)
	if err != nil {
		return "", err
	}
	if len(left) > 0 {
		return "", fmt.Errorf("%d files are still there", len(left))
	}
	return "", nil
}
