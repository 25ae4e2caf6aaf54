package corpus

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"
)

// webmRows collects entries; the first error stops it.
type webmRows struct {
	*builder
	err error
}

func (r *webmRows) add(e Entry, data ...[]byte) {
	e.Format = "webm"
	if r.err == nil {
		r.err = r.put(e, data...)
	}
}

// bad is an input that nothing can be made of.
func (r *webmRows) bad(row int, name string, data ...[]byte) {
	r.add(Entry{Row: row, Name: name, Want: Err}, data...)
}

// maybe is an input that may be refused. If it is not, the result lasts so long;
// 0: no matter.
func (r *webmRows) maybe(row int, name string, length time.Duration, data ...[]byte) {
	r.add(Entry{Row: row, Name: name, Want: Any, Duration: length}, data...)
}

// copies is an input whose packets, which are given, come out as frames.
func (r *webmRows) copies(row int, name string, packets [][]byte, data ...[]byte) {
	n := frames(packets)
	r.add(Entry{Row: row, Name: name, Want: OK, Frames: n, Duration: lasting(n)}, data...)
}

// webmCuts makes rows 8 to 11: WebM in YouTube's layout, damaged.
func (b *builder) webmCuts(m *material) error {
	r := &webmRows{builder: b}
	song := m.file["youtube.webm"]
	top := walk(song, 0, len(song))
	segment := top[1]
	var tracks place
	var clusters []place
	for _, p := range walk(song, segment.content, segment.next) {
		switch p.id {
		case idTracks:
			tracks = p
		case idCluster:
			clusters = append(clusters, p)
		}
	}
	blocks := walk(song, clusters[1].content, clusters[1].next)
	middle := blocks[len(blocks)/2]
	for _, cut := range []struct {
		row  int
		name string
		at   int
	}{
		{8, "in-header.webm", top[0].content + 3}, {8, "in-segment-head.webm", segment.at + 2},
		{8, "in-tracks.webm", (tracks.content + tracks.next) / 2}, {8, "behind-tracks.webm", tracks.next},
		{8, "in-id.webm", clusters[2].at + 2}, {8, "in-size.webm", middle.at + 1}, {8, "in-block.webm", (middle.content + middle.next) / 2},
		{9, "between-blocks.webm", middle.at}, {9, "between-clusters.webm", clusters[2].at}, {9, "last-cluster.webm", clusters[len(clusters)-1].at},
		{10, "last-byte.webm", len(song) - 1},
	} {
		r.bad(cut.row, cut.name, song[:cut.at])
	}
	half := len(song) / 2
	r.bad(11, "missing.webm", song[:half], song[half+1000:])
	r.bad(11, "missing-blocks.webm", song[:middle.at], song[blocks[len(blocks)/2+3].at:])
	r.maybe(11, "zeros.webm", clipLength, song[:half], make([]byte, 1000), song[half+1000:])
	r.maybe(11, "zeros-in-block.webm", clipLength, song[:middle.content+10], make([]byte, 50), song[middle.content+60:])
	return r.err
}

// webmLayouts makes the WebM files of rows 23, 27, 29 to 31, 51: valid in
// unusual ways.
func (b *builder) webmLayouts(m *material) error {
	r := &webmRows{builder: b}
	packets := m.celt20
	ok := func(row int, name string, w webm) {
		w.packets = packets
		r.copies(row, name, packets, w.bytes())
	}
	openCluster := func(at uint64, blocks []byte) []byte {
		return join(endless(idCluster), el(idTimestamp, number(at)), blocks)
	}
	openSegment := func(content []byte) []byte { return join(endless(idSegment), content) }
	cues := el(idCues, el(idVoid, make([]byte, 20)))
	ok(23, "open-segment.webm", webm{segment: openSegment})
	ok(23, "open-clusters.webm", webm{cluster: openCluster})
	ok(23, "both-open.webm", webm{segment: openSegment, cluster: openCluster})
	ok(23, "open-then-cues.webm", webm{segment: openSegment, cluster: func(at uint64, blocks []byte) []byte { return join(openCluster(at, blocks), cues) }})

	// Lacing: three packets a block, and a fourth block every time without.
	for name, lace := range map[string]func(group [][]byte) []byte{"xiph": laceXiph, "ebml": laceEBML, "fixed": laceFixed} {
		laced := packets
		if name == "fixed" { // of one size
			laced = nil
			for _, p := range packets[:300] {
				laced = append(laced, padded(p, 700))
			}
		}
		var blocks [][]byte
		for i, group := range slices.Collect(slices.Chunk(laced, 3)) {
			blocks = append(blocks, el(idSimpleBlock, lacedBlock(i*60, lace(group), name)))
		}
		var clusters [][]byte
		for i, part := range slices.Collect(slices.Chunk(blocks, 50)) {
			// The times in blocks are relative, so each cluster counts from 0.
			for j := range part {
				at := j * 60
				head := len(part[j]) - len(laceContent(part[j]))
				part[j][head+1], part[j][head+2] = byte(at>>8), byte(at)
			}
			clusters = append(clusters, el(idCluster, el(idTimestamp, number(uint64(i*3000))), join(part...)))
		}
		r.copies(27, name+".webm", laced, ebmlHeader(), el(idSegment, info(float64(len(laced)*20)),
			el(idTracks, audioTrack(1, stereo().bytes())), join(clusters...)))
	}

	unknown := el(0x2DBB42, []byte("nobody knows this"))
	ok(29, "fillers.webm", webm{filler: join(el(idVoid, make([]byte, 7)), el(idCRC32, []byte{1, 2, 3, 4}), unknown), front: [][]byte{el(0x114D9B74, el(idVoid, nil))}})
	ok(29, "voids.webm", webm{filler: el(idVoid, make([]byte, 300)), extra: [][]byte{el(idVoid, make([]byte, 9)), unknown}})
	stray := el(idSimpleBlock, block(9, 0, 0x80, []byte("of another track")))
	r.maybe(30, "undeclared.webm", lasting(frames(packets)), webm{packets: packets, block: func(i, at int, p []byte) []byte {
		if i%10 == 5 {
			return join(stray, simpleBlock(at, p))
		}
		return simpleBlock(at, p)
	}}.bytes())
	r.maybe(30, "only-undeclared.webm", 0, webm{packets: packets, block: func(_, at int, p []byte) []byte {
		return el(idSimpleBlock, block(9, int16(at), 0x80, p))
	}}.bytes())
	group := func(at int, p []byte, more ...[]byte) []byte {
		return el(idBlockGroup, el(idBlock, block(1, int16(at), 0, p)), join(more...))
	}
	ok(31, "last-in-group.webm", webm{block: func(i, at int, p []byte) []byte {
		if i == len(packets)-1 {
			return group(at, p, el(idDiscardPadding, number(7_000_000)))
		}
		return simpleBlock(at, p)
	}})
	ok(31, "all-in-groups.webm", webm{block: func(_, at int, p []byte) []byte { return group(at, p, el(0x9B, number(20))) }})
	ok(51, "negative.webm", webm{base: 100, block: func(_, at int, p []byte) []byte { return simpleBlock(at-100, p) }})
	ok(51, "starts-at-10h.webm", webm{base: 36_000_000})
	big := make([]byte, 3<<20)
	ok(32, "large-video-blocks.webm", webm{tracks: [][]byte{videoTrack2()}, block: func(i, at int, p []byte) []byte {
		if i%150 == 70 {
			return join(el(idSimpleBlock, block(2, int16(at), 0x80, big)), simpleBlock(at, p))
		}
		return simpleBlock(at, p)
	}})
	tenHours(r)
	return r.err
}

// tenHours makes row 66, in WebM and in Ogg.
func tenHours(r *webmRows) {
	packets := slices.Repeat([][]byte{{0xFC, 0xFF, 0xFE}}, 10*3600*50) // digital silence as libopus writes it
	r.copies(66, "silence.webm", packets, webm{packets: packets, every: 500, block: func(_, at int, p []byte) []byte {
		content := block(1, int16(at), 0x80, p)
		return join(elementID(idSimpleBlock), vint(uint64(len(content)), 1), content)
	}}.bytes())
	if r.err == nil {
		r.err = r.putPackets(66, "ogg", OK, len(packets), items{"ten-hours.opus": oggFile{packets: packets}.bytes()})
	}
}

// lacedBlock is a block of packets under a lacing (RFC 9559 section 10.3).
func lacedBlock(at int, content []byte, lacing string) []byte {
	flags := map[string]byte{"xiph": 2, "fixed": 4, "ebml": 6}[lacing]
	return block(1, int16(at), flags, content)
}

// laceContent is what a SimpleBlock of el holds.
func laceContent(element []byte) []byte { return element[9:] }

func laceXiph(group [][]byte) []byte {
	b := []byte{byte(len(group) - 1)}
	for _, p := range group[:len(group)-1] {
		b = append(b, bytes.Repeat([]byte{255}, len(p)/255)...)
		b = append(b, byte(len(p)%255))
	}
	return join(b, join(group...))
}

func laceEBML(group [][]byte) []byte {
	b := append([]byte{byte(len(group) - 1)}, vint(uint64(len(group[0])), 2)...)
	for i := 1; i < len(group)-1; i++ {
		difference := len(group[i]) - len(group[i-1])
		b = append(b, vint(uint64(difference+1<<13-1), 2)...)
	}
	return join(b, join(group...))
}

func laceFixed(group [][]byte) []byte {
	return join([]byte{byte(len(group) - 1)}, join(group...))
}

// webmHostile makes rows 24 to 26, 28, 34 to 36, 52: what no encoder writes.
func (b *builder) webmHostile(m *material) error {
	r := &webmRows{builder: b}
	packets := m.celt20
	track := el(idTracks, audioTrack(1, stereo().bytes()))
	file := func(content ...[]byte) []byte { return join(ebmlHeader(), el(idSegment, content...)) }
	// odd is a file of which one block, in its middle, is made by strange.
	odd := func(strange func(at int, p []byte) []byte) []byte {
		return webm{packets: packets, block: func(i, at int, p []byte) []byte {
			if i == 250 {
				return strange(at, p)
			}
			return simpleBlock(at, p)
		}}.bytes()
	}
	r.maybe(24, "open-block.webm", lasting(frames(packets)), odd(func(at int, p []byte) []byte {
		return join(endless(idSimpleBlock), block(1, int16(at), 0x80, p))
	}))
	r.bad(25, "segment-child-2-56.webm", join(ebmlHeader(), endless(idSegment)), track, sized(0x4DBB42, 1<<56-2), make([]byte, 100))
	r.bad(25, "cluster-2-56.webm", join(ebmlHeader(), endless(idSegment)), track, sized(idCluster, 1<<56-2), el(idTimestamp, number(0)), simpleBlock(0, packets[0]))
	r.bad(25, "block-900-mib.webm", join(ebmlHeader(), endless(idSegment)), track, endless(idCluster), el(idTimestamp, number(0)),
		simpleBlock(0, packets[0]), sized(idSimpleBlock, 900<<20), make([]byte, 4096))
	r.bad(25, "private-1-gib.webm", join(ebmlHeader(), endless(idSegment), sized(idTracks, 1<<30+400), sized(idTrackEntry, 1<<30+200)),
		sized(idPrivate, 1<<30), make([]byte, 4096))
	r.bad(25, "header-1-gib.webm", sized(idEBML, 1<<30), make([]byte, 4096))
	r.bad(25, "tag-100-mib.webm", join(ebmlHeader(), endless(idSegment)), track, sized(idTags, 100<<20), make([]byte, 4096))

	lengths := []byte{2, 0x41, 0x00} // three frames, the first of 256 bytes
	for name, content := range map[string][]byte{
		"ebml-negative.webm":    join(lengths, vint(0, 2), make([]byte, 900)),
		"ebml-overflow.webm":    join([]byte{2}, vint(1<<50, 8), vint(1<<50, 8), make([]byte, 900)),
		"xiph-overflow.webm":    join([]byte{2}, bytes.Repeat([]byte{255}, 1000)),
		"xiph-count.webm":       join([]byte{255}, make([]byte, 255), packets[0]),
		"fixed-count.webm":      join([]byte{255}, bytes.Repeat([]byte{0xfc}, 256)),
		"fixed-indivisible.web": join([]byte{2}, bytes.Repeat([]byte{0xfc}, 100)),
		"xiph-nothing.webm":     nil,
	} {
		lacing := map[byte]string{'x': "xiph", 'e': "ebml", 'f': "fixed"}[name[0]]
		r.maybe(26, name, 0, odd(func(at int, _ []byte) []byte { return el(idSimpleBlock, lacedBlock(at, content, lacing)) }))
	}

	r.maybe(28, "nested.webm", lasting(frames(packets)), file(nested(100_000), info(1000), track, el(idCluster, el(idTimestamp, number(0)), blocksOf(packets))))
	r.maybe(28, "nested-groups.webm", 0, join(ebmlHeader(), endless(idSegment)), track, bytes.Repeat([]byte{0x1F, 0x43, 0xB6, 0x75, 0xff}, 100_000))
	var many [][]byte
	for i := range 20_000 {
		many = append(many, audioTrack(uint64(i+1), stereo().bytes()))
	}
	r.maybe(28, "tracks.webm", 0, file(info(1000), el(idTracks, many...), el(idCluster, el(idTimestamp, number(0)), simpleBlock(0, packets[0]))))
	voids := bytes.Repeat(join(elementID(idVoid), vint(0, 1)), 300_000)
	r.maybe(28, "voids.webm", lasting(frames(packets)), webm{packets: packets, front: [][]byte{voids}}.bytes())

	video := m.file["video.webm"]
	r.bad(34, "video-only.webm", video)
	cluster := el(idCluster, el(idTimestamp, number(0)), blocksOf(packets[:50]))
	r.bad(34, "no-tracks.webm", file(info(1000), cluster))
	r.bad(34, "no-cluster.webm", file(info(1000), track))
	r.bad(34, "empty-clusters.webm", file(info(1000), track, el(idCluster, el(idTimestamp, number(0))), el(idCluster, el(idTimestamp, number(500)))))
	r.bad(34, "nothing.webm", file())
	encoding := func(order uint64, content []byte) []byte {
		return el(idEncodings, el(idEncoding, el(0x5031, number(order)), el(0x5032, number(1)), content))
	}
	encrypted := join(el(idEncodingType, number(1)), el(idEncryption, el(0x47E1, number(5)), el(0x47E2, bytes.Repeat([]byte{7}, 16))))
	r.bad(35, "encrypted.webm", webm{packets: packets, extra: [][]byte{encoding(0, encrypted)}}.bytes())
	stripped := join(el(idEncodingType, number(0)), el(idCompression, el(idAlgorithm, number(3)), el(idSettings, packets[0][:1])))
	var bare [][]byte
	for _, p := range packets {
		bare = append(bare, p[1:])
	}
	r.maybe(36, "stripped.webm", lasting(frames(packets)), webm{packets: bare, length: float64(len(packets) * 20), extra: [][]byte{encoding(0, stripped)},
		block: func(i, _ int, p []byte) []byte { return simpleBlock(i%100*20, p) },
		cluster: func() func(uint64, []byte) []byte {
			n := uint64(0)
			return func(_ uint64, blocks []byte) []byte {
				n++
				return el(idCluster, el(idTimestamp, number((n-1)*2000)), blocks)
			}
		}()}.bytes())
	webmTimes(r, packets)
	r.maybe(53, "two.webm", 2*lasting(frames(packets)), webm{packets: packets}.bytes(), webm{packets: m.other20[:len(packets)]}.bytes())
	return r.err
}

// webmTimes makes the WebM files of row 52.
func webmTimes(r *webmRows, packets [][]byte) {
	shifted := func(shift func(i, at int) int) []byte {
		return webm{packets: packets, block: func(i, at int, p []byte) []byte { return simpleBlock(shift(i, at), p) }}.bytes()
	}
	r.maybe(52, "backwards.webm", lasting(frames(packets)), shifted(func(_, at int) int { return 2000 - at }))
	r.maybe(52, "standing.webm", lasting(frames(packets)), shifted(func(int, int) int { return 0 }))
	// With or without the hole filled.
	r.add(Entry{Row: 52, Name: "gap.webm", Want: Any, MaxDuration: lasting(frames(packets)) + 3*time.Second},
		webm{packets: packets, length: float64(len(packets)*20 + 2000), cluster: func(at uint64, blocks []byte) []byte {
			if at > 5000 {
				at += 2000
			}
			return el(idCluster, el(idTimestamp, number(at)), blocks)
		}}.bytes())
	r.add(Entry{Row: 52, Name: "2-63.webm", Want: Any, MaxDuration: lasting(frames(packets)) + time.Second},
		webm{packets: packets, base: 1 << 63}.bytes())
	for name, length := range map[string]float64{
		"says-1s.webm": 1000, "says-10h.webm": 36e6, "says-1e300.webm": 1e300, "says-minus.webm": -5,
	} {
		r.maybe(52, name, lasting(frames(packets)), webm{packets: packets, length: length}.bytes())
	}
	nan := webm{packets: packets}.bytes()
	at := bytes.Index(nan, join(elementID(idDuration), vint(8, 8)))
	binary.BigEndian.PutUint64(nan[at+10:], 0x7ff8_0000_0000_0001)
	r.maybe(52, "says-nan.webm", lasting(frames(packets)), nan)
}

// blocksOf are SimpleBlocks in one Cluster.
func blocksOf(packets [][]byte) (b []byte) {
	for i, p := range packets {
		b = append(b, simpleBlock(i*20, p)...)
	}
	return b
}

// nested is a ladder of so many unknown elements, each in the one before.
func nested(depth int) []byte {
	var parts [][]byte
	size := uint64(0)
	for range depth {
		head := sized(idTags, size)
		size += uint64(len(head))
		parts = append(parts, head)
	}
	slices.Reverse(parts)
	return join(parts...)
}
