package kafka

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/IBM/sarama"
)

func read(w *window, offsets ...int64) {
	for _, o := range offsets {
		w.add(&sarama.ConsumerMessage{Offset: o})
	}
}

func TestWindowSettlesOutOfOrder(t *testing.T) {
	t.Parallel()
	w := newWindow()
	read(&w, 5, 6, 9, 10) // Kafka leaves gaps
	read(&w, 9, 10)       // and a fetch may bring what was read before
	var deliveries []int64
	for _, want := range []int64{5, 6, 9, 10} {
		m, delivery, ok := w.take()
		if !ok || m.Offset != want {
			t.Fatalf("took %+v, want offset %d", m, want)
		}
		deliveries = append(deliveries, delivery)
	}
	if _, _, ok := w.take(); ok {
		t.Error("took a fifth")
	}
	mark := func(want int64, moves bool) {
		t.Helper()
		if got, ok := w.advance(); ok != moves || got != want {
			t.Errorf("mark %d, %v; want %d, %v", got, ok, want, moves)
		}
	}
	mark(0, false)
	if !w.settle(9, deliveries[2]) || !w.settle(6, deliveries[1]) {
		t.Error("not settled")
	}
	mark(0, false)
	if w.settle(6, deliveries[1]) || w.settle(5, deliveries[3]) || w.settle(7, 1) || w.settle(10, 0) {
		t.Error("a stale delivery was settled")
	}
	if !w.settle(5, deliveries[0]) {
		t.Error("not settled")
	}
	mark(10, true)
	mark(0, false)
	if w.ahead() != 1 || w.out != 1 {
		t.Errorf("ahead %d, out %d", w.ahead(), w.out)
	}
}

func TestWindowParks(t *testing.T) {
	t.Parallel()
	w := newWindow()
	read(&w, 0, 1, 2)
	_, first, _ := w.take()
	if w.park(0, first) == nil || w.park(0, first) != nil || w.settle(0, first) {
		t.Error("a parked delivery is still out")
	}
	if m, delivery, _ := w.take(); m.Offset != 1 || !w.settle(1, delivery) {
		t.Error("the next does not come")
	}
	if _, ok := w.advance(); ok {
		t.Error("the mark went over a parked message")
	}
	w.wake(0)
	if w.waiting() != 2 {
		t.Errorf("%d wait", w.waiting())
	}
	m, again, _ := w.take()
	if m.Offset != 0 || again == first {
		t.Errorf("offset %d, delivery %d", m.Offset, again)
	}
	w.park(0, again)
	w.drop(0)
	if mark, ok := w.advance(); !ok || mark != 2 || w.parked != 0 || w.out != 0 {
		t.Errorf("mark %d, %v; %+v", mark, ok, w)
	}
}

// Whatever is done in whatever order: the mark is behind every offset before it,
// which were all settled, and before the first that was not; nothing comes
// twice without a release, and in the end everything has come.
func TestWindowAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 7))
		w := newWindow()
		type state struct {
			delivery int64
			out      bool
			parked   bool
			settled  bool
		}
		model := map[int64]*state{}
		var offsets []int64
		next, mark := int64(random.IntN(50)), int64(0)
		pick := func(want func(*state) bool) (int64, bool) {
			var found []int64
			for _, o := range offsets {
				if want(model[o]) {
					found = append(found, o)
				}
			}
			if len(found) == 0 {
				return 0, false
			}
			return found[random.IntN(len(found))], true
		}
		for step := 0; ; step++ {
			ending := step > 400
			switch n := random.IntN(10); {
			case n < 3 && !ending:
				next += 1 + int64(random.IntN(3)/2)
				read(&w, next)
				offsets, model[next] = append(offsets, next), &state{}
			case n < 6:
				m, delivery, ok := w.take()
				if !ok {
					break
				}
				s := model[m.Offset]
				if s.out || s.settled || s.parked || delivery == s.delivery {
					t.Fatalf("seed %d: offset %d came: %+v", seed, m.Offset, s)
				}
				s.out, s.delivery = true, delivery
			case n < 8:
				if o, ok := pick(func(s *state) bool { return s.out }); ok {
					s := model[o]
					if w.settle(o, s.delivery+1) || !w.settle(o, s.delivery) {
						t.Fatalf("seed %d: settling %d", seed, o)
					}
					s.out, s.settled = false, true
				}
			case n == 8 && !ending:
				if o, ok := pick(func(s *state) bool { return s.out }); ok {
					if w.park(o, model[o].delivery) == nil {
						t.Fatalf("seed %d: parking %d", seed, o)
					}
					model[o].out, model[o].parked = false, true
				}
			default:
				if o, ok := pick(func(s *state) bool { return s.parked }); ok {
					model[o].parked = false
					if random.IntN(2) == 0 {
						w.wake(o)
					} else {
						w.drop(o)
						model[o].settled = true
					}
				}
			}
			if m, ok := w.advance(); ok {
				if m <= mark {
					t.Fatalf("seed %d: the mark went from %d to %d", seed, mark, m)
				}
				mark = m
			}
			want := int64(0)
			for _, o := range offsets {
				if !model[o].settled {
					break
				}
				want = o + 1
			}
			if mark != want {
				t.Fatalf("seed %d: mark %d, want %d", seed, mark, want)
			}
			out := 0
			for _, s := range model {
				if s.out {
					out++
				}
			}
			if w.out != out {
				t.Fatalf("seed %d: %d out, want %d", seed, w.out, out)
			}
			if ending && !slices.ContainsFunc(offsets, func(o int64) bool { return !model[o].settled }) {
				break
			}
			if step > 100000 {
				t.Fatalf("seed %d: never ends", seed)
			}
		}
	}
}

// What was settled takes no memory, however long the partition is ours.
func TestWindowForgets(t *testing.T) {
	t.Parallel()
	w := newWindow()
	for o := range int64(100_000) {
		read(&w, o)
		_, delivery, _ := w.take()
		if o%3 == 0 && o > 0 { // always one behind
			continue
		}
		w.settle(o, delivery)
		if o > 2 && o%3 == 1 {
			w.settle(o-1, delivery-1)
		}
		w.advance()
	}
	if cap(w.entries) > 8192 {
		t.Errorf("room for %d entries", cap(w.entries))
	}
}

func BenchmarkWindow(b *testing.B) {
	w := newWindow()
	m := &sarama.ConsumerMessage{}
	b.ReportAllocs()
	for b.Loop() {
		m.Offset++
		w.add(m)
		_, delivery, _ := w.take()
		w.settle(m.Offset, delivery)
		w.advance()
	}
}
