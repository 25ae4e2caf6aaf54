package mongo_test

import (
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/butakero/butakero/internal/jobs"
	"github.com/butakero/butakero/internal/store/mongo"
)

// An operator points Butakero at the database of the original: what was made is
// still known, and nothing of it is touched.
func TestOriginalsDatabase(t *testing.T) {
	t.Parallel()
	const id, failedID, video = "19f6c66f-26f3-4ccf-bfc7-967449a95ad4", "29f6c66f-26f3-4ccf-bfc7-967449a95ad4", "SRXH9AbT280"
	uri := address(t)
	name := database(t, uri)
	db := raw(t, uri, name)
	operation := bson.D{
		{Key: "_id", Value: id}, {Key: "sk", Value: video}, {Key: "status", Value: "success"}, {Key: "message", Value: "Procesamiento exitoso"},
		{Key: "metadata", Value: bson.D{{Key: "video_id", Value: video}, {Key: "title", Value: "The Emptiness Machine"}, {Key: "duration", Value: "PT3M21S"}}},
		{Key: "file_data", Value: bson.D{{Key: "file_path", Value: "audio/The Emptiness Machine.dca"}, {Key: "file_size", Value: "1.44MB"}}},
		{Key: "processing_date", Value: "2024-12-24T05:39:58Z"}, {Key: "success", Value: true}, {Key: "attempts", Value: 1}, {Key: "failures", Value: 0},
	}
	failed := bson.D{{Key: "_id", Value: failedID}, {Key: "sk", Value: video}, {Key: "status", Value: "failed"}, {Key: "message", Value: "no"}}
	song := bson.D{{Key: "_id", Value: "63f48016-78cd-4387-99b9-c38af46e8e90"}, {Key: "title", Value: "The Emptiness Machine"}, {Key: "platform", Value: "Youtube"}}
	newer := bson.D{
		{Key: "_id", Value: "dQw4w9WgXcQ"}, {Key: "title_lower", Value: "x"}, {Key: "status", Value: "success"},
		{Key: "file_data", Value: bson.D{{Key: "file_path", Value: "audio/x.dca"}}}, {Key: "updated_at", Value: time.Now()},
	}
	for collection, docs := range map[string][]any{"Operations": {operation, failed}, "Songs": {song, newer}} {
		if _, err := db.Collection(collection).InsertMany(t.Context(), docs); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, mongo.Options{URI: uri, Database: name})
	o, err := s.Operation(t.Context(), id)
	if err != nil || o.State != jobs.OperationSucceeded || o.Key.ID != video || o.Result.Path != "audio/The Emptiness Machine.dca" {
		t.Errorf("%+v, %v", o, err)
	}
	if lost, err := s.Operation(t.Context(), failedID); err != nil || lost.State != jobs.OperationFailed || lost.Failure.Message != "no" {
		t.Errorf("%+v, %v", lost, err)
	}
	j, err := s.Job(t.Context(), o.Key)
	if err != nil || j.State != jobs.JobDone || j.Info.Title != "The Emptiness Machine" {
		t.Errorf("%+v, %v", j, err)
	}
	other := jobs.Key{Song: jobs.Song{Platform: jobs.PlatformYouTube, ID: "dQw4w9WgXcQ"}, Profile: jobs.DefaultProfile}
	if j, err := s.Job(t.Context(), other); err != nil || j.Result.Path != "audio/x.dca" {
		t.Errorf("%+v, %v", j, err)
	}
	other.Profile = "low"
	if _, err := s.Job(t.Context(), other); !errors.Is(err, jobs.ErrNotFound) {
		t.Error(err)
	}

	// They are in no list, no count and nobody's work.
	if list, _, err := s.Jobs(t.Context(), jobs.JobFilter{}, "", 10); err != nil || len(list) != 0 {
		t.Errorf("%d jobs, %v", len(list), err)
	}
	if stats, err := s.Stats(t.Context(), time.Now()); err != nil || len(stats.Jobs) != 0 || stats.Waiting+stats.PendingEvents != 0 {
		t.Errorf("%+v, %v", stats, err)
	}
	if due, err := s.Due(t.Context(), time.Now().Add(time.Hour), 10); err != nil || len(due.Jobs)+len(due.Operations) != 0 {
		t.Errorf("%+v, %v", due, err)
	}
	outs, err := s.ApplyOperations(t.Context(), []jobs.OperationCommand{{Kind: jobs.OperationFinish, ID: id, Now: time.Now(), State: jobs.OperationCancelled}})
	if err != nil || !errors.Is(outs[0].Err, jobs.ErrNotFound) {
		t.Errorf("%+v, %v", outs, err)
	}

	// Asked for anew, the song is made anew, and while somebody waits for it the
	// original's record is not taken for its end.
	put(t, s, o.Key, 1)
	if _, err := s.Job(t.Context(), o.Key); !errors.Is(err, jobs.ErrNotFound) {
		t.Error(err)
	}
	if out := apply(t, s, jobs.JobCommand{Kind: jobs.JobEnsure, Key: o.Key, Now: time.Now()}); out.Err != nil || !out.Changed || out.Job.State != jobs.JobPending {
		t.Errorf("%+v", out)
	}
	want, err := bson.Marshal(operation)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := db.Collection("Operations").FindOne(t.Context(), bson.D{{Key: "_id", Value: id}}).Raw(); err != nil || kept.String() != bson.Raw(want).String() {
		t.Errorf("%s, %v", kept, err)
	}
}

// A newer release's fields are kept by this one.
func TestUnknownFieldsStay(t *testing.T) {
	t.Parallel()
	uri := address(t)
	name := database(t, uri)
	s := open(t, mongo.Options{URI: uri, Database: name})
	key := ensure(t, s, 1)[0]
	songs := raw(t, uri, name).Collection("Songs")
	if _, err := songs.UpdateByID(t.Context(), key.String(), bson.D{{Key: "$set", Value: bson.D{{Key: "from_the_future", Value: "x"}, {Key: "write", Value: bson.NewObjectID()}}}}); err != nil {
		t.Fatal(err)
	}
	j := apply(t, s, claimCommand(key, time.Now())).Job
	apply(t, s, jobs.JobCommand{Kind: jobs.JobCommit, Key: key, Now: time.Now(), Fence: j.Fence, Token: j.Token, Result: &jobs.Result{Path: "p"}, FanOut: 1})
	doc, err := songs.FindOne(t.Context(), bson.D{{Key: "_id", Value: key.String()}}).Raw()
	if v, _ := doc.Lookup("from_the_future").StringValueOK(); err != nil || v != "x" {
		t.Errorf("%s, %v", doc, err)
	}
}
