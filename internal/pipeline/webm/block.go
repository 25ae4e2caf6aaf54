package webm

import "fmt"

// Lacing of a block (RFC 9559 section 10.3), from its flags.
const (
	lacingMask  = 6
	lacingNone  = 0
	lacingXiph  = 2
	lacingFixed = 4
)

// block reads a Block or SimpleBlock (RFC 9559 section 10.1): track, time,
// flags, and the frames. Blocks of other tracks are stepped over.
func (r *Reader) block(e element) (found bool, err error) {
	head := int(min(e.size, 12))
	if err := r.w.need(head); err != nil {
		return false, truncated(err, e)
	}
	number, n := parseSize(r.w.buf[r.w.start : r.w.start+head])
	if n <= 0 || head < n+3 {
		return false, malformedBlock(e, "its header")
	}
	if number < 0 || uint64(number) != r.track.Number {
		return false, truncated(r.w.skip(e.size), e)
	}
	b, err := r.content(e)
	if err != nil {
		return false, err
	}
	flags := b[n+2]
	b = b[n+3:]
	r.w.start += n + 3
	r.laceI, r.laceN = 0, 1
	if flags&lacingMask == lacingNone {
		r.lace[0] = len(b)
		return true, nil
	}
	used, ok := r.unlace(b, flags&lacingMask)
	if !ok {
		r.laceN = 0
		return false, malformedBlock(e, "its lacing")
	}
	r.w.start += used
	return true, nil
}

func malformedBlock(e element, what string) error {
	return &Error{Kind: ErrMalformed, Offset: e.offset, Detail: fmt.Sprintf("a block: %s", what)}
}

// unlace fills lace with the sizes of the frames in b. used is what their sizes
// take in front of them.
func (r *Reader) unlace(b []byte, lacing byte) (used int, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	count := int(b[0]) + 1
	used = 1
	rest := len(b) - 1 // what the last frame is left with
	switch lacing {
	case lacingXiph:
		for i := range count - 1 {
			size := 0
			for {
				if used == len(b) {
					return 0, false
				}
				c := b[used]
				used++
				size += int(c)
				if c != 255 {
					break
				}
			}
			r.lace[i] = size
		}
	case lacingFixed:
		if rest%count != 0 {
			return 0, false
		}
		for i := range count - 1 {
			r.lace[i] = rest / count
		}
	default: // EBML: a size, then differences
		size := int64(0)
		for i := range count - 1 {
			v, n := parseSize(b[used:])
			if n <= 0 || v == unknownSize {
				return 0, false
			}
			used += n
			if i == 0 {
				size = v
			} else {
				size += v - (1<<(7*n-1) - 1) // signed by an offset of half the range
			}
			if size < 0 || size > int64(len(b)) {
				return 0, false
			}
			r.lace[i] = int(size)
		}
	}
	rest = len(b) - used
	for _, size := range r.lace[:count-1] {
		rest -= size
	}
	if rest < 0 {
		return 0, false
	}
	r.lace[count-1] = rest
	r.laceN = count
	return used, true
}
