// Package sourcetest is the conformance suite of [pipeline.Source] and
// [jobs.Resolver]: what the rest of the program relies on, whatever the songs
// come from. An adapter's test calls [Run] with a [Harness] that describes some
// songs it can get.
package sourcetest

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

// Source is both ports: one adapter implements them together.
type Source interface {
	pipeline.Source
	jobs.Resolver
}

// Harness is what the suite needs to know of an adapter. Fields that are not set
// skip their tests by name.
type Harness struct {
	// New opens a source for one test; what it needs ends with the test.
	New func(t *testing.T) Source

	// Song is one that can be had, with everything about it.
	Song Sample

	// Unknown are texts of well-formed requests for songs that do not exist (a
	// link, words), UnknownSong the same as a song.
	Unknown     []string
	UnknownSong jobs.Song

	// NotFound is the code of the verdict on those; "not_found".
	NotFound string

	// Invalid are texts that are refused without asking anybody.
	Invalid []string

	// Failing are songs that can not be had, with the verdict that says why.
	Failing map[jobs.Song]Verdict

	// Slow opens a source whose songs come so slowly that a Read has to wait.
	Slow func(t *testing.T) Source
}

// Sample describes a song.
type Sample struct {
	Song     jobs.Song
	Title    string   // words that find it
	Links    []string // that name it
	Bytes    []byte   // its media, if known
	Duration time.Duration
}

// Verdict is what the suite compares of a *jobs.Error.
type Verdict struct {
	Class jobs.Class
	Code  string
}

// patience bounds everything that is expected to happen at once.
const patience = 10 * time.Second

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if h.NotFound == "" {
		h.NotFound = "not_found"
	}
	for _, part := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"Resolve", testResolve},
		{"ResolveRefuses", testResolveRefuses},
		{"Open", testOpen},
		{"OpenRefuses", testOpenRefuses},
		{"TwoAtOnce", testTwoAtOnce},
		{"Cancelled", testCancelled},
		{"ClosedEarly", testClosedEarly},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, h) })
	}
}

// needs skips a test whose part of the harness is missing.
func needs(t *testing.T, there bool, what string) {
	t.Helper()
	if !there {
		t.Skipf("CAN NOT RUN: the harness has no %s", what)
	}
}

// wantVerdict fails unless err is a *jobs.Error that says so.
func wantVerdict(t *testing.T, err error, want Verdict) {
	t.Helper()
	got := verdictOf(t, err)
	if got.Class != want.Class || got.Code != want.Code {
		t.Errorf("error %v: %s %s, want %s %s", err, got.Class, got.Code, want.Class, want.Code)
	}
}

// verdictOf fails unless err is a *jobs.Error that users can be shown.
func verdictOf(t *testing.T, err error) *jobs.Error {
	t.Helper()
	var verdict *jobs.Error
	if !errors.As(err, &verdict) {
		t.Fatalf("error %v (%T) carries no verdict", err, err)
	}
	if verdict.Class == "" || verdict.Code == "" || verdict.Message == "" {
		t.Errorf("verdict %+v lacks class, code or message", verdict)
	}
	return verdict
}

// readAll reads a song to its end.
func readAll(t *testing.T, m *pipeline.Media) []byte {
	t.Helper()
	data, err := io.ReadAll(m.Body)
	if err != nil {
		t.Fatalf("read: %v after %d bytes", err, len(data))
	}
	if err := m.Body.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	return data
}

func open(ctx context.Context, t *testing.T, s Source, song jobs.Song) *pipeline.Media {
	t.Helper()
	m, err := s.Open(ctx, song)
	if err != nil {
		t.Fatalf("open %s: %v", song, err)
	}
	t.Cleanup(func() { _ = m.Body.Close() }) // closing twice must do no harm
	return m
}
