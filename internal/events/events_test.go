package events_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/butakero/butakero/internal/events"
	"github.com/butakero/butakero/internal/jobs"
)

var update = flag.Bool("update", false, "write the golden files")

const publicURL = "http://localhost:8080"

func succeeded() jobs.Operation {
	ended := time.Date(2024, 12, 24, 5, 39, 58, 0, time.UTC)
	song := jobs.Song{Platform: jobs.PlatformYouTube, ID: "SRXH9AbT280"}
	return jobs.Operation{
		ID: jobs.NewOperationID(song, [8]byte{0, 0, 2, 3, 4, 5, 6, 7}), Key: jobs.Key{Song: song, Profile: jobs.DefaultProfile},
		State: jobs.OperationSucceeded, Generation: 1, Event: jobs.EventPending, JobGeneration: 1, Attempts: 1,
		CreatedAt: ended.Add(-10 * time.Second), EndedAt: ended,
		Result: &jobs.Result{
			Path:  "audio/The Emptiness Machine (Official Music Video) - Linkin Park [SRXH9AbT280].dca",
			Bytes: 1509949, SHA256: strings.Repeat("0a", 32), Frames: 10050, Duration: 201 * time.Second,
			Info: jobs.SongInfo{Title: "The Emptiness Machine (Official Music Video) - Linkin Park", Duration: 201 * time.Second},
		},
	}
}

func failed() jobs.Operation {
	o := succeeded()
	o.State, o.Result = jobs.OperationFailed, nil
	o.Failure = &jobs.Failure{Class: jobs.ClassPermanent, Code: "private", Message: "This video is private."}
	return o
}

func cancelled() jobs.Operation {
	o := failed()
	o.State, o.Attempts = jobs.OperationCancelled, 0
	o.Failure = &jobs.Failure{Class: jobs.ClassCancelled, Code: jobs.CodeCancelled, Message: "cancelled on request"}
	return o
}

func replayed() jobs.Operation {
	o := succeeded()
	o.Generation, o.JobGeneration, o.After, o.Attempts = 2, 2, 1, 3
	o.Key.Profile, o.Requester = "lo-fi", "guild 1 & 2 <x>"
	return o
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"cloudevents": events.ContentTypeCloudEvents, "original": events.ContentTypeOriginal} {
		encode, err := events.ByName(format, publicURL)
		if err != nil {
			t.Fatal(err)
		}
		for name, o := range map[string]jobs.Operation{
			"succeeded": succeeded(), "failed": failed(), "cancelled": cancelled(), "replayed": replayed(),
		} {
			body, contentType, err := encode(jobs.EventOf(o))
			if err != nil || contentType != want {
				t.Fatalf("%s %s: %q, %v", format, name, contentType, err)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, body, "", "  "); err != nil {
				t.Fatal(err)
			}
			pretty.WriteByte('\n')
			file := filepath.Join("testdata", "golden", format+"_"+name+".json")
			if *update {
				if err := os.WriteFile(file, pretty.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			golden, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(golden, pretty.Bytes()) {
				t.Errorf("%s is\n%s\nwant\n%s", file, pretty.Bytes(), golden)
			}
		}
	}
}

// TestSuccessIsTheOriginals holds the success event to what the original sent
// for the song of its documentation, member by member.
func TestSuccessIsTheOriginals(t *testing.T) {
	t.Parallel()
	body, _, err := events.Original(publicURL)(jobs.EventOf(succeeded()))
	if err != nil {
		t.Fatal(err)
	}
	o := succeeded()
	want := `{"ID":"` + o.ID + `","Content":"Procesamiento de audio exitoso","Status":{"id":"` + o.ID + `","sk":"SRXH9AbT280","status":"success","message":"Procesamiento exitoso",` +
		`"metadata":{"id":"` + jobs.SongUUID(o.Key.Song) + `","video_id":"SRXH9AbT280","title":"The Emptiness Machine (Official Music Video) - Linkin Park","duration":"PT3M21S",` +
		`"url_youtube":"https://youtube.com/watch?v=SRXH9AbT280","thumbnail":"https://i.ytimg.com/vi/SRXH9AbT280/default.jpg","platform":"Youtube"},` +
		`"file_data":{"file_path":"` + o.Result.Path + `","file_size":"1.44MB","file_type":"audio/dca","public_url":"http://localhost:8080/api/v1/songs/SRXH9AbT280/audio"},` +
		`"processing_date":"2024-12-24T05:39:58Z","success":true,"attempts":1,"failures":0},"ReceiptHandle":""}`
	if string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

// TestCopiesAreAlike: the record before and after a store that keeps less than
// nanoseconds, or other zones, makes the same bytes, also when it was marked
// published meanwhile.
func TestCopiesAreAlike(t *testing.T) {
	t.Parallel()
	for _, encode := range []events.Encode{events.CloudEvents(publicURL), events.Original(publicURL)} {
		for _, o := range []jobs.Operation{succeeded(), failed(), cancelled(), replayed()} {
			o.EndedAt = o.EndedAt.Add(123_456_789)
			o.CreatedAt = o.CreatedAt.Add(987_654_321)
			kept := o
			kept.EndedAt = o.EndedAt.Truncate(time.Millisecond).In(time.FixedZone("x", 7200))
			kept.CreatedAt = o.CreatedAt.Truncate(time.Microsecond).In(time.FixedZone("y", -7200))
			kept.Event, kept.DueAt, kept.ExpireAt = jobs.EventPublished, o.EndedAt, o.EndedAt
			first, _, err1 := encode(jobs.EventOf(o))
			second, _, err2 := encode(jobs.EventOf(kept))
			if err1 != nil || err2 != nil || !bytes.Equal(first, second) {
				t.Errorf("%v, %v:\n%s\n%s", err1, err2, first, second)
			}
		}
	}
}

func TestReplaySaysSo(t *testing.T) {
	t.Parallel()
	first, again := events.CloudEventOf(jobs.EventOf(succeeded()), ""), events.CloudEventOf(jobs.EventOf(replayed()), "")
	if first.ID == again.ID {
		t.Error("the event after a replay has the id of the one before")
	}
	if first.Generation != 0 || first.Data.Generation != 0 || again.Generation != 2 || again.Data.Generation != 2 {
		t.Errorf("generations %d, %d before and %d, %d after the replay", first.Generation, first.Data.Generation, again.Generation, again.Data.Generation)
	}
}

func TestNoPublicURL(t *testing.T) {
	t.Parallel()
	body, _, err := events.CloudEvents("")(jobs.EventOf(succeeded()))
	if err != nil || bytes.Contains(body, []byte(`"url"`)) {
		t.Errorf("%s, %v; want no url", body, err)
	}
	if got := events.CloudEventOf(jobs.EventOf(replayed()), "https://music.example/").Data.File.URL; got != "https://music.example/api/v1/songs/SRXH9AbT280/audio?profile=lo-fi" {
		t.Errorf("url %q", got)
	}
}

// TestBareRecords: an operation that was ended without details still makes an
// event.
func TestBareRecords(t *testing.T) {
	t.Parallel()
	for _, state := range []jobs.OperationState{jobs.OperationSucceeded, jobs.OperationFailed, jobs.OperationCancelled} {
		o := succeeded()
		o.State, o.Result, o.Failure = state, nil, nil
		for format, encode := range map[string]events.Encode{"cloudevents": events.CloudEvents(publicURL), "original": events.Original(publicURL)} {
			if body, _, err := encode(jobs.EventOf(o)); err != nil || !json.Valid(body) {
				t.Errorf("%s %s: %s, %v", format, state, body, err)
			}
		}
	}
}

// TestSize: whatever a source or a client wrote, the event fits every queue.
func TestSize(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\x00é", 1<<18) // the longest when encoded
	ok, bad := succeeded(), failed()
	ok.Requester, ok.Result.Info = long, jobs.SongInfo{Title: long, URL: long, Thumbnail: long}
	bad.Requester, bad.Failure = long, &jobs.Failure{Message: long}
	for _, encode := range []events.Encode{events.CloudEvents(publicURL), events.Original(publicURL)} {
		for _, o := range []jobs.Operation{ok, bad} {
			body, _, err := encode(jobs.EventOf(o))
			if err != nil || len(body) > 128<<10 || !utf8.Valid(body) || bytes.Contains(body, []byte("\uFFFD")) {
				t.Errorf("%d bytes, %v", len(body), err)
			}
		}
	}
	if ok.Result.Info.Title != long || bad.Failure.Message != long {
		t.Error("the record itself was cut")
	}
}

func TestWhatIsNoEvent(t *testing.T) {
	t.Parallel()
	waiting := succeeded()
	waiting.State = jobs.OperationWaiting
	for name, e := range map[string]jobs.Event{"waiting": jobs.EventOf(waiting), "empty": {}, "no id": {Operation: succeeded()}} {
		for _, encode := range []events.Encode{events.CloudEvents(publicURL), events.Original(publicURL)} {
			if body, _, err := encode(e); err == nil {
				t.Errorf("%s: %s and no error", name, body)
			}
		}
	}
	if _, err := events.ByName("xml", ""); err == nil {
		t.Error("a format xml exists")
	}
}

func ExampleCloudEvents() {
	encode := events.CloudEvents("https://music.example")
	song := jobs.Song{Platform: jobs.PlatformYouTube, ID: "SRXH9AbT280"}
	at := time.Date(2024, 12, 24, 5, 39, 58, 0, time.UTC)
	body, contentType, _ := encode(jobs.EventOf(jobs.Operation{
		ID: jobs.NewOperationID(song, [8]byte{}), Key: jobs.Key{Song: song, Profile: jobs.DefaultProfile},
		State: jobs.OperationCancelled, Generation: 1, CreatedAt: at, EndedAt: at,
	}))
	fmt.Println(contentType)
	fmt.Println(string(body))
	// Output:
	// application/cloudevents+json; charset=UTF-8
	// {"specversion":"1.0","id":"8570466c-bdf2-5440-bdff-ac7818096143","source":"/butakero","type":"io.github.butakero.operation.cancelled","subject":"14915c7f-406d-83db-b340-000000000000","time":"2024-12-24T05:39:58Z","datacontenttype":"application/json","data":{"id":"14915c7f-406d-83db-b340-000000000000","song_id":"SRXH9AbT280","state":"cancelled","created_at":"2024-12-24T05:39:58Z","ended_at":"2024-12-24T05:39:58Z"}}
}
