package awss3

import (
	"errors"
	"io"
)

const chunkSize = 256 << 10

// buffer gathers a part. It takes memory as it fills, and keeps it for the next
// part.
type buffer struct {
	chunks [][]byte
	n      int
	limit  int
}

// write takes as much of p as there is room for.
func (b *buffer) write(p []byte) int {
	taken := 0
	for len(p) > 0 && b.n < b.limit {
		i, at := b.n/chunkSize, b.n%chunkSize
		if i == len(b.chunks) {
			b.chunks = append(b.chunks, make([]byte, min(chunkSize, b.limit-i*chunkSize)))
		}
		n := copy(b.chunks[i][at:], p)
		b.n += n
		taken += n
		p = p[n:]
	}
	return taken
}

func (b *buffer) full() bool { return b.n == b.limit }

func (b *buffer) reset() { b.n = 0 }

func (b *buffer) reader() *bufferReader { return &bufferReader{buffer: b} }

// bufferReader reads what was gathered, again and again if it has to: the client
// reads for the signature, for sending, and for sending again.
type bufferReader struct {
	buffer *buffer
	at     int
}

// Read implements io.Reader.
func (r *bufferReader) Read(p []byte) (int, error) {
	if r.at >= r.buffer.n {
		return 0, io.EOF
	}
	chunk := r.buffer.chunks[r.at/chunkSize]
	from := r.at % chunkSize
	n := copy(p, chunk[from:min(len(chunk), from+r.buffer.n-r.at)])
	r.at += n
	return n, nil
}

// Seek implements io.Seeker.
func (r *bufferReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += int64(r.at)
	case io.SeekEnd:
		offset += int64(r.buffer.n)
	}
	if offset < 0 || offset > int64(r.buffer.n) {
		return 0, errors.New("seek outside of the part")
	}
	r.at = int(offset)
	return offset, nil
}
