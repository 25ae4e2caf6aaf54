package events

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/butakero/butakero/internal/events"
	"github.com/butakero/butakero/internal/jobs"
)

const folder = "../../../docs/schema"

// formats are the event formats and the schemas that describe them.
var formats = map[string]string{"cloudevents": "event.cloudevents.schema.json", "original": "event.original.schema.json"}

// schema compiles a schema. Strict forbids members that it does not name:
// consumers must expect new ones, this test must not.
func schema(t *testing.T, name string, strict bool) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if strict {
		closeObjects(document)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

func closeObjects(node any) {
	switch n := node.(type) {
	case map[string]any:
		if _, open := n["additionalProperties"]; n["type"] == "object" && n["properties"] != nil && !open {
			n["additionalProperties"] = false
		}
		for _, child := range n {
			closeObjects(child)
		}
	case []any:
		for _, child := range n {
			closeObjects(child)
		}
	}
}

func parse(t *testing.T, body []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return v
}

// some makes an ended operation with or without everything that may be missing.
func some(r *rand.Rand) jobs.Operation {
	pick := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	song := jobs.Song{Platform: pick(jobs.PlatformYouTube, jobs.PlatformDemo), ID: pick("SRXH9AbT280", "-_-_-_-_-_-")}
	ended := time.Unix(r.Int64N(4e9), r.Int64N(1e9))
	o := jobs.Operation{
		ID: jobs.NewOperationID(song, [8]byte{byte(r.IntN(256))}), Key: jobs.Key{Song: song, Profile: pick(jobs.DefaultProfile, "lo-fi")},
		Requester: pick("", "guild 1", "<&>\u2028\xff"), State: jobs.OperationState(pick("succeeded", "failed", "cancelled")),
		Generation: 1 + r.Int64N(3), Attempts: r.IntN(5), CreatedAt: ended.Add(-time.Second), EndedAt: ended,
	}
	switch {
	case o.State == jobs.OperationSucceeded:
		o.Result = &jobs.Result{
			Path: "audio/x [" + song.ID + "].dca", Bytes: r.Int64N(1 << pick("\x0a", "\x14", "\x28")[0]), SHA256: strings.Repeat("0f", 32), Frames: r.Int64N(1e6),
			Duration: time.Duration(r.Int64N(int64(5 * time.Hour))), Transcoded: r.IntN(2) == 0,
			Info: jobs.SongInfo{Title: pick("", "Canción «Ω»", "\x00\xff", "\ufffe\uffff\U0010ffff"), Duration: time.Duration(r.Int64N(2)) * time.Hour},
		}
	case r.IntN(4) > 0:
		o.Failure = &jobs.Failure{Class: jobs.Class(pick("permanent", "transient", "panic")), Code: "private", Message: pick("", "This video is private.")}
	}
	return o
}

// TestEventsAreValid holds thousands of different events to the strict schema.
func TestEventsAreValid(t *testing.T) {
	t.Parallel()
	for format, name := range formats {
		for _, publicURL := range []string{"", "https://music.example"} {
			strict := schema(t, name, true)
			encode, err := events.ByName(format, publicURL)
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, 2))
			for range 2000 {
				o := some(r)
				body, _, err := encode(jobs.EventOf(o))
				if i := bytes.IndexFunc(body, refused); i >= 0 {
					t.Fatalf("%s: SQS refuses the character at %d: %s", format, i, body)
				}
				if err == nil {
					err = strict.Validate(parse(t, body))
				}
				if err != nil {
					t.Fatalf("%s: %v\n%s", format, err, body)
				}
			}
		}
	}
}

// refused tells characters that SQS does not take in a message.
func refused(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}

// TestGoldenFilesAreValid: what the documentation shows is what the schemas allow.
func TestGoldenFilesAreValid(t *testing.T) {
	t.Parallel()
	count := 0
	for format, name := range formats {
		files, err := filepath.Glob("../../../internal/events/testdata/golden/" + format + "_*.json")
		if err != nil {
			t.Fatal(err)
		}
		strict := schema(t, name, true)
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := strict.Validate(parse(t, body)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			count++
		}
	}
	if count < 8 {
		t.Errorf("%d golden files, want 8", count)
	}
}

// TestSchemasConvict: each schema refuses events with one thing wrong.
func TestSchemasConvict(t *testing.T) {
	t.Parallel()
	wrong := map[string][]struct{ path, value string }{
		"cloudevents": {
			{"id", `"1"`}, {"id", `null`}, {"specversion", `"0.3"`}, {"source", `"/other"`}, {"type", `"io.github.butakero.operation.waiting"`},
			{"type", `"io.github.butakero.operation.failed"`}, {"time", `"yesterday"`}, {"time", `"2024-12-24T05:39:58+02:00"`}, {"generation", `1`}, {"generation", `2`},
			{"subject", `""`}, {"data", `{}`}, {"data.state", `"failed"`}, {"data.song_id", `"x"`}, {"data.file.sha256", `"0A"`}, {"data.file.bytes", `-1`},
			{"data.file", `null`}, {"data.job.state", `"running"`}, {"data.job.attempt", `"1"`}, {"data.profile", `"default"`}, {"data.generation", `2`}, {"data.title", `""`},
		},
		"original": {
			{"ID", `"1"`}, {"Content", `"ok"`}, {"ReceiptHandle", `"x"`}, {"id", `"1"`}, {"Status", `"success"`}, {"Status.status", `"cancelled"`}, {"Status.status", `"failed"`},
			{"Status.success", `false`}, {"Status.metadata", `null`}, {"Status.file_data", `null`}, {"Status.file_data.file_size", `"1 MB"`}, {"Status.file_data.file_type", `""`},
			{"Status.processing_date", `""`}, {"Status.failures", `-1`}, {"Status.metadata.duration", `"201"`}, {"Status.metadata.artist", `"x"`},
		},
	}
	ended := time.Date(2024, 12, 24, 5, 39, 58, 0, time.UTC)
	song := jobs.Song{Platform: jobs.PlatformYouTube, ID: "SRXH9AbT280"}
	right := jobs.EventOf(jobs.Operation{
		ID: jobs.NewOperationID(song, [8]byte{}), Key: jobs.Key{Song: song, Profile: jobs.DefaultProfile}, State: jobs.OperationSucceeded, Generation: 1, Attempts: 1,
		CreatedAt: ended, EndedAt: ended, Result: &jobs.Result{Path: "audio/x.dca", Bytes: 1, SHA256: strings.Repeat("0f", 32), Info: jobs.SongInfo{Title: "x"}},
	})
	for format, name := range formats {
		open := schema(t, name, false)
		encode, err := events.ByName(format, "https://music.example")
		if err != nil {
			t.Fatal(err)
		}
		body, _, err := encode(right)
		if err != nil {
			t.Fatal(err)
		}
		if err := open.Validate(parse(t, body)); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		for _, w := range wrong[format] {
			if err := open.Validate(change(t, body, w.path, w.value)); err == nil {
				t.Errorf("%s: %s = %s is fine with the schema", format, w.path, w.value)
			}
		}
	}
}

// change sets the member at a dotted path.
func change(t *testing.T, body []byte, path, value string) any {
	t.Helper()
	document := parse(t, body)
	at := document.(map[string]any)
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		at = at[step].(map[string]any)
	}
	if !json.Valid([]byte(value)) {
		t.Fatalf("%s is no JSON", value)
	}
	at[steps[len(steps)-1]] = parse(t, []byte(value))
	return document
}
