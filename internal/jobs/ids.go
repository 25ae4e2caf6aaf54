package jobs

import (
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 9562 section 5.5 defines version 5 with SHA-1; it names things and protects nothing
	"encoding/hex"
	"errors"
	"strings"
)

// idAlphabet is base64url: six bits a character.
const idAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// eventNamespace makes event ids: UUIDv5(eventNamespace, operation id "/" generation).
var eventNamespace = [16]byte{0x6b, 0x1d, 0x0f, 0x5e, 0x52, 0x0a, 0x5c, 0x7f, 0x9f, 0x31, 0x4a, 0x6e, 0x2d, 0x90, 0x7c, 0x11}

// ErrBadOperationID is returned for a text that is no operation id.
var ErrBadOperationID = errors.New("not an operation id")

const (
	platformBits = 4
	songBits     = 6 * SongIDLength // 66
	entropyBits  = 52
)

// NewOperationID makes an operation id: a UUID of version 8 (RFC 9562 section
// 5.8) whose 122 free bits hold the platform's number (4), the song id (66) and
// 52 bits of entropy. A store can thus go from the id alone to the partition
// that holds the operation, in one consistent read. 52 bits are enough because
// they only have to differ within one song, and W1 refuses to overwrite.
// song must be valid.
func NewOperationID(song Song, entropy [8]byte) string {
	var w bitWriter
	w.put(uint64(platformCodes[song.Platform]), platformBits)
	for i := range len(song.ID) {
		w.put(uint64(strings.IndexByte(idAlphabet, song.ID[i])), 6)
	}
	var e uint64
	for _, b := range entropy {
		e = e<<8 | uint64(b)
	}
	w.put(e, entropyBits)
	w.uuid[6] = w.uuid[6]&0x0f | 0x80
	w.uuid[8] = w.uuid[8]&0x3f | 0x80
	return formatUUID(w.uuid)
}

// SongOf returns the song that an operation id carries.
func SongOf(operationID string) (Song, error) {
	u, ok := parseUUID(operationID)
	if !ok || u[6]>>4 != 8 || u[8]>>6 != 2 {
		return Song{}, ErrBadOperationID
	}
	r := bitReader{uuid: u}
	code := byte(r.get(platformBits))
	song := Song{}
	for name, c := range platformCodes {
		if c == code {
			song.Platform = name
		}
	}
	if song.Platform == "" {
		return Song{}, ErrBadOperationID
	}
	id := make([]byte, SongIDLength)
	for i := range id {
		id[i] = idAlphabet[r.get(6)]
	}
	song.ID = string(id)
	return song, nil
}

// EventID returns the id of the event that tells the end of an operation's
// generation: the same for every copy of it, whoever publishes.
func EventID(operationID string, generation int64) string {
	return nameUUID(eventNamespace, operationID+"/"+itoa(generation))
}

// RandomID returns a random UUID (version 4) for claim tokens and worker ids.
func RandomID() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails: crypto/rand
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return formatUUID(u)
}

// SongUUID returns the stable UUID by which the original's status answer names
// a song's metadata.
func SongUUID(song Song) string { return nameUUID(eventNamespace, song.String()) }

func nameUUID(space [16]byte, name string) string {
	h := sha1.New() //nolint:gosec // see the import
	h.Write(space[:])
	h.Write([]byte(name))
	var u [16]byte
	copy(u[:], h.Sum(nil))
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return formatUUID(u)
}

func itoa(n int64) string {
	if n == 0 {
		return "0"
	}
	var b [20]byte
	i := len(b)
	for ; n > 0; n /= 10 {
		i--
		b[i] = byte('0' + n%10)
	}
	return string(b[i:])
}

func formatUUID(u [16]byte) string {
	var b [36]byte
	hex.Encode(b[0:8], u[0:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:36], u[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

func parseUUID(s string) (u [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, false
	}
	plain := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	_, err := hex.Decode(u[:], []byte(plain))
	return u, err == nil
}

// bitWriter fills the free bits of a UUID from the left, stepping over the
// version (bits 48-51) and the variant (bits 64-65).
type bitWriter struct {
	uuid [16]byte
	pos  int
}

func (w *bitWriter) put(v uint64, bits int) {
	for i := bits - 1; i >= 0; i-- {
		w.pos = freeBit(w.pos)
		if v>>i&1 == 1 {
			w.uuid[w.pos/8] |= 0x80 >> (w.pos % 8)
		}
		w.pos++
	}
}

type bitReader struct {
	uuid [16]byte
	pos  int
}

func (r *bitReader) get(bits int) (v uint64) {
	for range bits {
		r.pos = freeBit(r.pos)
		v = v<<1 | uint64(r.uuid[r.pos/8]>>(7-r.pos%8)&1)
		r.pos++
	}
	return v
}

func freeBit(pos int) int {
	switch pos {
	case 48:
		return 52
	case 64:
		return 66
	}
	return pos
}
