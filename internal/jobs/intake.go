package jobs

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Request is what a client asks for: a text (title or link) or a song.
type Request struct {
	Text    string
	Song    *Song  // instead of Text
	Profile string // "" is the default profile

	Requester      string // on whose behalf, for fairness and lists
	Client         string // who calls; scope of the idempotency key
	IdempotencyKey string // "" none
	Trace          string // W3C traceparent
}

// Accepted is the answer to a request: the operation is durable.
type Accepted struct {
	Operation Operation
	Job       Job
	Reused    bool // the song was there already
	Repeated  bool // the idempotency key was seen before
}

// Codes of Accept's errors beside the resolver's own.
const (
	CodeIdempotency    = "idempotency_mismatch"
	CodeUnknownProfile = "unknown_profile"
)

// IntakeConfig holds what Accept needs. Store, Notes, Bell, Finisher and
// Resolver must be set.
type IntakeConfig struct {
	Store    Store
	Notes    Notes
	Bell     *Bell
	Finisher *Finisher
	Resolver Resolver
	Files    Files // nil: stored files are taken to be there

	Profiles []string // besides the default one

	RingAfter      time.Duration // a job that nobody claimed is rung again after; 30 s
	SweepAfter     time.Duration // a waiting operation is looked at after; 2 min
	IdempotencyFor time.Duration // keys are remembered for; 24 h

	Now     func() time.Time
	Entropy func() [8]byte
}

// Intake accepts requests: W1 to W4.
type Intake struct{ IntakeConfig }

// NewIntake fills in the defaults.
func NewIntake(c IntakeConfig) *Intake {
	setDefault(&c.RingAfter, 30*time.Second)
	setDefault(&c.SweepAfter, 2*time.Minute)
	setDefault(&c.IdempotencyFor, 24*time.Hour)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Entropy == nil {
		c.Entropy = func() (e [8]byte) { _, _ = rand.Read(e[:]); return e }
	}
	return &Intake{c}
}

// Accept resolves a request and makes it durable. Errors carry verdicts
// (permanent: the request is at fault) or wrap ErrUnavailable (the store or the
// resolver's backend is down and nothing was accepted). After a lost answer a
// client that repeats its idempotency key gets the same operation.
func (in *Intake) Accept(ctx context.Context, r Request) (Accepted, error) {
	if r.Profile == "" {
		r.Profile = DefaultProfile
	}
	if !in.knows(r.Profile) {
		return Accepted{}, Permanent(CodeUnknownProfile, fmt.Sprintf("there is no profile %q", r.Profile), nil)
	}
	ticket, repeated, err := in.ticket(ctx, r)
	if err != nil {
		return Accepted{}, err
	}
	accepted, err := in.enter(ctx, r, ticket)
	accepted.Repeated = repeated
	return accepted, err
}

func (in *Intake) knows(profile string) bool {
	if profile == DefaultProfile {
		return true
	}
	for _, p := range in.Profiles {
		if p == profile {
			return true
		}
	}
	return false
}

// ticket is what an idempotency key stands for.
type ticket struct {
	Body      string   `json:"body"` // digest of the request
	Operation string   `json:"operation"`
	Song      Song     `json:"song"`
	Info      SongInfo `json:"info"`
}

// ticket resolves the request, or finds what its idempotency key stood for. The
// key is looked up before the text is resolved, because a search may answer
// differently the second time.
func (in *Intake) ticket(ctx context.Context, r Request) (t ticket, repeated bool, err error) {
	note := Note{Key: "idempotency/" + digest(r.Client, r.IdempotencyKey)}
	song := ""
	if r.Song != nil {
		song = r.Song.String()
	}
	body := digest(r.Text, song, r.Profile, r.Requester)
	if r.IdempotencyKey != "" {
		kept, err := in.Notes.Note(ctx, note.Key)
		switch {
		case err == nil:
			t, err = openTicket(kept, body)
			return t, true, err
		case !errors.Is(err, ErrNotFound):
			return t, false, fmt.Errorf("idempotency key: %w", err)
		}
	}
	t.Body = body
	if r.Song != nil {
		if err := r.Song.Validate(); err != nil {
			return t, false, Permanent(CodeInvalidSong, err.Error(), nil)
		}
		t.Song = *r.Song
	} else if t.Song, t.Info, err = in.Resolver.Resolve(ctx, r.Text); err != nil {
		return t, false, err
	}
	t.Operation = NewOperationID(t.Song, in.Entropy())
	if r.IdempotencyKey == "" {
		return t, false, nil
	}
	if note.Value, err = json.Marshal(t); err != nil {
		return t, false, err
	}
	note.ExpiresAt = in.Now().Add(in.IdempotencyFor)
	kept, err := in.Notes.SwapNote(ctx, note)
	if errors.Is(err, ErrConflict) { // somebody was faster with the same key
		t, err = openTicket(kept, body)
		return t, true, err
	}
	return t, false, err
}

func openTicket(n Note, body string) (t ticket, err error) {
	if err := json.Unmarshal(n.Value, &t); err != nil {
		return t, fmt.Errorf("idempotency record: %w", err)
	}
	if t.Body != body {
		return t, Permanent(CodeIdempotency, "this idempotency key was used for another request", nil)
	}
	return t, nil
}

// enter makes the operation durable (W1), sees to it that there is a job (W2)
// and rings (W4). The operation is written before the job is read: a job that
// ends in between finds it waiting.
func (in *Intake) enter(ctx context.Context, r Request, t ticket) (Accepted, error) {
	key := Key{Song: t.Song, Profile: r.Profile}
	now := in.Now()
	op := Operation{
		ID: t.Operation, Key: key, Requester: r.Requester, Text: r.Text,
		CreatedAt: now, DueAt: now.Add(in.SweepAfter),
	}
	put, err := applyOperation(ctx, in.Store, OperationCommand{Kind: OperationPut, ID: op.ID, Now: now, Operation: op})
	if err != nil {
		return Accepted{}, fmt.Errorf("write operation: %w", err)
	}
	if put.Operation.Key != key {
		return Accepted{}, Permanent(CodeIdempotency, "this operation id belongs to another request", nil)
	}
	op = put.Operation
	job, err := in.ensure(ctx, key, t.Info, r, 0)
	if err != nil {
		return Accepted{}, err
	}
	if job.State == JobDone && !op.Ended() && in.Files != nil {
		// A file that can not be looked at now is taken to be there: the answer
		// depends on the store alone.
		if there, err := in.Files.Exists(ctx, *job.Result); err == nil && !there {
			if job, err = in.ensure(ctx, key, t.Info, r, job.Generation); err != nil {
				return Accepted{}, err
			}
		}
	}
	a := Accepted{Operation: op, Job: job}
	if job.State.Ended() && !op.Ended() {
		// Best effort: the operation is accepted, and its sweep is in its record.
		if ended, err := in.Finisher.Finish(ctx, job, op); err == nil {
			a.Operation, a.Reused = ended, job.State == JobDone
		}
	}
	return a, nil
}

// ensure is W2 and, when it made or revived the job, W4. done is the generation
// whose file is gone, 0 otherwise.
func (in *Intake) ensure(ctx context.Context, key Key, info SongInfo, r Request, done int64) (Job, error) {
	now := in.Now()
	out, err := applyJob(ctx, in.Store, JobCommand{
		Kind: JobEnsure, Key: key, Now: now, Generation: done, DueAt: now.Add(in.RingAfter),
		Info: info, Requester: r.Requester, Trace: r.Trace,
	})
	if err != nil {
		return Job{}, fmt.Errorf("write job: %w", err)
	}
	if out.Changed {
		in.Bell.Ring(out.Job, 0)
	}
	return out.Job, nil
}

// applyJob applies one command; the outcome's refusal is its error.
func applyJob(ctx context.Context, s Store, c JobCommand) (JobOutcome, error) {
	outs, err := s.ApplyJobs(ctx, []JobCommand{c})
	if err != nil {
		return JobOutcome{}, err
	}
	return outs[0], outs[0].Err
}

func applyOperation(ctx context.Context, s Store, c OperationCommand) (OperationOutcome, error) {
	outs, err := s.ApplyOperations(ctx, []OperationCommand{c})
	if err != nil {
		return OperationOutcome{}, err
	}
	return outs[0], outs[0].Err
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
