package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/butakero/butakero/internal/jobs"
)

var noteTests = []test{
	{name: "Swap", run: testSwap},
	{name: "Expiry", run: testNoteExpiry},
	{name: "Values", run: testNoteValues},
	{name: "List", run: testNoteList},
	{name: "Race", run: raceNotes},
	{name: "Counter", run: raceCounter},
}

func noteKey(kind string) string { return kind + "/" + newKey().ID }

func (s *suite) swap(n jobs.Note) jobs.Note {
	s.Helper()
	kept, err := s.b.SwapNote(s.ctx, n)
	if err != nil {
		s.Fatalf("swap %q at version %d: %v", n.Key, n.Version, err)
	}
	if kept.Version == n.Version || kept.Version == 0 || kept.Key != n.Key || !bytes.Equal(kept.Value, n.Value) {
		s.Fatalf("swapped: %+v", kept)
	}
	read, err := s.b.Note(s.ctx, n.Key)
	if err != nil {
		s.Fatal(err)
	}
	s.same("the note", normalNote(kept), normalNote(read))
	return kept
}

func (s *suite) conflict(n jobs.Note) jobs.Note {
	s.Helper()
	kept, err := s.b.SwapNote(s.ctx, n)
	s.refused(err, jobs.ErrConflict)
	return kept
}

func testSwap(s *suite) {
	key := noteKey("swap")
	if _, err := s.b.Note(s.ctx, key); !errors.Is(err, jobs.ErrNotFound) {
		s.Fatalf("read of no note: %v", err)
	}
	if kept := s.conflict(jobs.Note{Key: key, Value: []byte("x"), Version: 3}); kept.Version != 0 {
		s.Fatalf("the conflict brings %+v where there is none", kept)
	}
	first := s.swap(jobs.Note{Key: key, Value: []byte("one")})
	kept := s.conflict(jobs.Note{Key: key, Value: []byte("x")})
	s.same("the kept note", normalNote(first), normalNote(kept))
	second := s.swap(jobs.Note{Key: key, Value: []byte("two"), Version: first.Version, ExpiresAt: s.at(time.Hour)})
	s.conflict(jobs.Note{Key: key, Value: []byte("x"), Version: first.Version})
	third := s.swap(jobs.Note{Key: key, Value: []byte("three"), Version: second.Version}) // and never expires again
	if !third.ExpiresAt.IsZero() {
		s.Fatalf("expires at %s", third.ExpiresAt)
	}
}

func testNoteExpiry(s *suite) {
	key := noteKey("expiry")
	old, err := s.b.SwapNote(s.ctx, jobs.Note{Key: key, Value: []byte("old"), ExpiresAt: s.at(-time.Hour)})
	if err != nil {
		s.Fatal(err)
	}
	if _, err := s.b.Note(s.ctx, key); !errors.Is(err, jobs.ErrNotFound) {
		s.Fatalf("read of an expired note: %v", err)
	}
	if page, err := s.b.ListNotes(s.ctx, key, "", 10); err != nil || len(page) != 0 {
		s.Fatalf("list of an expired note: %v, %v", page, err)
	}
	s.conflict(jobs.Note{Key: key, Value: []byte("late"), Version: old.Version})
	s.swap(jobs.Note{Key: key, Value: []byte("new"), ExpiresAt: s.at(time.Hour)})
}

func testNoteValues(s *suite) {
	for i, value := range [][]byte{{}, nil, {0, 255, 0}, []byte("\xff\xfe not text"), bytes.Repeat([]byte{7}, 256<<10)} {
		key := noteKey(fmt.Sprintf("value-%d", i))
		kept := s.swap(jobs.Note{Key: key, Value: value})
		s.swap(jobs.Note{Key: key, Value: []byte("next"), Version: kept.Version})
	}
	for _, text := range texts {
		s.swap(jobs.Note{Key: noteKey("text") + text, Value: []byte(text)})
	}
	long := noteKey("long")
	s.swap(jobs.Note{Key: long + strings.Repeat("x", 512-len(long)), Value: []byte("x")})
	// What the caller does with its bytes afterwards is its own business.
	n := jobs.Note{Key: noteKey("copy"), Value: []byte("kept")}
	s.swap(n)
	n.Value[0] = 'X'
	if read, err := s.b.Note(s.ctx, n.Key); err != nil || string(read.Value) != "kept" {
		s.Fatalf("%q, %v", read.Value, err)
	}
}

func testNoteList(s *suite) {
	prefix := noteKey("list") + "/"
	for i := range 25 {
		s.swap(jobs.Note{Key: fmt.Sprintf("%s%02d", prefix, (i*7)%25), Value: []byte{byte(i)}})
	}
	s.swap(jobs.Note{Key: strings.TrimSuffix(prefix, "/"), Value: []byte("the prefix without its last character")})
	s.swap(jobs.Note{Key: strings.TrimSuffix(prefix, "/") + "0", Value: []byte("the one behind")})
	s.swap(jobs.Note{Key: prefix + "ñ\U0010FFFF", Value: []byte("the last")})
	for _, limit := range []int{1, 10, 26, 100} {
		var keys []string
		for after := ""; ; {
			page, err := s.b.ListNotes(s.ctx, prefix, after, limit)
			if err != nil {
				s.Fatal(err)
			}
			if len(page) > limit {
				s.Fatalf("a page of %d, asked for %d", len(page), limit)
			}
			for _, n := range page {
				if n.Version == 0 || len(n.Value) == 0 {
					s.Fatalf("listed: %+v", n)
				}
				keys = append(keys, strings.TrimPrefix(n.Key, prefix))
				after = n.Key
			}
			if len(page) < limit {
				break
			}
		}
		if len(keys) != 26 || keys[0] != "00" || keys[24] != "24" || keys[25] != "ñ\U0010FFFF" {
			s.Fatalf("pages of %d: %q", limit, keys)
		}
	}
	if page, err := s.b.ListNotes(s.ctx, noteKey("none"), "", 10); err != nil || len(page) != 0 {
		s.Fatalf("%v, %v", page, err)
	}
}

func raceNotes(s *suite) {
	for range s.f.Rounds {
		key := noteKey("race")
		won := make([]bool, s.f.Racers)
		errs := make([]error, s.f.Racers)
		together(s.f.Racers, func(i int) {
			n, err := s.b.SwapNote(s.ctx, jobs.Note{Key: key, Value: []byte{byte(i)}, ExpiresAt: s.at(time.Hour)})
			won[i] = err == nil
			switch {
			case err != nil && !errors.Is(err, jobs.ErrConflict):
				errs[i] = err
			case n.Version == 0 || len(n.Value) != 1 || err == nil && n.Value[0] != byte(i):
				errs[i] = fmt.Errorf("the answer holds %+v", n)
			}
		})
		winners := 0
		for i := range won {
			if won[i] {
				winners++
			}
			if errs[i] != nil {
				s.Fatal(errs[i])
			}
		}
		if winners != 1 {
			s.Fatalf("%d of %d racers made the note", winners, s.f.Racers)
		}
	}
}

// Racers that add one to a number until it is in lose none.
func raceCounter(s *suite) {
	const racers, each = 8, 10
	n := s.swap(jobs.Note{Key: noteKey("counter"), Value: []byte("0")})
	together(racers, func(int) {
		for range each {
			for {
				kept, err := s.b.Note(s.ctx, n.Key)
				if err != nil {
					s.Error(err)
					return
				}
				var v int
				_, _ = fmt.Sscan(string(kept.Value), &v)
				kept.Value = fmt.Append(nil, v+1)
				_, err = s.b.SwapNote(s.ctx, kept)
				if err == nil {
					break
				}
				if !errors.Is(err, jobs.ErrConflict) {
					s.Error(err)
					return
				}
			}
		}
	})
	kept, err := s.b.Note(s.ctx, n.Key)
	if err != nil || string(kept.Value) != fmt.Sprint(racers*each) {
		s.Fatalf("%s, want %d; %v", kept.Value, racers*each, err)
	}
}
