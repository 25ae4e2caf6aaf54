package dynamo_test

import (
	"errors"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/test/servers/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

// The server stops answering in mid-work and comes back: calls end with the error
// that says so, and nothing that was answered is lost.
func TestOutage(t *testing.T) {
	t.Parallel()
	server := servers.NewDynamoDB(t)
	o := settings(t, nil)
	o.Config.BaseEndpoint = &server.Address
	o.Attempts, o.AttemptTimeout = 2, 500*time.Millisecond
	s := open(t, o)
	key, now := randomKey(), time.Now()
	apply(t.Context(), t, s, jobs.JobCommand{Kind: jobs.JobEnsure, Key: key, Now: now, DueAt: now})
	claim := jobs.JobCommand{Kind: jobs.JobClaim, Key: key, Now: now, Token: "mine", Until: now.Add(time.Minute), MaxCrashes: 3}

	server.Pause()
	_, err := s.ApplyJobs(t.Context(), []jobs.JobCommand{claim})
	if !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("a claim while nobody answers: %v", err)
	}
	if _, err = s.Job(t.Context(), key); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("a read while nobody answers: %v", err)
	}
	server.Resume()

	// The claim may have been applied when the server went on: the same token finds
	// itself, and either way it is held once.
	wait(t, func() bool {
		outs, err := s.ApplyJobs(t.Context(), []jobs.JobCommand{claim})
		return err == nil && outs[0].Err == nil && outs[0].Job.Token == "mine"
	})
	j, err := s.Job(t.Context(), key)
	if err != nil || j.Fence != 1 || j.Attempt != 1 || j.Token != "mine" {
		t.Errorf("%+v, %v", j, err)
	}
}
