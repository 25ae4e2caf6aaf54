package kafka

import (
	"sort"

	"github.com/IBM/sarama"
)

// window holds a partition's messages from the first that is not settled to the
// last that was read, in the order of their offsets, which may have gaps. Its
// mark is the offset up to which everything is settled: all that Kafka is told.
//
// It is not safe for concurrent use.
type window struct {
	entries []entry // from head on; before it is room
	head    int     // index of the first entry that is not settled
	next    int     // index of the first entry that was never delivered
	again   []int64 // offsets to deliver before it: released ones
	parked  int     // released ones that are not in again yet
	out     int     // delivered and neither settled nor released
	last    int64   // number of the last delivery
	read    int64   // offset of the last message that was read, -1 at first
}

type entry struct {
	offset   int64
	message  *sarama.ConsumerMessage // nil: settled
	delivery int64                   // number of the delivery that is out; 0: none
}

func newWindow() window { return window{read: -1} }

// add appends a message that was read. Offsets only grow; one that does not was
// read before and is left out.
func (w *window) add(m *sarama.ConsumerMessage) bool {
	if m.Offset <= w.read {
		return false
	}
	w.read = m.Offset
	w.entries = append(w.entries, entry{offset: m.Offset, message: m})
	return true
}

// waiting is how many messages can be delivered.
func (w *window) waiting() int { return len(w.entries) - w.next + len(w.again) }

// ahead is how many entries were delivered since the first that is not settled.
func (w *window) ahead() int { return w.next - w.head }

// take delivers a message.
func (w *window) take() (m *sarama.ConsumerMessage, delivery int64, ok bool) {
	var e *entry
	switch {
	case len(w.again) > 0:
		e = w.find(w.again[0])
		w.again = w.again[1:]
	case w.next < len(w.entries):
		e = &w.entries[w.next]
		w.next++
	default:
		return nil, 0, false
	}
	w.last++
	w.out++
	e.delivery = w.last
	return e.message, e.delivery, true
}

// find returns the entry of an offset, nil if there is none.
func (w *window) find(offset int64) *entry {
	held := w.entries[w.head:]
	i := sort.Search(len(held), func(i int) bool { return held[i].offset >= offset })
	if i == len(held) || held[i].offset != offset {
		return nil
	}
	return &held[i]
}

// settle ends a delivery; false: it is not out any more.
func (w *window) settle(offset, delivery int64) bool {
	e := w.find(offset)
	if e == nil || e.delivery != delivery || delivery == 0 {
		return false
	}
	e.message, e.delivery = nil, 0
	w.out--
	return true
}

// park takes a delivery back, until it is taken up with again or drop. It returns
// the message; nil: the delivery is not out any more.
func (w *window) park(offset, delivery int64) *sarama.ConsumerMessage {
	e := w.find(offset)
	if e == nil || e.delivery != delivery || delivery == 0 {
		return nil
	}
	e.delivery = 0
	w.out--
	w.parked++
	return e.message
}

// wake makes a parked message deliverable.
func (w *window) wake(offset int64) {
	w.parked--
	w.again = append(w.again, offset)
}

// drop settles a parked message.
func (w *window) drop(offset int64) {
	w.parked--
	w.find(offset).message = nil
}

// advance forgets what is settled at the beginning. mark is the offset behind
// it; ok is false when nothing was.
func (w *window) advance() (mark int64, ok bool) {
	for w.head < w.next && w.entries[w.head].message == nil {
		mark, ok = w.entries[w.head].offset+1, true
		w.head++
	}
	switch {
	case w.head == len(w.entries):
		w.entries, w.head, w.next = w.entries[:0], 0, 0
	case w.head >= 1024 && w.head >= len(w.entries)/2:
		n := copy(w.entries, w.entries[w.head:])
		clear(w.entries[n:])
		w.entries, w.next, w.head = w.entries[:n], w.next-w.head, 0
	}
	return mark, ok
}
