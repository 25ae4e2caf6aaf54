package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/butakero/butakero/internal/jobs"
)

// Names in the envelope of CloudEvents 1.0.
const (
	SpecVersion = "1.0"
	Source      = "/butakero"
	TypePrefix  = "io.github.butakero.operation." // the state follows: succeeded, failed, cancelled
)

// Content types of the formats.
const (
	ContentTypeCloudEvents = "application/cloudevents+json; charset=UTF-8"
	ContentTypeOriginal    = "application/json"
)

// Encode turns an event into a message body and names its content type. It fails
// for what is no event: an operation that has not ended.
type Encode = func(jobs.Event) (body []byte, contentType string, err error)

// ByName returns the encoder of a format as BUTAKERO_EVENT_FORMAT names it;
// "" is cloudevents.
func ByName(format, publicURL string) (Encode, error) {
	switch format {
	case "", "cloudevents":
		return CloudEvents(publicURL), nil
	case "original":
		return Original(publicURL), nil
	}
	return nil, fmt.Errorf("there is no event format %q: cloudevents or original", format)
}

// CloudEvent is the news that an operation ended, in the JSON format of
// CloudEvents 1.0. All copies of an event have the same id.
type CloudEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"` // the operation's id
	Time            time.Time `json:"time"`    // when it ended
	DataContentType string    `json:"datacontenttype"`
	Generation      int64     `json:"generation,omitempty"` // extension: 2 and up after a replay, else absent
	Data            Operation `json:"data"`
}

// CloudEventOf makes the envelope around an ended operation. publicURL is how
// clients reach the API (scheme and host); without one no URL is told.
func CloudEventOf(e jobs.Event, publicURL string) CloudEvent {
	o := bounded(e.Operation)
	return CloudEvent{
		SpecVersion: SpecVersion, ID: e.ID, Source: Source, Type: TypePrefix + string(o.State), Subject: o.ID,
		Time: instant(o.EndedAt), DataContentType: "application/json",
		Generation: replayed(o), Data: operationOf(o, publicURL),
	}
}

// CloudEvents returns the encoder of structured mode, [CloudEventOf] in JSON.
func CloudEvents(publicURL string) Encode {
	return func(e jobs.Event) ([]byte, string, error) {
		if err := check(e); err != nil {
			return nil, "", err
		}
		body, err := encode(CloudEventOf(e, publicURL))
		return body, ContentTypeCloudEvents, err
	}
}

// check refuses what is no event.
func check(e jobs.Event) error {
	switch e.Operation.State {
	case jobs.OperationSucceeded, jobs.OperationFailed, jobs.OperationCancelled:
	default:
		return fmt.Errorf("operation %s is %s: there is no event of it", e.Operation.ID, e.Operation.State)
	}
	if e.ID == "" {
		return fmt.Errorf("the event of operation %s has no id", e.Operation.ID)
	}
	return nil
}

// unsendable are the characters that JSON allows as they are and SQS refuses.
var unsendable = strings.NewReplacer("\uFFFE", `\ufffe`, "\uFFFF", `\uffff`)

// encode is JSON without the escapes that are meant for HTML, in one line.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return []byte(unsendable.Replace(strings.TrimSuffix(b.String(), "\n"))), nil
}

// longestText bounds what others wrote (titles, messages), in bytes: a body that a
// queue refuses would be published for ever.
const longestText = 4096

// bounded is an operation whose texts are cut.
func bounded(o jobs.Operation) jobs.Operation {
	o.Requester = cut(o.Requester)
	if o.Result != nil {
		r := *o.Result
		for _, text := range []*string{&r.Path, &r.Info.Title, &r.Info.URL, &r.Info.Thumbnail} {
			*text = cut(*text)
		}
		o.Result = &r
	}
	if o.Failure != nil {
		f := *o.Failure
		f.Message = cut(f.Message)
		o.Failure = &f
	}
	return o
}

// cut shortens a text, between characters.
func cut(s string) string {
	if len(s) <= longestText {
		return s
	}
	end := longestText
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// instant is a time as events tell it: UTC, to the millisecond, so that a record
// that has been through a store makes the same event as one that has not.
func instant(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Millisecond)
}

// replayed is the generation of an operation that was replayed, else 0.
func replayed(o jobs.Operation) int64 {
	if o.Generation > 1 {
		return o.Generation
	}
	return 0
}
