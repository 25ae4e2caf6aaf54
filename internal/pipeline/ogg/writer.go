package ogg

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Writer writes one logical stream of Ogg Opus: head, tags, packets, end mark.
type Writer struct {
	w       io.Writer
	page    Page
	granule int64
	done    bool   // a packet ends on the page that is being filled
	out     []byte // the last page's bytes, kept for their memory
	err     error

	// PageSamples is the length of audio after which a page is ended, in samples at 48 kHz.
	// The zero value means one second, as usual; 1 makes a page of every packet. It may be changed
	// at any time.
	PageSamples int
	onPage      int
}

// NewWriter returns a Writer for the stream with the given serial number.
func NewWriter(w io.Writer, serial uint32) *Writer {
	return &Writer{w: w, page: Page{Serial: serial, Flags: FlagBOS}}
}

// WriteHeaders writes OpusHead on a page of its own and OpusTags on the pages after
// it. Without tags (nil) it writes an empty comment header.
func (w *Writer) WriteHeaders(head, tags []byte) error {
	if tags == nil {
		tags = Tags("butakero")
	}
	w.append(head)
	w.flush(0)
	w.append(tags)
	w.flush(0)
	return w.err
}

// Tags is an OpusTags packet (RFC 7845 section 5.2) with the given comments, of the form
// "TITLE=value".
func Tags(vendor string, comments ...string) []byte {
	b := append([]byte(nil), tagsMagic...)
	b = appendString(b, vendor)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(comments))) // #nosec G115 -- far below
	for _, comment := range comments {
		b = appendString(b, comment)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s))) // #nosec G115 -- far below
	return append(b, s...)
}

// WritePacket appends an audio packet that lasts samples at 48 kHz.
func (w *Writer) WritePacket(packet []byte, samples int) error {
	if samples < 0 {
		return fmt.Errorf("packet of %d samples", samples)
	}
	limit := w.PageSamples
	if limit == 0 {
		limit = 48000
	}
	if w.onPage >= limit {
		w.flush(0)
	}
	w.append(packet)
	w.granule += int64(samples)
	w.onPage += samples
	return w.err
}

// EndPage writes the packets so far, even if their page has room for more.
func (w *Writer) EndPage() error {
	if len(w.page.Lacing) > 0 {
		w.flush(0)
	}
	return w.err
}

// Close marks the end. The last granule is that of the packets less trim, the
// samples at the end that a player shall drop (RFC 7845 section 4.4). It does not close
// the underlying writer.
func (w *Writer) Close(trim int) error {
	w.granule -= int64(trim)
	w.flush(FlagEOS)
	return w.err
}

// append puts a packet on the current page and on further ones where it does not fit.
func (w *Writer) append(packet []byte) {
	for more := true; more; {
		if len(w.page.Lacing) == 255 {
			w.flush(0)
		}
		n := min(len(packet), 255)
		more = n == 255
		w.page.Lacing = append(w.page.Lacing, byte(n)) // #nosec G115 -- 0-255
		w.page.Body = append(w.page.Body, packet[:n]...)
		packet = packet[n:]
	}
	w.done = true
}

// flush writes the current page and starts the next one.
func (w *Writer) flush(flags byte) {
	open := len(w.page.Lacing) > 0 && w.page.Lacing[len(w.page.Lacing)-1] == 255
	w.page.Flags |= flags
	w.page.Granule = NoGranule
	if w.done || flags&FlagEOS != 0 {
		w.page.Granule = w.granule
	}
	w.out = w.page.Append(w.out[:0])
	if w.err == nil {
		_, w.err = w.w.Write(w.out)
	}
	w.page.Sequence++
	w.page.Flags = 0
	if open {
		w.page.Flags = FlagContinued
	}
	w.page.Lacing, w.page.Body = w.page.Lacing[:0], w.page.Body[:0]
	w.done, w.onPage = false, 0
}
