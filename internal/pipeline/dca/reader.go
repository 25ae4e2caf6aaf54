package dca

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Reader streams a DCA1 or DCA0 file. Its memory is bounded by MaxHeaderBytes and the
// longest frame that a length field can express (32,767 bytes), whatever the file claims.
type Reader struct {
	r       *bufio.Reader
	started bool
	headErr error // what reading the header came to
	version int
	meta    Metadata
	json    []byte
	offset  int64 // of the next byte to read
	frames  int64
	frame   []byte
	err     error // what ended the frames
}

// NewReader returns a Reader of r. It reads nothing yet.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, bufferBytes)}
}

// Version is 1, or 0 for a file without a header, which is all that tells a DCA0 file from
// anything else. It reads the header if that has not happened yet.
func (d *Reader) Version() (int, error) {
	err := d.start()
	return d.version, err
}

// Metadata returns the header, the zero value for DCA0. It reads the header if that has
// not happened yet. Keys that are missing are zero; only [Verify] minds.
func (d *Reader) Metadata() (Metadata, error) {
	err := d.start()
	return d.meta, err
}

// RawMetadata returns the header's JSON as it is in the file, nil for DCA0.
func (d *Reader) RawMetadata() (json.RawMessage, error) {
	err := d.start()
	return d.json, err
}

// Next returns the next frame, valid until the next call. io.EOF comes only after a whole
// frame (or a header without frames). A [*FormatError] says what is wrong and where; other errors come
// from the source. All are final.
func (d *Reader) Next() ([]byte, error) {
	if err := d.start(); err != nil {
		return nil, err
	}
	if d.err != nil {
		return nil, d.err
	}
	frame, err := d.next()
	d.err = err
	return frame, err
}

// Frames is the number of frames that Next has returned.
func (d *Reader) Frames() int64 { return d.frames }

// Offset is the number of bytes that were used so far: where the next frame begins.
func (d *Reader) Offset() int64 { return d.offset }

func (d *Reader) next() ([]byte, error) {
	field, err := d.r.Peek(2)
	if len(field) < 2 {
		switch {
		case !errors.Is(err, io.EOF):
			return nil, readError(err)
		case len(field) == 0:
			return nil, io.EOF
		}
		return nil, d.faultf(CodeTruncatedLength, "file ends inside a frame length")
	}
	size := int(int16(binary.LittleEndian.Uint16(field))) // #nosec G115 -- the field is signed
	if size <= 0 {
		return nil, d.faultf(CodeFrameLength, "frame length %d", size)
	}
	if _, err := d.r.Discard(2); err != nil {
		return nil, readError(err)
	}
	frame, err := d.take(size)
	if err != nil {
		return nil, err
	}
	d.offset += int64(2 + size)
	d.frames++
	return frame, nil
}

// take returns the next size bytes, out of the buffer.
func (d *Reader) take(size int) ([]byte, error) {
	if cap(d.frame) < size {
		d.frame = make([]byte, max(size, MaxFrameBytes))
	}
	frame := d.frame[:size]
	n, err := io.ReadFull(d.r, frame)
	switch {
	case err == nil:
		return frame, nil
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, d.faultf(CodeTruncatedFrame, "only %d of %d bytes", n, size)
	default:
		return nil, readError(err)
	}
}

// start reads the header once.
func (d *Reader) start() error {
	if !d.started {
		d.started = true
		d.headErr = d.readHeader()
	}
	return d.headErr
}

func (d *Reader) readHeader() error {
	prefix, err := d.r.Peek(prefixSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return readError(err)
	}
	switch {
	case len(prefix) == 0:
		return d.faultf(CodeEmpty, "file is empty")
	case len(prefix) < 3 || string(prefix[:3]) != magic[:3]:
		return nil // DCA0
	case len(prefix) < prefixSize:
		return d.faultf(CodeTruncatedHeader, "file ends inside the header")
	case prefix[3] != magic[3]:
		return d.faultf(CodeVersion, "unknown version %q", prefix[3:4])
	}
	length := int32(binary.LittleEndian.Uint32(prefix[4:])) // #nosec G115 -- the field is signed
	if length < 2 || length > MaxHeaderBytes {
		d.offset = 4
		return d.faultf(CodeHeaderLength, "header length %d, want 2 to %d", length, MaxHeaderBytes)
	}
	if _, err := d.r.Discard(prefixSize); err != nil {
		return readError(err)
	}
	d.offset = prefixSize
	// A copy that grows with what is there: the length may lie.
	var text bytes.Buffer
	n, err := io.CopyN(&text, d.r, int64(length))
	if errors.Is(err, io.EOF) {
		return d.faultf(CodeTruncatedHeader, "only %d of %d bytes of JSON", n, length)
	}
	if err != nil {
		return readError(err)
	}
	if err := d.parse(text.Bytes()); err != nil {
		return err
	}
	d.offset += n
	return nil
}

// parse decodes the JSON header, which begins at d.offset.
func (d *Reader) parse(text []byte) error {
	if text[0] != '{' {
		return d.faultf(CodeHeaderJSON, "header is not a JSON object")
	}
	var meta Metadata
	err := json.Unmarshal(text, &meta)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		d.offset += syntax.Offset
		return d.faultf(CodeHeaderJSON, "%v", syntax)
	case errors.As(err, &kind):
		d.offset += kind.Offset
		return d.faultf(CodeHeaderJSON, "%s is a %s", kind.Field, kind.Value)
	case err != nil:
		return d.faultf(CodeHeaderJSON, "%v", err)
	}
	d.version, d.meta, d.json = 1, meta, text
	return nil
}

func (d *Reader) faultf(code Code, format string, args ...any) error {
	fault := &FormatError{Code: code, Offset: d.offset, Frame: d.frames, Detail: fmt.Sprintf(format, args...)}
	switch code {
	case CodeEmpty, CodeVersion, CodeTruncatedHeader, CodeHeaderLength, CodeHeaderJSON:
		fault.Frame = -1
	}
	return fault
}

func readError(err error) error { return fmt.Errorf("read dca: %w", err) }
