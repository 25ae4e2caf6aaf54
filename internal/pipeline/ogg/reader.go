package ogg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	headMagic = "OpusHead"
	tagsMagic = "OpusTags"
	capture   = "OggS\x00" // capture pattern and version
)

// Reader delivers the packets of the first Opus stream in an Ogg file, and of every
// link of a chain. Pages of other streams multiplexed with it are skipped.
// Its memory is one window of 64 KiB and one packet.
//
// Granule positions are reported and never judged: common encoders write
// them wrong, while the packets themselves say how long they are.
type Reader struct {
	src    io.Reader
	window []byte
	start  int   // the current page begins here
	end    int   // bytes read so far end here
	offset int64 // of window[start] in the input
	pages  int64 // pages read, the current one included
	srcErr error // what the source said last; its bytes may still wait in the window

	page pageHeader
	sum  checksum

	// The link: from one group of BOS pages to the next.
	links    int  // Opus streams found so far
	inGroup  bool // only BOS pages so far, so another BOS page belongs to this link
	selected bool // this link's Opus stream is found
	serial   uint32
	sequence uint32 // of the last page of the stream
	head     []byte
	inTags   bool // OpusTags is not complete yet
	packets  int64
	granule  int64
	ended    bool // the page with the end mark is used up

	// The current page of the stream.
	lacing []byte // not used up yet
	body   []byte // not used up yet
	open   bool   // a packet has begun and goes on
	packet []byte // its bytes so far

	err error
}

// pageHeader is the header of the current page, with its size.
type pageHeader struct {
	flags    byte
	granule  int64
	serial   uint32
	sequence uint32
	segments int
	size     int // header, lacing and body
}

// NewReader returns a Reader of src. It reads nothing yet.
func NewReader(src io.Reader) *Reader {
	return &Reader{src: src, window: make([]byte, windowBytes), inGroup: true, granule: NoGranule}
}

// Head returns the OpusHead of the current link as it is in the file, reading up to
// it if necessary. It is valid until Next returns [ErrChained], and must not be changed.
func (r *Reader) Head() ([]byte, error) {
	if r.links == 0 {
		if r.err == nil {
			r.err = r.nextPage()
		}
		if !errors.Is(r.err, ErrChained) {
			return nil, r.err
		}
		r.err = nil
	}
	return r.head, nil
}

// Next returns the next audio packet. It is valid until the next call and may be
// empty, if the file says so.
//
// io.EOF comes only where a stream may end: after a page with the end mark, with
// nothing behind it. [ErrChained] comes between the links of a chain, also if
// the link before has no end mark, but never inside a packet: the caller may look at Head and call Next again
// for the packets of the link that follows, whose header may differ. Every other error
// is final; it is an [*Error] or comes from the source.
func (r *Reader) Next() ([]byte, error) {
	if r.links == 0 {
		if _, err := r.Head(); err != nil {
			return nil, err
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	packet, err := r.next()
	if err != nil && err != ErrChained { //nolint:errorlint // ErrChained is never wrapped
		r.err = err
	}
	return packet, err
}

func (r *Reader) next() ([]byte, error) {
	for {
		for len(r.lacing) > 0 {
			part, complete := r.takePart()
			if r.inTags {
				if err := r.skipTags(part, complete); err != nil {
					return nil, err
				}
				continue
			}
			packet, err := r.join(part, complete)
			if packet != nil || err != nil {
				return packet, err
			}
		}
		if err := r.nextPage(); err != nil {
			return nil, err
		}
	}
}

// takePart returns the bytes that the current page has of one packet.
func (r *Reader) takePart() (part []byte, complete bool) {
	size := 0
	for len(r.lacing) > 0 && !complete {
		size += int(r.lacing[0])
		complete = r.lacing[0] < 255
		r.lacing = r.lacing[1:]
	}
	part, r.body = r.body[:size:size], r.body[size:]
	return part, complete
}

// skipTags passes over the comment header, which may be of any size.
func (r *Reader) skipTags(part []byte, complete bool) error {
	if !r.open && (len(part) < len(tagsMagic) || string(part[:len(tagsMagic)]) != tagsMagic) {
		return r.errorf(ErrMalformed, "second packet is not OpusTags")
	}
	r.open, r.inTags = !complete, !complete
	return nil
}

// join returns a packet when its last part has come; on a single page without copying it.
func (r *Reader) join(part []byte, complete bool) ([]byte, error) {
	if !r.open {
		r.packet = r.packet[:0]
	}
	if len(r.packet)+len(part) > MaxPacketBytes {
		return nil, r.errorf(ErrPacketTooLarge, "more than %d bytes", MaxPacketBytes)
	}
	if complete {
		r.packets++
	}
	if complete && !r.open {
		return part, nil
	}
	r.packet = append(r.packet, part...)
	r.open = !complete
	if !complete {
		return nil, nil
	}
	return r.packet, nil
}

// nextPage makes the next page of the stream current. It returns ErrChained when it
// has found a stream, the first one included.
func (r *Reader) nextPage() error {
	if r.page.flags&FlagEOS != 0 && r.selected && r.page.serial == r.serial {
		if r.open {
			return r.errorf(ErrTruncated, "last packet is not complete")
		}
		r.ended = true
	}
	for {
		if err := r.readPage(); err != nil {
			if err == io.EOF { //nolint:errorlint // readPage's own mark
				return r.inputEnd()
			}
			return err
		}
		if r.page.flags&FlagBOS != 0 {
			found, err := r.streamStart()
			if err != nil {
				return err
			}
			if found {
				return ErrChained
			}
			continue
		}
		if !r.selected {
			if r.pages == 1 {
				return r.errorf(ErrMalformed, "first page does not begin a stream")
			}
			return r.errorf(ErrNoOpus, "")
		}
		r.inGroup = false
		if r.page.serial == r.serial {
			return r.usePage()
		}
	}
}

// streamStart looks at a page that begins a logical stream and tells whether it is
// the one to read.
func (r *Reader) streamStart() (found bool, err error) {
	if !r.inGroup {
		if r.open || r.inTags {
			return false, r.errorf(ErrTruncated, "a new stream begins inside a packet or the headers")
		}
		r.inGroup, r.selected = true, false
	}
	if r.selected {
		if r.page.serial == r.serial {
			return false, r.errorf(ErrMalformed, "two streams with one serial number")
		}
		return false, nil
	}
	lacing, body := r.content()
	if len(body) < len(headMagic) || string(body[:len(headMagic)]) != headMagic {
		return false, nil
	}
	for i, v := range lacing {
		if (v < 255) != (i == len(lacing)-1) {
			return false, r.errorf(ErrMalformed, "OpusHead is not alone on its page")
		}
	}
	r.links++
	r.selected, r.inTags, r.ended = true, true, false
	r.serial, r.sequence = r.page.serial, r.page.sequence
	r.head = append(r.head[:0], body...)
	r.packets, r.granule = 0, NoGranule
	r.lacing, r.body = nil, nil
	return true, nil
}

// usePage makes the contents of the current page available to next.
func (r *Reader) usePage() error {
	p := &r.page
	switch {
	case r.ended:
		return r.errorf(ErrMalformed, "page after the end of the stream")
	case p.sequence != r.sequence+1:
		return r.errorf(ErrLostPage, "page number %d follows %d", p.sequence, r.sequence)
	case p.segments > 0 && r.open && p.flags&FlagContinued == 0:
		return r.errorf(ErrLostPage, "page does not continue the packet before it")
	case p.segments > 0 && !r.open && p.flags&FlagContinued != 0:
		return r.errorf(ErrLostPage, "page continues a packet that did not begin")
	}
	r.sequence = p.sequence
	if p.granule != NoGranule {
		r.granule = p.granule
	}
	r.lacing, r.body = r.content()
	return nil
}

// content is the current page's lacing values and body.
func (r *Reader) content() (lacing, body []byte) {
	page := r.window[r.start : r.start+r.page.size]
	return page[headerSize : headerSize+r.page.segments], page[headerSize+r.page.segments:]
}

// inputEnd says what it means that the input ends where a page could begin.
func (r *Reader) inputEnd() error {
	switch {
	case r.pages == 0:
		return r.errorf(ErrTruncated, "input is empty")
	case !r.selected:
		return r.errorf(ErrNoOpus, "")
	case r.inTags:
		return r.errorf(ErrTruncated, "input ends in the headers")
	case r.ended:
		return io.EOF
	case r.open:
		return r.errorf(ErrTruncated, "last packet is not complete")
	case r.packets == 0:
		return r.errorf(ErrNoPackets, "")
	default:
		return r.errorf(ErrNoEOS, "")
	}
}

// readPage brings the next page of any stream into the window and checks it. io.EOF
// means that there is none.
func (r *Reader) readPage() error {
	r.start += r.page.size
	r.offset += int64(r.page.size)
	r.page = pageHeader{}
	if err := r.fill(headerSize); err != nil {
		return r.shortPage(err)
	}
	if string(r.window[r.start:r.start+len(capture)]) != capture {
		r.pages++
		return r.errorf(ErrNotOgg, "")
	}
	segments := int(r.window[r.start+26])
	if err := r.fill(headerSize + segments); err != nil {
		return r.shortPage(err)
	}
	size := headerSize + segments
	for _, v := range r.window[r.start+headerSize : r.start+size] {
		size += int(v)
	}
	if err := r.fill(size); err != nil {
		return r.shortPage(err)
	}
	page := r.window[r.start : r.start+size]
	r.pages++
	if want, got := binary.LittleEndian.Uint32(page[22:]), r.sum.page(page); want != got {
		return r.errorf(ErrChecksum, "%08x, computed %08x", want, got)
	}
	r.page = pageHeader{
		flags:    page[5],
		granule:  int64(binary.LittleEndian.Uint64(page[6:])), // #nosec G115 -- the field is signed
		serial:   binary.LittleEndian.Uint32(page[14:]),
		sequence: binary.LittleEndian.Uint32(page[18:]),
		segments: segments,
		size:     size,
	}
	return nil
}

// shortPage says what it means that a page can not be read to its end.
func (r *Reader) shortPage(err error) error {
	if err != io.EOF { //nolint:errorlint // fill's own mark
		return fmt.Errorf("read ogg: %w", err)
	}
	rest := r.window[r.start:r.end]
	if len(rest) == 0 {
		return io.EOF
	}
	r.pages++
	if n := min(len(rest), len(capture)); string(rest[:n]) != capture[:n] {
		return r.errorf(ErrNotOgg, "")
	}
	return r.errorf(ErrTruncated, "input ends inside a page")
}

// fill reads until at least n bytes from the page's beginning are in the window. io.EOF
// means that the source has fewer.
func (r *Reader) fill(n int) error {
	if r.end-r.start >= n {
		return nil
	}
	if r.start > 0 {
		copy(r.window, r.window[r.start:r.end])
		r.start, r.end = 0, r.end-r.start
	}
	for idle := 0; r.end < n; {
		if r.srcErr != nil {
			return r.srcErr
		}
		got, err := r.src.Read(r.window[r.end:])
		if got < 0 || got > len(r.window)-r.end {
			got, err = 0, errors.New("source returned an impossible count")
		}
		r.end += got
		r.srcErr = err
		if got > 0 {
			idle = 0
		} else if idle++; idle == 100 && err == nil {
			r.srcErr = io.ErrNoProgress
		}
	}
	return nil
}

func (r *Reader) errorf(kind error, format string, args ...any) error {
	return &Error{Kind: kind, Offset: r.offset, Page: max(r.pages-1, 0), Detail: fmt.Sprintf(format, args...)}
}

// Granule is the granule position of the last page that Next has read and on which a packet
// ends: where that page ends, in samples at 48 kHz, pre-skip included. It is NoGranule
// if there was none, and whatever the file says otherwise.
func (r *Reader) Granule() int64 { return r.granule }

// Duration is the length that the current link claims at the page that was read last, in samples
// at 48 kHz without pre-skip: after io.EOF or ErrNoEOS that of the whole link, end trim
// considered. It is not checked against the packets. -1 = the file does not say, or says
// something impossible.
func (r *Reader) Duration() int64 {
	if r.granule < 0 || len(r.head) < 12 {
		return -1
	}
	return max(r.granule-int64(binary.LittleEndian.Uint16(r.head[10:])), 0)
}
