package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// MessageVersion is the schema version that this code writes, and the newest
// that it reads.
const MessageVersion = 1

// MaxMessageBytes bounds an encoded message: it only rings, the record is the
// truth (the claim-check pattern).
const MaxMessageBytes = 1024

// Message is what travels on the queue.
type Message struct {
	Version    int    `json:"v"`
	Key        string `json:"job"`
	Generation int64  `json:"gen"`
	Requester  string `json:"requester,omitempty"` // for fair queues
	Trace      string `json:"traceparent,omitempty"`
}

// Errors of [DecodeMessage].
var (
	ErrUndecodable = errors.New("not a message of ours")
	ErrNewerSchema = errors.New("the message has a newer schema than this worker")
)

// EncodeMessage returns the message's body: JSON of at most MaxMessageBytes.
// What makes it too long (requester, trace) is left out: neither is needed to
// do the work.
func EncodeMessage(m Message) []byte {
	if m.Version == 0 {
		m.Version = MessageVersion
	}
	if len(m.Requester) > 128 {
		m.Requester = m.Requester[:128]
	}
	b, err := json.Marshal(m)
	if err != nil || len(b) > MaxMessageBytes {
		m.Requester, m.Trace = "", ""
		b, _ = json.Marshal(m) // plain strings and numbers: can not fail
	}
	return b
}

// DecodeMessage reads a body. The error wraps ErrUndecodable or ErrNewerSchema.
func DecodeMessage(body []byte) (Message, error) {
	var m Message
	if len(body) > MaxMessageBytes {
		return m, fmt.Errorf("%w: %d bytes", ErrUndecodable, len(body))
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return m, fmt.Errorf("%w: %w", ErrUndecodable, err)
	}
	if m.Version > MessageVersion {
		return m, fmt.Errorf("%w: %d", ErrNewerSchema, m.Version)
	}
	if m.Version < 1 || m.Generation < 1 {
		return m, fmt.Errorf("%w: no version or generation", ErrUndecodable)
	}
	if _, err := ParseKey(m.Key); err != nil {
		return m, fmt.Errorf("%w: %w", ErrUndecodable, err)
	}
	return m, nil
}

// Outgoing is a message to send, visible to receivers after Delay.
type Outgoing struct {
	Message Message
	Delay   time.Duration
}

// Delivery is a received message.
type Delivery struct {
	Message Message
	Receipt string // opaque; names this delivery, not the message
	Sent    time.Time

	// Err is set when the body could not be decoded (ErrUndecodable,
	// ErrNewerSchema); Raw then holds it, and Origin says where it came from.
	Err    error
	Raw    []byte
	Origin string
}

// Settlement says what becomes of a delivery.
type Settlement struct {
	Delivery Delivery
	Release  bool          // false: acknowledged, it will not come again; true: visible again after Delay
	Delay    time.Duration // release
}

// Depth is what a queue knows of itself. Negative: the engine can not tell.
type Depth struct {
	Visible  int64 // may be received now
	InFlight int64 // received, not settled
	Delayed  int64 // not visible yet
}
