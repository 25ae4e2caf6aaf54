package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Quarantined is a message that could not be made a job: nobody could decode it, or
// the broker gave up on it. It waits for a person.
type Quarantined struct {
	ID       string    `json:"id"`
	Reason   string    `json:"reason"`
	Origin   string    `json:"origin"`            // queue and message, or topic/partition/offset
	Raw      []byte    `json:"raw"`               // the body, up to maxQuarantined bytes
	Size     int       `json:"size"`              // of the whole body, in bytes
	Receives int       `json:"receives,omitzero"` // how often the broker had delivered it; 0: not known
	At       time.Time `json:"at"`
}

// QuarantinePrefix is where the notes of quarantined messages are.
const QuarantinePrefix = "quarantine/"

// maxQuarantined bounds what is kept of one body, in bytes: a note holds 256 KiB,
// and our messages are at most MaxMessageBytes.
const maxQuarantined = 128 << 10

// keepQuarantined writes a message down; the same one twice is one record. fresh is false
// when it was kept before.
func keepQuarantined(ctx context.Context, notes Notes, q Quarantined) (fresh bool, err error) {
	q.ID = digest(q.Origin, string(q.Raw))
	q.Size = len(q.Raw)
	q.Raw = q.Raw[:min(len(q.Raw), maxQuarantined)]
	value, err := json.Marshal(q)
	if err != nil {
		return false, err
	}
	_, err = notes.SwapNote(ctx, Note{Key: QuarantinePrefix + q.ID, Value: value})
	if errors.Is(err, ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

// DeadLetter is a message that the broker has set aside by itself.
type DeadLetter struct {
	Body     []byte
	Origin   string
	Receives int
	Sent     time.Time
	Receipt  string
}

// DeadLetters is what a queue offers whose engine sets messages aside (SQS's
// redrive policy).
type DeadLetters interface {
	// DeadLetters receives up to limit of them, none when there are none.
	DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error)
	// DropDeadLetters deletes them at the broker.
	DropDeadLetters(ctx context.Context, letters []DeadLetter) error
}

// Quarantine is the desk of messages that nobody could work on.
type Quarantine struct {
	notes Notes
	bell  *Bell
	store Store
	now   func() time.Time
}

// NewQuarantine returns the desk over the fleet's notes. store and bell serve to
// send a message again.
func NewQuarantine(notes Notes, store Store, bell *Bell) *Quarantine {
	return &Quarantine{notes: notes, store: store, bell: bell, now: time.Now}
}

// List returns up to limit messages from behind the cursor on; next is "" at the
// end.
func (q *Quarantine) List(ctx context.Context, cursor string, limit int) (all []Quarantined, next string, err error) {
	after := ""
	if cursor != "" {
		after = QuarantinePrefix + cursor
	}
	page, err := q.notes.ListNotes(ctx, QuarantinePrefix, after, limit)
	if err != nil {
		return nil, "", fmt.Errorf("quarantine: %w", err)
	}
	for _, n := range page {
		all = append(all, openQuarantined(n))
	}
	if len(page) == limit {
		next = page[len(page)-1].Key[len(QuarantinePrefix):]
	}
	return all, next, nil
}

// Get returns one. ErrNotFound.
func (q *Quarantine) Get(ctx context.Context, id string) (Quarantined, error) {
	n, err := q.notes.Note(ctx, QuarantinePrefix+id)
	if err != nil {
		return Quarantined{}, fmt.Errorf("quarantined message: %w", err)
	}
	return openQuarantined(n), nil
}

func openQuarantined(n Note) Quarantined {
	var one Quarantined
	if err := json.Unmarshal(n.Value, &one); err != nil {
		one = Quarantined{Reason: "the record itself can not be read", Raw: n.Value, Size: len(n.Value)}
	}
	one.ID = n.Key[len(QuarantinePrefix):]
	return one
}

// Import takes the broker's own dead letters over into the quarantine, and returns
// how many. Each is written down before the broker deletes it.
func (q *Quarantine) Import(ctx context.Context, from DeadLetters) (count int, err error) {
	for {
		letters, err := from.DeadLetters(ctx, 100)
		if err != nil {
			return count, fmt.Errorf("read the broker's dead letters: %w", err)
		}
		if len(letters) == 0 {
			return count, nil
		}
		for _, l := range letters {
			fresh, err := keepQuarantined(ctx, q.notes, Quarantined{
				Reason: importReason(l), Origin: l.Origin, Raw: l.Body, Receives: l.Receives, At: q.now().UTC(),
			})
			if err != nil {
				return count, fmt.Errorf("keep a dead letter: %w", err)
			}
			if fresh {
				count++
			}
		}
		if err := from.DropDeadLetters(ctx, letters); err != nil {
			return count, fmt.Errorf("delete what was taken over: %w", err)
		}
	}
}

func importReason(l DeadLetter) string {
	m, err := DecodeMessage(l.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("delivered %d times and never settled: the message of job %s may stop every worker that takes it", l.Receives, m.Key)
}

// Resend gives a message to the workers again, after a fix: it is decoded anew, its
// job is made if there is none, and rung. What still can not be decoded is refused
// with ErrUndecodable or ErrNewerSchema and stays.
func (q *Quarantine) Resend(ctx context.Context, id string) (Job, error) {
	one, err := q.Get(ctx, id)
	if err != nil {
		return Job{}, err
	}
	m, err := DecodeMessage(one.Raw)
	if err != nil {
		return Job{}, err
	}
	key, err := ParseKey(m.Key)
	if err != nil {
		return Job{}, fmt.Errorf("%w: %w", ErrUndecodable, err)
	}
	now := q.now()
	out, err := applyJob(ctx, q.store, JobCommand{
		Kind: JobEnsure, Key: key, Now: now, DueAt: now.Add(30 * time.Second), Requester: m.Requester, Trace: m.Trace,
	})
	if err != nil {
		return out.Job, fmt.Errorf("make the job of a quarantined message: %w", err)
	}
	if !out.Job.State.Ended() {
		q.bell.Ring(out.Job, 0)
	}
	return out.Job, dropNote(ctx, q.notes, QuarantinePrefix+id)
}

// Drop forgets a message. ErrNotFound.
func (q *Quarantine) Drop(ctx context.Context, id string) (Quarantined, error) {
	one, err := q.Get(ctx, id)
	if err != nil {
		return one, err
	}
	return one, dropNote(ctx, q.notes, QuarantinePrefix+id)
}

// quarantine keeps an undecodable body and acknowledges it, so that it does not
// come back for ever. A message of a newer schema goes back to the queue: a
// newer worker knows it.
func (r *Runner) quarantine(ctx context.Context, d Delivery) Settlement {
	if errors.Is(d.Err, ErrNewerSchema) {
		return Settlement{Delivery: d, Release: true, Delay: 30 * time.Second}
	}
	if r.Notes == nil {
		return Settlement{Delivery: d, Release: true, Delay: time.Minute}
	}
	_, err := keepQuarantined(ctx, r.Notes, Quarantined{Reason: d.Err.Error(), Origin: d.Origin, Raw: d.Raw, At: r.Now().UTC()})
	if err != nil {
		return Settlement{Delivery: d, Release: true, Delay: time.Minute}
	}
	r.Observer.Quarantined(d)
	return Settlement{Delivery: d}
}
