package dynamo

import (
	"context"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/butakero/butakero/internal/jobs"
)

// What the service that this one replaces has written is read and never changed:
// operations have their id in PK and their song's id in SK, songs lie at PK
// VIDEO#id, SK METADATA. Both hold status, message, metadata, file_data,
// processing_date, success, attempts and failures, in two vintages that name
// some members of metadata differently.

var (
	originalID  = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	originalISO = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)
	originalMB  = regexp.MustCompile(`(?i)^\s*([0-9.]+)\s*([KMGT]?)I?B\s*$`)
)

// originalJob returns the song's record as a job that is done, if it ended well.
// Others never end, and are as good as none. Such a job can be looked at, and a
// request makes a job of its own: the original did not prove that its files were
// whole.
func (s *Store) originalJob(ctx context.Context, key jobs.Key) (jobs.Job, error) {
	if key.Platform != jobs.PlatformYouTube || key.Profile != jobs.DefaultProfile {
		return jobs.Job{}, jobs.ErrNotFound
	}
	found, err := s.get(ctx, s.options.SongsTable, itemKey("VIDEO#"+key.ID, "METADATA"))
	if err != nil {
		return jobs.Job{}, err
	}
	r := reader{item: found}
	if r.text("status") != "success" {
		return jobs.Job{}, jobs.ErrNotFound
	}
	at := originalTime(&r)
	result := originalResult(&r)
	return jobs.Job{
		Key: key, State: jobs.JobDone, Generation: 1, Attempt: int(originalNumber(&r, "attempts")), Info: result.Info, Result: result,
		CreatedAt: at, GenerationAt: at, UpdatedAt: at, EndedAt: at,
	}, nil
}

// originalOperation returns an operation by the id that the original gave it.
func (s *Store) originalOperation(ctx context.Context, id string) (jobs.Operation, error) {
	if err := ctx.Err(); err != nil {
		return jobs.Operation{}, err
	}
	if !originalID.MatchString(id) {
		return jobs.Operation{}, jobs.ErrNotFound
	}
	q := query{table: s.options.OperationsTable, pk: attrPK, partition: id, consistent: true, limit: 1}
	found, _, err := s.query(ctx, &q)
	if err != nil {
		return jobs.Operation{}, err
	}
	if len(found) == 0 {
		return jobs.Operation{}, jobs.ErrNotFound
	}
	return decodeOriginalOperation(found[0])
}

func decodeOriginalOperation(from item) (jobs.Operation, error) {
	r := reader{item: from}
	at := originalTime(&r)
	o := jobs.Operation{
		ID: r.text(attrPK), Generation: 1, Event: jobs.EventNone, State: jobs.OperationWaiting, CreatedAt: at,
		Key:      jobs.Key{Song: jobs.Song{Platform: jobs.PlatformYouTube, ID: r.text(attrSK)}, Profile: jobs.DefaultProfile},
		Attempts: int(originalNumber(&r, "attempts")),
	}
	switch r.text("status") {
	case "success":
		o.State, o.Event, o.EndedAt = jobs.OperationSucceeded, jobs.EventPublished, at
		o.Result = originalResult(&r)
	case "failed", "error":
		o.State, o.Event, o.EndedAt = jobs.OperationFailed, jobs.EventPublished, at
		o.Failure = &jobs.Failure{
			Class: jobs.ClassPermanent, Code: jobs.CodeUnknownState, Message: r.text("message"), Attempt: o.Attempts, At: at,
		}
	}
	return o, r.err
}

// originalTime reads the date, which is empty until the end.
func originalTime(r *reader) time.Time {
	at, err := time.Parse(time.RFC3339Nano, r.text("processing_date"))
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

func originalNumber(r *reader, name string) int64 {
	if v, ok := r.item[name].(*types.AttributeValueMemberN); ok {
		if n, err := strconv.ParseFloat(v.Value, 64); err == nil {
			return int64(n)
		}
	}
	return 0
}

// originalMap is nil for null.
func originalMap(r *reader, name string) *reader {
	m, _ := r.item[name].(*types.AttributeValueMemberM)
	if m == nil {
		return &reader{}
	}
	return &reader{item: m.Value}
}

func originalResult(r *reader) *jobs.Result {
	metadata, file := originalMap(r, "metadata"), originalMap(r, "file_data")
	first := func(names ...string) string {
		for _, name := range names {
			if v, ok := metadata.item[name].(*types.AttributeValueMemberS); ok && v.Value != "" {
				return v.Value
			}
		}
		return ""
	}
	info := jobs.SongInfo{Title: first("title"), URL: first("url_youtube", "url"), Thumbnail: first("thumbnail", "thumbnail_url")}
	if ms := originalNumber(metadata, "duration_ms"); ms > 0 {
		info.Duration = time.Duration(ms) * time.Millisecond
	} else {
		info.Duration = isoDuration(first("duration"))
	}
	path, size := "", ""
	if v, ok := file.item["file_path"].(*types.AttributeValueMemberS); ok {
		path = v.Value
	}
	if v, ok := file.item["file_size"].(*types.AttributeValueMemberS); ok {
		size = v.Value
	}
	return &jobs.Result{Path: path, Bytes: originalSize(size), Duration: info.Duration, Transcoded: true, Info: info}
}

// isoDuration reads PT3M21S; 0 for what it does not know.
func isoDuration(s string) (d time.Duration) {
	parts := originalISO.FindStringSubmatch(s)
	if parts == nil {
		return 0
	}
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, _ := strconv.ParseInt(parts[i+1], 10, 32)
		d += time.Duration(n) * unit
	}
	return d
}

// originalSize reads 1.44MB: the original kept no better.
func originalSize(s string) int64 {
	parts := originalMB.FindStringSubmatch(s)
	if parts == nil {
		return 0
	}
	n, err := strconv.ParseFloat(parts[1], 64)
	if err != nil {
		return 0
	}
	power := strings.Index("KMGT", strings.ToUpper(parts[2])) + 1
	if parts[2] == "" {
		power = 0
	}
	return int64(math.Round(n * math.Pow(1024, float64(power))))
}
