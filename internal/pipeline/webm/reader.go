package webm

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Reader pulls the packets of one Opus track. It is for one goroutine.
type Reader struct {
	w window

	opened  bool
	err     error // sticky, io.EOF at the legal end
	track   Track
	info    info
	padding time.Duration

	segmentEnd int64 // offset, or unknownSize
	clusterEnd int64
	groupEnd   int64
	level      level

	groupOurs    bool // the present BlockGroup has a block of our track
	groupPadding time.Duration

	lace  [256]int
	laceN int // frames of the present block that are left
	laceI int
}

// level says whose children are read next.
type level int

const (
	inSegment level = iota
	inCluster
	inGroup
)

// NewReader returns a reader of r. Nothing is read before the first call.
func NewReader(r io.Reader) *Reader {
	return &Reader{w: window{r: r, buf: make([]byte, windowSize)}}
}

// Track reads up to the Tracks element and returns the Opus track that Next
// reads: the first that is enabled and default, or else the first enabled. Its
// errors are those of Next, and ErrNoOpus (a *NoOpusError), ErrEncrypted and
// ErrCompressed for files whose packets can not be taken as they are.
func (r *Reader) Track() (Track, error) {
	if err := r.open(); err != nil {
		return r.track, err
	}
	return r.track, nil
}

// Duration is what the file announces of its length; 0 if nothing. Valid once
// Track has returned; a file that puts its Info behind its Tracks is only known to
// the end.
func (r *Reader) Duration() time.Duration { return r.info.length() }

// Title is the title that the file gives itself, often "". Valid once Track has
// returned.
func (r *Reader) Title() string { return r.info.title }

// DiscardPadding is how much of the last packet's audio is to be dropped
// (RFC 9559 section 5.1.3.5.7); 0 if nothing. Valid once Next has returned
// io.EOF.
func (r *Reader) DiscardPadding() time.Duration { return r.padding }

// Offset is how many bytes of the input have been consumed.
func (r *Reader) Offset() int64 { return r.w.offset() }

// Next returns the next packet of the track; it is valid until the next call.
// io.EOF comes only where the file may end. Other errors are *Error, or what
// the source returned, and final.
func (r *Reader) Next() ([]byte, error) {
	if err := r.open(); err != nil {
		return nil, err
	}
	if r.err != nil {
		return nil, r.err
	}
	for {
		if r.laceI < r.laceN {
			n := r.lace[r.laceI]
			r.laceI++
			p := r.w.buf[r.w.start : r.w.start+n]
			r.w.start += n
			return p, nil
		}
		if _, err := r.step(); err != nil {
			r.err = err
			return nil, err
		}
	}
}

// open reads the header up to the Tracks, once.
func (r *Reader) open() error {
	if r.opened {
		if r.track.Number == 0 {
			return r.err
		}
		return nil
	}
	r.opened = true
	if err := r.header(); err != nil {
		r.err = err
		r.track.Number = 0
		return err
	}
	return nil
}

func (r *Reader) header() error {
	e, err := r.element(unknownSize)
	if err != nil || e.id != idEBML {
		if err == nil || errors.Is(err, io.EOF) || errors.Is(err, ErrMalformed) || errors.Is(err, ErrTruncated) {
			return &Error{Kind: ErrNotWebM}
		}
		return err
	}
	content, err := r.content(e)
	if err != nil {
		return err
	}
	if err := checkEBML(content); err != nil {
		return err
	}
	r.w.start += len(content)
	for {
		e, err := r.element(unknownSize)
		if errors.Is(err, io.EOF) {
			return &Error{Kind: ErrTruncated, Offset: r.w.offset(), Detail: "no Segment"}
		}
		if err != nil {
			return err
		}
		if e.id == idSegment {
			r.segmentEnd = r.end(e)
			break
		}
		if e.id != idVoid && e.id != idCRC32 {
			return &Error{Kind: ErrMalformed, Offset: e.offset, Detail: "no Segment behind the EBML header"}
		}
		if err := r.pass(e); err != nil {
			return err
		}
	}
	return r.seekTracks()
}

// checkEBML refuses what is no Matroska or needs wider ids and sizes than the
// specification allows it.
func checkEBML(content []byte) error {
	doc, maxID, maxSize := "", uint64(4), uint64(8)
	ok := children(content, func(id uint32, content []byte) bool {
		switch id {
		case idDocType:
			doc = parseString(content)
		case idMaxIDLength:
			maxID = parseUint(content)
		case idMaxSize:
			maxSize = parseUint(content)
		}
		return true
	})
	if !ok || doc != "webm" && doc != "matroska" || maxID > 4 || maxSize > 8 {
		return &Error{Kind: ErrNotWebM, Detail: fmt.Sprintf("document type %.32q", doc)}
	}
	return nil
}

// seekTracks reads the children of Segment up to the Tracks.
func (r *Reader) seekTracks() error {
	for {
		e, err := r.child(r.segmentEnd)
		if errors.Is(err, io.EOF) {
			return &NoOpusError{}
		}
		if err != nil {
			return err
		}
		switch e.id {
		case idInfo:
			if err := r.readInfo(e); err != nil {
				return err
			}
		case idTracks:
			content, err := r.content(e)
			if err != nil {
				return err
			}
			tracks, ok := parseTracks(content)
			if !ok {
				return &Error{Kind: ErrMalformed, Offset: e.offset, Detail: "Tracks"}
			}
			r.w.start += len(content)
			r.track, err = choose(tracks)
			return err
		case idCluster:
			return &Error{Kind: ErrMalformed, Offset: e.offset, Detail: "a Cluster before the Tracks"}
		default:
			if err := r.pass(e); err != nil {
				return err
			}
		}
	}
}

func (r *Reader) readInfo(e element) error {
	content, err := r.content(e)
	if err != nil {
		return err
	}
	i, ok := parseInfo(content)
	if !ok {
		return &Error{Kind: ErrMalformed, Offset: e.offset, Detail: "Info"}
	}
	if r.info.scale == 0 { // the first counts
		r.info = i
	}
	r.w.start += len(content)
	return nil
}

// step reads one element below the present level. found: a block of our track
// has been unlaced. io.EOF: the file ends here, as it may.
func (r *Reader) step() (found bool, err error) {
	parent := [...]int64{r.segmentEnd, r.clusterEnd, r.groupEnd}[r.level]
	if parent == unknownSize {
		parent = r.segmentEnd // a Cluster of unknown size ends with its Segment at the latest
	}
	if parent != unknownSize && r.w.offset() == parent {
		switch r.level {
		case inSegment:
			return false, io.EOF
		case inGroup:
			if r.groupOurs {
				r.padding = r.groupPadding
			}
		}
		r.level--
		return false, nil
	}
	e, err := r.child(parent)
	if err != nil {
		return false, err
	}
	switch {
	case r.level == inCluster && e.id == idSimpleBlock:
		if found, err = r.block(e); found {
			r.padding = 0
		}
		return found, err
	case r.level == inGroup && e.id == idBlock:
		found, err = r.block(e)
		r.groupOurs = r.groupOurs || found
		return found, err
	case r.level == inGroup && e.id == idDiscardPadding:
		content, err := r.content(e)
		if err != nil {
			return false, err
		}
		r.groupPadding = max(0, time.Duration(parseInt(content)))
		r.w.start += len(content)
	case r.level == inCluster && e.id == idBlockGroup:
		r.groupEnd, r.level = r.end(e), inGroup
		r.groupOurs, r.groupPadding = false, 0
	case r.level == inSegment && e.id == idCluster:
		r.clusterEnd, r.level = r.end(e), inCluster
	case r.level == inSegment && e.id == idInfo:
		return false, r.readInfo(e) // it may stand behind the Tracks
	case r.level == inCluster && r.clusterEnd == unknownSize && isLevel1(e.id):
		r.level = inSegment
		r.w.start -= e.header // read it again as a child of Segment
	default:
		return false, r.pass(e)
	}
	return false, nil
}

// child reads the header of an element that must fit into a parent that ends at
// end. io.EOF: the input ends here and every open element of known size has
// ended.
func (r *Reader) child(end int64) (element, error) {
	if end != unknownSize && r.w.offset() >= end {
		return element{}, io.EOF
	}
	e, err := r.element(end)
	if errors.Is(err, io.EOF) {
		if end != unknownSize || r.segmentEnd != unknownSize {
			return e, &Error{Kind: ErrTruncated, Offset: r.w.offset()}
		}
		return e, io.EOF
	}
	return e, err
}

// element reads the id and size of an element. Its bytes stay in the window
// before start.
func (r *Reader) element(end int64) (element, error) {
	e := element{offset: r.w.offset()}
	err := r.w.need(12)
	have := r.w.buf[r.w.start:r.w.end]
	if err != nil && (len(have) == 0 || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)) {
		return e, err
	}
	id, n := parseID(have)
	if n < 0 {
		return e, &Error{Kind: ErrMalformed, Offset: e.offset, Detail: "no element id"}
	}
	size, m := parseSize(have[n:])
	if m < 0 {
		return e, &Error{Kind: ErrMalformed, Offset: e.offset, Detail: "no element size"}
	}
	if n == 0 || m == 0 {
		return e, &Error{Kind: ErrTruncated, Offset: e.offset, Detail: "in an element's header"}
	}
	e.id, e.size, e.header = id, size, n+m
	if size == unknownSize && id != idSegment && id != idCluster {
		return e, &Error{Kind: ErrMalformed, Offset: e.offset, Detail: fmt.Sprintf("element %X of unknown size", id)}
	}
	r.w.start += e.header
	if size != unknownSize && end != unknownSize && size > end-r.w.offset() {
		return e, &Error{Kind: ErrMalformed, Offset: e.offset, Detail: fmt.Sprintf("element %X is larger than its parent", id)}
	}
	return e, nil
}

// end is where an element's content ends.
func (r *Reader) end(e element) int64 {
	if e.size == unknownSize {
		return unknownSize
	}
	return e.offset + int64(e.header) + e.size
}

// content makes the whole content of an element available at start.
func (r *Reader) content(e element) ([]byte, error) {
	if e.size < 0 || e.size > blockLimit {
		return nil, &Error{Kind: ErrTooLarge, Offset: e.offset, Detail: fmt.Sprintf("element %X of %d bytes", e.id, e.size)}
	}
	if err := r.w.need(int(e.size)); err != nil {
		return nil, truncated(err, e)
	}
	return r.w.buf[r.w.start : r.w.start+int(e.size)], nil
}

// pass steps over an element, unless it does not belong where it is. (A Segment or
// Cluster of unknown size could not be stepped over anyway.)
func (r *Reader) pass(e element) error {
	if e.size == unknownSize || r.level.misplaced(e.id) {
		return &Error{Kind: ErrMalformed, Offset: e.offset, Detail: fmt.Sprintf("element %X does not belong here", e.id)}
	}
	return truncated(r.w.skip(e.size), e)
}

func truncated(err error, e element) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{Kind: ErrTruncated, Offset: e.offset, Detail: fmt.Sprintf("in element %X", e.id)}
	}
	return err
}
