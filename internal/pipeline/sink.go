package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// sink is where the DCA file goes: it counts and hashes what passes, and
// remembers how writing failed.
type sink struct {
	w     io.Writer
	hash  hash.Hash
	bytes int64
	err   error // with its verdict
}

func newSink(w io.Writer) *sink { return &sink{w: w, hash: sha256.New()} }

// Write implements io.Writer.
func (s *sink) Write(b []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	s.hash.Write(b[:n])
	s.bytes += int64(n)
	if err != nil {
		s.err = storageError(err)
	}
	return n, s.err
}

// sum is the SHA-256 of everything written, in lower-case hexadecimal.
func (s *sink) sum() string { return hex.EncodeToString(s.hash.Sum(nil)) }
