package dynamo_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/butakero/butakero/internal/jobs"
)

func texts(pairs ...string) map[string]types.AttributeValue {
	m := map[string]types.AttributeValue{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &types.AttributeValueMemberS{Value: pairs[i+1]}
	}
	return m
}

func with(m map[string]types.AttributeValue, name string, v types.AttributeValue) map[string]types.AttributeValue {
	m[name] = v
	return m
}

// The records that the service before this one wrote, in the shape of its README.
func TestOriginalRecords(t *testing.T) {
	t.Parallel()
	o := settings(t, nil)
	s := open(t, o)
	put := func(table string, m map[string]types.AttributeValue) {
		t.Helper()
		if _, err := client(o).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: m}); err != nil {
			t.Fatal(err)
		}
	}
	const done, begun, failed = "19f6c66f-26f3-4ccf-bfc7-967449a95ad4", "29f6c66f-26f3-4ccf-bfc7-967449a95ad4", "39f6c66f-26f3-4ccf-bfc7-967449a95ad4"
	null := &types.AttributeValueMemberNULL{Value: true}
	metadata := &types.AttributeValueMemberM{Value: texts("id", "63f48016-78cd-4387-99b9-c38af46e8e90", "video_id", "SRXH9AbT280",
		"title", "The Emptiness Machine", "duration", "PT3M21S", "url_youtube", "https://youtube.com/watch?v=SRXH9AbT280",
		"thumbnail", "https://i.ytimg.com/vi/SRXH9AbT280/default.jpg", "platform", "Youtube")}
	file := &types.AttributeValueMemberM{Value: texts("file_path", "audio/The Emptiness Machine.dca", "file_size", "1.44MB", "file_type", "audio/dca")}
	ended := with(with(texts("PK", done, "SK", "SRXH9AbT280", "status", "success", "message", "Procesamiento exitoso",
		"processing_date", "2024-12-24T05:39:58Z"), "metadata", metadata), "file_data", file)
	ended = with(with(ended, "success", &types.AttributeValueMemberBOOL{Value: true}), "attempts", &types.AttributeValueMemberN{Value: "1"})
	put(o.OperationsTable, ended)
	put(o.OperationsTable, with(with(texts("PK", begun, "SK", "SRXH9AbT280", "status", "iniciando", "processing_date", ""), "metadata", null), "file_data", null))
	put(o.OperationsTable, texts("PK", failed, "SK", "SRXH9AbT280", "status", "failed", "message", "no se pudo", "processing_date", "2024-12-24T05:39:58Z"))
	newer := &types.AttributeValueMemberM{Value: with(texts("title", "The Emptiness Machine", "url", "https://youtube.com/watch?v=SRXH9AbT280",
		"thumbnail_url", "https://i.ytimg.com/vi/SRXH9AbT280/default.jpg", "platform", "YouTube"), "duration_ms", &types.AttributeValueMemberN{Value: "201000"})}
	put(o.SongsTable, with(with(texts("PK", "VIDEO#SRXH9AbT280", "SK", "METADATA", "GSI1PK", "SONG", "GSI1SK", "the emptiness machine", "video_id", "SRXH9AbT280",
		"status", "success", "processing_date", "2025-06-28T05:39:58.123Z"), "metadata", newer), "file_data", file))
	put(o.SongsTable, texts("PK", "VIDEO#SRXH9AbT281", "SK", "METADATA", "status", "starting"))

	want := jobs.Result{
		Path: "audio/The Emptiness Machine.dca", Bytes: 1509949, Duration: 201 * time.Second, Transcoded: true,
		Info: jobs.SongInfo{
			Title: "The Emptiness Machine", URL: "https://youtube.com/watch?v=SRXH9AbT280",
			Thumbnail: "https://i.ytimg.com/vi/SRXH9AbT280/default.jpg", Duration: 201 * time.Second,
		},
	}
	op, err := s.Operation(t.Context(), done)
	if err != nil || op.ID != done || op.Key.ID != "SRXH9AbT280" || op.State != jobs.OperationSucceeded || op.Attempts != 1 ||
		op.Result == nil || *op.Result != want || !op.EndedAt.Equal(time.Date(2024, 12, 24, 5, 39, 58, 0, time.UTC)) {
		t.Errorf("done: %+v, %+v, %v", op, op.Result, err)
	}
	if op, err = s.Operation(t.Context(), begun); err != nil || op.State != jobs.OperationWaiting || op.Result != nil || !op.EndedAt.IsZero() {
		t.Errorf("begun: %+v, %v", op, err)
	}
	if op, err = s.Operation(t.Context(), failed); err != nil || op.State != jobs.OperationFailed || op.Failure == nil || op.Failure.Message != "no se pudo" {
		t.Errorf("failed: %+v, %v", op, err)
	}
	if _, err = s.Operation(t.Context(), "49f6c66f-26f3-4ccf-bfc7-967449a95ad4"); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
	key := jobs.Key{Song: jobs.Song{Platform: jobs.PlatformYouTube, ID: "SRXH9AbT280"}, Profile: jobs.DefaultProfile}
	j, err := s.Job(t.Context(), key)
	if err != nil || j.State != jobs.JobDone || j.Result == nil || *j.Result != want || j.Info.Title != "The Emptiness Machine" || j.EndedAt.IsZero() {
		t.Errorf("song: %+v, %+v, %v", j, j.Result, err)
	}
	other := key
	other.ID = "SRXH9AbT281"
	if _, err := s.Job(t.Context(), other); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("a song that was never made: %v", err)
	}
	// A request makes a job of its own, and nothing writes to the old records.
	made := apply(t.Context(), t, s, jobs.JobCommand{Kind: jobs.JobEnsure, Key: key, Now: time.Now()})
	if made.Generation != 1 || made.State != jobs.JobPending {
		t.Errorf("made: %+v", made)
	}
	if j, err = s.Job(t.Context(), key); err != nil || j.State != jobs.JobPending {
		t.Errorf("the job: %+v, %v", j, err)
	}
	outs, err := s.ApplyOperations(t.Context(), []jobs.OperationCommand{{Kind: jobs.OperationFinish, ID: begun, State: jobs.OperationCancelled, Now: time.Now()}})
	if err != nil || !errors.Is(outs[0].Err, jobs.ErrNotFound) {
		t.Errorf("%+v, %v", outs, err)
	}
}
