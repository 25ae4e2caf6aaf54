package wire

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
)

// The shapes of SQS's JSON protocol that faults look into.
type (
	batch struct {
		Entries []json.RawMessage
	}
	entry struct {
		ID string `json:"Id"`
	}
	batchAnswer struct {
		Successful []json.RawMessage
		Failed     []json.RawMessage
	}
	entryError struct {
		ID          string `json:"Id"`
		Code        string
		Message     string
		SenderFault bool
	}
)

// FailEntries makes the first n entries of an SQS batch fail with a code, such as
// InternalError; the server does not hear of them. senderFault tells the client that
// trying again is no use.
func FailEntries(n int, code string, senderFault bool) Fault {
	return func(x *Exchange) bool {
		entries := x.entries()
		if len(entries) == 0 {
			return false
		}
		n := min(n, len(entries))
		answer := batchAnswer{Successful: []json.RawMessage{}}
		if n < len(entries) {
			if !x.withEntries(entries[n:]) {
				return false
			}
			a, err := x.Do()
			if err != nil {
				x.Cut()
			}
			if a.Status != http.StatusOK || json.Unmarshal(a.Body, &answer) != nil {
				x.Reply(a)
				return true
			}
		}
		answer.Failed = append(answer.Failed, failed(entries[:n], code, senderFault)...)
		x.reply(answer)
		return true
	}
}

// DisownEntries has the server carry out a whole SQS batch, and tells the client that
// the first n entries have failed.
func DisownEntries(n int, code string) Fault {
	return func(x *Exchange) bool {
		if len(x.entries()) == 0 {
			return false
		}
		a, err := x.Do()
		if err != nil {
			x.Cut()
		}
		var answer batchAnswer
		if a.Status != http.StatusOK || json.Unmarshal(a.Body, &answer) != nil {
			x.Reply(a)
			return true
		}
		n := min(n, len(answer.Successful))
		answer.Failed = append(answer.Failed, failed(answer.Successful[:n], code, false)...)
		answer.Successful = answer.Successful[n:]
		x.reply(answer)
		return true
	}
}

// Redeliver gives the next receive of SQS the messages of one that came before: a
// standard queue may deliver twice, even what is in flight.
func Redeliver() Fault {
	var mu sync.Mutex
	var kept *Answer
	return func(x *Exchange) bool {
		if x.Operation != "ReceiveMessage" {
			return false
		}
		mu.Lock()
		again := kept
		kept = nil
		mu.Unlock()
		if again != nil {
			x.Reply(again)
			return true
		}
		a, err := x.Do()
		if err != nil {
			x.Cut()
		}
		var got struct{ Messages []json.RawMessage }
		if a.Status == http.StatusOK && json.Unmarshal(a.Body, &got) == nil && len(got.Messages) > 0 {
			mu.Lock()
			kept = a
			mu.Unlock()
		}
		x.Reply(a)
		return false
	}
}

// StaleHandle answers as ElasticMQ does to receipt handles that a later receive has
// replaced: DeleteMessage and ChangeMessageVisibility fail with ReceiptHandleIsInvalid,
// their batches entry by entry. Nothing is done.
func StaleHandle() Fault {
	return func(x *Exchange) bool {
		const code = "ReceiptHandleIsInvalid"
		switch x.Operation {
		case "DeleteMessage", "ChangeMessageVisibility":
			x.Reply(failure(x.Request, http.StatusBadRequest, code, "The specified receipt handle isn't valid."))
		case "DeleteMessageBatch", "ChangeMessageVisibilityBatch":
			x.reply(batchAnswer{Successful: []json.RawMessage{}, Failed: failed(x.entries(), code, true)})
		default:
			return false
		}
		return true
	}
}

// ForgetDelete answers as AWS does to a delete with a stale handle: that all is well.
// The message is not deleted.
func ForgetDelete() Fault {
	return func(x *Exchange) bool {
		switch x.Operation {
		case "DeleteMessage":
			x.reply(struct{}{})
		case "DeleteMessageBatch":
			answer := batchAnswer{Successful: []json.RawMessage{}, Failed: []json.RawMessage{}}
			for _, e := range x.entries() {
				if raw, err := json.Marshal(entry{ID: id(e)}); err == nil {
					answer.Successful = append(answer.Successful, raw)
				}
			}
			x.reply(answer)
		default:
			return false
		}
		return true
	}
}

// entries are those of an SQS batch.
func (x *Exchange) entries() []json.RawMessage {
	var b batch
	if !strings.HasSuffix(x.Operation, "Batch") || json.Unmarshal(x.Body, &b) != nil {
		return nil
	}
	return b.Entries
}

// withEntries gives a batch other entries and keeps the rest of it.
func (x *Exchange) withEntries(entries []json.RawMessage) bool {
	var whole map[string]json.RawMessage
	if json.Unmarshal(x.Body, &whole) != nil {
		return false
	}
	raw, err := json.Marshal(entries)
	if err != nil {
		return false
	}
	whole["Entries"] = raw
	if raw, err = json.Marshal(whole); err != nil {
		return false
	}
	x.Body = raw
	return true
}

func id(raw json.RawMessage) string {
	var e entry
	if json.Unmarshal(raw, &e) != nil {
		return ""
	}
	return e.ID
}

func failed(entries []json.RawMessage, code string, senderFault bool) []json.RawMessage {
	all := []json.RawMessage{}
	for _, e := range entries {
		raw, err := json.Marshal(entryError{ID: id(e), Code: code, Message: "injected", SenderFault: senderFault})
		if err == nil {
			all = append(all, raw)
		}
	}
	return all
}
