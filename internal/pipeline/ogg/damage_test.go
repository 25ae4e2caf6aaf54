package ogg

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// plain is a stream of five audio pages with two packets each; the third and fourth share a packet.
func plain() *pageList {
	l := &pageList{serial: 77}
	l.headers()
	long := bytes.Repeat([]byte{9}, 600)
	l.packet(0, 1920, []byte("a"), []byte("b"))
	l.add(0, 2880, []byte{1, 255, 255}, append([]byte("c"), long[:510]...))
	l.add(FlagContinued, 4800, []byte{90, 1}, append(bytes.Clone(long[:90]), 'd'))
	l.packet(0, 6720, []byte("e"), []byte("f"))
	l.packet(FlagEOS, 8640, []byte("g"), []byte("h"))
	return l
}

// Each fault has its kind, and is final.
func TestDamage(t *testing.T) {
	t.Parallel()
	without := func(i int) []byte { l := plain(); return slices.Concat(slices.Delete(l.pages, i, i+1)...) }
	change := func(i int, f func(page []byte)) []byte { l := plain(); f(l.pages[i]); return l.bytes() }
	sealed := func(i int, f func(page []byte)) []byte {
		return change(i, func(page []byte) { f(page); Seal(page) })
	}
	build := func(f func(l *pageList)) []byte { l := &pageList{}; f(l); return l.bytes() }
	swap := func(i int) []byte {
		l := plain()
		l.pages[i], l.pages[i+1] = l.pages[i+1], l.pages[i]
		return l.bytes()
	}
	tests := []struct {
		name string
		file []byte
		kind error
	}{
		{"nothing", nil, ErrTruncated},
		{"one byte", []byte("O"), ErrTruncated},
		{"magic alone", []byte("OggS"), ErrTruncated},
		{"zeros", make([]byte, 100000), ErrNotOgg},
		{"0xff", bytes.Repeat([]byte{0xFF}, 100), ErrNotOgg},
		{"short text", []byte("<html>"), ErrNotOgg},
		{"page version 1", change(0, func(p []byte) { p[4] = 1 }), ErrNotOgg},
		{"junk before", append([]byte("ID3 or so "), plain().bytes()...), ErrNotOgg},
		{"junk after", append(plain().bytes(), "TAG..."...), ErrNotOgg},
		{"zeros after", append(plain().bytes(), make([]byte, 5000)...), ErrNotOgg},
		{"junk between", slices.Concat(slices.Insert(plain().pages, 3, []byte("junk"))...), ErrNotOgg},

		{"wrong checksum in audio", change(3, func(p []byte) { p[22] ^= 1 }), ErrChecksum},
		{"a bit of audio", change(5, func(p []byte) { p[len(p)-1] ^= 1 }), ErrChecksum},
		{"wrong checksum in the head", change(0, func(p []byte) { p[25] ^= 0x80 }), ErrChecksum},
		{"checksum 0 everywhere", func() []byte {
			l := plain()
			for _, p := range l.pages {
				copy(p[22:26], []byte{0, 0, 0, 0})
			}
			return l.bytes()
		}(), ErrChecksum},

		{"audio page lost", without(2), ErrLostPage},
		{"first half of a packet lost", without(3), ErrLostPage},
		{"second half of a packet lost", without(4), ErrLostPage},
		{"tags page lost", without(1), ErrLostPage},
		{"pages swapped", swap(5), ErrLostPage},
		{"page twice", slices.Concat(slices.Insert(plain().pages, 3, plain().pages[2])...), ErrLostPage},
		{"continued flag without a packet", sealed(2, func(p []byte) { p[5] |= FlagContinued }), ErrLostPage},
		{"continued flag missing", sealed(4, func(p []byte) { p[5] &^= FlagContinued }), ErrLostPage},
		{"first page lost", without(0), ErrMalformed},
		{"no BOS flag", sealed(0, func(p []byte) { p[5] = 0 }), ErrMalformed},
		{"no tags", build(func(l *pageList) {
			l.packet(FlagBOS, 0, testHead)
			l.packet(FlagEOS, 960, []byte{0xF8, 1, 2, 3, 4, 5, 6, 7, 8})
		}), ErrMalformed},
		{"tags of 3 bytes", build(func(l *pageList) {
			l.packet(FlagBOS, 0, testHead)
			l.packet(FlagEOS, 960, []byte("Opu"))
		}), ErrMalformed},
		{"page after the end", func() []byte {
			l := plain()
			l.packet(0, 9600, []byte("i"))
			return l.bytes()
		}(), ErrMalformed},
		{"end mark too early", sealed(3, func(p []byte) { p[5] |= FlagEOS }), ErrTruncated}, // inside a packet
		{"head is not alone", build(func(l *pageList) { l.packet(FlagBOS, 0, testHead, []byte("more")) }), ErrMalformed},
		{"head goes on", build(func(l *pageList) {
			l.add(FlagBOS, 0, []byte{255}, append(bytes.Clone(testHead), make([]byte, 255-len(testHead))...))
		}), ErrMalformed},
		{"two streams, one serial", build(func(l *pageList) { l.headers(); l.pages[1] = l.pages[0] }), ErrMalformed},
		{"vorbis", build(func(l *pageList) {
			l.packet(FlagBOS, 0, []byte("\x01vorbis"))
			l.packet(FlagEOS, 0, []byte("x"))
		}), ErrNoOpus},
		{"BOS page without segments", build(func(l *pageList) { l.add(FlagBOS, 0, nil, nil) }), ErrNoOpus},

		{"head alone", plain().pages[0], ErrTruncated},
		{"head alone with an end mark", sealed(0, func(p []byte) { p[5] |= FlagEOS })[:len(plain().pages[0])], ErrTruncated},
		{"headers alone", slices.Concat(plain().pages[:2]...), ErrNoPackets},
		{"headers alone are truncated, too", slices.Concat(plain().pages[:2]...), ErrTruncated},
		{"tags cut at a page", func() []byte {
			var file bytes.Buffer
			w := NewWriter(&file, 1)
			if err := w.WriteHeaders(testHead, Tags("v", strings.Repeat("x", 200000))); err != nil {
				t.Fatal(err)
			}
			return file.Bytes()[:47+MaxPageBytes]
		}(), ErrTruncated},
		{"unfinished packet", slices.Concat(plain().pages[:4]...), ErrTruncated},
		{"unfinished packet with an end mark", build(func(l *pageList) {
			l.headers()
			l.add(FlagEOS, 960, []byte{255}, make([]byte, 255))
		}), ErrTruncated},
		{"new stream inside a packet", slices.Concat(append(plain().pages[:4], plain().pages...)...), ErrTruncated},
		{"new stream inside the headers", slices.Concat(func() []byte {
			l := &pageList{}
			l.packet(FlagBOS, 0, testHead)
			l.add(0, NoGranule, []byte{255}, append([]byte("OpusTags"), make([]byte, 247)...))
			return l.bytes()
		}(), plain().bytes()), ErrTruncated},
		{"new stream after the head alone", slices.Concat(func() []byte {
			l := &pageList{}
			l.packet(FlagBOS, 0, testHead)
			l.add(0, NoGranule, nil, nil)
			return l.bytes()
		}(), plain().bytes()), ErrTruncated},
		{"no end mark", slices.Concat(plain().pages[:6]...), ErrNoEOS},

		{"packet of 61441 bytes", build(func(l *pageList) {
			l.headers()
			l.packet(FlagEOS, 960, make([]byte, MaxPacketBytes+1))
		}), ErrPacketTooLarge},
		{"packet of 20 pages", build(func(l *pageList) {
			l.headers()
			full := bytes.Repeat([]byte{255}, 200) // each page alone is within the limit
			for i := range 20 {
				flags := byte(FlagContinued)
				if i == 0 {
					flags = 0
				}
				l.add(flags, NoGranule, full, make([]byte, 200*255))
			}
		}), ErrPacketTooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := NewReader(bytes.NewReader(test.file))
			links, err := readAll(r)
			var fault *Error
			if !errors.Is(err, test.kind) || !errors.As(err, &fault) {
				t.Fatalf("error %v, want %v", err, test.kind)
			}
			if fault.Offset < 0 || fault.Offset > int64(len(test.file)) {
				t.Errorf("offset %d in a file of %d bytes", fault.Offset, len(test.file))
			}
			if len(links) > 1 {
				t.Errorf("%d links", len(links))
			}
			if _, again := r.Next(); again != err { //nolint:errorlint // the very same
				t.Errorf("error %v, then %v", err, again)
			}
		})
	}
}

// The place in an error is that of the page at fault.
func TestErrorPlace(t *testing.T) {
	t.Parallel()
	l := plain()
	l.pages[3][22] ^= 1
	_, err := readAll(NewReader(bytes.NewReader(l.bytes())))
	var fault *Error
	want := int64(len(l.pages[0]) + len(l.pages[1]) + len(l.pages[2]))
	if !errors.As(err, &fault) || fault.Offset != want || fault.Page != 3 {
		t.Errorf("%v, want byte %d, page 3", err, want)
	}
}

// checkHostile reads anything at all: it must end, keep to its limits, and deliver no packet
// of a page whose checksum is wrong.
func checkHostile(t *testing.T, file []byte) {
	t.Helper()
	r := NewReader(bytes.NewReader(file))
	head, err := r.Head()
	if err == nil && !bytes.HasPrefix(head, []byte(headMagic)) {
		t.Fatalf("head %x", head)
	}
	for calls := 0; ; calls++ {
		packet, err := r.Next()
		if len(packet) > MaxPacketBytes || cap(r.packet) > 2*MaxPacketBytes {
			t.Fatalf("packet of %d bytes, %d held", len(packet), cap(r.packet))
		}
		if calls > len(file)+1 {
			t.Fatal("more packets than bytes")
		}
		if err != nil && !errors.Is(err, ErrChained) {
			return
		}
	}
}

// Thousands of files with damaged bytes, half of them with the checksums made right again, so that the damage
// gets past them.
func TestMutations(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4000) {
		rng := rand.New(rand.NewPCG(seed, 4)) // #nosec G404 -- repeatable on purpose
		l := pageList{serial: 1}
		l.headers()
		packets := make([][]byte, 1+rng.IntN(8))
		for i := range packets {
			packets[i] = make([]byte, rng.IntN(600))
		}
		l.cut(rng, packets, 10)
		for range rng.IntN(4) {
			i := rng.IntN(len(l.pages))
			page := l.pages[i]
			if len(page) == 0 {
				continue
			}
			switch rng.IntN(5) {
			case 0:
				page[rng.IntN(len(page))] ^= 1 << rng.IntN(8)
			case 1:
				page[rng.IntN(min(len(page), headerSize))] = byte(rng.Uint32())
			case 2:
				l.pages[i] = page[:rng.IntN(len(page)+1)]
			case 3:
				l.pages[i] = append(page, page...)
			case 4:
				j := rng.IntN(len(l.pages))
				l.pages[i], l.pages[j] = l.pages[j], l.pages[i]
			}
			if rng.IntN(2) == 0 {
				Seal(l.pages[i])
			}
		}
		checkHostile(t, l.bytes())
	}
}

// FuzzReader makes the checksums right, so that the fuzzer need not guess them.
func FuzzReader(f *testing.F) {
	f.Add(plain().bytes())
	f.Add(append(plain().bytes(), plain().bytes()...))
	f.Add(slices.Concat(plain().pages[:4]...))
	f.Add([]byte("OggS"))
	l := pageList{}
	l.headers()
	l.add(FlagEOS, NoGranule, nil, nil)
	f.Add(l.bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		checkHostile(t, file)
		file = bytes.Clone(file)
		for at := 0; len(file)-at >= headerSize && string(file[at:at+4]) == "OggS"; {
			size := headerSize + int(file[at+26])
			if len(file)-at < size {
				break
			}
			for _, v := range file[at+headerSize : at+size] {
				size += int(v)
			}
			size = min(size, len(file)-at)
			Seal(file[at : at+size])
			at += size
		}
		checkHostile(t, file)
	})
}
