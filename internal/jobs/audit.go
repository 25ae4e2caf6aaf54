package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"time"
)

// Entry is what is kept of one act of an operator.
type Entry struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	By     string    `json:"by,omitempty"` // who, as far as the request told
	Action string    `json:"action"`       // replay, cancel, discard, pause, resume, resend, drop, import, stop
	Target string    `json:"target"`       // a job, an operation, a pause's target, a bulk run
	Filter string    `json:"filter,omitempty"`
	Count  int64     `json:"count"` // how many records it changed, or is to change at most; -1: not known yet
	Result string    `json:"result,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

const (
	auditPrefix = "audit/"
	auditKeep   = 400 * 24 * time.Hour
)

// Audit keeps what operators did, in the notes: more than a year of it.
type Audit struct {
	notes Notes
	now   func() time.Time
	log   *slog.Logger
}

// NewAudit returns the audit over the fleet's notes.
func NewAudit(notes Notes, log *slog.Logger) *Audit {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Audit{notes: notes, now: time.Now, log: log}
}

// Record keeps an entry. The act itself is done by then: an entry that can not be
// written goes to the log instead.
func (a *Audit) Record(ctx context.Context, e Entry) {
	e.At = a.now().UTC()
	// The newest comes first in the order of keys.
	e.ID = fmt.Sprintf("%019d-%s", math.MaxInt64-e.At.UnixNano(), RandomID()[:8])
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := putNote(ctx, a.notes, auditPrefix+e.ID, e, e.At.Add(auditKeep))
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelError
	}
	a.log.Log(ctx, level, "an operator acted", "by", e.By, "action", e.Action, "target", e.Target, "filter", e.Filter,
		"count", e.Count, "result", e.Result, "audit_error", err)
}

// List returns up to limit entries, the newest first, from behind the cursor on;
// next is "" at the end.
func (a *Audit) List(ctx context.Context, cursor string, limit int) (entries []Entry, next string, err error) {
	after := ""
	if cursor != "" {
		after = auditPrefix + cursor
	}
	page, err := a.notes.ListNotes(ctx, auditPrefix, after, limit)
	if err != nil {
		return nil, "", fmt.Errorf("audit: %w", err)
	}
	for _, n := range page {
		var e Entry
		if json.Unmarshal(n.Value, &e) == nil {
			entries = append(entries, e)
		}
	}
	if len(page) == limit {
		next = page[len(page)-1].Key[len(auditPrefix):]
	}
	return entries, next, nil
}
