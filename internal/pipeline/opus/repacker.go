package opus

// maxStitches is how often in a stream a group that is shorter than 20 ms may be filled
// up because the packet after it is of 20 ms. A cut or splice leaves one such
// packet, and 10 ms of concealment there are not heard; a stream that
// goes on like this would grow longer and longer, so it is transcoded.
const maxStitches = 3

// Stats counts what went through a [Repacker]. Lengths are in samples at 48 kHz.
type Stats struct {
	PacketsIn  int64
	SamplesIn  int64
	FramesOut  int64
	SamplesOut int64 // always FramesOut * FrameSamples
	Padded     int64 // samples of empty frames that were added; SamplesOut = SamplesIn + Padded after Flush
}

// Repacker turns Opus packets of 2.5 to 120 ms into packets of 20 ms. Frames are
// moved and never decoded, so a decoder delivers the same samples:
//
//   - a packet of 20 ms without padding is handed on as it is, without a copy
//   - longer packets are split, shorter ones with the same TOC are joined
//   - the padding of code 3 packets is dropped
//   - empty frames (DTX) are kept
//   - what is left when the stream ends is filled up with empty frames (RFC 7845
//     section 4.1 allows that), never dropped; so is, up to three times in a stream, a
//     short group that a packet of 20 ms follows
//
// The zero value is ready. A Repacker holds one group of less than 20 ms, does not
// allocate, and is not for use by several goroutines at once.
type Repacker struct {
	stats    Stats
	stitches int
	packet   Packet

	// The group that is being collected: count frames of layout, their bytes in held.
	layout TOC
	count  int
	sizes  [8]int16 // 8 frames of 2.5 ms make 20 ms
	used   int
	held   [MaxEmitBytes]byte
	out    [MaxEmitBytes]byte
}

// Push takes one packet and calls emit for every 20 ms that are complete. The bytes that
// emit gets are valid only during the call.
//
// Errors: a [*PacketError] (errors.Is ErrMalformed) leaves everything as it was, as if the
// packet had not come; a [*NotCopyableError] (errors.Is ErrNotCopyable) means that the
// stream has to be transcoded from its start; an error of emit comes back as it is.
// After the last two, only Reset makes the Repacker useful again.
func (r *Repacker) Push(packet []byte, emit func(frame []byte) error) error {
	p := &r.packet
	if err := p.Parse(packet); err != nil {
		return err
	}
	samples := p.toc.FrameSamples()
	if samples > FrameSamples {
		return notCopyable(ReasonLongFrame, "frame of %d ms", samples*1000/SampleRate)
	}
	r.stats.PacketsIn++
	r.stats.SamplesIn += int64(p.count * samples)
	if r.count > 0 && samples == FrameSamples {
		if err := r.stitch(emit); err != nil {
			return err
		}
	}
	if r.count == 0 && p.count*samples == FrameSamples && p.padding == 0 && len(packet) <= MaxEmitBytes {
		return r.emit(packet, emit)
	}
	body := p.body
	for _, size := range p.sizes[:p.count] {
		if err := r.add(p.toc&layoutMask, body[:size], emit); err != nil {
			return err
		}
		body = body[size:]
	}
	return nil
}

// Flush ends the stream: it fills a group that is not complete with empty frames and
// emits it. The Repacker is then ready for a further stream whose counters go on.
func (r *Repacker) Flush(emit func(frame []byte) error) error {
	if r.count == 0 {
		return nil
	}
	return r.fill(emit)
}

// Reset makes r as good as new.
func (r *Repacker) Reset() {
	r.stats, r.stitches, r.count, r.used = Stats{}, 0, 0, 0
}

// Stats returns what was counted so far.
func (r *Repacker) Stats() Stats { return r.stats }

// Pending is the length of the group that waits for more, 0 to 840 samples.
func (r *Repacker) Pending() int {
	if r.count == 0 {
		return 0
	}
	return r.count * r.layout.FrameSamples()
}

// stitch closes a short group in the middle of the stream.
func (r *Repacker) stitch(emit func(frame []byte) error) error {
	if r.stitches == maxStitches {
		return notCopyable(ReasonMixed, "%d groups shorter than 20 ms between longer packets", maxStitches+1)
	}
	r.stitches++
	return r.fill(emit)
}

// fill adds empty frames until the group is complete, which emits it.
func (r *Repacker) fill(emit func(frame []byte) error) error {
	for r.count > 0 {
		r.stats.Padded += int64(r.layout.FrameSamples())
		if err := r.add(r.layout, nil, emit); err != nil {
			return err
		}
	}
	return nil
}

// add puts one frame of at most 20 ms into the group and emits the group when it is
// complete.
func (r *Repacker) add(layout TOC, frame []byte, emit func(frame []byte) error) error {
	if r.count > 0 && layout != r.layout {
		return notCopyable(ReasonMixed, "configuration changes from %d to %d inside 20 ms (stereo %t to %t)",
			r.layout.Config(), layout.Config(), r.layout.Stereo(), layout.Stereo())
	}
	if len(frame) > len(r.held)-r.used {
		return errTooBig(r.used + len(frame))
	}
	r.layout = layout
	r.used += copy(r.held[r.used:], frame)
	r.sizes[r.count] = int16(len(frame)) // #nosec G115 -- at most 1275
	r.count++
	if r.count*layout.FrameSamples() < FrameSamples {
		return nil
	}
	n, err := r.build()
	r.count, r.used = 0, 0
	if err != nil {
		return err
	}
	return r.emit(r.out[:n], emit)
}

// build writes the group to r.out in the shortest form (RFC 6716 section 3.2) and
// returns the number of bytes.
func (r *Repacker) build() (int, error) {
	sizes := r.sizes[:r.count]
	equal := true
	for _, size := range sizes {
		equal = equal && size == sizes[0]
	}
	out := r.out[:0]
	switch {
	case r.count == 1:
		out = append(out, byte(r.layout))
	case r.count == 2 && equal:
		out = append(out, byte(r.layout|1))
	case r.count == 2:
		out = append(out, byte(r.layout|2))
		out = appendFrameLength(out, sizes[0])
	case equal:
		out = append(out, byte(r.layout|3), byte(r.count)) // #nosec G115 -- at most 8
	default:
		out = append(out, byte(r.layout|3), byte(0x80|r.count)) // #nosec G115 -- at most 8
		for _, size := range sizes[:r.count-1] {
			out = appendFrameLength(out, size)
		}
	}
	if len(out)+r.used > MaxEmitBytes {
		return 0, errTooBig(len(out) + r.used)
	}
	return len(append(out, r.held[:r.used]...)), nil
}

func (r *Repacker) emit(frame []byte, emit func(frame []byte) error) error {
	r.stats.FramesOut++
	r.stats.SamplesOut += FrameSamples
	return emit(frame)
}

// appendFrameLength codes a length as section 3.2.1 wants it.
func appendFrameLength(b []byte, size int16) []byte {
	if size < 252 {
		return append(b, byte(size)) // #nosec G115 -- 0-251
	}
	first := 252 + size&3
	return append(b, byte(first), byte((size-first)>>2)) // #nosec G115 -- 252-255, 0-255
}

func errTooBig(size int) error {
	return notCopyable(ReasonTooBig, "20 ms need %d bytes or more, the limit is %d", size, MaxEmitBytes)
}
