package blobtest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/pipeline"
)

const racers = 32

// together runs work for every racer, all starting at once.
func together(work func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		wg.Go(func() {
			<-start
			work(i)
		})
	}
	close(start)
	wg.Wait()
}

func testRaceForKey(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	contents := make([][]byte, racers)
	uploads := make([]pipeline.Upload, racers)
	for i := range racers {
		contents[i] = content(uint64(i), 50_000+i%3) // some have the same size
		uploads[i] = begin(t, b, aKey, contents[i])
	}
	errs := make([]error, racers)
	together(func(i int) { errs[i] = uploads[i].Commit(t.Context(), describe(contents[i]), false) })
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Errorf("%d and %d both won", winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, pipeline.ErrExists):
			t.Errorf("loser %d: %v, want ErrExists", i, err)
		}
	}
	if winner < 0 {
		t.Fatal("nobody won")
	}
	wantFile(t, b, aKey, contents[winner])
	wantClean(t, h, b)
}

func testRaceToReplace(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	contents := make([][]byte, racers)
	uploads := make([]pipeline.Upload, racers)
	for i := range racers {
		contents[i] = content(uint64(i), 20_000) // the same size: only the hash tells them apart
		uploads[i] = begin(t, b, aKey, contents[i])
	}
	together(func(i int) {
		if err := uploads[i].Commit(t.Context(), describe(contents[i]), true); err != nil {
			t.Errorf("replace %d: %v", i, err)
		}
	})
	got, err := read(t.Context(), b, aKey, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(contents, func(c []byte) bool { return bytes.Equal(c, got) }) {
		t.Error("the file is no writer's")
	}
	wantFile(t, b, aKey, got) // and it is described as what it is
	wantClean(t, h, b)
}

// testReadersDuringReplace: whoever reads or asks gets one whole file, never
// none and never parts of two.
func testReadersDuringReplace(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	versions := make([][]byte, 12)
	for i := range versions {
		versions[i] = content(uint64(i), 30_000+i)
	}
	put(t, b, aKey, versions[0])
	var ended atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !ended.Load() {
				got, err := read(t.Context(), b, aKey, 0)
				if i := len(got) - 30_000; err != nil || i < 0 || i >= len(versions) || !bytes.Equal(got, versions[i]) {
					t.Errorf("read %d bytes, %v: no version", len(got), err)
					return
				}
				info, err := b.Stat(t.Context(), aKey)
				if i := int(info.Bytes) - 30_000; err != nil || i < 0 || i >= len(versions) || info.Meta != describe(versions[i]) {
					t.Errorf("stat = %+v, %v: no version", info, err)
					return
				}
			}
		})
	}
	for _, v := range versions[1:] {
		if err := begin(t, b, aKey, v).Commit(t.Context(), describe(v), true); err != nil {
			t.Errorf("replace: %v", err)
		}
	}
	ended.Store(true)
	wg.Wait()
	wantFile(t, b, aKey, versions[len(versions)-1])
	wantClean(t, h, b)
}

// testStatDuringRemove: a file that comes and goes is there or not, and never
// anything in between.
func testStatDuringRemove(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	data := content(1, 1000)
	var ended atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !ended.Load() {
				info, err := b.Stat(t.Context(), aKey)
				if err == nil && info.Meta != describe(data) || err != nil && !errors.Is(err, jobs.ErrNotFound) {
					t.Errorf("stat = %+v, %v", info, err)
					return
				}
			}
		})
	}
	for range 50 {
		put(t, b, aKey, data)
		if err := b.Remove(t.Context(), aKey); err != nil {
			t.Errorf("remove: %v", err)
		}
	}
	ended.Store(true)
	wg.Wait()
	wantNothing(t, b, aKey)
	wantClean(t, h, b)
}

func testManyKeysAtOnce(t *testing.T, h Harness) {
	t.Parallel()
	b := h.New(t)
	key := func(i int) string { return fmt.Sprintf("audio/%d/%d.dca", i%4, i) } // new folders are made at once too
	together(func(i int) {
		data := content(uint64(i), 10_000)
		u, err := b.Create(t.Context(), key(i))
		if err == nil {
			_, err = u.Write(data)
		}
		if err == nil {
			err = u.Commit(t.Context(), describe(data), false)
		}
		if err != nil {
			t.Errorf("%s: %v", key(i), err)
		}
	})
	for i := range racers {
		wantFile(t, b, key(i), content(uint64(i), 10_000))
	}
	wantClean(t, h, b)
}
