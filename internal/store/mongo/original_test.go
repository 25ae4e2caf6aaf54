package mongo

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/butakero/butakero/internal/jobs"
)

func TestOriginalDocuments(t *testing.T) {
	t.Parallel()
	const id, video = "19f6c66f-26f3-4ccf-bfc7-967449a95ad4", "SRXH9AbT280"
	processed := time.Date(2024, 12, 24, 5, 39, 58, 0, time.UTC)
	done := jobs.Operation{
		ID: id, Key: originalKey(video), Generation: 1, Event: jobs.EventPublished, State: jobs.OperationSucceeded, Attempts: 1,
		CreatedAt: processed, EndedAt: processed,
	}
	for name, test := range map[string]struct {
		doc    bson.D
		state  jobs.OperationState
		path   string
		bytes  int64
		length time.Duration
		title  string
		ended  time.Time
	}{
		"as its README shows it": {bson.D{
			{Key: "_id", Value: id}, {Key: "sk", Value: video}, {Key: "status", Value: "success"}, {Key: "message", Value: "Procesamiento exitoso"},
			{Key: "metadata", Value: bson.D{{Key: "video_id", Value: video}, {Key: "title", Value: "T"}, {Key: "duration", Value: "PT3M21S"}, {Key: "url_youtube", Value: "u"}}},
			{Key: "file_data", Value: bson.D{{Key: "file_path", Value: "audio/T.dca"}, {Key: "file_size", Value: "1.44MB"}}},
			{Key: "processing_date", Value: "2024-12-24T05:39:58Z"}, {Key: "success", Value: true}, {Key: "attempts", Value: 1},
		}, done.State, "audio/T.dca", 1_509_949, 201 * time.Second, "T", processed},
		"without tags on its fields": {bson.D{
			{Key: "_id", Value: id}, {Key: "sk", Value: video}, {Key: "status", Value: "success"},
			{Key: "metadata", Value: bson.D{{Key: "videoid", Value: video}, {Key: "title", Value: "T"}, {Key: "urlyoutube", Value: "u"}}},
			{Key: "filedata", Value: bson.D{{Key: "filepath", Value: "audio/T.dca"}}}, {Key: "processingdate", Value: processed},
		}, done.State, "audio/T.dca", 0, 0, "T", processed},
		"of its last release": {bson.D{
			{Key: "_id", Value: video}, {Key: "title_lower", Value: "t"}, {Key: "status", Value: "success"},
			{Key: "metadata", Value: bson.D{{Key: "title", Value: "T"}, {Key: "duration_ms", Value: int64(201000)}, {Key: "url", Value: "u"}, {Key: "platform", Value: "YouTube"}}},
			{Key: "file_data", Value: bson.D{{Key: "file_path", Value: "/data/T.dca"}, {Key: "file_size", Value: "512KB"}}},
			{Key: "updated_at", Value: processed}, {Key: "created_at", Value: processed},
		}, done.State, "/data/T.dca", 512 << 10, 201 * time.Second, "T", processed},
		"failed":  {bson.D{{Key: "_id", Value: id}, {Key: "sk", Value: video}, {Key: "status", Value: "failed"}}, jobs.OperationFailed, "", 0, 0, "", time.Time{}},
		"running": {bson.D{{Key: "_id", Value: id}, {Key: "sk", Value: video}, {Key: "status", Value: "iniciando"}, {Key: "metadata", Value: nil}, {Key: "file_data", Value: nil}}, jobs.OperationWaiting, "", 0, 0, "", time.Time{}},
	} {
		raw, err := bson.Marshal(test.doc)
		if err != nil {
			t.Fatal(err)
		}
		o, ok := translateOperation(raw)
		if !ok || o.State != test.state || o.Key != done.Key || !o.EndedAt.Equal(test.ended) {
			t.Errorf("%s: %t, %+v", name, ok, o)
			continue
		}
		if test.path == "" {
			continue
		}
		if r := o.Result; r.Path != test.path || r.Bytes != test.bytes || r.Duration != test.length || r.Info.Title != test.title || r.Info.URL != "u" {
			t.Errorf("%s: %+v", name, *r)
		}
		if j := translateJob(o); j.State != jobs.JobDone || j.Result != o.Result || j.Info.Title != "T" {
			t.Errorf("%s: %+v", name, j)
		}
	}
	for name, doc := range map[string]bson.D{
		"ours":          {{Key: "_id", Value: id}, {Key: "schema", Value: 1}, {Key: "sk", Value: video}},
		"of no video":   {{Key: "_id", Value: id}, {Key: "sk", Value: "no"}},
		"empty":         {},
		"of odd values": {{Key: "_id", Value: 7}, {Key: "sk", Value: bson.A{1}}, {Key: "metadata", Value: "x"}},
	} {
		raw, err := bson.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if o, ok := translateOperation(raw); ok {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestOriginalTexts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"PT3M21S": 201 * time.Second, "P1DT2H": 26 * time.Hour, "P0D": 0, "": 0, "3:21": 0, "PT": 0, "PTS": 0, "PT9999999999S": 1e6 * time.Second,
	} {
		if got := isoDuration(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]int64{"1.44MB": 1_509_949, "12 KB": 12 << 10, "7": 7, "3B": 3, "": 0, "much": 0, "-1MB": 0, "1e30GB": 0} {
		if got := sizeInWords(text); got != want {
			t.Errorf("%q is %d bytes, want %d", text, got, want)
		}
	}
}
