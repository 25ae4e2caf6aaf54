package corpus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// oggLayouts are rows 54, 55, 62: valid streams on unusual pages.
func (b *builder) oggLayouts(m *material) error {
	packets := m.celt20
	n := frames(packets)
	var round [][]byte // packets whose lengths are multiples of 255
	for _, p := range packets {
		round = append(round, padded(p, (len(p)/255+2)*255))
	}
	vendor := []byte("OpusTags\xff\xff\xff\xffvendor")
	return errors.Join(
		b.putPackets(54, "ogg", OK, n, items{
			"1-segment.opus":        oggFile{packets: packets, lacing: 1}.bytes(),
			"3-segments.opus":       oggFile{packets: packets, lacing: 3}.bytes(),
			"255-segments.opus":     oggFile{packets: packets, lacing: 255}.bytes(),
			"nil-pages.opus":        join(nilPages(oggFile{packets: packets, serial: 5})...),
			"multiples-of-255.opus": oggFile{packets: round, lacing: 4}.bytes(),
		}),
		b.putPackets(55, "ogg", OK, n, items{
			"tags-290k.opus": oggFile{packets: packets, tags: tags(290_000)}.bytes(),
			"tags-600k.opus": oggFile{packets: packets, tags: tags(600_000)}.bytes(),
		}),
		b.putPackets(55, "ogg", Any, n, items{
			"vendor-4GiB.opus": oggFile{packets: packets, tags: vendor}.bytes(),
			"tags-20M.opus":    oggFile{packets: packets, tags: tags(20_000_000)}.bytes(),
		}),
		b.putPackets(62, "ogg", Any, n, items{
			"granules-2^63.opus":     oggFile{packets: packets, granule: math.MaxInt64 - 300_000}.bytes(),
			"granules-negative.opus": oggFile{packets: packets, granule: math.MinInt64}.bytes(),
			"starts-at-1h.opus":      oggFile{packets: packets, granule: 3600 * 48000}.bytes(),
		}),
		b.putPackets(62, "ogg", OK, n, items{"trim-500.opus": oggFile{packets: packets, trim: 500}.bytes()}),
		b.oggChains(m),
	)
}

// nilPages puts a page without segments behind every page but the last.
func nilPages(o oggFile) (all [][]byte) {
	pages := o.pages()
	for i, p := range pages {
		all = append(all, p)
		if i < len(pages)-1 {
			all = append(all, page(0, -1, o.serial, 0, nil, nil))
		}
	}
	for i, p := range all {
		binary.LittleEndian.PutUint32(p[18:], uint32(i))
		seal(p)
	}
	return all
}

// oggChains are rows 56 and 57.
func (b *builder) oggChains(m *material) error {
	first := oggFile{packets: m.celt20, serial: 1}
	second := oggFile{packets: m.other20, serial: 2}
	same := oggFile{packets: m.other20, serial: 1}
	mono := oggFile{packets: m.celt20Mono, serial: 3, head: opusHead{version: 1, channels: 1, preSkip: 312}.bytes()}
	chain := func(name string, streams ...oggFile) error {
		var all []byte
		n := 0
		for _, s := range streams {
			all = append(all, s.bytes()...)
			n += frames(s.packets)
		}
		return b.putPackets(56, "ogg", Any, n, items{name: all})
	}
	a, z := first.pages(), second.pages()
	var mixed [][]byte
	for i := range max(len(a), len(z)) {
		if i < len(a) {
			mixed = append(mixed, a[i])
		}
		if i < len(z) {
			mixed = append(mixed, z[i])
		}
	}
	late := slices.Insert(slices.Clone(a), len(a)/2, z...)
	n := frames(m.celt20)
	return errors.Join(
		chain("other-serial.opus", first, second),
		chain("same-serial.opus", first, same),
		chain("stereo-mono.opus", first, mono),
		chain("three.opus", mono, first, second),
		b.putPackets(57, "ogg", Any, n, items{"interleaved.opus": join(mixed...)}),
		// The second stream begins in the middle of the first: no chain, no group.
		b.putAll(57, "ogg", Any, items{"inside.opus": join(late...)}),
	)
}

// oggDamage are rows 58 to 61.
func (b *builder) oggDamage(m *material) error {
	pages := oggFile{packets: m.celt20, serial: 9}.pages()
	whole := join(pages...)
	half := len(pages) / 2
	without := func(i int) []byte { return join(slices.Delete(slices.Clone(pages), i, i+1)...) }
	changed := func(i int, change func([]byte)) []byte {
		all := slices.Clone(pages)
		all[i] = bytes.Clone(all[i])
		change(all[i])
		return join(all...)
	}
	spoil := func(p []byte) { p[len(p)-1] ^= 0xff }
	spoilt := make([][]byte, len(pages))
	for i, p := range pages {
		spoilt[i] = bytes.Clone(p)
		p = spoilt[i]
		binary.LittleEndian.PutUint32(p[22:], ^binary.LittleEndian.Uint32(p[22:]))
	}
	swapped := slices.Clone(pages)
	swapped[half], swapped[half+1] = swapped[half+1], swapped[half]
	endsOpen := func(p []byte) { // the last packet goes on, but there is no next page
		p[26+int(p[26])] = 255
		seal(p)
	}
	open := oggFile{packets: m.celt20, serial: 9, open: true}
	n := frames(m.celt20)
	return errors.Join(
		b.putAll(58, "ogg", Err, items{
			"in-page.opus":        whole[:len(whole)/2],
			"in-page-header.opus": join(join(pages[:half]...), pages[half][:15]),
			"in-head.opus":        whole[:30],
			"in-tags.opus":        join(pages[0], pages[1][:len(pages[1])-3]),
			"head-only.opus":      pages[0],
			"headers-only.opus":   join(pages[:2]...),
			"headers-eos.opus":    oggFile{}.bytes(),
			"last-byte.opus":      whole[:len(whole)-1],
		}),
		b.putPackets(59, "ogg", Any, n, items{
			"at-page.opus":    join(pages[:half]...),
			"unfinished.opus": changed(len(pages)-1, endsOpen),
		}),
		b.putPackets(59, "ogg", Any, n, items{"no-eos.opus": open.bytes()}),
		b.putPackets(60, "ogg", Any, n, items{
			"one-page.opus":     changed(half, spoil),
			"first-page.opus":   changed(0, spoil),
			"one-checksum.opus": changed(half, func(p []byte) { p[22] ^= 1 }),
		}),
		b.putAll(60, "ogg", Err, items{"all-pages.opus": join(spoilt...)}),
		b.putPackets(61, "ogg", Any, n, items{
			"lost.opus":           without(half),
			"lost-first.opus":     without(0),
			"lost-tags.opus":      without(1),
			"lost-last.opus":      without(len(pages) - 1),
			"swapped.opus":        join(swapped...),
			"continued-lies.opus": changed(half, func(p []byte) { p[5] |= flagContinued; seal(p) }),
			"no-headers.opus":     oggFile{packets: m.celt20, beginMid: true}.bytes(),
			"junk-before.opus":    join([]byte("junk"), whole),
			"junk-after.opus":     join(whole, []byte("junk behind the end of the stream")),
			"junk-between.opus":   join(join(pages[:half]...), []byte("OggSjunk"), join(pages[half:]...)),
			"version-1.opus":      changed(half, func(p []byte) { p[4] = 1; seal(p) }),
		}),
	)
}
