package corpus

import (
	"errors"
	"slices"
)

// packetRows are rows 39 to 50: what is in the packets, in WebM and in Ogg.
func (b *builder) packetRows(m *material) error {
	both := func(row int, name string, want Want, packets ...[][]byte) error {
		return b.both(row, name, want, true, slices.Concat(packets...))
	}
	var dtx, padding [][]byte
	for i, p := range m.celt20 {
		padding = append(padding, padded(p, len(p)+600))
		switch toc := p[0]; i % 7 {
		case 1:
			p = []byte{toc}
		case 3:
			p = []byte{toc | 1} // two empty frames
		case 4:
			p = []byte{toc | 3, 3} // three of them
		case 6:
			p = []byte{toc | 3, 0x83, 0, 0} // three with lengths
		}
		dtx = append(dtx, p)
	}
	var modes [][]byte
	for i := range m.celt20Mono {
		modes = append(modes, [...][][]byte{m.silk20, m.celt20, m.hybrid20, m.celt20Mono, m.celt20}[i%5][i])
	}
	large := slices.Clone(m.celt20)
	large[300] = padded(large[300], 100_000)
	return errors.Join(
		both(39, "silk-in-mid-stream", TranscodeOK, m.celt20[:200], m.silk60[:60], m.celt20[200:]),
		both(40, "mixed", OK, m.celt20[:100], m.celt10[:50], m.celt60[:50], m.celt20[100:], m.celt10[50:150], m.celt60[50:60]),
		both(40, "last-10ms", OK, m.celt20, m.celt10[:1]),
		both(40, "all-10ms-odd", OK, m.celt10[:601]),
		both(41, "one-10ms", Any, m.celt20[:100], m.celt10[:1], m.celt20[100:]),
		both(42, "dtx", OK, dtx),
		both(43, "padding-600", OK, padding),
		both(43, "padding-100k", Any, large),
		both(46, "modes", OK, modes),
		b.malformed(m),
		b.heads(m),
	)
}

// both adds packets in both containers.
func (b *builder) both(row int, name string, want Want, known bool, packets [][]byte) error {
	n := 0
	if known {
		n = frames(packets)
	}
	add := func(format, name string, data []byte) error {
		e := Entry{Row: row, Name: name, Format: format, Want: want, Frames: n, Duration: lasting(n)}
		if want == TranscodeOK {
			e.Frames = 0
		}
		return b.put(e, data)
	}
	return errors.Join(
		add("webm", name+".webm", webm{packets: packets}.bytes()),
		add("ogg", name+".opus", oggFile{packets: packets, serial: 7}.bytes()),
	)
}

// malformed are rows 44 and 45.
func (b *builder) malformed(m *material) error {
	toc := m.celt20[0][0]
	bad := map[string][]byte{
		"frame-of-1400": append([]byte{toc}, make([]byte, 1400)...),
		"frame-of-40k":  append([]byte{toc}, make([]byte, 40_000)...),
		"count-0":       {toc | 3, 0},
		"1260ms":        append([]byte{toc | 3, 63}, make([]byte, 63)...),
		"odd-code-1":    {toc | 1, 1, 2, 3},
		"long-code-2":   {toc | 2, 200, 1},
		"nothing":       {},
		"long-padding":  {toc | 3, 0x41, 200, 1},
	}
	var all error
	for name, p := range bad {
		all = errors.Join(all,
			b.both(44, name, Any, false, slices.Concat(m.celt20[:300], [][]byte{p}, m.celt20[300:])),
			b.both(44, name+"-first", Any, false, slices.Concat([][]byte{p}, m.celt20)),
		)
		if name != "nothing" {
			all = errors.Join(all, b.both(45, "only-"+name, Err, false, slices.Repeat([][]byte{p}, 20)))
		}
	}
	return all
}

// heads are rows 49 and 50.
func (b *builder) heads(m *material) error {
	n := frames(m.celt20)
	head := func(row int, name string, want Want, raw []byte) error {
		return errors.Join(
			b.putPackets(row, "webm", want, n, items{name + ".webm": webm{packets: m.celt20, head: raw}.bytes()}),
			b.putPackets(row, "ogg", want, n, items{name + ".opus": oggFile{packets: m.celt20, head: raw}.bytes()}),
		)
	}
	with := func(change func(*opusHead)) []byte {
		h := stereo()
		change(&h)
		return h.bytes()
	}
	mapped := func(family byte, mapping ...byte) []byte {
		return with(func(h *opusHead) { h.family, h.mapping = family, mapping })
	}
	return errors.Join(
		head(49, "family-1-stereo", OK, mapped(1, 1, 1, 0, 1)),
		head(49, "family-1-swapped", Any, mapped(1, 1, 1, 1, 0)),
		head(49, "family-1-bad-map", Any, mapped(1, 1, 1, 5, 6)),
		head(49, "family-1-no-map", Any, mapped(1)),
		head(49, "family-255", Any, mapped(255, 2, 0, 0, 1)),
		head(49, "family-2", Any, mapped(2, 1, 1, 0, 1)),
		head(49, "short", Any, stereo().bytes()[:10]),
		head(49, "0-channels", Any, with(func(h *opusHead) { h.channels = 0 })),
		head(49, "3-channels", Any, with(func(h *opusHead) { h.channels = 3 })),
		head(49, "version-16", Any, with(func(h *opusHead) { h.version = 16 })),
		head(49, "version-0", Any, with(func(h *opusHead) { h.version = 0 })),
		b.putPackets(49, "webm", Any, n, items{"no-codec-private.webm": join(ebmlHeader(), el(idSegment, info(12000),
			el(idTracks, audioTrack(1, nil)), clusterOf(m.celt20)))}),
		head(50, "gain+6", Any, with(func(h *opusHead) { h.gain = 6 * 256 })),
		head(50, "gain-12", Any, with(func(h *opusHead) { h.gain = -12 * 256 })),
		head(50, "pre-skip-65535", Any, with(func(h *opusHead) { h.preSkip = 65535 })),
	)
}

func clusterOf(packets [][]byte) []byte {
	var blocks []byte
	for i, p := range packets {
		blocks = append(blocks, simpleBlock(i*20, p)...)
	}
	return el(idCluster, el(idTimestamp, []byte{0}), blocks)
}
