package ogg

import (
	"errors"
	"fmt"
)

// What [Reader] can find, for errors.Is. All but ErrChained come in an [*Error].
var (
	// ErrChained is no fault: the stream has ended and another one follows (RFC 7845
	// section 3). See [Reader.Next].
	ErrChained = errors.New("another ogg stream follows")
	// ErrTruncated: the input ends inside a page, a packet or the headers.
	ErrTruncated = errors.New("ogg stream is truncated")
	// ErrNoPackets is the ErrTruncated of an input that ends right behind its headers, as an encoder
	// leaves it that was given nothing to encode.
	ErrNoPackets = fmt.Errorf("%w: input ends after the headers", ErrTruncated)
	// ErrNoEOS: the input ends between two pages with every packet complete, but the last page is
	// not marked as the last. Some writers never mark it; an
	// encoder that was killed does not either.
	ErrNoEOS = errors.New("ogg stream has no end mark")
	// ErrNotOgg: there is no page where one has to be.
	ErrNotOgg = errors.New("not an ogg page")
	// ErrChecksum: a page's CRC does not match.
	ErrChecksum = errors.New("ogg page checksum mismatch")
	// ErrLostPage: a page is missing, or pages are out of order.
	ErrLostPage = errors.New("ogg page lost or out of order")
	// ErrNoOpus: the stream or a later link of a chain holds no Opus.
	ErrNoOpus = errors.New("no opus in ogg stream")
	// ErrMalformed: pages and packets are not laid out as RFC 7845 section 3 demands.
	ErrMalformed = errors.New("malformed ogg opus stream")
	// ErrPacketTooLarge: a packet is longer than MaxPacketBytes.
	ErrPacketTooLarge = errors.New("ogg packet too large")
)

// Error says what is wrong and where.
type Error struct {
	Kind   error  // one of the sentinels above
	Offset int64  // of the page in the input, in bytes
	Page   int64  // number of the page in the input, from 0
	Detail string // for people; may be empty
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("%v at byte %d (page %d)", e.Kind, e.Offset, e.Page)
	}
	return fmt.Sprintf("%v: %s at byte %d (page %d)", e.Kind, e.Detail, e.Offset, e.Page)
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }
