package mongo

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/butakero/butakero/internal/jobs"
)

// What the original service left is read, and nothing else: its operations by their
// id (a UUID of version 4, which none of ours is), its songs by the id of their
// video. Its documents are told by the schema field that they do not have. Field
// names are compared without case and underscores: its releases differed in them.

// platformProfile is what the original made: YouTube songs in one quality.
func originalKey(videoID string) jobs.Key {
	return jobs.Key{Song: jobs.Song{Platform: jobs.PlatformYouTube, ID: videoID}, Profile: jobs.DefaultProfile}
}

// originalOperation reads one of the original's operations.
func (s *Store) originalOperation(ctx context.Context, id string) (jobs.Operation, error) {
	if len(id) != 36 { // not even a UUID
		if err := ctx.Err(); err != nil {
			return jobs.Operation{}, err
		}
		return jobs.Operation{}, jobs.ErrNotFound
	}
	doc, err := s.operations.docs.FindOne(ctx, byID(id)).Raw()
	if none(err) {
		return jobs.Operation{}, jobs.ErrNotFound
	}
	if err != nil {
		return jobs.Operation{}, failed(ctx, "read", err)
	}
	o, ok := translateOperation(doc)
	if !ok {
		return jobs.Operation{}, jobs.ErrNotFound
	}
	return o, nil
}

// originalJob looks for a song that only the original has made: as a document of
// its later releases (_id = video id), or as the song of one of its operations. An
// operation of ours that waits for the song means that it is to be made: there is
// no job then, whatever the original had.
func (s *Store) originalJob(ctx context.Context, key jobs.Key) (jobs.Job, error) {
	if key != originalKey(key.ID) {
		return jobs.Job{}, jobs.ErrNotFound
	}
	doc, err := s.jobs.docs.FindOne(ctx, byID(key.ID)).Raw()
	if err != nil && !none(err) {
		return jobs.Job{}, failed(ctx, "read", err)
	}
	o, ok := jobs.Operation{}, false
	if err == nil {
		o, ok = translateOperation(doc)
	}
	if !ok || o.State != jobs.OperationSucceeded {
		found, err := s.originalEnd(ctx, key.ID)
		switch {
		case err == nil:
			o, ok = found, true
		case !errors.Is(err, jobs.ErrNotFound):
			return jobs.Job{}, err
		}
	}
	if !ok || o.State == jobs.OperationWaiting {
		return jobs.Job{}, jobs.ErrNotFound
	}
	waiting, err := s.OperationsOf(ctx, key, jobs.OperationWaiting, "", 1)
	if err != nil {
		return jobs.Job{}, err
	}
	if len(waiting) > 0 {
		return jobs.Job{}, jobs.ErrNotFound
	}
	return translateJob(o), nil
}

// originalEnd returns the best of the original's operations on a video.
func (s *Store) originalEnd(ctx context.Context, videoID string) (best jobs.Operation, err error) {
	cursor, err := s.operations.docs.Find(ctx, bson.D{{Key: "sk", Value: videoID}}, options.Find().SetHint(indexOriginal).SetLimit(50))
	if err != nil {
		return best, failed(ctx, "read", err)
	}
	found := false
	err = rows(ctx, cursor, func(doc bson.Raw) {
		o, ok := translateOperation(doc)
		if ok && (!found || best.State != jobs.OperationSucceeded && o.State == jobs.OperationSucceeded) {
			best, found = o, true
		}
	})
	if err == nil && !found {
		err = jobs.ErrNotFound
	}
	return best, err
}

// translateJob makes a job of what the original knew of a song's end.
func translateJob(o jobs.Operation) jobs.Job {
	j := jobs.Job{
		Key: o.Key, State: jobs.JobDone, Generation: 1, Attempt: o.Attempts, Result: o.Result,
		CreatedAt: o.CreatedAt, GenerationAt: o.CreatedAt, UpdatedAt: o.EndedAt, EndedAt: o.EndedAt,
	}
	if o.State == jobs.OperationFailed {
		j.State, j.LastError = jobs.JobDead, o.Failure
	}
	if o.Result != nil {
		j.Info = o.Result.Info
	}
	return j
}

// translateOperation reads a document of the original. ok is false for what is
// none, or makes no sense.
func translateOperation(doc bson.Raw) (o jobs.Operation, ok bool) {
	d := loosely(doc)
	if d == nil || d["schema"].Type != 0 {
		return o, false
	}
	metadata, file := d.inner("metadata"), d.inner("filedata")
	video := first(d.text("sk"), d.text("videoid"), metadata.text("videoid"), d.text("_id"))
	if !jobs.ValidSongID(video) {
		return o, false
	}
	o = jobs.Operation{
		ID: d.text("_id"), Key: originalKey(video), Generation: 1, Event: jobs.EventPublished,
		Attempts: int(d.number("attempts")), EndedAt: d.time("processingdate"), CreatedAt: d.time("createdat"),
	}
	if updated := d.time("updatedat"); !updated.IsZero() {
		o.EndedAt = updated
	}
	if o.CreatedAt.IsZero() {
		o.CreatedAt = o.EndedAt
	}
	info := jobs.SongInfo{
		Title:     first(metadata.text("title"), d.text("title")),
		URL:       first(metadata.text("urlyoutube"), metadata.text("url"), d.text("urlyoutube")),
		Thumbnail: first(metadata.text("thumbnail"), metadata.text("thumbnailurl"), d.text("thumbnail")),
		Duration:  time.Duration(metadata.number("durationms")) * time.Millisecond,
	}
	if info.Duration == 0 {
		info.Duration = isoDuration(first(metadata.text("duration"), d.text("duration")))
	}
	switch strings.ToLower(d.text("status")) {
	case "success", "completed":
		o.State = jobs.OperationSucceeded
		o.Result = &jobs.Result{
			Path: first(file.text("filepath"), d.text("filepath")), Bytes: sizeInWords(first(file.text("filesize"), d.text("filesize"))),
			Duration: info.Duration, Info: info,
		}
	case "failed":
		o.State = jobs.OperationFailed
		o.Failure = &jobs.Failure{Class: jobs.ClassPermanent, Code: jobs.CodeUnknownState, Message: first(d.text("message"), "the original service failed"), At: o.EndedAt}
	default: // iniciando, starting: the original has lost it, if it still runs nowhere
		o.State, o.Event, o.EndedAt = jobs.OperationWaiting, jobs.EventNone, time.Time{}
	}
	return o, true
}

// loose is a document whose field names are in lower case, without underscores
// but a leading one.
type loose map[string]bson.RawValue

func loosely(doc bson.Raw) loose {
	all, err := doc.Elements()
	if err != nil {
		return nil
	}
	d := make(loose, len(all))
	for _, e := range all {
		key := e.Key()
		if key != fieldID {
			key = strings.ReplaceAll(strings.ToLower(key), "_", "")
		}
		d[key] = e.Value()
	}
	return d
}

func (d loose) text(key string) string {
	s, _ := d[key].StringValueOK()
	return s
}

func (d loose) number(key string) int64 {
	if f, ok := d[key].DoubleOK(); ok {
		return int64(f)
	}
	n, _ := d[key].AsInt64OK()
	return n
}

func (d loose) inner(key string) loose {
	doc, ok := d[key].DocumentOK()
	if !ok {
		return nil
	}
	return loosely(doc)
}

// time reads a date, or a text that holds one.
func (d loose) time(key string) time.Time {
	if ms, ok := d[key].DateTimeOK(); ok {
		if ms < 0 { // Go's zero time
			return time.Time{}
		}
		return time.UnixMilli(ms).UTC()
	}
	t, err := time.Parse(time.RFC3339, d.text(key))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// sizeInWords reads sizes such as 1.44MB, which are all that the original kept.
func sizeInWords(text string) int64 {
	number := strings.TrimRight(strings.TrimSpace(text), "KMGBkmgb ")
	unit := strings.ToUpper(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), number)))
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n < 0 || n > 1e12 {
		return 0
	}
	switch unit {
	case "KB":
		n *= 1 << 10
	case "MB":
		n *= 1 << 20
	case "GB":
		n *= 1 << 30
	}
	return int64(n)
}

// isoDuration reads the data API's form, such as PT3M21S or P1DT2H.
func isoDuration(text string) time.Duration {
	rest, ok := strings.CutPrefix(text, "P")
	if !ok {
		return 0
	}
	var total time.Duration
	n, digits := int64(0), false
	for _, c := range rest {
		unit := time.Duration(0)
		switch {
		case c == 'T':
			continue
		case c >= '0' && c <= '9':
			n, digits = min(n*10+int64(c-'0'), 1e6), true
			continue
		case c == 'D':
			unit = 24 * time.Hour
		case c == 'H':
			unit = time.Hour
		case c == 'M':
			unit = time.Minute
		case c == 'S':
			unit = time.Second
		}
		if unit == 0 || !digits {
			return 0
		}
		total += time.Duration(n * int64(unit))
		n, digits = 0, false
	}
	return total
}
